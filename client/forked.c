#include "client/forked.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

/* A page of zeros is what the child finds. */
enum { GUARD_WIPED, GUARD_OURS, GUARD_SETTLING };

static size_t guard_page_size(void)
{
        return (size_t)sysconf(_SC_PAGESIZE);
}

int fork_guard_init(ForkGuard *guard)
{
        void *page = mmap(NULL, guard_page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (page == MAP_FAILED)
                return -ENOMEM;
        guard->word = page;
        guard->wiped = madvise(page, guard_page_size(), MADV_WIPEONFORK) == 0;
        fork_guard_settle(guard);
        return 0;
}

void fork_guard_deinit(ForkGuard *guard)
{
        if (guard->word)
                (void)munmap(guard->word, guard_page_size());
        *guard = FORK_GUARD_NULL;
}

bool fork_guard_strikes(ForkGuard *guard)
{
        uint32_t state = __atomic_load_n(guard->word, __ATOMIC_ACQUIRE);

        if (state == GUARD_OURS && !guard->wiped && __atomic_load_n(&guard->owner, __ATOMIC_ACQUIRE) != getpid()) {
                (void)__atomic_compare_exchange_n(guard->word, &state, GUARD_WIPED, false, __ATOMIC_ACQ_REL,
                                                  __ATOMIC_ACQUIRE);
                state = __atomic_load_n(guard->word, __ATOMIC_ACQUIRE);
        }
        while (state != GUARD_OURS) {
                if (state == GUARD_WIPED &&
                    __atomic_compare_exchange_n(guard->word, &state, GUARD_SETTLING, false, __ATOMIC_ACQ_REL,
                                                __ATOMIC_ACQUIRE))
                        return true;
                (void)sched_yield();
                state = __atomic_load_n(guard->word, __ATOMIC_ACQUIRE);
        }
        return false;
}

void fork_guard_settle(ForkGuard *guard)
{
        __atomic_store_n(&guard->owner, getpid(), __ATOMIC_RELEASE);
        __atomic_store_n(guard->word, GUARD_OURS, __ATOMIC_RELEASE);
}
