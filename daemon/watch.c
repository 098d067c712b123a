#include "daemon/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* What may make a load come out differently. Contents count when they are
 * complete: at the end of a write, not at each. */
#define WATCH_EVENTS                                                                                             \
        (IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |        \
         IN_MOVE_SELF | IN_ONLYDIR)

/* Events in one read; whoever writes without end in a folder that we watch, /tmp
 * perhaps, must not keep the loop from its sessions. */
#define WATCH_READ 4096

typedef struct WatchFolder WatchFolder;

struct WatchFolder {
        WatchFolder *next;
        char *path;
        int number; /* inotify's; two paths to one folder share it */
};

struct Watch {
        uv_poll_t poll;
        uv_timer_t timer;
        void (*changed)(void *data);
        void *data;
        WatchPoints points;
        WatchFolder *folders;
        uint64_t latest_ms;  /* of the burst that the timer waits for the end of */
        int fd;              /* inotify; -1: it is not to be had, and nothing is watched */
        unsigned n_handles;  /* not closed yet */
};

static void watch_unref(Watch *watch)
{
        if (--watch->n_handles > 0)
                return;
        if (watch->fd >= 0)
                (void)close(watch->fd);
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

static bool watch_event_matters(const Watch *watch, const struct inotify_event *event)
{
        const char *name = event->len ? event->name : NULL;

        if (event->mask & IN_Q_OVERFLOW)
                return true;
        for (const WatchFolder *folder = watch->folders; folder; folder = folder->next)
                if (folder->number == event->wd && watch_points_matter(&watch->points, folder->path, name))
                        return true;
        return false;
}

/* One read a wake-up. */
static void watch_on_readable(uv_poll_t *poll, int status, int events)
{
        Watch *watch = poll->data;
        _Alignas(struct inotify_event) char bytes[WATCH_READ];
        ssize_t size = read(watch->fd, bytes, sizeof(bytes));
        bool matters = false;

        for (ssize_t at = 0; at < size;) {
                const struct inotify_event *event = (const struct inotify_event *)(bytes + at);

                matters = matters || watch_event_matters(watch, event);
                at += (ssize_t)(sizeof(*event) + event->len);
        }
        if (matters)
                watch_burst(watch);
}

static bool folders_have(const WatchFolder *folders, int number)
{
        while (folders && folders->number != number)
                folders = folders->next;
        return folders;
}

/* Lets folders go; those that `kept` has too are still watched. */
static void folders_free(Watch *watch, WatchFolder *folders, const WatchFolder *kept)
{
        while (folders) {
                WatchFolder *folder = folders;

                folders = folder->next;
                if (!folders_have(kept, folder->number) && !folders_have(folders, folder->number))
                        (void)inotify_rm_watch(watch->fd, folder->number);
                alloc_free(folder->path);
                alloc_free(folder);
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
        folder->number = inotify_add_watch(watch->fd, path, WATCH_EVENTS);
        if (folder->number < 0) {
                /* Gone since, not readable, or no watches left: what remains is watched. */
                alloc_free(folder->path);
                return 0;
        }
        folder->next = *list;
        *list = STEAL(folder);
        return 0;
}

/* Each path is looked up anew: a watch on a folder that was replaced is silent
 * for ever. The old ones go afterwards, so that nothing in between is missed. */
static int folders_open(Watch *watch, const WatchPoints *points, WatchFolder **ret_folders)
{
        WatchFolder *folders = NULL;
        int r;

        for (size_t i = 0; i < points->n; i++) {
                if (i > 0 && !strcmp(points->items[i].folder, points->items[i - 1].folder))
                        continue;
                r = folder_open(watch, points->items[i].folder, &folders);
                if (r < 0) {
                        folders_free(watch, folders, watch->folders);
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
        folders_free(watch, watch->folders, folders);
        watch->folders = folders;
        equal = watch_points_equal(&watch->points, points);
        watch_points_deinit(&watch->points);
        watch->points = *points;
        *points = WATCH_POINTS_NULL;
        return equal ? 0 : 1;
}

/* 0, also where there is no inotify: then only a reload shows changes. */
static int watch_open(uv_loop_t *loop, Watch *watch)
{
        LogFields fields = LOG_FIELDS_NULL;
        int r;

        watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (watch->fd < 0) {
                fields.error = errno;
                log_warning(MAPPING, &fields, "changes of mapping files are not noticed (%s); reload after each",
                            strerrordesc_np(errno));
                return 0;
        }
        r = uv_poll_init(loop, &watch->poll, watch->fd);
        if (r < 0)
                return error_trace(r);
        watch->poll.data = watch;
        watch->n_handles++;
        (void)uv_poll_start(&watch->poll, UV_READABLE, watch_on_readable);
        return 0;
}

int watch_new(uv_loop_t *loop, void (*changed)(void *data), void *data, Watch **ret_watch)
{
        CLEANUP_ALLOC Watch *watch = alloc_zeroed(1, sizeof(*watch));
        int r;

        if (!watch)
                return error_trace(-ENOMEM);
        watch->changed = changed;
        watch->data = data;
        r = watch_open(loop, watch);
        if (r < 0) {
                (void)close(watch->fd);
                return r;
        }
        watch->timer.data = watch;
        (void)uv_timer_init(loop, &watch->timer);
        watch->n_handles++;
        *ret_watch = STEAL(watch);
        return 0;
}

static void watch_on_closed(uv_handle_t *handle)
{
        watch_unref(handle->data);
}

void watch_close(Watch *watch)
{
        if (!watch)
                return;
        folders_free(watch, STEAL(watch->folders), NULL);
        if (watch->fd >= 0)
                uv_close((uv_handle_t *)&watch->poll, watch_on_closed);
        uv_close((uv_handle_t *)&watch->timer, watch_on_closed);
}
