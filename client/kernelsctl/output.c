#include "client/kernelsctl/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const colour_codes[] = {
        [COLOUR_NONE] = "", [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[31m",
        [COLOUR_DIM] = "\033[2m", [COLOUR_TITLE] = "\033[1m",
};

static bool colours_wanted(void)
{
        const char *no = getenv("NO_COLOR");

        return isatty(STDOUT_FILENO) && !(no && *no);
}

/* How many bytes, from the first on, a terminal would act on, turn round or not
 * show: C0, DEL, C1; U+061C, U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F,
 * U+FEFF. */
static size_t odd_bytes(const char *text)
{
        const unsigned char *p = (const unsigned char *)text;

        if (p[0] < 0x20 || p[0] == 0x7f)
                return 1;
        if ((p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c))
                return 2;
        if (p[0] == 0xe2 && p[1] == 0x80 && ((p[2] >= 0x8b && p[2] <= 0x8f) || (p[2] >= 0xa8 && p[2] <= 0xae)))
                return 3;
        if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf)
                return 3;
        return p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf ? 3 : 0;
}

/* Strangers' texts get here: names of programs, of files. No control character
 * of theirs reaches the terminal, nor one of C1, which is two bytes of UTF-8. */
void output_clean(char *text)
{
        while (*text) {
                size_t n = odd_bytes(text);

                memset(text, '?', n);
                text += n ? n : 1;
        }
}

void output_text(Colour colour, const char *text)
{
        bool on = colour != COLOUR_NONE && colours_wanted();
        char *copy = strdup(text);

        if (!copy)
                abort();
        output_clean(copy);
        printf("%s%s%s", on ? colour_codes[colour] : "", copy, on ? "\033[0m" : "");
        free(copy);
}

int output_json(const char *verb, kd_value *map)
{
        char schema[64];
        char *json;

        (void)snprintf(schema, sizeof(schema), "kernelsctl.%s.1", verb);
        if (kd_value_set(map, "schema", kd_value_string(schema)) < 0)
                return 1;
        json = kd_value_to_json(map, isatty(STDOUT_FILENO) ? 2 : 0);
        if (!json)
                return 1;
        puts(json);
        free(json);
        return 0;
}

int output_error(const char *verb, bool json, const kd_error *error)
{
        kd_value *map;

        if (!json) {
                fprintf(stderr, "kernelsctl: %s\n", error->message);
                return kd_exit_status(error->code);
        }
        map = kd_value_map();
        if (map) {
                (void)kd_value_set(map, "error", kd_value_string(error->name));
                (void)kd_value_set(map, "message", kd_value_string(error->message));
                (void)kd_value_set(map, "retry", kd_value_bool(error->retry));
                (void)output_json(verb, map);
        }
        kd_value_free(map);
        return kd_exit_status(error->code);
}

int output_status_of_name(const char *name)
{
        for (int fault = KD_BAD_REQUEST; fault <= KD_TIMEOUT; fault++)
                if (strcmp(kd_fault_name(fault), name) == 0)
                        return kd_exit_status(fault);
        return 1;
}

const char *output_age(int64_t seconds, char *buffer, size_t size)
{
        if (seconds < 120)
                (void)snprintf(buffer, size, "%lld s", (long long)seconds);
        else if (seconds < 7200)
                (void)snprintf(buffer, size, "%lld min", (long long)(seconds / 60));
        else if (seconds < 172800)
                (void)snprintf(buffer, size, "%lld h", (long long)(seconds / 3600));
        else
                (void)snprintf(buffer, size, "%lld d", (long long)(seconds / 86400));
        return buffer;
}
