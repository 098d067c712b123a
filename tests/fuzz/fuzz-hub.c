/* What the Hub sends. The first byte chooses the parser, the rest is for it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kernels/hub_answer.h"
#include "kernels/hub_redirect.h"
#include "kernels/hub_reply.h"
#include "kernels/hub_retry.h"
#include "kernels/hub_tree.h"
#include "kernels/hub_url.h"
#include "proto/name.h"
#include "tests/fuzz/fuzz.h"

#define HUB TEXT("https://huggingface.co")

static void check_fault(int r, const Fault *fault)
{
        fuzz_require(r == 0 || (r == 1 && fault->name != FAULT_NONE && fault->message[0] && text_is_utf8(text_of(fault->message))));
}

static void fuzz_refs(Text body)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        HubRefs refs = { 0 };
        int64_t version;
        Text commit;

        check_fault(hub_refs_parse(body, &arena, &refs, &fault), &fault);
        for (size_t i = 0; i < refs.n_branches; i++) {
                fuzz_require(name_check_revision(refs.branches[i].name, &fault) == 0);
                fuzz_require(hub_refs_find(&refs, refs.branches[i].name, &commit) && name_is_commit(commit));
                if (hub_ref_version(refs.branches[i].name, &version)) {
                        char name[32];

                        (void)snprintf(name, sizeof(name), "v%lld", (long long)version);
                        fuzz_require(text_equal(refs.branches[i].name, text_of(name)));
                }
        }
}

static void fuzz_revision(Text body)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        bool trusted;
        Text commit;
        int r = hub_revision_parse(body, &arena, &commit, &fault);

        check_fault(r, &fault);
        fuzz_require(r || name_is_commit(commit));
        check_fault(hub_overview_parse(body, &trusted, &fault), &fault);
}

static void check_path(Text path)
{
        fuzz_require(path.size && path.size <= LIMIT_PATH && text_is_utf8(path));
        for (;;) {
                const char *slash = path.size ? memchr(path.data, '/', path.size) : NULL;
                Text component = { path.data, slash ? (size_t)(slash - path.data) : path.size };

                fuzz_require(name_is_file(component));
                if (!slash)
                        break;
                path = (Text){ slash + 1, path.size - component.size - 1 };
        }
}

/* Two pages, split at a line that is "--". */
static void fuzz_tree(Text body)
{
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
        Fault fault = FAULT_NULL;
        const char *split = body.size ? memmem(body.data, body.size, "\n--\n", 4) : NULL;
        Text first = { body.data, split ? (size_t)(split - body.data) : body.size };
        int r = hub_tree_add_page(&tree, TEXT(""), first, &fault);

        if (!r && split)
                r = hub_tree_add_page(&tree, TEXT("build"), (Text){ split + 4, body.size - first.size - 4 }, &fault);
        if (!r)
                r = hub_tree_finish(&tree, &fault);
        check_fault(r, &fault);
        for (size_t i = 0; !r && i < tree.n_entries; i++) {
                const HubEntry *entry = &tree.entries[i];

                check_path(entry->path);
                fuzz_require(!i || text_compare(tree.entries[i - 1].path, entry->path) < 0);
                fuzz_require(entry->folder ? !entry->etag.data : entry->size >= 0 && entry->etag.size == (entry->lfs ? 64 : 40));
        }
}

/* A header a line: code, message, link, rate limit, retry after. */
static void take_line(Text *left, char *out, size_t size)
{
        const char *newline = left->size ? memchr(left->data, '\n', left->size) : NULL;
        size_t n = newline ? (size_t)(newline - left->data) : left->size;
        size_t kept = n < size ? n : size - 1;

        for (size_t i = 0; i < kept; i++)
                out[i] = left->data[i] ? left->data[i] : ' ';
        n += !!newline;
        *left = (Text){ left->data + n, left->size - n };
}

static void fuzz_reply(Text text)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        HubReply reply = { .trouble = HUB_REPLIED };
        Fault fault = FAULT_NULL;
        uint64_t wait_ms = 0;
        char status[4] = { 0 };
        Text url = TEXT_NULL;

        take_line(&text, status, sizeof(status));
        reply.status = (int)strtol(status, NULL, 10);
        take_line(&text, reply.error_code, sizeof(reply.error_code));
        take_line(&text, reply.error_message, sizeof(reply.error_message));
        take_line(&text, reply.link, sizeof(reply.link));
        take_line(&text, reply.rate_limit, sizeof(reply.rate_limit));
        take_line(&text, reply.retry_after, sizeof(reply.retry_after));
        check_fault(hub_reply_judge(&reply, TEXT("o/n"), text.size & 1, &fault), &fault);
        check_fault(hub_reply_next(&reply, HUB, &arena, &url, &fault), &fault);
        fuzz_require(!url.data || strncasecmp(url.data, "https://huggingface.co", 22) == 0);
        for (unsigned n = 1; n < 7; n++)
                if (hub_retry((HubCall)(text.size % 3), n, false, &reply, &wait_ms))
                        fuzz_require(wait_ms >= 1000 && wait_ms <= 300000);
}

static void fuzz_redirect(Text text)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text repo, revision;
        int r = hub_redirect_parse(text, &arena, &repo, &revision, &fault);

        check_fault(r, &fault);
        if (!r)
                fuzz_require(name_check_repository(repo, &fault) == 0 && name_check_revision(revision, &fault) == 0);
}

/* What may be the Hub's address stays of its own origin with a path behind it. */
static void fuzz_url(Text text)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        int r = hub_endpoint_check(text, &fault);

        check_fault(r, &fault);
        fuzz_require(r || hub_url_same_origin(text, hub_url_file(text, TEXT("o/n"), TEXT("c"), text, &arena)));
        fuzz_require(hub_url_same_origin(hub_url_revision(HUB, TEXT("o/n"), text, &arena), HUB));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        static void (*const parsers[])(Text) = { fuzz_refs, fuzz_revision, fuzz_tree, fuzz_reply, fuzz_redirect, fuzz_url };
        Text text;

        if (!size)
                return 0;
        text = (Text){ (const char *)bytes + 1, size - 1 };
        parsers[bytes[0] % (sizeof(parsers) / sizeof(parsers[0]))](text);
        return 0;
}
