/* Ownership by cleanup attribute: an owning local names its destructor, and a
 * hand-over is an explicit steal on the line before the return.
 *
 * Destructors take NULL and half-built objects; those that free what they are
 * given return NULL, for the caller's pointer. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

/* DEFINE_CLEANUP(Foo *, foo_free) makes foo_freep, for CLEANUP: it destroys
 * what the local points to. */
#define DEFINE_CLEANUP(type, destroy)               \
        static inline void destroy##p(type *object) \
        {                                           \
                if (*object)                        \
                        destroy(*object);           \
        }

#define CLEANUP(destroy) __attribute__((cleanup(destroy)))

/* Takes the value out of an owning pointer and leaves NULL behind. */
#define STEAL(pointer)                            \
        ({                                        \
                __auto_type steal_ = (pointer);   \
                (pointer) = NULL;                 \
                steal_;                           \
        })

/* Takes the descriptor out of an owning variable and leaves -1 behind. */
#define STEAL_FD(fd)                              \
        ({                                        \
                int steal_fd_ = (fd);             \
                (fd) = -1;                        \
                steal_fd_;                        \
        })

static inline void fd_closep(int *fd)
{
        if (*fd >= 0)
                (void)close(*fd);
}
#define CLEANUP_FD CLEANUP(fd_closep)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
