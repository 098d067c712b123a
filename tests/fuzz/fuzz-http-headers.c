/* The headers of a server's answers, a line each. */
#include <string.h>

#include "daemon/http_headers.h"
#include "tests/fuzz/fuzz.h"

/* Ended by NUL within its place, UTF-8, nothing that a terminal acts on. */
static void check_text(const char *text, size_t size)
{
        Text rest = { text, strnlen(text, size) };

        fuzz_require(rest.size < size);
        fuzz_require(text_is_utf8(rest));
        for (; rest.size; rest.data++, rest.size--)
                fuzz_require(!text_begins_with_control(rest));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        Text text = { size ? (const char *)bytes : "", size };
        HubReply reply = { 0 };
        HttpHeaders headers = { .reply = &reply, .from = -1 };

        while (text.size) {
                const char *newline = memchr(text.data, '\n', text.size);
                Text line = { text.data, newline ? (size_t)(newline - text.data) + 1 : text.size };

                http_headers_take(&headers, line);
                text.data += line.size;
                text.size -= line.size;
        }
        fuzz_require(headers.from >= -1);
        fuzz_require(!headers.link_is_cut || strlen(reply.link) > sizeof(reply.link) - 5);
        check_text(reply.error_code, sizeof(reply.error_code));
        check_text(reply.error_message, sizeof(reply.error_message));
        check_text(reply.link, sizeof(reply.link));
        check_text(reply.rate_limit, sizeof(reply.rate_limit));
        check_text(reply.retry_after, sizeof(reply.retry_after));
        return 0;
}
