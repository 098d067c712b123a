/* What can be found again: a kill loses none of it, the end of the power the last
 * of it. Where it cannot be written it is dropped, and store_health says so. */
#include "kernels/store_private.h"

#include <errno.h>
#include <stdio.h>

#include "proto/base/error.h"

static int note(Store *store, StoreTry *try, const void *what)
{
        StoreProblem problem = { .kind = STORE_FAILED };
        int r;

        if (!store->db)
                return 0;
        r = store_attempt(store, try, what, &problem);
        if (r < 0)
                return r;
        store->dropped[0] = 0;
        if (r > 0)
                (void)snprintf(store->dropped, sizeof(store->dropped), "%s; what is learnt meanwhile is not kept",
                               problem.message);
        return 0;
}

static int try_files(Store *store, const void *what, StoreProblem *problem)
{
        int r = store_db_begin(store->db, false, problem);

        if (!r)
                r = store_db_put_files(store->db, what, problem);
        if (!r)
                r = store_db_commit(store->db, problem);
        store_db_rollback(store->db);
        return r;
}

int store_keep_files(Store *store, const KeptFiles *files)
{
        store->not_kept[0] = 0;
        if (files->too_large)
                (void)snprintf(store->not_kept, sizeof(store->not_kept), "the mapping files have more than %u MiB together: "
                               "a restart with faulty ones would begin without them", LIMIT_KEPT_FILES >> 20);
        return note(store, try_files, files);
}

int store_files(Store *store, KeptFiles **ret_files)
{
        StoreProblem problem;
        int r = 1;

        if (store->db)
                r = store_db_files(store->db, ret_files, &problem);
        if (r > 0)
                *ret_files = NULL;
        return r < 0 ? r : 0;
}
