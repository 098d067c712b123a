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

/* Strangers' texts get here: names of programs, of files. No control character
 * of theirs reaches the terminal, nor one of C1, which is two bytes of UTF-8. */
void output_clean(char *text)
{
        for (; *text; text++) {
                unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

                if (c < 0x20 || c == 0x7f)
                        text[0] = '?';
                else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
                        text[0] = text[1] = '?';
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
