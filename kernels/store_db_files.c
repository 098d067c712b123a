/* The last good set of mapping files. */
#include "kernels/store_db_private.h"

#include <errno.h>

#include "proto/base/error.h"

int store_db_put_files(StoreDb *db, const KeptFiles *files, StoreProblem *problem)
{
        int r = store_db_run(db, STATEMENT_CLEAR_FILES, problem, "");

        for (size_t i = 0; !r && i < files->n; i++) {
                const KeptFile *file = &files->items[i];

                r = store_db_run(db, STATEMENT_PUT_FILE, problem, "iittb", (int64_t)i, (int64_t)file->is_lock, file->name,
                                 file->path, file->bytes);
        }
        return r;
}

static int read_row(sqlite3_stmt *stmt, KeptFiles *files)
{
        return kept_files_add(files, sqlite3_column_int(stmt, 0), store_db_text(stmt, 1), store_db_text(stmt, 2),
                              store_db_blob(stmt, 3));
}

int store_db_files(StoreDb *db, KeptFiles **ret_files, StoreProblem *problem)
{
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;
        sqlite3_stmt *stmt = NULL;
        int r = kept_files_new(&files), code = SQLITE_ROW;

        if (!r)
                r = store_db_statement(db, STATEMENT_READ_FILES, &stmt, problem);
        while (!r && (code = sqlite3_step(stmt)) == SQLITE_ROW)
                r = read_row(stmt, files);
        if (!r && code != SQLITE_DONE)
                r = store_db_problem(db, problem);
        if (stmt)
                store_db_statement_end(stmt);
        if (!r)
                r = kept_files_finish(files);
        if (r)
                return r;
        *ret_files = files->n ? STEAL(files) : NULL;
        return 0;
}
