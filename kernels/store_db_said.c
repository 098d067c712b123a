/* What administrators said: the stored mapping, the pins, and what was lost of them. */
#include "kernels/store_db_private.h"

#include <errno.h>

#include "proto/base/error.h"

/* The first number that it answers. */
static int ask_number(StoreDb *db, StatementNumber number, Text layer, Text device, size_t *ret_n, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = store_db_statement(db, number, &stmt, problem);

        if (r)
                return r;
        if (layer.data && (sqlite3_bind_text64(stmt, 1, layer.data, layer.size, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK ||
                           sqlite3_bind_text64(stmt, 2, device.data, device.size, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK))
                r = store_db_problem(db, problem);
        if (!r && sqlite3_step(stmt) == SQLITE_ROW)
                *ret_n = (size_t)sqlite3_column_int64(stmt, 0);
        else if (!r)
                r = store_db_problem(db, problem);
        store_db_statement_end(stmt);
        return r;
}

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
        return ask_number(db, STATEMENT_COUNT_RANGES, layer, device, ret_n, problem);
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

int store_db_read(StoreDb *db, uint64_t number, Stored **ret_stored, StoreProblem *problem)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        StoredRows rows = { 0 };
        size_t n_pins = 0;
        Pin *pins;
        int r = ask_number(db, STATEMENT_COUNT_ROWS, TEXT_NULL, TEXT_NULL, &rows.n, problem);

        if (!r)
                r = ask_number(db, STATEMENT_COUNT_PINS, TEXT_NULL, TEXT_NULL, &n_pins, problem);
        if (r)
                return r;
        rows.items = arena_zeroed(&arena, rows.n + 1, sizeof(*rows.items));
        pins = arena_zeroed(&arena, n_pins + 1, sizeof(*pins));
        if (!rows.items || !pins)
                return error_trace(-ENOMEM);
        r = read_all(db, STATEMENT_READ_ROWS, row_read, &arena, (char *)rows.items, sizeof(*rows.items), rows.n, problem);
        if (!r)
                r = read_all(db, STATEMENT_READ_PINS, pin_read, &arena, (char *)pins, sizeof(*pins), n_pins, problem);
        return r ? r : stored_new(&rows, pins, n_pins, number, ret_stored);
}
