/* Whether this process is still the one that made an object. Cheap enough for
 * every call: one word in a page that the kernel wipes at fork, so that
 * neither a reused pid nor a raw clone can deceive it. Where the kernel does
 * not wipe pages, the pid is compared instead. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct ForkGuard {
        uint32_t *word; /* in a page of its own */
        pid_t owner;    /* looked at only where the page is not wiped */
        bool wiped;     /* the kernel wipes it */
} ForkGuard;

#define FORK_GUARD_NULL ((ForkGuard){ 0 })

/* 0 or -ENOMEM. */
int fork_guard_init(ForkGuard *guard);
void fork_guard_deinit(ForkGuard *guard);

/* True exactly once in a child, in one of its threads, which then puts the
 * object right and calls fork_guard_settle; other threads wait inside until
 * then. */
bool fork_guard_strikes(ForkGuard *guard);
void fork_guard_settle(ForkGuard *guard);
