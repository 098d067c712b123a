#include "client/kernelsctl/check_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/kernelsctl/field.h"

/* What is behind "FILE:", FILE being one of those that were asked about; NULL:
 * the line is about none of them. */
static const char *behind_file(const char *line, char *const *files, size_t n_files, const char **ret_file)
{
        for (size_t i = 0; i < n_files; i++) {
                size_t n = strlen(files[i]);

                if (strncmp(line, files[i], n) == 0 && line[n] == ':') {
                        *ret_file = files[i];
                        return line + n + 1;
                }
        }
        return NULL;
}

static int set_place(kd_value *map, const char *rest)
{
        const char *colon = strstr(rest, ": ");
        long long line, column;
        int n = 0;

        if (sscanf(rest, "%lld:%lld: %n", &line, &column, &n) == 2 && n > 0) {
                if (kd_value_set(map, "line", kd_value_integer(line)) < 0 ||
                    kd_value_set(map, "column", kd_value_integer(column)) < 0)
                        return -1;
                return field_set_text(map, "message", rest + n);
        }
        rest += *rest == ' ';
        if (*rest == '/' && colon) {
                char *pointer = strndup(rest, (size_t)(colon - rest));
                int r = pointer ? kd_value_set(map, "pointer", kd_value_string(pointer)) : -1;

                free(pointer);
                return r < 0 ? r : field_set_text(map, "message", colon + 2);
        }
        return field_set_text(map, "message", rest);
}

kd_value *check_line_parse(const char *line, char *const *files, size_t n_files)
{
        kd_value *map = kd_value_map();
        const char *file, *rest = behind_file(line, files, n_files, &file);

        if (!map)
                return NULL;
        if (rest ? field_set_text(map, "file", file) < 0 || set_place(map, rest) < 0 :
                   field_set_text(map, "message", line) < 0)
                return kd_value_free(map);
        return map;
}
