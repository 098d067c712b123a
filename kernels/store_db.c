#include "kernels/store_db_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Somebody looks at the database with another program. Guess: longer than any
 * reading transaction of a person. */
#define BUSY_MS 5000

/* What the write-ahead log shrinks to after something large, 4 MiB: about what
 * it has when SQLite empties it by itself. */
#define WAL_BYTES "4194304"

/* SQLite's page cache, in KiB with a minus: everything is read once, and a
 * transaction is small, or goes through. Guess. */
#define CACHE_KIB "-256"

#define N_MIGRATIONS ((int)ARRAY_SIZE(migrations))

/* migrations[N] leads from schema N to schema N + 1. What has been released is
 * never changed: a new one is added behind it. */
static const char *const migrations[] = {
        "CREATE TABLE entry (layer TEXT NOT NULL, device TEXT NOT NULL, min INTEGER NOT NULL, max INTEGER NOT NULL,"
        " json TEXT NOT NULL, PRIMARY KEY (layer, device, min, max)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE pin (repo TEXT NOT NULL, revision TEXT NOT NULL, commit_id TEXT NOT NULL,"
        " PRIMARY KEY (repo, revision)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE loss (what TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;",
        "CREATE TABLE kept_file (number INTEGER PRIMARY KEY, is_lock INTEGER NOT NULL, name TEXT NOT NULL,"
        " path TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;"
        "CREATE TABLE named_environment (name TEXT NOT NULL PRIMARY KEY, environment BLOB NOT NULL, device TEXT NOT NULL,"
        " capability INTEGER NOT NULL, arch TEXT NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE revision (repo TEXT NOT NULL, revision TEXT NOT NULL, commit_id TEXT NOT NULL, redirect TEXT NOT NULL, final_commit TEXT NOT NULL, with_token INTEGER NOT NULL, at_s INTEGER NOT NULL,"
        " PRIMARY KEY (repo, revision)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE listing (repo TEXT NOT NULL, commit_id TEXT NOT NULL, variants TEXT NOT NULL, at_s INTEGER NOT NULL,"
        " PRIMARY KEY (repo, commit_id)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE publisher (name TEXT NOT NULL, trusted INTEGER NOT NULL, at_s INTEGER NOT NULL,"
        " PRIMARY KEY (name)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE corrupt (repo TEXT NOT NULL, commit_id TEXT NOT NULL, variant TEXT NOT NULL, message TEXT NOT NULL,"
        " PRIMARY KEY (repo, commit_id, variant)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE complete (repo TEXT NOT NULL, commit_id TEXT NOT NULL, variant TEXT NOT NULL,"
        " PRIMARY KEY (repo, commit_id, variant)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE receipt (path TEXT NOT NULL, variant TEXT NOT NULL, fingerprint BLOB NOT NULL, used_s INTEGER NOT NULL,"
        " PRIMARY KEY (path, variant)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE use (domain INTEGER NOT NULL, repo TEXT NOT NULL, revision TEXT NOT NULL, environment BLOB NOT NULL, device TEXT NOT NULL, capability INTEGER NOT NULL, arch TEXT NOT NULL, at_s INTEGER NOT NULL,"
        " PRIMARY KEY (domain, repo, revision, environment, device, capability, arch)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE event (number INTEGER PRIMARY KEY AUTOINCREMENT, at_s INTEGER NOT NULL, uid INTEGER NOT NULL,"
        " pid INTEGER NOT NULL, what TEXT NOT NULL, layer TEXT NOT NULL, repo TEXT NOT NULL, commit_id TEXT NOT NULL,"
        " variant TEXT NOT NULL, outcome TEXT NOT NULL) STRICT;"
        "CREATE INDEX event_uid ON event (uid, number);",
        ("ALTER TABLE event ADD COLUMN reason TEXT NOT NULL DEFAULT '';"
         "CREATE INDEX event_report ON event (uid, number) WHERE what = 'report';"),
};

static const char *const statement_texts[_STATEMENT_MAX] = {
#define S(name, sql) [STATEMENT_##name] = sql,
        STATEMENT_TABLE(S)
#undef S
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

int store_db_problem(const StoreDb *db, StoreProblem *problem)
{
        int code = sqlite3_extended_errcode(db->connection);

        if ((code & 0xff) == SQLITE_NOMEM)
                return error_trace(-ENOMEM);
        problem->kind = problem_kind(code);
        (void)snprintf(problem->message, sizeof(problem->message), "%s: %s (%d)", db->path,
                       sqlite3_errmsg(db->connection), code);
        return 1;
}

int store_db_problem_set(const StoreDb *db, StoreProblem *problem, StoreProblemKind kind, const char *message)
{
        problem->kind = kind;
        (void)snprintf(problem->message, sizeof(problem->message), "%s: %s", db->path, message);
        return 1;
}

/* --- statements --- */

int store_db_statement(StoreDb *db, StatementNumber number, sqlite3_stmt **ret_statement, StoreProblem *problem)
{
        if (!db->statements[number] &&
            sqlite3_prepare_v3(db->connection, statement_texts[number], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[number], NULL) != SQLITE_OK)
                return store_db_problem(db, problem);
        *ret_statement = db->statements[number];
        return 0;
}

int store_db_bind(sqlite3_stmt *stmt, int number, bool is_blob, Text text)
{
        if (is_blob)
                return sqlite3_bind_blob64(stmt, number, text.data, text.size, SQLITE_STATIC);
        return sqlite3_bind_text64(stmt, number, text.data, text.size, SQLITE_STATIC, SQLITE_UTF8);
}

void store_db_statement_end(sqlite3_stmt *stmt)
{
        (void)sqlite3_reset(stmt);
        (void)sqlite3_clear_bindings(stmt);
}

int store_db_run(StoreDb *db, StatementNumber number, StoreProblem *problem, const char *kinds, ...)
{
        sqlite3_stmt *stmt = NULL;
        va_list values;
        int r = store_db_statement(db, number, &stmt, problem), code = SQLITE_OK;

        if (r)
                return r;
        va_start(values, kinds);
        for (int i = 0; kinds[i] && code == SQLITE_OK; i++) {
                if (kinds[i] == 'i')
                        code = sqlite3_bind_int64(stmt, i + 1, va_arg(values, int64_t));
                else
                        code = store_db_bind(stmt, i + 1, kinds[i] == 'b', va_arg(values, Text));
        }
        va_end(values);
        if (code == SQLITE_OK)
                code = sqlite3_step(stmt);
        r = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : store_db_problem(db, problem);
        store_db_statement_end(stmt);
        return r;
}

int store_db_count(StoreDb *db, StatementNumber number, size_t *ret_n, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = store_db_statement(db, number, &stmt, problem);

        if (!r && sqlite3_step(stmt) == SQLITE_ROW)
                *ret_n = (size_t)sqlite3_column_int64(stmt, 0);
        else if (!r)
                r = store_db_problem(db, problem);
        if (stmt)
                store_db_statement_end(stmt);
        return r;
}

/* --- opening --- */

static int execute(StoreDb *db, const char *sql, StoreProblem *problem)
{
        return sqlite3_exec(db->connection, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_db_problem(db, problem);
}

/* The first text that it answers, cut to the room. */
static int ask_text(StoreDb *db, const char *sql, char *answer, size_t size, StoreProblem *problem)
{
        sqlite3_stmt *stmt = NULL;
        int r = 0;

        if (sqlite3_prepare_v2(db->connection, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW)
                r = store_db_problem(db, problem);
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
                r = store_db_problem(db, problem);
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

static int db_set_up(StoreDb *db, StoreProblem *problem)
{
        char answer[64];
        int r = ask_text(db, "PRAGMA journal_mode = WAL", answer, sizeof(answer), problem);

        if (!r && strcmp(answer, "wal") != 0)
                return store_db_problem_set(db, problem, STORE_FAILED, "this file system does not carry SQLite's write-ahead log");
        db->durable = true;
        return r ? r : execute(db, "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                               " PRAGMA journal_size_limit = " WAL_BYTES, problem);
}

/* Always, not only after an unclean end: everything is read at the start in any
 * case, and a page can go bad while nobody looks. */
static int db_check(StoreDb *db, StoreProblem *problem)
{
        char answer[256] = "";
        int r = ask_text(db, "PRAGMA quick_check(1)", answer, sizeof(answer), problem);

        return r || strcmp(answer, "ok") == 0 ? r : store_db_problem_set(db, problem, STORE_DAMAGED, answer);
}

static int db_prepare(StoreDb *db, bool *ret_fresh, StoreProblem *problem)
{
        int version = 0, n_tables = 0;
        int r = execute(db, "PRAGMA cache_size = " CACHE_KIB, problem);

        if (!r)
                r = ask_integer(db, "PRAGMA user_version", &version, problem);
        if (!r)
                r = ask_integer(db, "SELECT count(*) FROM sqlite_schema", &n_tables, problem);
        if (!r && version > N_MIGRATIONS)
                return store_db_problem_set(db, problem, STORE_NEWER, "was written by a newer kernelsd: install that one again");
        if (!r && sqlite3_db_readonly(db->connection, "main"))
                return store_db_problem_set(db, problem, STORE_FAILED, "cannot be written by this user");
        if (!r && (version < 0 || (!version && n_tables)))
                return store_db_problem_set(db, problem, STORE_DAMAGED, "has tables that are not kernelsd's");
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
                return db->connection ? store_db_problem(db, problem) : error_trace(-ENOMEM);
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

static int db_set_durable(StoreDb *db, bool durable, StoreProblem *problem)
{
        int r = db->durable == durable ? 0 :
                execute(db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", problem);

        if (!r)
                db->durable = durable;
        return r;
}

int store_db_begin(StoreDb *db, bool durable, StoreProblem *problem)
{
        int r = db_set_durable(db, durable, problem);

        return r ? r : store_db_run(db, STATEMENT_BEGIN, problem, "");
}

int store_db_commit(StoreDb *db, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_COMMIT, problem, "");
}

void store_db_rollback(StoreDb *db)
{
        /* After some errors SQLite has done it already. */
        if (!sqlite3_get_autocommit(db->connection))
                (void)sqlite3_exec(db->connection, "ROLLBACK", NULL, NULL, NULL);
}

int store_db_mark(StoreDb *db, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_MARK, problem, "");
}

int store_db_keep(StoreDb *db, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_KEEP, problem, "");
}

int store_db_take_back(StoreDb *db, StoreProblem *problem)
{
        int r = store_db_run(db, STATEMENT_TAKE_BACK, problem, "");

        return r ? r : store_db_keep(db, problem);
}
