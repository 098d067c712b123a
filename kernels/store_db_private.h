/* What the files of the database share: the connection and its statements. */
#pragma once

#include <sqlite3.h>

#include "kernels/store_db.h"

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
        S(READ_PINS, "SELECT repo, revision, commit_id FROM pin ORDER BY repo, revision") \
        S(CLEAR_FILES, "DELETE FROM kept_file") \
        S(PUT_FILE, "INSERT INTO kept_file VALUES (?1, ?2, ?3, ?4, ?5)") \
        S(READ_FILES, "SELECT is_lock, name, path, bytes FROM kept_file ORDER BY number")

typedef enum StatementNumber {
#define S(name, sql) STATEMENT_##name,
        STATEMENT_TABLE(S)
#undef S
        _STATEMENT_MAX,
} StatementNumber;

struct StoreDb {
        sqlite3 *connection;
        bool durable; /* what the connection is set to */
        sqlite3_stmt *statements[_STATEMENT_MAX]; /* prepared on first use */
        char path[];
};

/* Of what SQLite just said about the connection: 1, or -ENOMEM. */
int store_db_problem(const StoreDb *db, StoreProblem *problem);
int store_db_problem_set(const StoreDb *db, StoreProblem *problem, StoreProblemKind kind, const char *message); /* 1 */

int store_db_statement(StoreDb *db, StatementNumber number, sqlite3_stmt **ret_statement, StoreProblem *problem);

/* The text is not copied. SQLite's code. */
int store_db_bind(sqlite3_stmt *stmt, int number, bool is_blob, Text text);

/* Frees the statement of its values, so that none outlives the call that gave it. */
void store_db_statement_end(sqlite3_stmt *stmt);

/* Runs one that answers nothing. `kinds`: t, a Text; b, a Text as a blob; i, an int64_t. */
int store_db_run(StoreDb *db, StatementNumber number, StoreProblem *problem, const char *kinds, ...);

static inline size_t store_db_n_changed(const StoreDb *db)
{
        return (size_t)sqlite3_changes(db->connection);
}

static inline Text store_db_text(sqlite3_stmt *stmt, int column)
{
        const char *data = (const char *)sqlite3_column_text(stmt, column);

        return (Text){ data, (size_t)sqlite3_column_bytes(stmt, column) };
}

/* Empty where there is none. */
static inline Text store_db_blob(sqlite3_stmt *stmt, int column)
{
        const char *data = sqlite3_column_blob(stmt, column);

        return (Text){ data ? data : "", (size_t)sqlite3_column_bytes(stmt, column) };
}
