#include "client/kernelsctl/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int capability_parse(const char *text, int64_t *ret_capability)
{
        const char *dot = strchr(text, '.');
        char digits[20];
        char *end;
        size_t n = strlen(text);

        if (!n || n >= sizeof(digits) || (dot && (strlen(dot) != 2 || dot == text)))
                return -EINVAL;
        (void)snprintf(digits, sizeof(digits), "%.*s%s", dot ? (int)(dot - text) : (int)n, text, dot ? dot + 1 : "");
        if (strspn(digits, "0123456789") != strlen(digits))
                return -EINVAL;
        errno = 0;
        *ret_capability = strtoll(digits, &end, 10);
        return errno ? -ERANGE : 0;
}

int query_from_arguments(const Arguments *arguments, const char *layer, kd_query *ret_query)
{
        const char *capability = arguments->values[OPTION_CAPABILITY];
        const char *device = arguments->values[OPTION_DEVICE];
        const char *mode = arguments->values[OPTION_MODE];
        int64_t number = -1;

        if (capability && capability_parse(capability, &number) < 0) {
                fprintf(stderr, "kernelsctl: --capability takes a number such as 90 or 9.0; not \"%s\"\n", capability);
                return 2;
        }
        *ret_query = (kd_query){
                .layer = layer,
                .device = device ? device : "cpu",
                .capability = number,
                .mode = mode ? mode : "inference",
                .arch = arguments->values[OPTION_ARCH],
        };
        return 0;
}
