#include "proto/name.h"

static bool has_control(Text text)
{
        for (size_t i = 0; i < text.size; i++)
                if (text_begins_with_control((Text){ text.data + i, text.size - i }))
                        return true;
        return false;
}

/* Whether a terminal would turn round, or not show, what follows: U+061C, U+200B to
 * U+200F, U+2028 to U+202E, U+2060 to U+206F, U+FEFF. */
static bool has_hidden(Text text)
{
        for (size_t i = 0; i + 1 < text.size; i++) {
                const unsigned char *p = (const unsigned char *)text.data + i;
                unsigned last = i + 2 < text.size ? p[2] : 0;

                if ((p[0] == 0xd8 && p[1] == 0x9c) || (p[0] == 0xef && p[1] == 0xbb && last == 0xbf))
                        return true;
                if (p[0] == 0xe2 && p[1] == 0x80 && ((last >= 0x8b && last <= 0x8f) || (last >= 0xa8 && last <= 0xae)))
                        return true;
                if (p[0] == 0xe2 && p[1] == 0x81 && last >= 0xa0 && last <= 0xaf)
                        return true;
        }
        return false;
}

static int name_refuse(Text name, const char *what, const char *rule, Fault *fault)
{
        return fault_set(fault, FAULT_INVALID_NAME, "\"%.*s\" cannot be a %s: %s", (int)(name.size < 80 ? name.size : 80),
                         name.data, what, rule);
}

/* What all names keep. */
static int name_check_text(Text name, const char *what, size_t limit, Fault *fault)
{
        if (!name.size)
                return fault_set(fault, FAULT_INVALID_NAME, "a %s cannot be empty", what);
        if (name.size > limit)
                return fault_set(fault, FAULT_INVALID_NAME, "a %s has at most %zu bytes, this one has %zu", what,
                                 limit, name.size);
        if (!text_is_utf8(name))
                return fault_set(fault, FAULT_INVALID_NAME, "a %s must be UTF-8", what);
        if (has_control(name))
                return name_refuse(name, what, "control characters and NUL are not allowed", fault);
        return 0;
}

static bool text_contains(Text text, Text part)
{
        return text.size >= part.size && memmem(text.data, text.size, part.data, part.size);
}

int name_check_layer(Text name, Fault *fault)
{
        return name.data && !name.size ? 0 : name_check_text(name, "layer name", LIMIT_LAYER, fault);
}

static bool is_word(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* One side of the slash: word characters, '-' and '.', the latter two not at
 * the ends. */
static const char *repository_part_fault(Text part)
{
        if (!part.size || part.size > LIMIT_REPOSITORY_PART)
                return "organisation and name have 1 to 96 characters each";
        for (size_t i = 0; i < part.size; i++)
                if (!is_word(part.data[i]) && part.data[i] != '-' && part.data[i] != '.')
                        return "only ASCII letters, digits, '-', '_' and '.' are allowed";
        if (!is_word(part.data[0]) || !is_word(part.data[part.size - 1]))
                return "'-' and '.' can neither begin nor end a part";
        return NULL;
}

int name_check_repository(Text name, Fault *fault)
{
        static const char what[] = "repository";
        const char *slash, *why;
        int r;

        r = name_check_text(name, what, LIMIT_REPOSITORY, fault);
        if (r)
                return r;
        slash = memchr(name.data, '/', name.size);
        if (!slash)
                return name_refuse(name, what, "write it as organisation/name", fault);
        why = repository_part_fault((Text){ name.data, (size_t)(slash - name.data) });
        if (!why)
                why = repository_part_fault((Text){ slash + 1, name.size - (size_t)(slash - name.data) - 1 });
        if (!why && (text_contains(name, TEXT("--")) || text_contains(name, TEXT(".."))))
                why = "\"--\" and \"..\" are not allowed";
        if (!why && text_ends_with(name, TEXT(".git")))
                why = "it cannot end in \".git\"";
        return why ? name_refuse(name, what, why, fault) : 0;
}

/* One component of a ref between slashes. */
static const char *revision_part_fault(Text part)
{
        if (!part.size)
                return "it can neither begin nor end with '/', nor hold \"//\"";
        if (part.data[0] == '.')
                return "no part can begin with '.'";
        if (text_ends_with(part, TEXT(".lock")))
                return "no part can end in \".lock\"";
        return NULL;
}

static const char *revision_parts_fault(Text name)
{
        Text left = name;

        for (;;) {
                const char *slash = memchr(left.data, '/', left.size);
                Text part = { left.data, slash ? (size_t)(slash - left.data) : left.size };
                const char *why = revision_part_fault(part);

                if (why || !slash)
                        return why;
                left = (Text){ slash + 1, left.size - part.size - 1 };
        }
}

/* git-check-ref-format's rules, and no leading '-', which programs take for an option. */
int name_check_revision(Text name, Fault *fault)
{
        static const char what[] = "revision";
        const char *why = NULL;
        int r;

        r = name_check_text(name, what, LIMIT_REVISION, fault);
        if (r)
                return r;
        for (size_t i = 0; i < name.size && !why; i++)
                if (strchr(" ~^:?*[\\", name.data[i]))
                        why = "blanks and the characters ~ ^ : ? * [ \\ are not allowed";
        if (!why && name.data[0] == '-')
                why = "it cannot begin with '-'";
        if (!why && (text_contains(name, TEXT("..")) || text_contains(name, TEXT("@{"))))
                why = "\"..\" and \"@{\" are not allowed";
        if (!why && (text_equal(name, TEXT("@")) || text_ends_with(name, TEXT("."))))
                why = "it can neither be \"@\" nor end with '.'";
        if (!why)
                why = revision_parts_fault(name);
        return why ? name_refuse(name, what, why, fault) : 0;
}

int name_check_version(int64_t version, Fault *fault)
{
        if (version < 0)
                return fault_set(fault, FAULT_INVALID_NAME, "version %lld is negative: version N means branch vN",
                                 (long long)version);
        return 0;
}

int name_check_path(Text path, Fault *fault)
{
        static const char what[] = "path";
        Text left;
        int r;

        r = name_check_text(path, what, LIMIT_PATH, fault);
        if (r)
                return r;
        if (path.data[0] != '/')
                return name_refuse(path, what, "it must be absolute", fault);
        for (left = path; left.size;) {
                const char *slash = memchr(left.data, '/', left.size);
                Text part = { left.data, slash ? (size_t)(slash - left.data) : left.size };

                if (text_equal(part, TEXT("..")))
                        return name_refuse(path, what, "\"..\" is not allowed, write the directory itself", fault);
                left = slash ? (Text){ slash + 1, left.size - part.size - 1 } : TEXT_NULL;
        }
        return 0;
}

int name_check_variant(Text name, Fault *fault)
{
        static const char what[] = "variant";
        int r = name_check_text(name, what, LIMIT_VARIANT, fault);

        if (r)
                return r;
        return name_is_file(name) ? 0 : name_refuse(name, what, "it is the name of one folder", fault);
}

int name_check_used(Text name, Fault *fault)
{
        static const char what[] = "repository";
        const Text prefix = TEXT("local:");
        int r = name_check_text(name, what, LIMIT_REPOSITORY, fault);

        if (r)
                return r;
        if (!text_starts_with(name, prefix))
                return name_check_repository(name, fault);
        if (!name_is_file((Text){ name.data + prefix.size, name.size - prefix.size }))
                return name_refuse(name, what, "behind \"local:\" stands the name of one folder, not a path", fault);
        return 0;
}

int name_check_reason(Text reason, Fault *fault)
{
        int r = name_check_text(reason, "reason", LIMIT_ANSWER_MESSAGE, fault);

        if (r == 0 && has_hidden(reason))
                return name_refuse(reason, "reason", "characters that turn or hide a line are not allowed", fault);
        return r;
}

int name_check_word(Text word, const char *what, Fault *fault)
{
        return name_check_text(word, what, LIMIT_WORD, fault);
}

bool name_is_commit(Text text)
{
        if (text.size != 40)
                return false;
        for (size_t i = 0; i < text.size; i++)
                if (!((text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] >= 'a' && text.data[i] <= 'f')))
                        return false;
        return true;
}

bool name_is_file(Text text)
{
        return text.size && text.size <= LIMIT_VARIANT && !memchr(text.data, '/', text.size) &&
               !memchr(text.data, 0, text.size) && !text_equal(text, TEXT(".")) && !text_equal(text, TEXT(".."));
}
