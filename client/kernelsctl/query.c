#include "client/kernelsctl/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int number_parse(const char *text, int64_t *ret_number)
{
        if (!*text || strspn(text, "0123456789") != strlen(text))
                return -EINVAL;
        errno = 0;
        *ret_number = strtoll(text, NULL, 10);
        return errno ? -ERANGE : 0;
}

int capability_parse(const char *text, int64_t *ret_capability)
{
        const char *dot = strchr(text, '.');
        char digits[20];
        size_t n = strlen(text);

        if (!n || n >= sizeof(digits) || (dot && (strlen(dot) != 2 || dot == text)))
                return -EINVAL;
        (void)snprintf(digits, sizeof(digits), "%.*s%s", dot ? (int)(dot - text) : (int)n, text, dot ? dot + 1 : "");
        return number_parse(digits, ret_capability);
}

int capability_from_arguments(const Arguments *arguments, int64_t *ret_capability)
{
        const char *text = arguments->values[OPTION_CAPABILITY];
        int64_t capability = -1;

        if (text && capability_parse(text, &capability) < 0) {
                fprintf(stderr, "kernelsctl: --capability takes a number such as 90 or 9.0; not \"%s\"\n", text);
                return 2;
        }
        *ret_capability = capability;
        return 0;
}

int query_from_arguments(const Arguments *arguments, const char *layer, kd_query *ret_query)
{
        const char *device = arguments->values[OPTION_DEVICE];
        const char *mode = arguments->values[OPTION_MODE];
        int64_t capability;
        int r = capability_from_arguments(arguments, &capability);

        if (r)
                return r;
        *ret_query = (kd_query){
                .layer = layer,
                .device = device ? device : "cpu",
                .capability = capability,
                .mode = mode ? mode : "inference",
                .arch = arguments->values[OPTION_ARCH],
        };
        return 0;
}
