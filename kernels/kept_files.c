#include "kernels/kept_files.h"

#include <errno.h>

#include "kernels/folders.h"
#include "kernels/hash.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

int kept_files_new(KeptFiles **ret_files)
{
        KeptFiles *files = alloc_zeroed(1, sizeof(*files));

        if (!files)
                return error_trace(-ENOMEM);
        files->n_users = 1;
        *ret_files = files;
        return 0;
}

KeptFiles *kept_files_ref(KeptFiles *files)
{
        if (files)
                (void)__atomic_add_fetch(&files->n_users, 1, __ATOMIC_RELAXED);
        return files;
}

KeptFiles *kept_files_unref(KeptFiles *files)
{
        if (!files || __atomic_sub_fetch(&files->n_users, 1, __ATOMIC_ACQ_REL))
                return NULL;
        alloc_free(files->items);
        arena_deinit(&files->arena);
        alloc_free(files);
        return NULL;
}

static const KeptFile *find_lock(const KeptFiles *files, Text path)
{
        for (size_t i = 0; i < files->n; i++)
                if (files->items[i].is_lock && text_equal(files->items[i].path, path))
                        return &files->items[i];
        return NULL;
}

static void let_go(KeptFiles *files)
{
        files->too_large = true;
        files->n = 0;
        arena_deinit(&files->arena);
}

static int make_room(KeptFiles *files)
{
        size_t more = files->capacity ? 2 * files->capacity : 16;
        KeptFile *grown;

        if (files->n < files->capacity)
                return 0;
        grown = alloc_resize(files->items, more, sizeof(*grown));
        if (!grown)
                return error_trace(-ENOMEM);
        files->items = grown;
        files->capacity = more;
        return 0;
}

static int copy(KeptFiles *files, KeptFile file)
{
        KeptFile *item = &files->items[files->n];
        int r;

        *item = (KeptFile){ .is_lock = file.is_lock };
        r = arena_copy(&files->arena, file.name, &item->name);
        if (!r)
                r = arena_copy(&files->arena, file.path, &item->path);
        if (!r)
                r = arena_copy(&files->arena, file.bytes, &item->bytes);
        if (r < 0)
                return error_trace(r);
        files->n++;
        return 0;
}

int kept_files_add(KeptFiles *files, bool is_lock, Text name, Text path, Text bytes)
{
        int r;

        if (files->too_large || (is_lock && find_lock(files, path)))
                return 0;
        files->size += name.size + path.size + bytes.size;
        if (files->size > LIMIT_KEPT_FILES) {
                let_go(files);
                return 0;
        }
        r = make_room(files);
        return r < 0 ? r : copy(files, (KeptFile){ is_lock, name, path, bytes });
}

/* With its size in front, so that no two sets look alike. */
static int feed(Hash *hash, Text text)
{
        uint64_t size = text.size;
        int r = hash_update(hash, &size, sizeof(size));

        return r < 0 ? r : hash_update(hash, text.data, text.size);
}

static int feed_file(Hash *hash, const KeptFile *file)
{
        int r = hash_update(hash, &file->is_lock, sizeof(file->is_lock));

        if (!r)
                r = feed(hash, file->name);
        if (!r)
                r = feed(hash, file->path);
        return r < 0 ? r : feed(hash, file->bytes);
}

int kept_files_finish(KeptFiles *files)
{
        CLEANUP(hash_freep) Hash *hash = NULL;
        uint8_t digest[HASH_MAX];
        size_t size;
        int r = hash_new(HASH_SHA256, &hash);

        for (size_t i = 0; !r && i < files->n; i++)
                r = feed_file(hash, &files->items[i]);
        if (!r)
                r = hash_finish(hash, digest, &size);
        if (r < 0)
                return error_trace(r);
        memcpy(files->digest, digest, sizeof(files->digest));
        return 0;
}

static int read_kept(void *userdata, const char *path, Arena *arena, Text *ret_bytes, Fault *fault)
{
        const KeptFile *lock = find_lock(userdata, text_of(path));

        if (!lock)
                return folders_read(path, LIMIT_LOCK_FILE, arena, ret_bytes, fault);
        *ret_bytes = lock->bytes;
        return 0;
}

MappingReader kept_files_reader(KeptFiles *files)
{
        return (MappingReader){ .read = read_kept, .userdata = files };
}

int kept_files_load(KeptFiles *files, int64_t now_us, MappingSet **ret_set)
{
        const MappingReader reader = kept_files_reader(files);
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        int r = mapping_set_new(&set);

        for (size_t i = 0; !r && i < files->n; i++)
                if (!files->items[i].is_lock)
                        r = mapping_set_add_file(set, files->items[i].name, files->items[i].path, files->items[i].bytes,
                                                 now_us, &reader);
        if (r < 0)
                return error_trace(r);
        *ret_set = STEAL(set);
        return 0;
}
