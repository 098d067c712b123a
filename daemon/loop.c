#include "daemon/loop.h"

#include <stdio.h>
#include <stdlib.h>

/* Runs what was deferred before; what defers itself meanwhile is for the next
 * iteration. */
static void loop_run_deferred(uv_prepare_t *prepare)
{
        Loop *loop = prepare->data;
        LoopItem *item = loop->first;

        if (!item)
                return;
        loop->first = loop->last = NULL;
        while (item) {
                LoopItem *next = item->next;

                item->queued = false;
                item->run(item);
                item = next;
        }
        if (!loop->first)
                (void)uv_idle_stop(&loop->idle);
}

/* Being active is all that it is for. */
static void loop_idle(uv_idle_t *idle)
{
        (void)idle;
}

int loop_init(Loop *loop)
{
        int r;

        *loop = (Loop){ 0 };
        r = uv_loop_init(&loop->uv);
        if (r < 0)
                return r;
        (void)uv_prepare_init(&loop->uv, &loop->prepare);
        (void)uv_idle_init(&loop->uv, &loop->idle);
        loop->prepare.data = loop;
        (void)uv_prepare_start(&loop->prepare, loop_run_deferred);
        return 0;
}

void loop_defer(Loop *loop, LoopItem *item)
{
        if (item->queued)
                return;
        item->queued = true;
        item->next = NULL;
        if (loop->last)
                loop->last->next = item;
        else
                loop->first = item;
        loop->last = item;
        (void)uv_idle_start(&loop->idle, loop_idle);
}

void loop_run(Loop *loop)
{
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(Loop *loop)
{
        uv_stop(&loop->uv);
}

/* The census: says which handles were forgotten. */
static void loop_report_open(uv_handle_t *handle, void *data)
{
        size_t *n_open = data;

        if (uv_is_closing(handle))
                return;
        ++*n_open;
        (void)fprintf(stderr, "kernelsd: a handle of type %s was not closed\n", uv_handle_type_name(handle->type));
}

void loop_deinit(Loop *loop)
{
        size_t n_open = 0;

        while (loop->first)
                (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
        uv_close((uv_handle_t *)&loop->prepare, NULL);
        uv_close((uv_handle_t *)&loop->idle, NULL);
        uv_walk(&loop->uv, loop_report_open, &n_open);
        if (n_open)
                abort();
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        if (uv_loop_close(&loop->uv) != 0)
                abort();
}
