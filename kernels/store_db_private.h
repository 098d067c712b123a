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
        S(PUT_REVISION, "INSERT INTO revision VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)" \
          " ON CONFLICT DO UPDATE SET commit_id = excluded.commit_id, redirect = excluded.redirect, final_commit = excluded.final_commit, with_token = excluded.with_token, at_s = excluded.at_s") \
        S(PUT_LISTING, "INSERT INTO listing VALUES (?1, ?2, ?3, ?4)" \
          " ON CONFLICT DO UPDATE SET variants = excluded.variants, at_s = excluded.at_s") \
        S(PUT_PUBLISHER, "INSERT INTO publisher VALUES (?1, ?2, ?3)" \
          " ON CONFLICT DO UPDATE SET trusted = excluded.trusted, at_s = excluded.at_s") \
        S(PUT_CORRUPT, "INSERT INTO corrupt VALUES (?1, ?2, ?3, ?4)" \
          " ON CONFLICT DO UPDATE SET message = excluded.message") \
        S(PUT_COMPLETE, "INSERT INTO complete VALUES (?1, ?2, ?3)" \
          " ON CONFLICT DO NOTHING") \
        S(PUT_RECEIPT, "INSERT INTO receipt VALUES (?1, ?2, ?3, ?4)" \
          " ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint, used_s = excluded.used_s") \
        S(PUT_USE, "INSERT INTO use VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" \
          " ON CONFLICT DO UPDATE SET at_s = excluded.at_s") \
        S(PUT_EVENT, "INSERT INTO event VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)") \
        S(COUNT_REVISION, "SELECT count(*) FROM revision") \
        S(COUNT_LISTING, "SELECT count(*) FROM listing") \
        S(COUNT_PUBLISHER, "SELECT count(*) FROM publisher") \
        S(COUNT_CORRUPT, "SELECT count(*) FROM corrupt") \
        S(COUNT_COMPLETE, "SELECT count(*) FROM complete") \
        S(COUNT_RECEIPT, "SELECT count(*) FROM receipt") \
        S(COUNT_USE, "SELECT count(*) FROM use") \
        S(READ_REVISION, "SELECT repo, revision, commit_id, redirect, final_commit, with_token, at_s FROM revision") \
        S(READ_LISTING, "SELECT repo, commit_id, variants, at_s FROM listing") \
        S(READ_PUBLISHER, "SELECT name, trusted, at_s FROM publisher") \
        S(READ_CORRUPT, "SELECT repo, commit_id, variant, message FROM corrupt") \
        S(READ_COMPLETE, "SELECT repo, commit_id, variant FROM complete") \
        S(READ_RECEIPT, "SELECT path, variant, fingerprint, used_s FROM receipt") \
        S(READ_USE, "SELECT domain, repo, revision, environment, device, capability, arch, at_s FROM use" \
          " ORDER BY at_s") \
        S(TRIM_USES, "DELETE FROM use WHERE at_s < ?1") \
        S(TRIM_SHARE, "DELETE FROM use WHERE domain = ?1 AND repo = ?2 AND revision = ?3" \
          " AND (environment, device, capability, arch) NOT IN (SELECT environment, device, capability, arch FROM use" \
          " WHERE domain = ?1 AND repo = ?2 AND revision = ?3 ORDER BY at_s DESC LIMIT ?4)") \
        S(COUNT_EVENT, "SELECT count(*) FROM event") \
        S(TRIM_OLD_EVENTS, "DELETE FROM event WHERE number IN (SELECT number FROM event ORDER BY number LIMIT ?2)" \
          " AND at_s < ?1") \
        S(TRIM_MANY_EVENTS, "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE uid =" \
          " (SELECT uid FROM event GROUP BY uid ORDER BY count(*) DESC LIMIT 1) ORDER BY number LIMIT ?1)") \
        S(TRIM_REPORTS, "DELETE FROM event WHERE what = 'report' AND uid = ?1 AND number <= (SELECT number FROM event" \
          " WHERE what = 'report' AND uid = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)") \
        S(READ_EVENTS, "SELECT number, at_s, uid, pid, what, layer, repo, commit_id, variant, outcome, reason FROM event" \
          " WHERE number < ?1 ORDER BY number DESC LIMIT ?2") \
        S(READ_OWN_EVENTS, "SELECT number, at_s, uid, pid, what, layer, repo, commit_id, variant, outcome, reason FROM event" \
          " WHERE uid = ?3 AND number < ?1 ORDER BY number DESC LIMIT ?2") \
        S(PUT_NAMED, "INSERT INTO named_environment VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET" \
          " environment = excluded.environment, device = excluded.device, capability = excluded.capability," \
          " arch = excluded.arch") \
        S(DROP_NAMED, "DELETE FROM named_environment WHERE name = ?1") \
        S(COUNT_NAMED, "SELECT count(*) FROM named_environment") \
        S(READ_NAMED, "SELECT name, environment, device, capability, arch FROM named_environment ORDER BY name") \
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

/* The first number that it answers, with the values that are bound already. */
int store_db_count(StoreDb *db, StatementNumber number, size_t *ret_n, StoreProblem *problem);

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
