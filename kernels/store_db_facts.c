/* What can be found again: one table for each kind of fact, its columns in the
 * order of fact_layouts, and '' for a text that is absent. */
#include "kernels/store_db_private.h"

#include <errno.h>

#include "proto/base/error.h"

_Static_assert(STATEMENT_PUT_EVENT - STATEMENT_PUT_REVISION == (int)FACT_EVENT, "one for each kind, in their order");
_Static_assert(STATEMENT_COUNT_USE - STATEMENT_COUNT_REVISION == (int)FACT_USE, "likewise");
_Static_assert(STATEMENT_READ_USE - STATEMENT_READ_REVISION == (int)FACT_USE, "likewise");

/* --- columns --- */

static int bind_column(sqlite3_stmt *stmt, int number, FactColumnKind kind, const void *value)
{
        const Text *text = value;

        switch (kind) {
        case FACT_COLUMN_INTEGER:
                return sqlite3_bind_int64(stmt, number, *(const int64_t *)value);
        case FACT_COLUMN_BOOL:
                return sqlite3_bind_int(stmt, number, *(const bool *)value);
        case FACT_COLUMN_FINGERPRINT:
                return sqlite3_bind_blob64(stmt, number, value, FACT_FINGERPRINT, SQLITE_STATIC);
        default:
                return store_db_bind(stmt, number, kind == FACT_COLUMN_BYTES, text->data ? *text : TEXT(""));
        }
}

static int read_text(sqlite3_stmt *stmt, int number, FactColumnKind kind, Arena *arena, Text *ret_text)
{
        Text text = kind == FACT_COLUMN_BYTES ? store_db_blob(stmt, number) : store_db_text(stmt, number);

        if (kind == FACT_COLUMN_OPTIONAL && !text.size)
                text = TEXT_NULL;
        return arena_copy(arena, text, ret_text);
}

static int read_column(sqlite3_stmt *stmt, int number, FactColumnKind kind, Arena *arena, void *value)
{
        Text text;

        switch (kind) {
        case FACT_COLUMN_INTEGER:
                *(int64_t *)value = sqlite3_column_int64(stmt, number);
                return 0;
        case FACT_COLUMN_BOOL:
                *(bool *)value = sqlite3_column_int(stmt, number);
                return 0;
        case FACT_COLUMN_FINGERPRINT:
                text = store_db_blob(stmt, number);
                memcpy(value, text.data, text.size < FACT_FINGERPRINT ? text.size : FACT_FINGERPRINT);
                return 0;
        default:
                return read_text(stmt, number, kind, arena, value);
        }
}

static int read_fact(sqlite3_stmt *stmt, const FactLayout *layout, Arena *arena, char *item)
{
        int r = 0;

        for (size_t i = 0; !r && i < layout->n_columns; i++)
                r = read_column(stmt, (int)i, layout->columns[i].kind, arena, item + layout->columns[i].offset);
        return r;
}

/* Up to `n` rows of a statement whose values are bound. */
static int read_facts(StoreDb *db, sqlite3_stmt *stmt, const FactLayout *layout, Arena *arena, char *items, size_t n,
                      size_t *ret_n, StoreProblem *problem)
{
        int r = 0, code = SQLITE_ROW;
        size_t i = 0;

        while (!r && i < n && (code = sqlite3_step(stmt)) == SQLITE_ROW)
                r = read_fact(stmt, layout, arena, items + layout->size * i++);
        if (!r && code != SQLITE_ROW && code != SQLITE_DONE)
                r = store_db_problem(db, problem);
        if (!r)
                *ret_n = i;
        return r;
}

/* --- writing --- */

int store_db_put_fact(StoreDb *db, const Fact *fact, StoreProblem *problem)
{
        const FactLayout *layout = &fact_layouts[fact->kind];
        sqlite3_stmt *stmt = NULL;
        int r = store_db_statement(db, STATEMENT_PUT_REVISION + fact->kind, &stmt, problem), code = SQLITE_OK;

        if (r)
                return r;
        for (size_t i = 0; code == SQLITE_OK && i < layout->n_columns; i++)
                code = bind_column(stmt, (int)i + 1, layout->columns[i].kind,
                                   (const char *)&fact->revision + layout->columns[i].offset);
        if (code == SQLITE_OK)
                code = sqlite3_step(stmt);
        r = code == SQLITE_DONE ? 0 : store_db_problem(db, problem);
        store_db_statement_end(stmt);
        return r;
}

int store_db_trim_share(StoreDb *db, const FactUse *use, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_TRIM_SHARE, problem, "itti", use->domain_uid, use->repo, use->revision,
                            (int64_t)FACT_MAX_USES);
}

int store_db_trim_uses(StoreDb *db, int64_t now_s, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_TRIM_USES, problem, "i", now_s - FACT_MAX_AGE_S);
}

int store_db_trim_events(StoreDb *db, int64_t now_s, size_t most, StoreProblem *problem)
{
        size_t n = 0;
        int r = store_db_run(db, STATEMENT_TRIM_OLD_EVENTS, problem, "ii", now_s - FACT_MAX_AGE_S, (int64_t)most);

        if (!r)
                r = store_db_count(db, STATEMENT_COUNT_EVENT, &n, problem);
        if (r || n <= FACT_MAX_EVENTS - STORE_EVENT_SLACK)
                return r;
        return store_db_run(db, STATEMENT_TRIM_MANY_EVENTS, problem, "i",
                            (int64_t)(n - (FACT_MAX_EVENTS - STORE_EVENT_SLACK)));
}

int store_db_trim_reports(StoreDb *db, int64_t uid, StoreProblem *problem)
{
        return store_db_run(db, STATEMENT_TRIM_REPORTS, problem, "ii", uid, (int64_t)FACT_MAX_REPORTS);
}

/* --- reading --- */

static int read_kind(StoreDb *db, FactKind kind, Facts *facts, StoreProblem *problem)
{
        const FactLayout *layout = &fact_layouts[kind];
        sqlite3_stmt *stmt = NULL;
        size_t n = 0;
        char *items;
        int r = store_db_count(db, STATEMENT_COUNT_REVISION + kind, &n, problem);

        if (!r)
                r = store_db_statement(db, STATEMENT_READ_REVISION + kind, &stmt, problem);
        if (r)
                return r;
        items = arena_zeroed(&facts->arena, n + 1, layout->size);
        r = items ? read_facts(db, stmt, layout, &facts->arena, items, n, &n, problem) : error_trace(-ENOMEM);
        store_db_statement_end(stmt);
        if (r)
                return r;
        memcpy((char *)facts + layout->items, &items, sizeof(items));
        memcpy((char *)facts + layout->n_items, &n, sizeof(n));
        return 0;
}

int store_db_facts(StoreDb *db, Facts **ret_facts, StoreProblem *problem)
{
        CLEANUP(facts_freep) Facts *facts = NULL;
        int r = facts_new(&facts);

        for (FactKind kind = 0; !r && kind < FACT_EVENT; kind++)
                r = read_kind(db, kind, facts, problem);
        if (!r)
                *ret_facts = STEAL(facts);
        return r;
}

int store_db_events(StoreDb *db, const EventRange *range, Arena *arena, FactEvent **ret_events, size_t *ret_n,
                    StoreProblem *problem)
{
        FactEvent *events = arena_zeroed(arena, range->limit + 1, sizeof(*events));
        sqlite3_stmt *stmt = NULL;
        int r = events ? 0 : error_trace(-ENOMEM);

        if (!r)
                r = store_db_statement(db, range->all ? STATEMENT_READ_EVENTS : STATEMENT_READ_OWN_EVENTS, &stmt, problem);
        if (!r && (sqlite3_bind_int64(stmt, 1, range->before) != SQLITE_OK ||
                   sqlite3_bind_int64(stmt, 2, (int64_t)range->limit) != SQLITE_OK ||
                   (!range->all && sqlite3_bind_int64(stmt, 3, range->uid) != SQLITE_OK)))
                r = store_db_problem(db, problem);
        if (!r)
                r = read_facts(db, stmt, &fact_layouts[FACT_EVENT], arena, (char *)events, range->limit, ret_n, problem);
        if (stmt)
                store_db_statement_end(stmt);
        if (!r)
                *ret_events = events;
        return r;
}
