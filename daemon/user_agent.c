#include "daemon/user_agent.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "proto/base/cleanup.h"

/* Long enough for every name there is; it must fit. */
#define ORIGIN_MAX 64

/* As the Hub's own clients read it. */
static bool is_true(const char *value)
{
        static const char *const words[] = { "1", "on", "yes", "true" };

        for (size_t i = 0; value && i < ARRAY_SIZE(words); i++)
                if (!strcasecmp(value, words[i]))
                        return true;
        return false;
}

static bool wants_no_telemetry(void)
{
        static const char *const names[] = { "HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (is_true(secure_getenv(names[i])))
                        return true;
        return false;
}

/* NULL if there is none, or one that is no name. */
static const char *user_agent_origin(void)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-";
        const char *origin = secure_getenv("HF_HUB_USER_AGENT_ORIGIN");
        size_t size = origin ? strlen(origin) : 0;

        return size && size <= ORIGIN_MAX && strspn(origin, allowed) == size ? origin : NULL;
}

void user_agent_make(char ret_text[static USER_AGENT_SIZE])
{
        const char *origin = user_agent_origin();
        struct utsname host;

        if (wants_no_telemetry() || uname(&host) < 0)
                (void)snprintf(ret_text, USER_AGENT_SIZE, "kernelsd/" KERNELSD_VERSION);
        else
                (void)snprintf(ret_text, USER_AGENT_SIZE, "kernelsd/" KERNELSD_VERSION "; %s/%s%s%s", host.sysname,
                               host.machine, origin ? "; origin/" : "", origin ? origin : "");
}
