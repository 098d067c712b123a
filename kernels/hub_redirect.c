#include "kernels/hub_redirect.h"

#include <errno.h>

#include "proto/base/error.h"
#include "proto/name.h"

#define FILE_NAME "kernel-status.toml"
#define FILE_MAX (64u * 1024) /* a guess; the public ones have 100 bytes */

typedef enum Key { KEY_KIND, KEY_DESTINATION, KEY_REVISION, _KEY_MAX } Key;

static const Text key_names[_KEY_MAX] = {
        [KEY_KIND] = { "kind", 4 },
        [KEY_DESTINATION] = { "destination", 11 },
        [KEY_REVISION] = { "revision", 8 },
};

typedef struct Reader {
        Text left; /* of the line */
        size_t line;
        Arena *arena;
        Text values[_KEY_MAX];
        bool done; /* a table has begun: what follows belongs to it */
} Reader;

static int refuse(const Reader *reader, const char *why, Fault *fault)
{
        return fault_set(fault, FAULT_CORRUPT, FILE_NAME ": line %zu: %s", reader->line, why);
}

/* --- within a line --- */

static char peek(const Reader *reader)
{
        return reader->left.size ? reader->left.data[0] : '\0';
}

static void pass(Reader *reader, size_t n)
{
        reader->left = (Text){ reader->left.data + n, reader->left.size - n };
}

static void skip_blanks(Reader *reader)
{
        while (peek(reader) == ' ' || peek(reader) == '\t')
                pass(reader, 1);
}

static bool is_at_end(Reader *reader)
{
        skip_blanks(reader);
        return !reader->left.size || peek(reader) == '#';
}

static bool is_bare(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static Text take_while(Reader *reader, bool (*fits)(char))
{
        Text taken = { reader->left.data, 0 };

        while (taken.size < reader->left.size && fits(taken.data[taken.size]))
                taken.size++;
        pass(reader, taken.size);
        return taken;
}

/* Numbers, dates and booleans: nobody needs them, and they end with the line. */
static bool is_of_scalar(char c)
{
        return is_bare(c) || c == '+' || c == '.' || c == ':';
}

/* --- texts --- */

static size_t put_utf8(uint32_t point, char *out)
{
        if (point < 0x80) {
                out[0] = (char)point;
                return 1;
        }
        if (point < 0x800) {
                out[0] = (char)(0xc0 | point >> 6);
                out[1] = (char)(0x80 | (point & 0x3f));
                return 2;
        }
        if (point < 0x10000) {
                out[0] = (char)(0xe0 | point >> 12);
                out[1] = (char)(0x80 | (point >> 6 & 0x3f));
                out[2] = (char)(0x80 | (point & 0x3f));
                return 3;
        }
        out[0] = (char)(0xf0 | point >> 18);
        out[1] = (char)(0x80 | (point >> 12 & 0x3f));
        out[2] = (char)(0x80 | (point >> 6 & 0x3f));
        out[3] = (char)(0x80 | (point & 0x3f));
        return 4;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four or eight digits behind \u or \U; 0: no character. */
static size_t take_point(Reader *reader, size_t n_digits, char *out)
{
        uint32_t point = 0;

        if (reader->left.size < n_digits)
                return 0;
        for (size_t i = 0; i < n_digits; i++) {
                int digit = hex_digit(reader->left.data[i]);

                if (digit < 0)
                        return 0;
                point = point << 4 | (uint32_t)digit;
        }
        pass(reader, n_digits);
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
                return 0;
        return put_utf8(point, out);
}

/* What stands behind a backslash; never longer than its spelling. 0: no such
 * escape. */
static size_t take_escape(Reader *reader, char *out)
{
        static const char letters[] = "btnfr\"\\", meanings[] = "\b\t\n\f\r\"\\";
        char c = peek(reader);
        const char *letter = c ? strchr(letters, c) : NULL;

        if (!reader->left.size)
                return 0;
        pass(reader, 1);
        if (c == 'u' || c == 'U')
                return take_point(reader, c == 'u' ? 4 : 8, out);
        if (!letter)
                return 0;
        out[0] = meanings[letter - letters];
        return 1;
}

/* A text between quotes of either kind; only in double ones is '\' special. */
static int take_text(Reader *reader, Text *ret_text, Fault *fault)
{
        char *out = arena_bytes(reader->arena, reader->left.size + 1), quote = peek(reader);
        size_t used = 0;

        if (!out)
                return error_trace(-ENOMEM);
        for (pass(reader, 1); peek(reader) != quote;) {
                char c = peek(reader);
                size_t n = 1;

                if (!reader->left.size)
                        return refuse(reader, "a text must end on its line", fault);
                pass(reader, 1);
                if (quote == '"' && c == '\\')
                        n = take_escape(reader, out + used);
                else
                        out[used] = c;
                if (!n)
                        return refuse(reader, "no such escape behind a backslash", fault);
                used += n;
        }
        pass(reader, 1);
        *ret_text = (Text){ out, used };
        return 0;
}

static bool is_multiline(const Reader *reader)
{
        return text_starts_with(reader->left, TEXT("\"\"\"")) || text_starts_with(reader->left, TEXT("'''"));
}

/* --- lines --- */

static int take_key(Reader *reader, Text *ret_key, Fault *fault)
{
        if (is_multiline(reader))
                return refuse(reader, "a key stands on one line", fault);
        if (peek(reader) == '"' || peek(reader) == '\'')
                return take_text(reader, ret_key, fault);
        *ret_key = take_while(reader, is_bare);
        return ret_key->size ? 0 : refuse(reader, "must be `key = \"text\"`", fault);
}

/* An absent text: a value of another kind, which is passed over. */
static int take_value(Reader *reader, Text *ret_value, Fault *fault)
{
        *ret_value = TEXT_NULL;
        if (is_multiline(reader))
                return refuse(reader, "texts of several lines are not read here", fault);
        if (peek(reader) == '"' || peek(reader) == '\'')
                return take_text(reader, ret_value, fault);
        if (!take_while(reader, is_of_scalar).size)
                return refuse(reader, "the value must be a text in quotes", fault);
        return 0;
}

static int keep(Reader *reader, Text key, Text value, Fault *fault)
{
        for (Key i = 0; i < _KEY_MAX; i++) {
                if (!text_equal(key, key_names[i]))
                        continue;
                if (!value.data)
                        return refuse(reader, "the value must be a text in quotes", fault);
                if (reader->values[i].data)
                        return refuse(reader, "this key is there already", fault);
                reader->values[i] = value;
        }
        return 0;
}

static int read_line(Reader *reader, Fault *fault)
{
        Text key, value;
        int r;

        if (is_at_end(reader))
                return 0;
        if (peek(reader) == '[') {
                reader->done = true;
                return 0;
        }
        r = take_key(reader, &key, fault);
        if (r)
                return error_trace(r);
        skip_blanks(reader);
        if (peek(reader) == '.')
                return refuse(reader, "dotted keys are not read here", fault);
        if (peek(reader) != '=')
                return refuse(reader, "must be `key = \"text\"`", fault);
        pass(reader, 1);
        skip_blanks(reader);
        r = take_value(reader, &value, fault);
        if (r)
                return error_trace(r);
        if (!is_at_end(reader))
                return refuse(reader, "something stands behind the value", fault);
        return keep(reader, key, value, fault);
}

/* Of C0 only the tab may be in a line; '\r' has been taken off its end. */
static bool has_control(Text line)
{
        for (size_t i = 0; i < line.size; i++)
                if (((unsigned char)line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
                        return true;
        return false;
}

static int read_lines(Reader *reader, Text bytes, Fault *fault)
{
        while (bytes.size && !reader->done) {
                const char *newline = memchr(bytes.data, '\n', bytes.size);
                size_t size = newline ? (size_t)(newline - bytes.data) : bytes.size;
                int r;

                reader->line++;
                reader->left = (Text){ bytes.data, size };
                if (newline && text_ends_with(reader->left, TEXT("\r")))
                        reader->left.size--;
                bytes = (Text){ bytes.data + size + !!newline, bytes.size - size - !!newline };
                if (has_control(reader->left))
                        return refuse(reader, "control characters are not allowed", fault);
                r = read_line(reader, fault);
                if (r)
                        return error_trace(r);
        }
        return 0;
}

/* --- what it says --- */

static int check_values(const Text *values, Fault *fault)
{
        Fault why = FAULT_NULL;

        if (!text_equal(values[KEY_KIND], TEXT("redirect")))
                return fault_set(fault, FAULT_CORRUPT, FILE_NAME ": `kind` must be \"redirect\"");
        if (!values[KEY_DESTINATION].data)
                return fault_set(fault, FAULT_CORRUPT, FILE_NAME ": `destination` is missing");
        if (name_check_repository(values[KEY_DESTINATION], &why))
                return fault_set(fault, FAULT_CORRUPT, FILE_NAME ": `destination`: %s", why.message);
        if (name_check_revision(values[KEY_REVISION], &why))
                return fault_set(fault, FAULT_CORRUPT, FILE_NAME ": `revision`: %s", why.message);
        return 0;
}

int hub_redirect_parse(Text bytes, Arena *arena, Text *ret_repo, Text *ret_revision, Fault *fault)
{
        Reader reader = { .arena = arena };
        int r;

        if (bytes.size > FILE_MAX)
                return fault_set(fault, FAULT_CORRUPT, FILE_NAME ": has more than %u bytes", FILE_MAX);
        if (!text_is_utf8(bytes))
                return fault_set(fault, FAULT_CORRUPT, FILE_NAME ": is not UTF-8");
        r = read_lines(&reader, bytes, fault);
        if (r)
                return error_trace(r);
        if (!reader.values[KEY_REVISION].data)
                reader.values[KEY_REVISION] = TEXT("main");
        r = check_values(reader.values, fault);
        if (r)
                return r;
        *ret_repo = reader.values[KEY_DESTINATION];
        *ret_revision = reader.values[KEY_REVISION];
        return 0;
}
