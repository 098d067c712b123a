/* What can be found again: a kill loses none of it, the end of the power the last
 * of it. Where it cannot be written it is dropped, and store_health says so. */
#include "kernels/store_private.h"

#include <errno.h>
#include <stdio.h>

#include "proto/base/cleanup.h"
#include "proto/base/error.h"

/* Whether it was made, or why not. */
static void take_answer(Store *store, int r, const StoreProblem *problem)
{
        store->dropped[0] = 0;
        if (r > 0)
                (void)snprintf(store->dropped, sizeof(store->dropped), "%s; what is learnt meanwhile is not kept",
                               problem->message);
}

static int note(Store *store, StoreTry *try, const void *what)
{
        StoreProblem problem = { .kind = STORE_FAILED };
        int r;

        if (!store->db)
                return 0;
        r = store_attempt(store, try, what, &problem);
        if (r < 0)
                return r;
        take_answer(store, r, &problem);
        return 0;
}

/* --- mapping files --- */

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

/* --- facts --- */

typedef struct FactRun {
        const Fact *items;
        size_t n;
} FactRun;

/* The newest time of a kind, or 0. */
static int64_t newest(const FactRun *facts, FactKind kind, size_t *ret_n)
{
        int64_t at_s = 0;

        *ret_n = 0;
        for (size_t i = 0; i < facts->n; i++) {
                const Fact *fact = &facts->items[i];
                int64_t this_s = kind == FACT_USE ? fact->use.at_s : fact->event.at_s;

                if (fact->kind != kind)
                        continue;
                at_s = this_s > at_s ? this_s : at_s;
                (*ret_n)++;
        }
        return at_s;
}

static StoreReporter *reporter_of(Store *store, int64_t uid)
{
        StoreReporter *free = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(store->reporters); i++) {
                StoreReporter *reporter = &store->reporters[i];

                if (reporter->n_new && reporter->uid == uid)
                        return reporter;
                if (!reporter->n_new && !free)
                        free = reporter;
        }
        return free;
}

static int trim_reports(Store *store, StoreReporter *reporter, StoreProblem *problem)
{
        int r = store_db_trim_reports(store->db, reporter->uid, problem);

        if (!r)
                reporter->n_new = 0;
        return r;
}

/* A report costs its uid room of its own: what he had done, and what others did,
 * stays. */
static int count_report(Store *store, const FactEvent *event, StoreProblem *problem)
{
        StoreReporter *reporter = reporter_of(store, event->uid);
        int r = 0;

        for (size_t i = 0; !r && !reporter && i < ARRAY_SIZE(store->reporters); i++)
                r = trim_reports(store, &store->reporters[i], problem);
        if (r)
                return r;
        if (!reporter)
                reporter = &store->reporters[0];
        reporter->uid = event->uid;
        reporter->n_new++;
        return reporter->n_new < STORE_EVENT_SLACK ? 0 : trim_reports(store, reporter, problem);
}

/* Events go some hundred at once, which costs no more than one alone. Of too many
 * those of the uid go that has the most. */
static int trim(Store *store, const FactRun *facts, StoreProblem *problem)
{
        size_t n_uses, n_events;
        int64_t use_s = newest(facts, FACT_USE, &n_uses), event_s = newest(facts, FACT_EVENT, &n_events);
        int r = n_uses ? store_db_trim_uses(store->db, use_s, problem) : 0;

        store->n_new_events += n_events;
        if (r || store->n_new_events < STORE_EVENT_SLACK)
                return r;
        r = store_db_trim_events(store->db, event_s, store->n_new_events + STORE_EVENT_SLACK, problem);
        if (!r)
                store->n_new_events = 0;
        return r;
}

static int put_fact(Store *store, const Fact *fact, StoreProblem *problem)
{
        int r = store_db_put_fact(store->db, fact, problem);

        if (!r && fact->kind == FACT_USE)
                r = store_db_trim_share(store->db, &fact->use, problem);
        if (!r && fact->kind == FACT_EVENT && text_equal(fact->event.what, TEXT("report")))
                r = count_report(store, &fact->event, problem);
        return r;
}

static int try_facts(Store *store, const void *what, StoreProblem *problem)
{
        const FactRun *facts = what;
        int r = store_db_begin(store->db, false, problem);

        for (size_t i = 0; !r && i < facts->n; i++)
                r = put_fact(store, &facts->items[i], problem);
        if (!r)
                r = trim(store, facts, problem);
        if (!r)
                r = store_db_commit(store->db, problem);
        store_db_rollback(store->db);
        return r;
}

int store_note(Store *store, const Fact *facts, size_t n)
{
        return note(store, try_facts, &(FactRun){ facts, n });
}

static int try_trim_all(Store *store, const void *what, StoreProblem *problem)
{
        const int64_t *now_s = what;
        int r = store_db_begin(store->db, false, problem);

        if (!r)
                r = store_db_trim_uses(store->db, *now_s, problem);
        if (!r)
                r = store_db_trim_events(store->db, *now_s, FACT_MAX_EVENTS, problem);
        if (!r)
                r = store_db_commit(store->db, problem);
        store_db_rollback(store->db);
        return r;
}

int store_facts(Store *store, int64_t now_s, Facts **ret_facts)
{
        StoreProblem problem = { .kind = STORE_FAILED };
        int r = note(store, try_trim_all, &now_s);

        if (!r && store->db)
                r = store_db_facts(store->db, ret_facts, &problem);
        else if (!r)
                return facts_new(ret_facts);
        if (r <= 0)
                return r;
        take_answer(store, r, &problem);
        return facts_new(ret_facts);
}

int store_events(Store *store, const EventRange *range, Arena *arena, FactEvent **ret_events, size_t *ret_n)
{
        StoreProblem problem = { .kind = STORE_FAILED };
        int r = 0;

        *ret_n = 0;
        if (store->db)
                r = store_db_events(store->db, range, arena, ret_events, ret_n, &problem);
        if (r <= 0)
                return r;
        take_answer(store, r, &problem);
        return 0;
}
