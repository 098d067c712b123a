/* What administrators said: the stored mapping, the pins, and what was lost of them. */
#include "kernels/store_db_private.h"

#include <errno.h>

#include "proto/base/error.h"

/* --- changes --- */

int store_db_put_row(StoreDb *db, const StoredRow *row, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_PUT_ROW, problem, "ttiit", row->layer, row->device, row->range.min, row->range.max,
                   row->json);
}

int store_db_remove_rows(StoreDb *db, Text layer, Text device, const CapabilityRange *range, size_t *ret_n,
                         StoreProblem *problem)
{
        int r;

        if (!device.data)
                r = store_db_run(db, STATEMENT_REMOVE_LAYER, problem, "t", layer);
        else if (!range)
                r = store_db_run(db, STATEMENT_REMOVE_DEVICE, problem, "tt", layer, device);
        else
                r = store_db_run(db, STATEMENT_REMOVE_RANGE, problem, "ttii", layer, device, range->min, range->max);
        if (!r)
                *ret_n = store_db_n_changed(db);
        return r;
}

int store_db_clear_rows(StoreDb *db, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_CLEAR_ROWS, problem, "");
}

int store_db_count_ranges(StoreDb *db, Text layer, Text device, size_t *ret_n, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = store_db_statement(db, STATEMENT_COUNT_RANGES, &stmt, problem);

        if (!r && (store_db_bind(stmt, 1, false, layer) != SQLITE_OK || store_db_bind(stmt, 2, false, device) != SQLITE_OK))
                r = store_db_problem(db, problem);
        return r ? r : store_db_count(db, STATEMENT_COUNT_RANGES, ret_n, problem);
}

int store_db_put_pin(StoreDb *db, const Pin *pin, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_PUT_PIN, problem, "ttt", pin->repo, pin->revision, pin->commit);
}

int store_db_drop_pin(StoreDb *db, Text repo, Text revision, size_t *ret_n, StoreProblem *problem)
{
        int r = store_db_run(db, STATEMENT_DROP_PIN, problem, "tt", repo, revision);

        if (!r)
                *ret_n = store_db_n_changed(db);
        return r;
}

int store_db_put_named(StoreDb *db, const StoredEnvironment *environment, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_PUT_NAMED, problem, "tbtit", environment->name, environment->environment,
                            environment->device.data ? environment->device : TEXT(""), environment->capability,
                            environment->arch.data ? environment->arch : TEXT(""));
}

int store_db_drop_named(StoreDb *db, Text name, size_t *ret_n, StoreProblem *problem)
{
        int r = store_db_run(db, STATEMENT_DROP_NAMED, problem, "t", name);

        if (!r)
                *ret_n = store_db_n_changed(db);
        return r;
}

int store_db_count_named(StoreDb *db, size_t *ret_n, StoreProblem *problem)
{
        return store_db_count(db, STATEMENT_COUNT_NAMED, ret_n, problem);
}

int store_db_put_loss(StoreDb *db, Text what, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_PUT_LOSS, problem, "t", what);
}

int store_db_forget_losses(StoreDb *db, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_FORGET_LOSSES, problem, "");
}

/* --- reading --- */

int store_db_loss(StoreDb *db, Arena *arena, Text *ret_what, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = store_db_statement(db, STATEMENT_READ_LOSSES, &stmt, problem), code;

        *ret_what = TEXT_NULL;
        if (r)
                return r;
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
                r = arena_copy(arena, store_db_text(stmt, 0), ret_what);
        else if (code != SQLITE_DONE)
                r = store_db_problem(db, problem);
        store_db_statement_end(stmt);
        return r;
}

static int row_read(sqlite3_stmt *stmt, Arena *arena, void *item)
{
        StoredRow *row = item;
        int r = arena_copy(arena, store_db_text(stmt, 0), &row->layer);

        if (!r)
                r = arena_copy(arena, store_db_text(stmt, 1), &row->device);
        row->range = (CapabilityRange){ sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3) };
        return r ? r : arena_copy(arena, store_db_text(stmt, 4), &row->json);
}

static int pin_read(sqlite3_stmt *stmt, Arena *arena, void *item)
{
        Pin *pin = item;
        int r = arena_copy(arena, store_db_text(stmt, 0), &pin->repo);

        if (!r)
                r = arena_copy(arena, store_db_text(stmt, 1), &pin->revision);
        return r ? r : arena_copy(arena, store_db_text(stmt, 2), &pin->commit);
}

static Text absent_if_empty(Text text)
{
        return text.size ? text : TEXT_NULL;
}

static int named_read(sqlite3_stmt *stmt, Arena *arena, void *item)
{
        StoredEnvironment *environment = item;
        int r = arena_copy(arena, store_db_text(stmt, 0), &environment->name);

        if (!r)
                r = arena_copy(arena, store_db_blob(stmt, 1), &environment->environment);
        if (!r)
                r = arena_copy(arena, absent_if_empty(store_db_text(stmt, 2)), &environment->device);
        environment->capability = sqlite3_column_int64(stmt, 3);
        return r ? r : arena_copy(arena, absent_if_empty(store_db_text(stmt, 4)), &environment->arch);
}

/* Up to n rows into items of `size` bytes. */
static int read_all(StoreDb *db, StatementNumber number, int (*read)(sqlite3_stmt *stmt, Arena *arena, void *item),
                    Arena *arena, char *items, size_t size, size_t n, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = store_db_statement(db, number, &stmt, problem), code = SQLITE_ROW;
        size_t i;

        if (r)
                return r;
        for (i = 0; !r && code == SQLITE_ROW; i++) {
                code = sqlite3_step(stmt);
                if (code == SQLITE_ROW && i == n)
                        r = store_db_problem_set(db, problem, STORE_DAMAGED, "has more rows than it counts");
                else if (code == SQLITE_ROW)
                        r = read(stmt, arena, items + i * size);
                else if (code != SQLITE_DONE)
                        r = store_db_problem(db, problem);
        }
        if (!r && i != n + 1)
                r = store_db_problem_set(db, problem, STORE_DAMAGED, "has fewer rows than it counts");
        store_db_statement_end(stmt);
        return r;
}

static int read_counted(StoreDb *db, StatementNumber count, StatementNumber number,
                        int (*read)(sqlite3_stmt *stmt, Arena *arena, void *item), Arena *arena, size_t size,
                        void **ret_items, size_t *ret_n, StoreProblem *problem)
{
        size_t n = 0;
        char *items;
        int r = store_db_count(db, count, &n, problem);

        if (r)
                return r;
        items = arena_zeroed(arena, n + 1, size);
        r = items ? read_all(db, number, read, arena, items, size, n, problem) : error_trace(-ENOMEM);
        if (r)
                return r;
        *ret_items = items;
        *ret_n = n;
        return 0;
}

int store_db_read(StoreDb *db, uint64_t number, Stored **ret_stored, StoreProblem *problem)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        StoredContents contents = { 0 };
        void *rows = NULL, *pins = NULL, *environments = NULL;
        int r = read_counted(db, STATEMENT_COUNT_ROWS, STATEMENT_READ_ROWS, row_read, &arena, sizeof(StoredRow), &rows,
                             &contents.rows.n, problem);

        if (!r)
                r = read_counted(db, STATEMENT_COUNT_PINS, STATEMENT_READ_PINS, pin_read, &arena, sizeof(Pin), &pins,
                                 &contents.n_pins, problem);
        if (!r)
                r = read_counted(db, STATEMENT_COUNT_NAMED, STATEMENT_READ_NAMED, named_read, &arena,
                                 sizeof(StoredEnvironment), &environments, &contents.n_environments, problem);
        if (r)
                return r;
        contents.rows.items = rows;
        contents.pins = pins;
        contents.environments = environments;
        return stored_new(&contents, number, ret_stored);
}
