#include "kernels/kept_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "tests/lib/fixture.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LOCK_OF(commit) "[{\"repo_id\": \"o/n\", \"sha\": \"" commit "\", \"variants\": {}}]"

static char lock[512];

static void write_lock(const char *content)
{
        int fd;

        (void)snprintf(lock, sizeof(lock), "%s/kernels.lock", fixture_folder());
        fd = open(lock, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
        ck_assert_int_eq(close(fd), 0);
}

static Text locked_file(Arena *arena)
{
        return arena_format(arena, "{\"kernelsd\": 1, \"mapping\": {\"A\": [{\"device\": \"cpu\", \"use\": "
                            "{\"repo\": \"o/n\", \"locked\": \"%s\"}}]}}", lock);
}

/* Of a set that is read: what kept_files_load needs to say the same. */
static int keep(KeptFiles **ret_files)
{
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text bytes = locked_file(&arena);
        int r = bytes.data ? kept_files_new(&files) : -ENOMEM;

        if (!r)
                r = mapping_set_new(&set);
        if (r < 0)
                return r;
        set->keeps = files;
        r = kept_files_add(files, false, TEXT("a.json"), TEXT("/etc/a.json"), bytes);
        if (!r)
                r = mapping_set_add_file(set, TEXT("a.json"), TEXT("/etc/a.json"), bytes, 0, NULL);
        if (!r)
                r = mapping_set_add_file(set, TEXT("b.json"), TEXT("/etc/b.json"), bytes, 0, NULL);
        if (!r)
                r = kept_files_finish(files);
        if (r < 0)
                return r;
        ck_assert_uint_eq(set->n_faults, 0);
        *ret_files = STEAL(files);
        return 0;
}

static int keep_and_load(void)
{
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        int r = keep(&files);

        if (!r)
                r = kept_files_load(files, 5, &set);
        return r < 0 ? r : (int)set->n_entries;
}

START_TEST(test_locks)
{
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;

        write_lock(LOCK_OF(COMMIT_A));
        ck_assert_int_eq(keep(&files), 0);
        ck_assert_uint_eq(files->n, 2); /* the lock file once */
        ck_assert(files->items[1].is_lock);
        write_lock(LOCK_OF(COMMIT_B));
        ck_assert_int_eq(kept_files_load(files, 5, &set), 0);
        ck_assert_uint_eq(set->n_faults, 0);
        ck_assert_uint_eq(set->n_entries, 1);
        ck_assert(text_equal(set->entries[0]->modes[0].reference.commit, TEXT(COMMIT_A)));
        ck_assert(text_equal(set->sources[0].name, TEXT("a.json")));
        ck_assert(text_equal(set->sources[0].path, TEXT("/etc/a.json")));
        ck_assert_int_eq(set->sources[0].read_at_us, 5);
}
END_TEST

/* A lock file that was not among them is the one on the disk. */
START_TEST(test_other_lock)
{
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        write_lock(LOCK_OF(COMMIT_B));
        ck_assert_int_eq(kept_files_new(&files), 0);
        ck_assert_int_eq(kept_files_add(files, false, TEXT("a.json"), TEXT("/etc/a.json"), locked_file(&arena)), 0);
        ck_assert_int_eq(kept_files_load(files, 5, &set), 0);
        ck_assert_uint_eq(set->n_faults, 0);
        ck_assert(text_equal(set->entries[0]->modes[0].reference.commit, TEXT(COMMIT_B)));
}
END_TEST

START_TEST(test_digest)
{
        static const struct { bool is_lock; const char *name, *path, *bytes; } others[] = {
                { true, "a", "b", "c" }, { false, "ab", "", "c" }, { false, "a", "bc", "" }, { false, "a", "b", "d" },
                { false, "a", "x", "c" }, { false, "x", "b", "c" },
        };
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;

        ck_assert_int_eq(kept_files_new(&files), 0);
        ck_assert_int_eq(kept_files_add(files, false, TEXT("a"), TEXT("b"), TEXT("c")), 0);
        ck_assert_int_eq(kept_files_finish(files), 0);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                CLEANUP(kept_files_unrefp) KeptFiles *other = NULL;

                ck_assert_int_eq(kept_files_new(&other), 0);
                ck_assert_int_eq(kept_files_add(other, others[i].is_lock, text_of(others[i].name), text_of(others[i].path),
                                                text_of(others[i].bytes)), 0);
                ck_assert_int_eq(kept_files_finish(other), 0);
                ck_assert_int_ne(memcmp(files->digest, other->digest, KEPT_DIGEST), 0);
        }
}
END_TEST

START_TEST(test_too_large)
{
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;
        char *bytes = alloc_zeroed(1, LIMIT_KEPT_FILES);

        ck_assert_int_eq(kept_files_new(&files), 0);
        ck_assert_int_eq(kept_files_add(files, false, TEXT("a"), TEXT("b"), (Text){ bytes, LIMIT_KEPT_FILES - 2 }), 0);
        ck_assert(!files->too_large);
        ck_assert_int_eq(kept_files_add(files, true, TEXT(""), TEXT("l"), TEXT("")), 0);
        ck_assert(files->too_large);
        ck_assert_uint_eq(files->n, 0);
        ck_assert_int_eq(kept_files_add(files, false, TEXT("a"), TEXT("b"), TEXT("c")), 0);
        ck_assert_uint_eq(files->n, 0);
        alloc_free(bytes);
}
END_TEST

START_TEST(test_no_memory)
{
        write_lock(LOCK_OF(COMMIT_A));
        FIXTURE_TORTURE(keep_and_load());
        ck_assert_int_eq(keep_and_load(), 1);
}
END_TEST

FIXTURE_MAIN("kernels/kept_files", test_locks, test_other_lock, test_digest, test_too_large, test_no_memory)
