#include "daemon/watch_points.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define LIMIT_LINKS 40 /* the kernel's own: more is ELOOP */

/* Where a walk has come to: `at` is free of links. */
typedef struct Walk {
        char at[PATH_MAX];   /* "" is the root */
        char rest[PATH_MAX]; /* still to go */
        unsigned n_links;
} Walk;

static int watch_points_push(WatchPoints *points, const char *folder, const char *name)
{
        WatchPoint point = { 0 };
        Text copy;
        int r;

        if (points->n == points->capacity) {
                size_t capacity = points->capacity ? points->capacity * 2 : 32;
                WatchPoint *items = alloc_resize(points->items, capacity, sizeof(*items));

                if (!items)
                        return error_trace(-ENOMEM);
                points->items = items;
                points->capacity = capacity;
        }
        r = arena_copy(&points->arena, text_of(*folder ? folder : "/"), &copy);
        if (r < 0)
                return error_trace(r);
        point.folder = copy.data;
        r = arena_copy(&points->arena, text_of(name), &copy);
        if (r < 0)
                return error_trace(r);
        point.name = copy.data;
        points->items[points->n++] = point;
        return 0;
}

/* Takes the next component off `rest`; false at the end. */
static bool walk_next(Walk *walk, char component[static NAME_MAX + 1])
{
        const char *begin = walk->rest + strspn(walk->rest, "/");
        size_t size = strcspn(begin, "/");

        if (size == 0 || size > NAME_MAX)
                return false;
        memcpy(component, begin, size);
        component[size] = 0;
        memmove(walk->rest, begin + size, strlen(begin + size) + 1);
        return true;
}

static void walk_up(Walk *walk)
{
        char *slash = strrchr(walk->at, '/');

        if (slash)
                *slash = 0;
}

/* Puts what the link at `path` leads to in front of the rest. */
static bool walk_follow(Walk *walk, const char *path)
{
        char target[PATH_MAX], rest[PATH_MAX];
        ssize_t size = readlink(path, target, sizeof(target) - 1);

        if (size < 0 || ++walk->n_links > LIMIT_LINKS)
                return false;
        target[size] = 0;
        if (snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest) >= (int)sizeof(rest))
                return false;
        memcpy(walk->rest, rest, sizeof(rest));
        if (target[0] == '/')
                walk->at[0] = 0;
        return true;
}

/* One component further. 1 to go on, 0 at the end of what is there. */
static int walk_step(Walk *walk, const char *component, WatchPoints *points)
{
        char path[PATH_MAX];
        struct stat st;
        int r;

        if (!strcmp(component, "."))
                return 1;
        if (!strcmp(component, "..")) {
                walk_up(walk);
                return 1;
        }
        r = watch_points_push(points, walk->at, component);
        if (r < 0)
                return r;
        if (snprintf(path, sizeof(path), "%s/%s", walk->at, component) >= (int)sizeof(path) || lstat(path, &st) < 0)
                return 0;
        if (S_ISLNK(st.st_mode))
                return walk_follow(walk, path);
        if (!S_ISDIR(st.st_mode))
                return 0;
        memcpy(walk->at, path, sizeof(path));
        return 1;
}

int watch_points_add(WatchPoints *points, const char *path, bool contents)
{
        char component[NAME_MAX + 1];
        Walk walk = { 0 };
        int r;

        if (snprintf(walk.rest, sizeof(walk.rest), "%s", path) >= (int)sizeof(walk.rest))
                return 0;
        while (walk_next(&walk, component)) {
                r = walk_step(&walk, component, points);
                if (r <= 0)
                        return r;
        }
        return contents ? watch_points_push(points, walk.at, NULL) : 0;
}

static int text_order(const char *a, const char *b)
{
        if (!a || !b)
                return (a != NULL) - (b != NULL);
        return strcmp(a, b);
}

static int point_order(const void *a, const void *b)
{
        const WatchPoint *left = a;
        const WatchPoint *right = b;
        int r = strcmp(left->folder, right->folder);

        return r ? r : text_order(left->name, right->name);
}

/* The first says all that the second does: points that name nothing sort first. */
static bool point_covers(const WatchPoint *first, const WatchPoint *second)
{
        return !strcmp(first->folder, second->folder) && (!first->name || text_order(first->name, second->name) == 0);
}

void watch_points_settle(WatchPoints *points)
{
        size_t n = 0;

        if (points->n == 0)
                return;
        qsort(points->items, points->n, sizeof(*points->items), point_order);
        for (size_t i = 0; i < points->n; i++)
                if (i == 0 || !point_covers(&points->items[n - 1], &points->items[i]))
                        points->items[n++] = points->items[i];
        points->n = n;
}

bool watch_points_equal(const WatchPoints *a, const WatchPoints *b)
{
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (point_order(&a->items[i], &b->items[i]) != 0)
                        return false;
        return true;
}

bool watch_points_matter(const WatchPoints *points, const char *folder, const char *name)
{
        for (size_t i = 0; i < points->n; i++)
                if (!strcmp(points->items[i].folder, folder) &&
                    (!points->items[i].name || !name || !strcmp(points->items[i].name, name)))
                        return true;
        return false;
}

void watch_points_deinit(WatchPoints *points)
{
        arena_deinit(&points->arena);
        alloc_free(points->items);
        *points = WATCH_POINTS_NULL;
}
