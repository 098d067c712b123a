#include "kernels/store_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Somebody looks at the database with another program. Guess: longer than any
 * reading transaction of a person. */
#define BUSY_MS 5000

#define N_MIGRATIONS ((int)ARRAY_SIZE(migrations))

/* migrations[N] leads from schema N to schema N + 1. What has been released is
 * never changed: a new one is added behind it. */
static const char *const migrations[] = {
        "CREATE TABLE entry (layer TEXT NOT NULL, device TEXT NOT NULL, min INTEGER NOT NULL, max INTEGER NOT NULL,"
        " json TEXT NOT NULL, PRIMARY KEY (layer, device, min, max)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE pin (repo TEXT NOT NULL, revision TEXT NOT NULL, commit_id TEXT NOT NULL,"
        " PRIMARY KEY (repo, revision)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE loss (what TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;",
};

#define STATEMENT_TABLE(S) \
        S(BEGIN, "BEGIN IMMEDIATE") \
        S(COMMIT, "COMMIT") \
        S(MARK, "SAVEPOINT change") \
        S(KEEP, "RELEASE change") \
        S(TAKE_BACK, "ROLLBACK TO change") \
        S(PUT_ROW, "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET json = excluded.json") \
        S(REMOVE_LAYER, "DELETE FROM entry WHERE layer = ?1") \
        S(REMOVE_DEVICE, "DELETE FROM entry WHERE layer = ?1 AND device = ?2") \
        S(REMOVE_RANGE, "DELETE FROM entry WHERE layer = ?1 AND device = ?2 AND min = ?3 AND max = ?4") \
        S(CLEAR_ROWS, "DELETE FROM entry") \
        S(COUNT_RANGES, "SELECT count(*) FROM entry WHERE layer = ?1 AND device = ?2") \
        S(PUT_PIN, "INSERT INTO pin VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET commit_id = excluded.commit_id") \
        S(DROP_PIN, "DELETE FROM pin WHERE repo = ?1 AND revision = ?2") \
        S(PUT_LOSS, "INSERT OR IGNORE INTO loss VALUES (?1)") \
        S(FORGET_LOSSES, "DELETE FROM loss") \
        S(READ_LOSSES, "SELECT what FROM loss") \
        S(COUNT_ROWS, "SELECT count(*) FROM entry") \
        S(READ_ROWS, "SELECT layer, device, min, max, json FROM entry ORDER BY layer, device, min, max") \
        S(COUNT_PINS, "SELECT count(*) FROM pin") \
        S(READ_PINS, "SELECT repo, revision, commit_id FROM pin ORDER BY repo, revision")

typedef enum StatementNumber {
#define S(name, sql) STATEMENT_##name,
        STATEMENT_TABLE(S)
#undef S
        _STATEMENT_MAX,
} StatementNumber;

static const char *const statement_texts[_STATEMENT_MAX] = {
#define S(name, sql) [STATEMENT_##name] = sql,
        STATEMENT_TABLE(S)
#undef S
};

struct StoreDb {
        sqlite3 *connection;
        sqlite3_stmt *statements[_STATEMENT_MAX]; /* prepared on first use */
        char path[];
};

/* --- problems --- */

static StoreProblemKind problem_kind(int code)
{
        switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return STORE_DAMAGED;
        case SQLITE_FULL:
                return STORE_NO_SPACE;
        default:
                return STORE_FAILED;
        }
}

/* Of what SQLite just said about the connection. */
static int db_problem(const StoreDb *db, StoreProblem *problem)
{
        int code = sqlite3_extended_errcode(db->connection);

        if ((code & 0xff) == SQLITE_NOMEM)
                return error_trace(-ENOMEM);
        problem->kind = problem_kind(code);
        (void)snprintf(problem->message, sizeof(problem->message), "%s: %s (%d)", db->path,
                       sqlite3_errmsg(db->connection), code);
        return 1;
}

static int problem_set(const StoreDb *db, StoreProblem *problem, StoreProblemKind kind, const char *message)
{
        problem->kind = kind;
        (void)snprintf(problem->message, sizeof(problem->message), "%s: %s", db->path, message);
        return 1;
}

/* --- statements --- */

static int statement(StoreDb *db, StatementNumber number, sqlite3_stmt **ret_statement, StoreProblem *problem)
{
        if (!db->statements[number] &&
            sqlite3_prepare_v3(db->connection, statement_texts[number], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[number], NULL) != SQLITE_OK)
                return db_problem(db, problem);
        *ret_statement = db->statements[number];
        return 0;
}

/* Frees the statement of its values, so that none outlives the call that gave it. */
static void statement_end(sqlite3_stmt *stmt)
{
        (void)sqlite3_reset(stmt);
        (void)sqlite3_clear_bindings(stmt);
}

/* Runs one that answers nothing. `kinds`: t, a Text; i, an int64_t. */
static int run(StoreDb *db, StatementNumber number, StoreProblem *problem, const char *kinds, ...)
{
        sqlite3_stmt *stmt = NULL;
        va_list values;
        int r = statement(db, number, &stmt, problem), code = SQLITE_OK;

        if (r)
                return r;
        va_start(values, kinds);
        for (int i = 0; kinds[i] && code == SQLITE_OK; i++) {
                if (kinds[i] == 't') {
                        Text text = va_arg(values, Text);

                        code = sqlite3_bind_text64(stmt, i + 1, text.data, text.size, SQLITE_STATIC, SQLITE_UTF8);
                } else {
                        code = sqlite3_bind_int64(stmt, i + 1, va_arg(values, int64_t));
                }
        }
        va_end(values);
        if (code == SQLITE_OK)
                code = sqlite3_step(stmt);
        r = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : db_problem(db, problem);
        statement_end(stmt);
        return r;
}

static size_t n_changed(const StoreDb *db)
{
        return (size_t)sqlite3_changes(db->connection);
}

static Text column_text(sqlite3_stmt *stmt, int column)
{
        const char *data = (const char *)sqlite3_column_text(stmt, column);

        return (Text){ data, (size_t)sqlite3_column_bytes(stmt, column) };
}

/* The first number that it answers. */
static int ask_number(StoreDb *db, StatementNumber number, Text layer, Text device, size_t *ret_n, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = statement(db, number, &stmt, problem);

        if (r)
                return r;
        if (layer.data && (sqlite3_bind_text64(stmt, 1, layer.data, layer.size, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK ||
                           sqlite3_bind_text64(stmt, 2, device.data, device.size, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK))
                r = db_problem(db, problem);
        if (!r && sqlite3_step(stmt) == SQLITE_ROW)
                *ret_n = (size_t)sqlite3_column_int64(stmt, 0);
        else if (!r)
                r = db_problem(db, problem);
        statement_end(stmt);
        return r;
}

/* --- opening --- */

static int execute(StoreDb *db, const char *sql, StoreProblem *problem)
{
        return sqlite3_exec(db->connection, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_problem(db, problem);
}

/* The first text that it answers, cut to the room. */
static int ask_text(StoreDb *db, const char *sql, char *answer, size_t size, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = 0;

        if (sqlite3_prepare_v2(db->connection, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW)
                r = db_problem(db, problem);
        else
                (void)snprintf(answer, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
        (void)sqlite3_finalize(stmt);
        return r;
}

static int ask_integer(StoreDb *db, const char *sql, int *ret_number, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = 0;

        if (sqlite3_prepare_v2(db->connection, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW)
                r = db_problem(db, problem);
        else
                *ret_number = sqlite3_column_int(stmt, 0);
        (void)sqlite3_finalize(stmt);
        return r;
}

/* A new one stays in the transaction: before it is filled it is as good as not
 * there, whenever the daemon ends. */
static int db_migrate(StoreDb *db, int version, StoreProblem *problem)
{
        bool fresh = version == 0;
        char sql[64];
        int r = execute(db, "BEGIN IMMEDIATE", problem);

        for (; !r && version < N_MIGRATIONS; version++)
                r = execute(db, migrations[version], problem);
        (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
        if (!r)
                r = execute(db, sql, problem);
        if (!r && !fresh)
                r = execute(db, "COMMIT", problem);
        return r;
}

/* Everything that was ever written here is somebody's statement, so a commit is
 * on the disk when it returns. */
static int db_set_up(StoreDb *db, StoreProblem *problem)
{
        char answer[64];
        int r = ask_text(db, "PRAGMA journal_mode = WAL", answer, sizeof(answer), problem);

        if (!r && strcmp(answer, "wal") != 0)
                return problem_set(db, problem, STORE_FAILED, "this file system does not carry SQLite's write-ahead log");
        return r ? r : execute(db, "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
                               problem);
}

/* Always, not only after an unclean end: everything is read at the start in any
 * case, and a page can go bad while nobody looks. */
static int db_check(StoreDb *db, StoreProblem *problem)
{
        char answer[256] = "";
        int r = ask_text(db, "PRAGMA quick_check(1)", answer, sizeof(answer), problem);

        return r || strcmp(answer, "ok") == 0 ? r : problem_set(db, problem, STORE_DAMAGED, answer);
}

static int db_prepare(StoreDb *db, bool *ret_fresh, StoreProblem *problem)
{
        int version = 0, n_tables = 0;
        int r = ask_integer(db, "PRAGMA user_version", &version, problem);

        if (!r)
                r = ask_integer(db, "SELECT count(*) FROM sqlite_schema", &n_tables, problem);
        if (!r && version > N_MIGRATIONS)
                return problem_set(db, problem, STORE_NEWER, "was written by a newer kernelsd: install that one again");
        if (!r && sqlite3_db_readonly(db->connection, "main"))
                return problem_set(db, problem, STORE_FAILED, "cannot be written by this user");
        if (!r && (version < 0 || (!version && n_tables)))
                return problem_set(db, problem, STORE_DAMAGED, "has tables that are not kernelsd's");
        if (!r)
                r = db_check(db, problem);
        if (!r)
                r = db_set_up(db, problem);
        if (!r && version < N_MIGRATIONS)
                r = db_migrate(db, version, problem);
        if (!r)
                *ret_fresh = version == 0;
        return r;
}

int store_db_open(const char *path, StoreDb **ret_db, bool *ret_fresh, StoreProblem *problem)
{
        const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
        CLEANUP(store_db_closep) StoreDb *db = alloc_zeroed(1, sizeof(*db) + strlen(path) + 1);
        int r;

        if (!db)
                return error_trace(-ENOMEM);
        memcpy(db->path, path, strlen(path) + 1);
        if (sqlite3_open_v2(path, &db->connection, flags, NULL) != SQLITE_OK)
                return db->connection ? db_problem(db, problem) : error_trace(-ENOMEM);
        (void)sqlite3_busy_timeout(db->connection, BUSY_MS);
        (void)sqlite3_db_config(db->connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        r = db_prepare(db, ret_fresh, problem);
        if (r)
                return r;
        *ret_db = STEAL(db);
        return 0;
}

StoreDb *store_db_close(StoreDb *db)
{
        if (!db)
                return NULL;
        for (size_t i = 0; i < _STATEMENT_MAX; i++)
                (void)sqlite3_finalize(db->statements[i]);
        (void)sqlite3_close(db->connection);
        alloc_free(db);
        return NULL;
}

/* --- transactions --- */

int store_db_begin(StoreDb *db, StoreProblem *problem)
{
        return run(db, STATEMENT_BEGIN, problem, "");
}

int store_db_commit(StoreDb *db, StoreProblem *problem)
{
        return run(db, STATEMENT_COMMIT, problem, "");
}

void store_db_rollback(StoreDb *db)
{
        /* After some errors SQLite has done it already. */
        if (!sqlite3_get_autocommit(db->connection))
                (void)sqlite3_exec(db->connection, "ROLLBACK", NULL, NULL, NULL);
}

int store_db_mark(StoreDb *db, StoreProblem *problem)
{
        return run(db, STATEMENT_MARK, problem, "");
}

int store_db_keep(StoreDb *db, StoreProblem *problem)
{
        return run(db, STATEMENT_KEEP, problem, "");
}

int store_db_take_back(StoreDb *db, StoreProblem *problem)
{
        int r = run(db, STATEMENT_TAKE_BACK, problem, "");

        return r ? r : store_db_keep(db, problem);
}

/* --- changes --- */

int store_db_put_row(StoreDb *db, const StoredRow *row, StoreProblem *problem)
{
        return run(db, STATEMENT_PUT_ROW, problem, "ttiit", row->layer, row->device, row->range.min, row->range.max,
                   row->json);
}

int store_db_remove_rows(StoreDb *db, Text layer, Text device, const CapabilityRange *range, size_t *ret_n,
                         StoreProblem *problem)
{
        int r;

        if (!device.data)
                r = run(db, STATEMENT_REMOVE_LAYER, problem, "t", layer);
        else if (!range)
                r = run(db, STATEMENT_REMOVE_DEVICE, problem, "tt", layer, device);
        else
                r = run(db, STATEMENT_REMOVE_RANGE, problem, "ttii", layer, device, range->min, range->max);
        if (!r)
                *ret_n = n_changed(db);
        return r;
}

int store_db_clear_rows(StoreDb *db, StoreProblem *problem)
{
        return run(db, STATEMENT_CLEAR_ROWS, problem, "");
}

int store_db_count_ranges(StoreDb *db, Text layer, Text device, size_t *ret_n, StoreProblem *problem)
{
        return ask_number(db, STATEMENT_COUNT_RANGES, layer, device, ret_n, problem);
}

int store_db_put_pin(StoreDb *db, const Pin *pin, StoreProblem *problem)
{
        return run(db, STATEMENT_PUT_PIN, problem, "ttt", pin->repo, pin->revision, pin->commit);
}

int store_db_drop_pin(StoreDb *db, Text repo, Text revision, size_t *ret_n, StoreProblem *problem)
{
        int r = run(db, STATEMENT_DROP_PIN, problem, "tt", repo, revision);

        if (!r)
                *ret_n = n_changed(db);
        return r;
}

int store_db_put_loss(StoreDb *db, Text what, StoreProblem *problem)
{
        return run(db, STATEMENT_PUT_LOSS, problem, "t", what);
}

int store_db_forget_losses(StoreDb *db, StoreProblem *problem)
{
        return run(db, STATEMENT_FORGET_LOSSES, problem, "");
}

/* --- reading --- */

int store_db_loss(StoreDb *db, Arena *arena, Text *ret_what, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = statement(db, STATEMENT_READ_LOSSES, &stmt, problem), code;

        *ret_what = TEXT_NULL;
        if (r)
                return r;
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
                r = arena_copy(arena, column_text(stmt, 0), ret_what);
        else if (code != SQLITE_DONE)
                r = db_problem(db, problem);
        statement_end(stmt);
        return r;
}

static int row_read(sqlite3_stmt *stmt, Arena *arena, void *item)
{
        StoredRow *row = item;
        int r = arena_copy(arena, column_text(stmt, 0), &row->layer);

        if (!r)
                r = arena_copy(arena, column_text(stmt, 1), &row->device);
        row->range = (CapabilityRange){ sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3) };
        return r ? r : arena_copy(arena, column_text(stmt, 4), &row->json);
}

static int pin_read(sqlite3_stmt *stmt, Arena *arena, void *item)
{
        Pin *pin = item;
        int r = arena_copy(arena, column_text(stmt, 0), &pin->repo);

        if (!r)
                r = arena_copy(arena, column_text(stmt, 1), &pin->revision);
        return r ? r : arena_copy(arena, column_text(stmt, 2), &pin->commit);
}

/* Up to n rows into items of `size` bytes. */
static int read_all(StoreDb *db, StatementNumber number, int (*read)(sqlite3_stmt *stmt, Arena *arena, void *item),
                    Arena *arena, char *items, size_t size, size_t n, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = statement(db, number, &stmt, problem), code = SQLITE_ROW;
        size_t i;

        if (r)
                return r;
        for (i = 0; !r && code == SQLITE_ROW; i++) {
                code = sqlite3_step(stmt);
                if (code == SQLITE_ROW && i == n)
                        r = problem_set(db, problem, STORE_DAMAGED, "has more rows than it counts");
                else if (code == SQLITE_ROW)
                        r = read(stmt, arena, items + i * size);
                else if (code != SQLITE_DONE)
                        r = db_problem(db, problem);
        }
        if (!r && i != n + 1)
                r = problem_set(db, problem, STORE_DAMAGED, "has fewer rows than it counts");
        statement_end(stmt);
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
