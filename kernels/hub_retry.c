#include "kernels/hub_retry.h"

/* Upstream's, for pages and files. */
#define ATTEMPTS_MAX 6

/* Upstream tries these once only. Somebody waits for each of them, so one
 * hiccup should not fail him; after a second failure what is on disk, or the
 * truth, helps him more than waiting. */
#define ATTEMPTS_FIRST 2

/* Upstream counts anew whenever bytes come; a server that sends one byte each
 * time would never be done. A guess. */
#define ATTEMPTS_WITH_BYTES 32

/* A signed link that has run out is made anew; a second new one that is refused
 * is refused for another reason. */
#define ATTEMPTS_FORBIDDEN 2

/* The Hub counts in windows of five minutes: longer waits mean something else. */
#define WAIT_MAX_S 300

/* --- what is worth another attempt --- */

static bool is_network(HubCall kind, HubTrouble trouble)
{
        if (trouble == HUB_TIMED_OUT)
                return kind != HUB_CALL_FIRST; /* he has waited long enough */
        return trouble == HUB_UNREACHABLE || trouble == HUB_BROKEN;
}

/* A server's error on a file fails at once, as upstream has it. */
static bool is_passing(HubCall kind, int status)
{
        if (status == 408 || status == 429)
                return true;
        return kind != HUB_CALL_FILE && (status == 500 || status == 502 || status == 503 || status == 504);
}

/* The Hub itself says why with a code or in words; what only says 403 stands
 * before its storage. */
static bool is_expired_link(HubCall kind, const HubReply *reply)
{
        return kind == HUB_CALL_FILE && reply->status == 403 && !reply->error_code[0] && !reply->error_message[0];
}

static unsigned attempts_max(HubCall kind, bool got_bytes, const HubReply *reply)
{
        if (reply->trouble != HUB_REPLIED) {
                if (!is_network(kind, reply->trouble))
                        return 0;
                if (kind == HUB_CALL_FILE && got_bytes)
                        return ATTEMPTS_WITH_BYTES;
        } else if (is_expired_link(kind, reply)) {
                return ATTEMPTS_FORBIDDEN + 1;
        } else if (!is_passing(kind, reply->status)) {
                return 0;
        }
        return kind == HUB_CALL_FIRST ? ATTEMPTS_FIRST : ATTEMPTS_MAX;
}

/* --- how long to wait --- */

/* Decimal digits alone; what is too large is some number above the longest wait. */
static bool parse_seconds(Text text, uint64_t *ret_seconds)
{
        uint64_t seconds = 0;

        if (!text.size)
                return false;
        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                if (seconds <= WAIT_MAX_S)
                        seconds = seconds * 10 + (uint64_t)(text.data[i] - '0');
        }
        *ret_seconds = seconds;
        return true;
}

static Text trim(Text text)
{
        while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
                text = (Text){ text.data + 1, text.size - 1 };
        while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
                text.size--;
        return text;
}

/* Cuts off what stands before the next `mark` outside of quotes. */
static Text cut_off(Text *left, char mark)
{
        bool quoted = false;
        size_t n = 0;
        Text part;

        for (; n < left->size && (quoted || left->data[n] != mark); n++)
                if (left->data[n] == '"')
                        quoted = !quoted;
        part = (Text){ left->data, n };
        n += n < left->size;
        *left = (Text){ left->data + n, left->size - n };
        return trim(part);
}

/* Of `"resolvers";r=0;t=172`: how long until there is more, if nothing is left. */
static bool parse_bucket(Text bucket, uint64_t *ret_seconds)
{
        bool is_empty = false, has_time = false;
        uint64_t left, seconds = 0;

        while (bucket.size) {
                Text part = cut_off(&bucket, ';');

                if (text_starts_with(part, TEXT("r=")))
                        is_empty = parse_seconds((Text){ part.data + 2, part.size - 2 }, &left) && left == 0;
                else if (text_starts_with(part, TEXT("t=")))
                        has_time = parse_seconds((Text){ part.data + 2, part.size - 2 }, &seconds);
        }
        *ret_seconds = seconds;
        return is_empty && has_time;
}

static bool parse_rate_limit(Text header, uint64_t *ret_seconds)
{
        while (header.size)
                if (parse_bucket(cut_off(&header, ','), ret_seconds))
                        return true;
        return false;
}

/* One second more than the Hub says, for it counts in whole ones. */
static uint64_t wait_s(unsigned n_tried, bool got_bytes, const HubReply *reply)
{
        static const uint64_t usual[] = { 1, 2, 4, 8 };
        uint64_t seconds = 0;

        if (reply->trouble == HUB_REPLIED) {
                if (reply->status == 429 && parse_rate_limit(text_of(reply->rate_limit), &seconds))
                        return seconds + 1;
                if (parse_seconds(trim(text_of(reply->retry_after)), &seconds))
                        return seconds + 1;
        } else if (got_bytes) {
                return 1;
        }
        return usual[n_tried < 4 ? n_tried - !!n_tried : 3];
}

bool hub_retry(HubCall kind, unsigned n_tried, bool got_bytes, const HubReply *reply, uint64_t *ret_wait_ms)
{
        uint64_t seconds;

        if (n_tried >= attempts_max(kind, got_bytes, reply))
                return false;
        seconds = wait_s(n_tried, got_bytes, reply);
        if (seconds > WAIT_MAX_S)
                return false;
        *ret_wait_ms = seconds * 1000;
        return true;
}
