#include "client/offline.h"

#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/base/cleanup.h"

bool offline_by_environment(void)
{
        static const char *const truths[] = { "1", "ON", "YES", "TRUE" };
        const char *value = secure_getenv("HF_HUB_OFFLINE");

        if (!value || !*value)
                value = secure_getenv("TRANSFORMERS_OFFLINE");
        for (size_t i = 0; value && i < ARRAY_SIZE(truths); ++i)
                if (!strcasecmp(value, truths[i]))
                        return true;
        return false;
}
