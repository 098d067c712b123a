/* Variables of the environment as the Hub's own clients read them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <strings.h>

/* "1", "ON", "YES" or "TRUE" in any case. */
static inline bool hub_variable_is_true(const char *value)
{
        static const char *const words[] = { "1", "on", "yes", "true" };

        for (size_t i = 0; value && i < sizeof(words) / sizeof(words[0]); i++)
                if (!strcasecmp(value, words[i]))
                        return true;
        return false;
}
