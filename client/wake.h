/* What ends the poll of another thread: a pipe, held by a client from its first
 * call to its end. (No eventfd: those share one inode, so that a child after
 * fork could not tell whether the number is still ours.) Under the client's
 * lock; only the polling itself is not. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

typedef struct Wake {
        int fds[2];   /* to poll, to write; -1: not open */
        dev_t device; /* of the pipe, to know it again after fork */
        ino_t inode;
        bool set;     /* a byte is in it */
} Wake;

#define WAKE_NULL ((Wake){ .fds = { -1, -1 } })

/* 0 or a negative errno. */
int wake_open(Wake *wake);

static inline bool wake_is_open(const Wake *wake)
{
        return wake->fds[0] >= 0;
}

/* Closes what still is this pipe; in a child after fork that is its copy. */
void wake_close(Wake *wake);

/* From now on a poll of fds[0] for input returns, until it is cleared. */
void wake_set(Wake *wake);
void wake_clear(Wake *wake);
