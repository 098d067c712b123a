/* The one uv loop. Every handle on it has an owner that closes it; nothing is
 * freed inside the call chain that queued it: what must end or go on later is
 * deferred to the prepare phase, the fixed point of each iteration just before
 * it waits. */
#pragma once

#include <stdbool.h>
#include <uv.h>

typedef struct LoopItem LoopItem;

/* Embedded in what is deferred. */
struct LoopItem {
        void (*run)(LoopItem *item);
        LoopItem *next;
        bool queued;
};

typedef struct Loop {
        uv_loop_t uv;
        uv_prepare_t prepare;
        uv_idle_t idle; /* active while an item waits, so that poll does not sleep over it */
        LoopItem *first;
        LoopItem *last;
} Loop;

/* 0 or negative. The object must not move. */
int loop_init(Loop *loop);

/* Runs the item once, in the next prepare phase. An item that is queued already
 * stays where it is; one that defers itself again while it runs gets its turn
 * in the iteration after, so that all others and the sockets go first. */
void loop_defer(Loop *loop, LoopItem *item);

/* Until loop_stop. */
void loop_run(Loop *loop);
void loop_stop(Loop *loop);

/* Milliseconds since some point in the past, as of this iteration. */
static inline uint64_t loop_now_ms(const Loop *loop)
{
        return uv_now(&loop->uv);
}

/* All owners have closed their handles: runs the close callbacks and what they
 * defer. Aborts, with or without NDEBUG, when a handle was forgotten: its
 * memory would be used after its end. */
void loop_deinit(Loop *loop);
