#include "kernels/hub_reply.h"

#include <errno.h>
#include <strings.h>

#include "kernels/hub_url.h"
#include "proto/base/error.h"

/* --- judging --- */

static int judge_trouble(const HubReply *reply, Text what, Fault *fault)
{
        switch (reply->trouble) {
        case HUB_UNREACHABLE:
                return fault_set(fault, FAULT_HUB, "%.*s: the Hub cannot be reached: %s", TEXT_PRINT(what), reply->message);
        case HUB_BROKEN:
                return fault_set(fault, FAULT_HUB, "%.*s: the Hub's answer broke off: %s", TEXT_PRINT(what), reply->message);
        case HUB_TIMED_OUT:
                return fault_set(fault, FAULT_TIMEOUT, "%.*s: the Hub did not answer in time: %s", TEXT_PRINT(what),
                                 reply->message);
        case HUB_TLS:
                return fault_set(fault, FAULT_HUB,
                                 "%.*s: no secure connection to the Hub: %s; where an authority of your own signs, "
                                 "name its file in hub.ca_file or in SSL_CERT_FILE", TEXT_PRINT(what), reply->message);
        case HUB_TOO_LARGE:
                return fault_set(fault, FAULT_HUB, "%.*s: the Hub's answer is larger than it may be", TEXT_PRINT(what));
        default:
                return fault_set(fault, FAULT_INTERNAL, "%.*s: what the Hub sent could not be taken in: %s",
                                 TEXT_PRINT(what), reply->message);
        }
}

static bool has_code(const HubReply *reply, const char *code)
{
        return strcmp(reply->error_code, code) == 0;
}

static bool is_disabled(const HubReply *reply)
{
        return strcmp(reply->error_message, "Access to this resource is disabled.") == 0;
}

static int no_repository(Text what, bool with_token, Fault *fault)
{
        if (with_token)
                return fault_set(fault, FAULT_NO_REPOSITORY,
                                 "%.*s: the Hub has no such repository, or the token may not see it", TEXT_PRINT(what));
        return fault_set(fault, FAULT_NO_REPOSITORY,
                         "%.*s: the repository does not exist or is private; a private one must be listed in "
                         "trust.private, and the daemon needs a token for it", TEXT_PRINT(what));
}

static int gated(Text what, bool with_token, Fault *fault)
{
        if (with_token)
                return fault_set(fault, FAULT_AUTH,
                                 "%.*s: access is restricted, and the token's owner has not got it; ask for it on the "
                                 "repository's page", TEXT_PRINT(what));
        return fault_set(fault, FAULT_AUTH,
                         "%.*s: access is restricted; list the repository in trust.private and give the daemon a token "
                         "that has access", TEXT_PRINT(what));
}

/* ": " and the Hub's own words, where it has some. */
static int refuse(const HubReply *reply, FaultName name, Text what, const char *why, Fault *fault)
{
        return fault_set(fault, name, "%.*s: %s (status %d)%s%s", TEXT_PRINT(what), why, reply->status,
                         reply->error_message[0] ? ": " : "", reply->error_message);
}

static int judge_status(const HubReply *reply, Text what, bool with_token, Fault *fault)
{
        if (reply->status == 401 && !with_token)
                return no_repository(what, false, fault);
        if (reply->status == 401 || (reply->status == 403 && with_token))
                return refuse(reply, FAULT_AUTH, what, "the Hub refuses the token", fault);
        if (reply->status == 429)
                return refuse(reply, FAULT_RATE_LIMITED, what, "the Hub asks to slow down; try again later", fault);
        if (reply->status >= 500)
                return refuse(reply, FAULT_HUB, what, "the Hub failed", fault);
        return refuse(reply, FAULT_HUB, what, "the Hub refuses the request", fault);
}

/* The order is that of the public client. */
int hub_reply_judge(const HubReply *reply, Text what, bool with_token, Fault *fault)
{
        if (reply->trouble != HUB_REPLIED)
                return judge_trouble(reply, what, fault);
        if (reply->status >= 200 && reply->status < 300)
                return 0;
        if (has_code(reply, "RevisionNotFound"))
                return fault_set(fault, FAULT_NO_REVISION, "%.*s: the repository has no such revision", TEXT_PRINT(what));
        if (has_code(reply, "EntryNotFound"))
                return fault_set(fault, FAULT_GONE, "%.*s: the repository has no such file or folder", TEXT_PRINT(what));
        if (has_code(reply, "GatedRepo"))
                return gated(what, with_token, fault);
        if (is_disabled(reply))
                return fault_set(fault, FAULT_NO_REPOSITORY, "%.*s: the Hub has disabled the repository", TEXT_PRINT(what));
        if (has_code(reply, "RepoNotFound"))
                return no_repository(what, with_token, fault);
        return judge_status(reply, what, with_token, fault);
}

bool hub_reply_is_missing(const HubReply *reply)
{
        return reply->trouble == HUB_REPLIED && reply->status >= 400 && has_code(reply, "EntryNotFound");
}

/* --- the Link header, RFC 8288 section 3 --- */

static void skip_blanks(Text *text)
{
        while (text->size && (text->data[0] == ' ' || text->data[0] == '\t'))
                *text = (Text){ text->data + 1, text->size - 1 };
}

static bool take(Text *text, char c)
{
        if (!text->size || text->data[0] != c)
                return false;
        *text = (Text){ text->data + 1, text->size - 1 };
        return true;
}

static Text take_n(Text *text, size_t n)
{
        Text taken = { text->data, n };

        *text = (Text){ text->data + n, text->size - n };
        return taken;
}

static Text take_word(Text *text)
{
        size_t n = 0;

        while (n < text->size && !strchr(" \t,;=\"<>", text->data[n]))
                n++;
        return take_n(text, n);
}

static bool take_until(Text *text, char c, Text *ret_taken)
{
        const char *end = text->size ? memchr(text->data, c, text->size) : NULL;

        if (!end)
                return false;
        *ret_taken = take_n(text, (size_t)(end - text->data));
        return take(text, c);
}

/* The content between quotes as it stands, for relation types hold nothing
 * that needs a backslash. */
static bool take_quoted(Text *text, Text *ret_content)
{
        size_t n = 0;

        while (n < text->size && text->data[n] != '"')
                n += text->data[n] == '\\' && n + 1 < text->size ? 2 : 1;
        *ret_content = take_n(text, n);
        return take(text, '"');
}

static bool is_word(Text text, Text word)
{
        return text.size == word.size && strncasecmp(text.data, word.data, word.size) == 0;
}

/* Whether a list of relation types, separated by blanks, holds "next". */
static bool holds_next(Text types)
{
        while (types.size) {
                Text type;

                skip_blanks(&types);
                type = take_word(&types);
                if (is_word(type, TEXT("next")))
                        return true;
                if (!type.size)
                        return false;
        }
        return false;
}

/* name, name=word or name="words", blanks around '=' allowed. */
static bool take_parameter(Text *text, Text *ret_name, Text *ret_value)
{
        skip_blanks(text);
        *ret_name = take_word(text);
        *ret_value = TEXT("");
        skip_blanks(text);
        if (!take(text, '='))
                return true; /* also an empty one, as in "<a>; ;" */
        skip_blanks(text);
        if (take(text, '"'))
                return take_quoted(text, ret_value);
        *ret_value = take_word(text);
        return true;
}

/* One "<target>; parameters"; of several `rel` the first one counts. */
static bool take_link(Text *text, Text *ret_target, bool *ret_next)
{
        bool has_rel = false;

        *ret_next = false;
        if (!take(text, '<') || !take_until(text, '>', ret_target))
                return false;
        for (skip_blanks(text); take(text, ';'); skip_blanks(text)) {
                Text name, value;

                if (!take_parameter(text, &name, &value))
                        return false;
                if (is_word(name, TEXT("rel")) && !has_rel) {
                        has_rel = true;
                        *ret_next = holds_next(value);
                }
        }
        return true;
}

/* False: ill-formed. An absent target: no link leads on. */
static bool find_next(Text header, Text *ret_target)
{
        *ret_target = TEXT_NULL;
        for (;;) {
                Text target;
                bool next;

                for (skip_blanks(&header); take(&header, ','); skip_blanks(&header))
                        ;
                if (!header.size)
                        return true;
                if (!take_link(&header, &target, &next) || (header.size && header.data[0] != ','))
                        return false;
                if (next) {
                        *ret_target = target;
                        return true;
                }
        }
}

/* A header that cannot be read is not the end of the listing: files would be
 * missing without a word. */
int hub_reply_next(const HubReply *reply, Text endpoint, Arena *arena, Text *ret_url, Fault *fault)
{
        Text target, shown;

        if (!find_next(text_of(reply->link), &target))
                return fault_set(fault, FAULT_HUB, "the Hub's Link header cannot be read, so the listing is not complete");
        shown = text_cut(target, 200);
        if (target.data && !hub_url_same_origin(target, endpoint))
                return fault_set(fault, FAULT_HUB, "the Hub's next page is elsewhere, at \"%.*s\": not followed",
                                 TEXT_PRINT(shown));
        return error_trace(arena_copy(arena, target, ret_url));
}
