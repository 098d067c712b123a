/* What is on the disk at the worst moment. Everything that was written but not
 * yet synced is dropped there, and what had been acknowledged must be there all
 * the same.
 *
 * For each file of the folder there is an image beside it, as it would be after
 * the power was cut: of the database and its log a VFS of SQLite brings it up to
 * date when they are synced, of the export our own fsync and renameat do. Before
 * any of that changes, and at the end, a folder is made of the images and opened. */
#include "kernels/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/fixture.h"

#define LOG STORE_DATABASE "-wal"
#define N_CHANGES 30

/* --- folders --- */

static char real[512], image[512], after[512];

static void make_folders(void)
{
        (void)snprintf(real, sizeof(real), "%s/real", fixture_folder());
        (void)snprintf(image, sizeof(image), "%s/image", fixture_folder());
        (void)snprintf(after, sizeof(after), "%s/after", fixture_folder());
        ck_assert_int_eq(mkdir(real, 0700), 0);
        ck_assert_int_eq(mkdir(image, 0700), 0);
        ck_assert_int_eq(mkdir(after, 0700), 0);
}

static const char *in(const char *folder, const char *name)
{
        static char paths[4][600];
        static int n;
        char *path = paths[n++ % 4];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
        return path;
}

/* A file that is not there leaves none. */
static void copy(const char *name, const char *from, const char *to)
{
        static char bytes[1 << 16];
        int source = open(in(from, name), O_RDONLY | O_CLOEXEC), target;
        ssize_t n;

        (void)unlink(in(to, name));
        if (source < 0)
                return;
        target = open(in(to, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        while ((n = read(source, bytes, sizeof(bytes))) > 0)
                ck_assert_int_eq(write(target, bytes, (size_t)n), n);
        ck_assert_int_eq(n, 0);
        close(source);
        close(target);
}

/* --- what was acknowledged --- */

static int n_acknowledged;
static size_t n_moments, n_lost, n_lost_of_export; /* in all moments */

/* Odd ones are entries, even ones values of one pin. */
static int make(Store *store, int number)
{
        char commit[41], layer[16];
        StoredRow row = { .device = TEXT("cpu"), .range = { 0, CAPABILITY_MAX }, .json = TEXT("{\"device\": \"cpu\", \"modes\": {}}") };
        StoreChange change = { .kind = number % 2 ? STORE_MAPPING_ADD : STORE_PIN_SET };
        StoreChange *changes[] = { &change };
        Fact fact = { .kind = FACT_PUBLISHER, .publisher = { TEXT("o"), true, number } };

        (void)snprintf(commit, sizeof(commit), "%040x", number);
        (void)snprintf(layer, sizeof(layer), "L%d-", number);
        row.layer = text_of(layer);
        change.rows = (StoredRows){ &row, 1 };
        change.pin = (Pin){ TEXT("o/n"), TEXT("main"), text_of(commit) };
        ck_assert_int_eq(store_apply(store, changes, 1), 0);
        ck_assert_str_eq(change.fault.message, "");
        n_acknowledged = number;
        return store_note(store, &fact, 1); /* what need not be synced must not make others so */
}

static size_t count_lost(const Stored *stored)
{
        Reference reference = { .kind = REFERENCE_REVISION, .repo = TEXT("o/n"), .revision = TEXT("main") };
        const Pin *pin = pins_find(stored->pins, &reference);
        size_t lost = 0;
        long pinned = -1;

        if (pin) {
                char digits[41] = { 0 };

                memcpy(digits, pin->commit.data, 40);
                pinned = strtol(digits, NULL, 16);
        }
        for (int number = 1; number <= n_acknowledged; number++) {
                char layer[16];

                (void)snprintf(layer, sizeof(layer), "\"L%d-\"", number);
                lost += number % 2 ? !memmem(stored->text.data, stored->text.size, layer, strlen(layer)) : pinned < number;
        }
        return lost;
}

/* What the next start finds. */
static size_t open_after(void)
{
        CLEANUP(stored_unrefp) Stored *stored = NULL;
        CLEANUP(store_closep) Store *store = NULL;

        ck_assert_int_eq(store_open(after, &store), 0);
        stored = store_stored(store);
        return count_lost(stored);
}

static void make_after(const char *database, const char *export)
{
        copy(STORE_DATABASE, database, after);
        copy(LOG, database, after);
        copy(STORE_EXPORT, export, after);
        (void)unlink(in(after, STORE_DATABASE "-shm"));
}

/* The power goes now. What was not synced may have come to the disk all the
 * same, of the one or of the other. */
static void moment(void)
{
        n_moments++;
        make_after(image, image);
        n_lost += open_after();
        make_after(image, real);
        n_lost += open_after();
        make_after(real, image);
        n_lost += open_after();
        make_after(fixture_folder(), image); /* no database there */
        n_lost_of_export += open_after();
}

/* --- the database and its log --- */

typedef struct Opened {
        sqlite3_file *file;
        char name[32];
        const sqlite3_io_methods *base; /* not the same of a database and of its log */
        sqlite3_io_methods methods;
} Opened;

static sqlite3_vfs *base, shim;
static Opened opened[8];
static bool is_off; /* synchronous */

/* NULL: a free one. */
static Opened *find(const sqlite3_file *file)
{
        for (size_t i = 0; i < ARRAY_SIZE(opened); i++)
                if (opened[i].file == file)
                        return &opened[i];
        ck_abort();
}

static int shim_sync(sqlite3_file *file, int flags)
{
        const Opened *known = find(file);
        int r = known->base->xSync(file, flags);

        moment();
        copy(known->name, real, image);
        return r;
}

static int shim_close(sqlite3_file *file)
{
        Opened *known = find(file);

        known->file = NULL;
        return known->base->xClose(file);
}

/* Keeps what set_off says. */
static int shim_control(sqlite3_file *file, int what, void *argument)
{
        char *const *pragma = argument;

        if (what == SQLITE_FCNTL_PRAGMA && is_off && !strcmp(pragma[1], "synchronous") && pragma[2] && strcmp(pragma[2], "OFF"))
                return SQLITE_OK;
        return find(file)->base->xFileControl(file, what, argument);
}

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
        int r = base->xOpen(base, path, file, flags, ret_flags);
        const char *slash = path ? strrchr(path, '/') : NULL;
        Opened *known;

        if (r != SQLITE_OK || !slash || strlen(real) != (size_t)(slash - path) || memcmp(path, real, strlen(real)))
                return r;
        known = find(NULL);
        known->file = file;
        (void)snprintf(known->name, sizeof(known->name), "%s", slash + 1);
        known->base = file->pMethods;
        known->methods = *known->base;
        known->methods.xSync = shim_sync;
        known->methods.xClose = shim_close;
        known->methods.xFileControl = shim_control;
        file->pMethods = &known->methods;
        return r;
}

static int set_off(sqlite3 *connection, char **ret_message, const struct sqlite3_api_routines *api)
{
        return is_off ? sqlite3_exec(connection, "PRAGMA synchronous = OFF", NULL, NULL, NULL) : SQLITE_OK;
}

static void begin(void)
{
        make_folders();
        base = sqlite3_vfs_find(NULL);
        shim = *base;
        shim.zName = "synced";
        shim.xOpen = shim_open;
        ck_assert_int_eq(sqlite3_vfs_register(&shim, 1), SQLITE_OK);
        ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))set_off), SQLITE_OK);
}

/* --- the export: what store_file.c and SQLite call in the place of libc's --- */

static bool drops_syncs; /* of the export and of the folder */
static bool is_renamed;  /* since the folder was synced */

#define IN_THE_PLACE_OF_LIBC __attribute__((visibility("default")))

/* The true disk is not waited for. */
IN_THE_PLACE_OF_LIBC int fdatasync(int fd)
{
        return 0;
}

IN_THE_PLACE_OF_LIBC int fsync(int fd)
{
        char path[600] = { 0 }, link[64];

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (!*real || drops_syncs || readlink(link, path, sizeof(path) - 1) < 0)
                return 0;
        if (!strcmp(path, in(real, STORE_EXPORT ".new"))) {
                moment();
                copy(STORE_EXPORT ".new", real, image);
        } else if (!strcmp(path, real) && is_renamed) {
                moment();
                /* A name can be on the disk before what it names: then it names nothing. */
                if (rename(in(image, STORE_EXPORT ".new"), in(image, STORE_EXPORT)) < 0)
                        ck_assert_int_eq(close(open(in(image, STORE_EXPORT), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)), 0);
                is_renamed = false;
        }
        return 0;
}

IN_THE_PLACE_OF_LIBC int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
        char path[600] = { 0 }, link[64];

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", to_fd);
        if (*real && readlink(link, path, sizeof(path) - 1) > 0 && !strcmp(path, real) && !strcmp(to, STORE_EXPORT))
                is_renamed = true;
        return (int)syscall(SYS_renameat, from_fd, from, to_fd, to);
}

/* --- tests --- */

static void run_changes(int first, int last)
{
        CLEANUP(store_closep) Store *store = NULL;

        ck_assert_int_eq(store_open(real, &store), 0);
        for (int number = first; number <= last; number++)
                ck_assert_int_eq(make(store, number), 0);
        moment();
}

START_TEST(test_nothing_is_lost)
{
        begin();
        run_changes(1, N_CHANGES);
        run_changes(N_CHANGES + 1, N_CHANGES + 5); /* the end in between was an ordinary one */
        ck_assert_uint_eq(n_lost, 0);
        ck_assert_uint_eq(n_lost_of_export, 0);
        ck_assert_uint_ge(n_moments, 3 * N_CHANGES);
}
END_TEST

/* That it would be seen: an old database is there, and the newer export, which
 * it is taken to have outlived. */
START_TEST(test_without_syncs_it_is_lost)
{
        begin();
        run_changes(1, 4);
        ck_assert_uint_eq(n_lost, 0);
        is_off = true;
        run_changes(5, 8);
        ck_assert_uint_gt(n_lost, 0);
        ck_assert_uint_eq(n_lost_of_export, 0);
}
END_TEST

START_TEST(test_an_export_without_syncs_is_lost)
{
        begin();
        run_changes(1, 4);
        drops_syncs = true;
        run_changes(5, 8);
        ck_assert_uint_eq(n_lost, 0);
        ck_assert_uint_gt(n_lost_of_export, 0);
}
END_TEST

/* The database went with a damaged disk: while it is rebuilt the export stays. */
START_TEST(test_nothing_is_lost_while_it_is_rebuilt)
{
        begin();
        run_changes(1, 4);
        ck_assert_int_eq(truncate(in(real, STORE_DATABASE), 100), 0);
        copy(STORE_DATABASE, real, image);
        (void)unlink(in(image, LOG));
        run_changes(5, 8);
        ck_assert_uint_eq(n_lost, 0);
        ck_assert_uint_eq(n_lost_of_export, 0);
}
END_TEST

FIXTURE_MAIN("kernels/store, synced", test_nothing_is_lost, test_without_syncs_it_is_lost,
             test_an_export_without_syncs_is_lost, test_nothing_is_lost_while_it_is_rebuilt)
