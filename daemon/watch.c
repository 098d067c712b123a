#include "daemon/watch.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

typedef struct WatchFolder WatchFolder;

struct WatchFolder {
        uv_fs_event_t event;
        Watch *watch;
        WatchFolder *next;
        char *path;
};

struct Watch {
        uv_timer_t timer;
        void (*changed)(void *data);
        void *data;
        WatchPoints points;
        WatchFolder *folders;
        uint64_t latest_ms;  /* of the burst that the timer waits for the end of */
        unsigned n_handles;  /* not closed yet */
};

static void watch_unref(Watch *watch)
{
        if (--watch->n_handles > 0)
                return;
        watch_points_deinit(&watch->points);
        alloc_free(watch);
}

static void watch_on_timer(uv_timer_t *timer)
{
        Watch *watch = timer->data;

        watch->changed(watch->data);
}

static void watch_burst(Watch *watch)
{
        uint64_t now_ms = uv_now(watch->timer.loop);
        uint64_t wait_ms = WATCH_QUIET_MS;

        if (!uv_is_active((uv_handle_t *)&watch->timer))
                watch->latest_ms = now_ms + WATCH_LATEST_MS;
        if (watch->latest_ms <= now_ms)
                wait_ms = 0;
        else if (watch->latest_ms - now_ms < wait_ms)
                wait_ms = watch->latest_ms - now_ms;
        (void)uv_timer_start(&watch->timer, watch_on_timer, wait_ms, 0);
}

static void folder_on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
        WatchFolder *folder = event->data;

        if (status < 0 || watch_points_matter(&folder->watch->points, folder->path, name))
                watch_burst(folder->watch);
}

static void folder_on_closed(uv_handle_t *handle)
{
        WatchFolder *folder = handle->data;
        Watch *watch = folder->watch;

        alloc_free(folder->path);
        alloc_free(folder);
        watch_unref(watch);
}

static void folders_close(WatchFolder *folders)
{
        while (folders) {
                WatchFolder *folder = folders;

                folders = folder->next;
                uv_close((uv_handle_t *)&folder->event, folder_on_closed);
        }
}

static int folder_open(Watch *watch, const char *path, WatchFolder **list)
{
        CLEANUP_ALLOC WatchFolder *folder = alloc_zeroed(1, sizeof(*folder));

        if (!folder)
                return error_trace(-ENOMEM);
        folder->path = alloc_text(path, strlen(path));
        if (!folder->path)
                return error_trace(-ENOMEM);
        folder->watch = watch;
        folder->event.data = folder;
        (void)uv_fs_event_init(watch->timer.loop, &folder->event);
        watch->n_handles++;
        /* Gone since, not readable, or no watches left: what remains is watched. */
        (void)uv_fs_event_start(&folder->event, folder_on_event, path, 0);
        folder->next = *list;
        *list = STEAL(folder);
        return 0;
}

/* The new handles are there before the old ones go, so that nothing in between
 * is missed; and all are new, because a handle on a folder that was replaced is
 * silent for ever. */
static int folders_open(Watch *watch, const WatchPoints *points, WatchFolder **ret_folders)
{
        WatchFolder *folders = NULL;
        int r;

        for (size_t i = 0; i < points->n; i++) {
                if (i > 0 && !strcmp(points->items[i].folder, points->items[i - 1].folder))
                        continue;
                r = folder_open(watch, points->items[i].folder, &folders);
                if (r < 0) {
                        folders_close(folders);
                        return r;
                }
        }
        *ret_folders = folders;
        return 0;
}

int watch_set(Watch *watch, WatchPoints *points)
{
        WatchFolder *folders;
        bool equal;
        int r;

        r = folders_open(watch, points, &folders);
        if (r < 0)
                return r;
        folders_close(watch->folders);
        watch->folders = folders;
        equal = watch_points_equal(&watch->points, points);
        watch_points_deinit(&watch->points);
        watch->points = *points;
        *points = WATCH_POINTS_NULL;
        return equal ? 0 : 1;
}

int watch_new(uv_loop_t *loop, void (*changed)(void *data), void *data, Watch **ret_watch)
{
        Watch *watch = alloc_zeroed(1, sizeof(*watch));

        if (!watch)
                return error_trace(-ENOMEM);
        watch->changed = changed;
        watch->data = data;
        watch->timer.data = watch;
        (void)uv_timer_init(loop, &watch->timer);
        watch->n_handles = 1;
        *ret_watch = watch;
        return 0;
}

static void watch_on_timer_closed(uv_handle_t *handle)
{
        watch_unref(handle->data);
}

void watch_close(Watch *watch)
{
        if (!watch)
                return;
        folders_close(STEAL(watch->folders));
        uv_close((uv_handle_t *)&watch->timer, watch_on_timer_closed);
}
