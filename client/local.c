#include "client/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/failure.h"
#include "proto/base/alloc.h"

static void dir_closep(DIR **dir)
{
        if (*dir)
                (void)closedir(*dir);
}

static int local_missing(kd_error *error, const char *path, int code)
{
        return failure_refuse(error, FAULT_NO_REPOSITORY, "the local repository %s cannot be read (%s): name a folder "
                                                          "that holds build variants, or a `build` folder with them",
                              path, strerrordesc_np(-code));
}

static int local_too_large(kd_error *error, const char *path, const char *what, unsigned limit)
{
        return failure_refuse(error, FAULT_TOO_LARGE, "the local repository %s has more than %u %s: keep fewer there",
                              path, limit, what);
}

static int local_error(kd_error *error, const char *path, int code)
{
        if (code == -ENOMEM)
                return failure_memory(error);
        return failure_set(error, code, "reading the local repository %s failed: %s", path, strerrordesc_np(-code));
}

/* All of metadata.json: 0; 1: over the limit; negative. An absent file leaves
 * *ret absent. O_NONBLOCK: a pipe of that name must not hang us. */
static int metadata_read(int folder, Text *ret_metadata)
{
        CLEANUP_FD int fd = openat(folder, "metadata.json", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        CLEANUP_ALLOC char *bytes = NULL;
        struct stat status;
        size_t size = 0;
        ssize_t n;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &status) < 0)
                return -errno;
        if (!S_ISREG(status.st_mode))
                return -EINVAL;
        bytes = alloc_bytes(LIMIT_LOCAL_METADATA + 1);
        if (!bytes)
                return -ENOMEM;
        while (size <= LIMIT_LOCAL_METADATA && (n = read(fd, bytes + size, LIMIT_LOCAL_METADATA + 1 - size))) {
                if (n < 0 && errno != EINTR)
                        return -errno;
                size += n > 0 ? (size_t)n : 0;
        }
        if (size > LIMIT_LOCAL_METADATA)
                return 1;
        *ret_metadata = (Text){ alloc_text(bytes, size), size };
        return ret_metadata->data ? 0 : -ENOMEM;
}

static int variant_compare(const void *a, const void *b)
{
        return text_compare(((const MsgLocalVariant *)a)->variant, ((const MsgLocalVariant *)b)->variant);
}

static int local_add(LocalRepository *local, const char *name, Text *metadata)
{
        MsgLocalVariant *variants = alloc_resize(local->variants, local->n_variants + 1, sizeof(*variants));
        MsgLocalVariant variant = { .variant = { NULL, strlen(name) } };

        if (!variants)
                return -ENOMEM;
        local->variants = variants;
        variant.variant.data = alloc_text(name, variant.variant.size);
        if (!variant.variant.data)
                return -ENOMEM;
        variant.metadata = *metadata;
        *metadata = TEXT_NULL;
        local->variants[local->n_variants++] = variant;
        local->n_bytes += variant.metadata.size;
        return 0;
}

static void text_freep(Text *text)
{
        alloc_free((char *)(uintptr_t)text->data);
}

/* One name below base: what is no folder is passed over. */
static int local_scan_name(LocalRepository *local, int base, const char *name, kd_error *error)
{
        CLEANUP(text_freep) Text metadata = TEXT_NULL;
        CLEANUP_FD int fd = openat(base, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return errno == ENOTDIR || errno == ENOENT ? 0 : local_error(error, local->path, -errno);
        if (local->n_variants == LIMIT_LOCAL_VARIANTS)
                return local_too_large(error, local->path, "build variants", LIMIT_LOCAL_VARIANTS);
        r = metadata_read(fd, &metadata);
        if (r > 0)
                return local_too_large(error, local->path, "bytes in one metadata.json", LIMIT_LOCAL_METADATA);
        if (!r)
                r = local_add(local, name, &metadata);
        if (r < 0)
                return local_error(error, local->path, r);
        if (local->n_bytes > LIMIT_LOCAL_BYTES)
                return local_too_large(error, local->path, "bytes of metadata", LIMIT_LOCAL_BYTES);
        return 0;
}

static int local_scan(LocalRepository *local, kd_error *error)
{
        CLEANUP(dir_closep) DIR *dir = opendir(local->base);
        struct dirent *item;
        int r = 0;

        if (!dir)
                return local_missing(error, local->path, -errno);
        for (errno = 0; !r && (item = readdir(dir)); errno = 0)
                if (item->d_name[0] != '.')
                        r = local_scan_name(local, dirfd(dir), item->d_name, error);
        if (!r && errno)
                r = local_error(error, local->path, -errno);
        if (!r && local->n_variants)
                qsort(local->variants, local->n_variants, sizeof(*local->variants), variant_compare);
        return r;
}

/* path/build where that is a folder, else path. */
static int local_base(LocalRepository *local)
{
        struct stat status;
        size_t size = strlen(local->path);

        local->base = alloc_bytes(size + sizeof("/build"));
        if (!local->base)
                return -ENOMEM;
        memcpy(local->base, local->path, size);
        memcpy(local->base + size, "/build", sizeof("/build"));
        if (stat(local->base, &status) < 0 || !S_ISDIR(status.st_mode))
                local->base[size] = 0;
        return 0;
}

int local_read(const char *path, LocalRepository **ret_local, kd_error *error)
{
        CLEANUP(local_unrefp) LocalRepository *local = NULL;
        int r;

        if (path[0] != '/' || strlen(path) > LIMIT_PATH)
                return failure_refuse(error, FAULT_INVALID_NAME, "\"%.200s\" names no local repository: give its "
                                                                 "absolute path", path);
        local = alloc_zeroed(1, sizeof(*local));
        if (!local)
                return failure_memory(error);
        local->n_users = 1;
        local->path = alloc_text(path, strlen(path));
        if (!local->path || local_base(local) < 0)
                return failure_memory(error);
        r = local_scan(local, error);
        if (!r)
                *ret_local = STEAL(local);
        return r;
}

LocalRepository *local_ref(LocalRepository *local)
{
        if (local)
                (void)__atomic_fetch_add(&local->n_users, 1, __ATOMIC_RELAXED);
        return local;
}

LocalRepository *local_unref(LocalRepository *local)
{
        if (!local || __atomic_sub_fetch(&local->n_users, 1, __ATOMIC_ACQ_REL))
                return NULL;
        for (size_t i = 0; i < local->n_variants; ++i) {
                text_freep(&local->variants[i].variant);
                text_freep(&local->variants[i].metadata);
        }
        alloc_free(local->variants);
        alloc_free(local->path);
        alloc_free(local->base);
        alloc_free(local);
        return NULL;
}

int local_set_add(LocalSet *set, LocalRepository *local, size_t *ret_index)
{
        LocalRepository **items;

        /* From the back: entries in a row mostly name the same one. */
        for (size_t i = set->n; i-- > 0;)
                if (set->items[i] == local) {
                        *ret_index = i;
                        return 0;
                }
        items = alloc_resize(set->items, set->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        set->items = items;
        items[set->n] = local_ref(local);
        *ret_index = set->n++;
        return 0;
}

int local_set_read(LocalSet *set, const char *path, LocalRepository **ret_local, kd_error *error)
{
        CLEANUP(local_unrefp) LocalRepository *local = NULL;
        size_t index;
        int r;

        for (size_t i = set->n; i-- > 0;)
                if (!strcmp(set->items[i]->path, path)) {
                        *ret_local = set->items[i];
                        return 0;
                }
        r = local_read(path, &local, error);
        if (r)
                return r;
        r = local_set_add(set, local, &index);
        if (r < 0)
                return failure_memory(error);
        *ret_local = set->items[index];
        return 0;
}

void local_set_deinit(LocalSet *set)
{
        for (size_t i = 0; i < set->n; ++i)
                (void)local_unref(set->items[i]);
        alloc_free(set->items);
        *set = LOCAL_SET_NULL;
}

static int local_numbers_reserve(LocalNumbers *numbers, size_t n)
{
        struct LocalNumber *items;

        if (numbers->capacity - numbers->n >= n)
                return 0;
        items = alloc_resize(numbers->items, numbers->n + n, sizeof(*items));
        if (!items)
                return -ENOMEM;
        numbers->items = items;
        numbers->capacity = numbers->n + n;
        return 0;
}

int local_numbers_add(LocalNumbers *numbers, int64_t first, const LocalSet *set)
{
        if (first < 0 || (uint64_t)(INT64_MAX - first) < set->n)
                return -EBADMSG;
        if (local_numbers_reserve(numbers, set->n) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < set->n; ++i)
                numbers->items[numbers->n++] = (struct LocalNumber){ first + (int64_t)i, local_ref(set->items[i]) };
        return 0;
}

LocalRepository *local_numbers_find(const LocalNumbers *numbers, int64_t number)
{
        for (size_t i = numbers->n; i-- > 0;)
                if (numbers->items[i].number == number)
                        return local_ref(numbers->items[i].local);
        return NULL;
}

void local_numbers_sweep(LocalNumbers *numbers)
{
        size_t kept = 0;

        for (size_t i = 0; i < numbers->n; ++i)
                if (__atomic_load_n(&numbers->items[i].local->n_users, __ATOMIC_ACQUIRE) == 1)
                        (void)local_unref(numbers->items[i].local);
                else
                        numbers->items[kept++] = numbers->items[i];
        numbers->n = kept;
}

void local_numbers_clear(LocalNumbers *numbers)
{
        for (size_t i = 0; i < numbers->n; ++i)
                (void)local_unref(numbers->items[i].local);
        alloc_free(numbers->items);
        *numbers = LOCAL_NUMBERS_NULL;
}
