#include "kernels/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels/folders.h"
#include "kernels/mapping_file.h"
#include "kernels/store_file.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Functions return 0; 1 with a problem; -ENOMEM. */

static Text store_path(const Store *store, const char *name, Arena *arena)
{
        return arena_format(arena, "%s/%s", store->folder, name);
}

static int file_problem(const Store *store, const char *name, int error, StoreProblem *problem)
{
        if (error == -ENOMEM)
                return error_trace(-ENOMEM);
        problem->kind = error == -ENOSPC || error == -EDQUOT ? STORE_NO_SPACE : STORE_FAILED;
        (void)snprintf(problem->message, sizeof(problem->message), "%s/%s: %s", store->folder, name,
                       strerrordesc_np(-error));
        return 1;
}

/* --- the export --- */

static int export_prepare(Store *store, const Stored *stored, StoreProblem *problem)
{
        CLEANUP_BUFFER Buffer text = BUFFER_NULL;
        int r = stored_export(stored, &text);

        if (r < 0)
                return r;
        r = store_file_prepare(store->folder_fd, STORE_EXPORT, buffer_text(&text));
        return r < 0 ? file_problem(store, STORE_EXPORT, r, problem) : 0;
}

static int export_place(Store *store, StoreProblem *problem)
{
        int r = store_file_place(store->folder_fd, STORE_EXPORT);

        return r < 0 ? file_problem(store, STORE_EXPORT, r, problem) : 0;
}

/* 0; 1 with a fault: there is none, or it cannot be read. */
static int export_read(Store *store, Arena *arena, Text *ret_bytes, Fault *fault)
{
        Text path = store_path(store, STORE_EXPORT, arena);

        return path.data ? folders_read(path.data, LIMIT_MAPPING_FILE, arena, ret_bytes, fault) : error_trace(-ENOMEM);
}

static bool export_is_there(const Store *store)
{
        return faccessat(store->folder_fd, STORE_EXPORT, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Writes it where it does not say what the database says: it was lost, or the
 * daemon ended between the commit and the renaming. */
static int export_mend(Store *store, StoreProblem *problem)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CLEANUP_BUFFER Buffer text = BUFFER_NULL;
        bool there = export_is_there(store);
        Fault fault;
        Text bytes;
        int r = stored_export(store->stored, &text);

        if (r < 0)
                return r;
        if (there) {
                r = export_read(store, &arena, &bytes, &fault);
                if (r < 0 || (!r && text_equal(bytes, buffer_text(&text))))
                        return r;
        }
        r = export_prepare(store, store->stored, problem);
        if (!r)
                r = export_place(store, problem);
        if (!r && !there && !stored_is_empty(store->stored) && !store->note[0])
                (void)snprintf(store->note, sizeof(store->note), "%s was lost and was written anew from the database",
                               STORE_EXPORT);
        return r;
}

/* --- rebuilding --- */

static int import_into(StoreDb *db, const StoredContents *contents, StoreProblem *problem)
{
        int r = 0;

        for (size_t i = 0; !r && i < contents->rows.n; i++)
                r = store_db_put_row(db, &contents->rows.items[i], problem);
        for (size_t i = 0; !r && i < contents->n_pins; i++)
                r = store_db_put_pin(db, &contents->pins[i], problem);
        for (size_t i = 0; !r && i < contents->n_environments; i++)
                r = store_db_put_named(db, &contents->environments[i], problem);
        return r;
}

static int store_lose(Store *store, const char *why, StoreProblem *problem)
{
        (void)snprintf(store->loss, sizeof(store->loss),
                       "the database was lost and %s: what was stored and pinned is gone until the next mapping load", why);
        return store_db_put_loss(store->db, text_of(store->loss), problem);
}

/* Fills a database that is new from the export, if there is one. */
static int store_rebuild(Store *store, bool was_damaged, StoreProblem *problem)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        StoredContents contents = { 0 };
        Fault fault;
        Text bytes;
        int r;

        if (!export_is_there(store))
                return was_damaged ? store_lose(store, "there is no " STORE_EXPORT, problem) : 0;
        r = export_read(store, &arena, &bytes, &fault);
        if (!r)
                r = stored_import(bytes, &arena, &contents, &fault);
        if (r < 0)
                return r;
        if (r > 0)
                return store_lose(store, STORE_EXPORT " cannot be read", problem);
        r = import_into(store->db, &contents, problem);
        if (!r && !store->note[0])
                (void)snprintf(store->note, sizeof(store->note), "%s was missing and was rebuilt from %s", STORE_DATABASE,
                               STORE_EXPORT);
        return r;
}

/* Renames the damaged files to one set, in the place of an older one. */
static int store_set_aside(Store *store, StoreProblem *problem)
{
        static const char *const ends[] = { "", "-wal" };
        int error = 0;

        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
                char from[64], to[64];

                (void)snprintf(from, sizeof(from), STORE_DATABASE "%s", ends[i]);
                (void)snprintf(to, sizeof(to), STORE_DATABASE ".corrupt%s", ends[i]);
                (void)unlinkat(store->folder_fd, to, 0);
                if (renameat(store->folder_fd, from, store->folder_fd, to) < 0 && errno != ENOENT)
                        error = -errno;
        }
        (void)unlinkat(store->folder_fd, STORE_DATABASE "-shm", 0);
        if (!error && fsync(store->folder_fd) < 0)
                error = -errno;
        (void)snprintf(store->note, sizeof(store->note), "%s was damaged: it is set aside as %s.corrupt and was rebuilt from %s",
                       STORE_DATABASE, STORE_DATABASE, STORE_EXPORT);
        return error ? file_problem(store, STORE_DATABASE, error, problem) : 0;
}

/* --- opening --- */

static int store_read_loss(Store *store, StoreProblem *problem)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text what;
        int r = store_db_loss(store->db, &arena, &what, problem);

        if (!r)
                (void)snprintf(store->loss, sizeof(store->loss), "%.*s", TEXT_PRINT(what));
        return r;
}

static int store_read(Store *store, StoreProblem *problem)
{
        Stored *stored = NULL;
        int r = store_db_read(store->db, store->number + 1, &stored, problem);

        if (r)
                return r;
        store->number++;
        stored_unref(store->stored);
        store->stored = stored;
        return 0;
}

static int store_open_db(Store *store, bool was_damaged, StoreProblem *problem)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text path = store_path(store, STORE_DATABASE, &arena);
        bool fresh = false;
        int r;

        if (!path.data)
                return error_trace(-ENOMEM);
        r = store_db_open(path.data, &store->db, &fresh, problem);
        if (!r && fresh)
                r = store_rebuild(store, was_damaged, problem);
        if (!r && fresh)
                r = store_db_commit(store->db, problem);
        if (!r)
                r = store_read_loss(store, problem);
        if (!r)
                r = store_read(store, problem);
        if (r)
                store->db = store_db_close(store->db);
        return r;
}

/* Without a database: what the export knows, or what is known already. */
static int store_fall_back(Store *store)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        StoredContents contents = { 0 };
        Fault fault;
        Text bytes;
        int r;

        if (store->stored)
                return 0;
        r = store->folder_fd < 0 ? 1 : export_read(store, &arena, &bytes, &fault);
        if (!r)
                r = stored_import(bytes, &arena, &contents, &fault);
        if (r < 0)
                return r;
        return stored_new(&contents, ++store->number, &store->stored);
}

static int store_take_problem(Store *store, const StoreProblem *problem)
{
        (void)snprintf(store->trouble, sizeof(store->trouble), "%s; nothing can be changed until that is mended",
                       problem->message);
        return store_fall_back(store);
}

/* Whether there is a folder at all; without one nothing is kept, by intent. */
static bool store_keeps(const Store *store)
{
        return store->folder[0] != 0;
}

static int store_keep_nothing(Store *store)
{
        (void)snprintf(store->trouble, sizeof(store->trouble),
                       "this daemon keeps nothing: start it with a folder as state_dir");
        return store_fall_back(store);
}

/* Makes the database usable, or says in `trouble` why it is not. 0, -ENOMEM. */
static int store_begin(Store *store)
{
        StoreProblem problem = { 0 };
        int r;

        if (!store_keeps(store))
                return store_keep_nothing(store);
        store->trouble[0] = 0;
        r = store->folder_fd < 0 ? file_problem(store, "", -ENOENT, &problem) : store_open_db(store, false, &problem);
        if (r > 0 && problem.kind == STORE_DAMAGED) {
                r = store_set_aside(store, &problem);
                if (!r)
                        r = store_open_db(store, true, &problem);
        }
        if (!r)
                r = export_mend(store, &problem);
        return r > 0 ? store_take_problem(store, &problem) : r;
}

int store_open(const char *folder, Store **ret_store)
{
        CLEANUP(store_closep) Store *store = alloc_zeroed(1, sizeof(*store));
        int r;

        if (!store)
                return error_trace(-ENOMEM);
        store->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        store->folder = alloc_text(folder, strlen(folder));
        if (!store->folder)
                return error_trace(-ENOMEM);
        r = store_begin(store);
        if (r < 0)
                return r;
        *ret_store = STEAL(store);
        return 0;
}

Store *store_close(Store *store)
{
        if (!store)
                return NULL;
        store_db_close(store->db);
        stored_unref(store->stored);
        if (store->folder_fd >= 0)
                (void)close(store->folder_fd);
        alloc_free(store->folder);
        alloc_free(store);
        return NULL;
}

Stored *store_stored(const Store *store)
{
        return stored_ref(store->stored);
}

void store_health(const Store *store, StoreHealth *ret_health)
{
        const char *const bad[] = { store->trouble, store->loss, store->dropped }, *const told[] = { store->not_kept, store->note };
        const char *message = "";

        for (size_t i = 0; i < ARRAY_SIZE(bad) && !*message; i++)
                message = bad[i];
        ret_health->good = !store_keeps(store) || !*message;
        for (size_t i = 0; i < ARRAY_SIZE(told) && !*message; i++)
                message = told[i];
        (void)snprintf(ret_health->message, sizeof(ret_health->message), "%s", message);
}

/* --- changes --- */

static int add_rows(Store *store, StoreChange *change, StoreProblem *problem)
{
        int r = 0;

        for (size_t i = 0; !r && i < change->rows.n; i++) {
                const StoredRow *row = &change->rows.items[i];
                size_t n = 0;

                r = store_db_put_row(store->db, row, problem);
                if (!r)
                        r = store_db_count_ranges(store->db, row->layer, row->device, &n, problem);
                if (!r && n > LIMIT_STORED_RANGES) {
                        (void)fault_set(&change->fault, FAULT_LIMIT, "over %d ranges would be stored for layer %.*s on %.*s: "
                                        "put some together", LIMIT_STORED_RANGES, TEXT_PRINT(row->layer),
                                        TEXT_PRINT(row->device));
                        return 0;
                }
        }
        change->n_changed = change->rows.n;
        return r;
}

static int replace_rows(Store *store, StoreChange *change, StoreProblem *problem)
{
        int r = store_db_clear_rows(store->db, problem);

        if (!r)
                r = store_db_forget_losses(store->db, problem);
        return r ? r : add_rows(store, change, problem);
}

static int remove_rows(Store *store, StoreChange *change, StoreProblem *problem)
{
        int r = store_db_remove_rows(store->db, change->layer, change->device, change->has_range ? &change->range : NULL,
                                     &change->n_changed, problem);

        if (!r && !change->n_changed)
                (void)fault_set(&change->fault, FAULT_NO_MAPPING, "nothing of that is in the stored mapping: `mapping list` "
                                "shows what is, and from where");
        return r;
}

static int drop_pin(Store *store, StoreChange *change, StoreProblem *problem)
{
        int r = store_db_drop_pin(store->db, change->pin.repo, change->pin.revision, &change->n_changed, problem);

        if (!r && !change->n_changed)
                (void)fault_set(&change->fault, FAULT_NO_REVISION, "%.*s is not pinned at %.*s: `pins` shows what is",
                                TEXT_PRINT(change->pin.repo), TEXT_PRINT(change->pin.revision));
        return r;
}

static int set_environment(Store *store, StoreChange *change, StoreProblem *problem)
{
        size_t n = 0;
        int r = store_db_put_named(store->db, &change->environment, problem);

        if (!r)
                r = store_db_count_named(store->db, &n, problem);
        if (!r && n > LIMIT_STORED_ENVIRONMENTS)
                (void)fault_set(&change->fault, FAULT_LIMIT, "over %d named environments would be stored: remove some",
                                LIMIT_STORED_ENVIRONMENTS);
        change->n_changed = 1;
        return r;
}

static int drop_environment(Store *store, StoreChange *change, StoreProblem *problem)
{
        int r = store_db_drop_named(store->db, change->environment.name, &change->n_changed, problem);

        if (!r && !change->n_changed)
                (void)fault_set(&change->fault, FAULT_BAD_REQUEST, "no environment of the name %.*s is stored: `environment "
                                "list` shows what is", TEXT_PRINT(change->environment.name));
        return r;
}

static int change_make(Store *store, StoreChange *change, StoreProblem *problem)
{
        change->n_changed = 0;
        switch (change->kind) {
        case STORE_MAPPING_ADD:
                return add_rows(store, change, problem);
        case STORE_MAPPING_REPLACE:
                return replace_rows(store, change, problem);
        case STORE_MAPPING_REMOVE:
                return remove_rows(store, change, problem);
        case STORE_PIN_SET:
                change->n_changed = 1;
                return store_db_put_pin(store->db, &change->pin, problem);
        case STORE_PIN_DROP:
                return drop_pin(store, change, problem);
        case STORE_ENVIRONMENT_SET:
                return set_environment(store, change, problem);
        case STORE_ENVIRONMENT_DROP:
                return drop_environment(store, change, problem);
        }
        return error_trace(-EINVAL);
}

/* One that is refused leaves no trace. */
static int change_try(Store *store, StoreChange *change, StoreProblem *problem)
{
        int r = store_db_mark(store->db, problem);

        if (!r)
                r = change_make(store, change, problem);
        if (r)
                return r;
        return change->fault.name == FAULT_NONE ? store_db_keep(store->db, problem) :
                                                  store_db_take_back(store->db, problem);
}

/* The export is on the disk before the commit and in its place after it: with
 * either alone there would be a moment at which a kill leaves an acknowledged
 * change in neither, or an export that nothing was committed for. */
static int store_commit(Store *store, StoreProblem *problem)
{
        CLEANUP(stored_unrefp) Stored *stored = NULL;
        int r = store_db_read(store->db, store->number + 1, &stored, problem);

        if (!r)
                r = export_prepare(store, stored, problem);
        if (!r)
                r = store_db_commit(store->db, problem);
        if (r)
                return r;
        store->number++;
        stored_unref(store->stored);
        store->stored = STEAL(stored);
        r = store_read_loss(store, problem);
        return r ? r : export_place(store, problem);
}

typedef struct Changes {
        StoreChange *const *items;
        size_t n;
        const bool *passed_over;
} Changes;

static int store_try(Store *store, const void *what, StoreProblem *problem)
{
        const Changes *changes = what;
        size_t n_good = 0;
        int r = store_db_begin(store->db, true, problem);

        for (size_t i = 0; !r && i < changes->n; i++) {
                if (changes->passed_over[i])
                        continue;
                changes->items[i]->fault = FAULT_NULL;
                r = change_try(store, changes->items[i], problem);
                n_good += !r && changes->items[i]->fault.name == FAULT_NONE;
        }
        if (!r && n_good)
                r = store_commit(store, problem);
        store_db_rollback(store->db); /* what was committed stays */
        return r;
}

int store_attempt(Store *store, StoreTry *try, const void *what, StoreProblem *problem)
{
        int r = try(store, what, problem);

        if (r <= 0 || problem->kind != STORE_DAMAGED)
                return r;
        store->db = store_db_close(store->db);
        r = store_begin(store);
        return !r && store->db ? try(store, what, problem) : r;
}

static void refuse_all(const Changes *changes, const StoreProblem *problem, const char *trouble)
{
        for (size_t i = 0; i < changes->n; i++)
                if (!changes->passed_over[i])
                        (void)fault_set(&changes->items[i]->fault,
                                        problem->kind == STORE_NO_SPACE ? FAULT_NO_SPACE : FAULT_INTERNAL,
                                        "the change is not acknowledged: %s", trouble);
}

static int store_change(Store *store, const Changes *changes)
{
        StoreProblem problem = { .kind = STORE_FAILED };
        int r = 0;

        if (!store->db)
                r = store_begin(store);
        if (!r && store->db) {
                r = store_attempt(store, store_try, changes, &problem);
                if (r > 0)
                        r = store_take_problem(store, &problem);
                else if (!r && store->db)
                        store->trouble[0] = 0;
        }
        if (r < 0)
                return r;
        if (store->trouble[0])
                refuse_all(changes, &problem, store->trouble);
        return 0;
}

int store_apply(Store *store, StoreChange *const *changes, size_t n)
{
        CLEANUP_ALLOC bool *passed_over = alloc_zeroed(n + 1, sizeof(*passed_over));

        if (!passed_over)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < n; i++)
                passed_over[i] = changes[i]->fault.name != FAULT_NONE;
        return store_change(store, &(Changes){ changes, n, passed_over });
}
