#include "daemon/config_limits.h"

#include <sys/resource.h>

#include "daemon/log.h"
#include "proto/limits.h"

/* Descriptors that are no sessions: sockets, loop, watches, folders that are
 * being checked and handed out. Guess, with room. */
#define DESCRIPTORS_RESERVED 256

size_t descriptors_raise_limit(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 1024;
        if (limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
                (void)getrlimit(RLIMIT_NOFILE, &limit);
        }
        return (size_t)limit.rlim_cur;
}

static size_t sessions_possible(const Config *config, size_t n_descriptors)
{
        size_t wanted = (size_t)config->sessions;
        size_t possible = n_descriptors > 2 * DESCRIPTORS_RESERVED ? n_descriptors - DESCRIPTORS_RESERVED
                                                                   : n_descriptors / 2;

        if (wanted <= possible)
                return wanted;
        log_warning(CONFIG, NULL, "at most %zu sessions instead of %zu: this process may have %zu descriptors (LimitNOFILE=)",
                    possible, wanted, n_descriptors);
        return possible;
}

void config_limits(const Config *config, size_t n_descriptors, AccountLimits *ret_accounts,
                      SessionLimits *ret_sessions)
{
        *ret_accounts = (AccountLimits){
                .domain = {
                        [ACCOUNT_SESSIONS] = (size_t)config->quota_sessions,
                        [ACCOUNT_BYTES] = (size_t)config->quota_bytes,
                        [ACCOUNT_HELD] = (size_t)config->quota_bytes,
                        [ACCOUNT_ENTRIES] = (size_t)config->quota_entries,
                        [ACCOUNT_LEASES] = (size_t)config->quota_leases,
                        [ACCOUNT_ACQUIRES] = (size_t)config->quota_acquires,
                },
                .all = {
                        [ACCOUNT_SESSIONS] = sessions_possible(config, n_descriptors),
                        [ACCOUNT_BYTES] = LIMIT_QUEUES,
                },
        };
        *ret_sessions = (SessionLimits){ .hello_ms = (uint64_t)config->hello_ms };
}
