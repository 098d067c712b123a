#include "kernels/uses.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define NEWS_S 3600 /* guess: of 30 days an hour is nothing */

typedef struct UseList {
        TableItem item; /* repository, revision */
        size_t n;
        Use uses[USES_PER_REVISION];
} UseList;

struct Uses {
        TextTable table;
};

int uses_new(uint64_t key, Uses **ret_uses)
{
        Uses *uses = alloc_zeroed(1, sizeof(*uses));

        if (!uses)
                return error_trace(-ENOMEM);
        uses->table = TEXT_TABLE_OF(key);
        *ret_uses = uses;
        return 0;
}

Uses *uses_free(Uses *uses)
{
        if (!uses)
                return NULL;
        for (TableItem *item = text_table_take_all(&uses->table), *next; item; item = next) {
                UseList *list = (UseList *)item;

                next = item->next;
                for (size_t i = 0; i < list->n; i++)
                        target_unref(list->uses[i].target);
                alloc_free(list);
        }
        alloc_free(uses);
        return NULL;
}

static int list_new(Uses *uses, Text repo, Text revision, UseList **ret_list)
{
        CLEANUP_ALLOC UseList *list = alloc_zeroed(1, sizeof(*list) + repo.size + revision.size);
        char *at = (char *)(list + 1);
        int r;

        if (!list)
                return error_trace(-ENOMEM);
        list->item.a = table_item_text(&at, repo);
        list->item.b = table_item_text(&at, revision);
        r = text_table_put(&uses->table, &list->item);
        if (r < 0)
                return r;
        *ret_list = STEAL(list);
        return 0;
}

static Use *find_same(UseList *list, const Target *target, int64_t uid)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->uses[i].uid == uid && target_is_same(list->uses[i].target, target))
                        return &list->uses[i];
        return NULL;
}

static Use *find_oldest(UseList *list, int64_t uid, size_t *ret_n)
{
        Use *oldest = NULL;

        *ret_n = 0;
        for (size_t i = 0; i < list->n; i++) {
                if (list->uses[i].uid != uid)
                        continue;
                if (!oldest || list->uses[i].at_s < oldest->at_s)
                        oldest = &list->uses[i];
                (*ret_n)++;
        }
        return oldest;
}

/* Of a full list: the oldest of who has the most in it. */
static Use *find_dispensable(UseList *list)
{
        Use *found = NULL;
        size_t n, most = 0;

        for (size_t i = 0; i < list->n; i++) {
                Use *oldest = find_oldest(list, list->uses[i].uid, &n);

                if (n > most || (n == most && oldest->at_s < found->at_s)) {
                        found = oldest;
                        most = n;
                }
        }
        return found;
}

/* The place of the same use; else, of who has his share, that of his oldest;
 * else a free one, if need be made free. */
static Use *find_place(UseList *list, const Target *target, int64_t uid)
{
        Use *same = find_same(list, target, uid), *oldest;
        size_t n;

        if (same)
                return same;
        oldest = find_oldest(list, uid, &n);
        if (n >= USES_PER_DOMAIN)
                return oldest;
        return list->n < USES_PER_REVISION ? &list->uses[list->n++] : find_dispensable(list);
}

int uses_note(Uses *uses, Text repo, Text revision, Target *target, int64_t uid, int64_t now_s, bool *ret_is_news)
{
        UseList *list = (UseList *)text_table_find(&uses->table, repo, revision);
        Use *use;
        bool same;
        int r = list ? 0 : list_new(uses, repo, revision, &list);

        if (r < 0)
                return r;
        use = find_place(list, target, uid);
        same = use->target && use->uid == uid && target_is_same(use->target, target);
        *ret_is_news = !same || now_s - use->at_s > NEWS_S || now_s < use->at_s;
        if (!same) {
                target_unref(use->target);
                use->target = target_ref(target);
                use->uid = uid;
        }
        if (*ret_is_news)
                use->at_s = now_s;
        return 0;
}

int uses_of(const Uses *uses, Text repo, Text revision, int64_t now_s, Arena *arena, Target ***ret_targets, size_t *ret_n)
{
        const UseList *list = (const UseList *)text_table_find(&uses->table, repo, revision);
        Target **targets = arena_zeroed(arena, USES_PER_REVISION, sizeof(*targets));
        size_t n = 0;

        if (!targets)
                return error_trace(-ENOMEM);
        for (size_t i = 0; list && i < list->n; i++)
                if (now_s - list->uses[i].at_s <= USES_MAX_AGE_S && !target_is_among(targets, n, list->uses[i].target))
                        targets[n++] = list->uses[i].target;
        *ret_targets = targets;
        *ret_n = n;
        return 0;
}

static int latest_first(const void *a, const void *b)
{
        const Use *left = a, *right = b;

        return (left->at_s < right->at_s) - (left->at_s > right->at_s);
}

static bool was_seen(Use *seen, size_t n, const Use *use)
{
        for (size_t i = 0; i < n; i++)
                if (seen[i].uid == use->uid && target_is_same(seen[i].target, use->target)) {
                        if (use->at_s > seen[i].at_s)
                                seen[i].at_s = use->at_s;
                        return true;
                }
        return false;
}

int uses_seen(const Uses *uses, int64_t now_s, Arena *arena, Use **ret_uses, size_t *ret_n)
{
        Use *seen = arena_zeroed(arena, uses->table.n * USES_PER_REVISION + 1, sizeof(*seen));
        size_t n = 0;

        if (!seen)
                return error_trace(-ENOMEM);
        for (TableItem *item = text_table_next(&uses->table, NULL); item; item = text_table_next(&uses->table, item)) {
                const UseList *list = (const UseList *)item;

                for (size_t i = 0; i < list->n; i++)
                        if (now_s - list->uses[i].at_s <= USES_MAX_AGE_S && !was_seen(seen, n, &list->uses[i]))
                                seen[n++] = list->uses[i];
        }
        qsort(seen, n, sizeof(*seen), latest_first);
        *ret_uses = seen;
        *ret_n = n;
        return 0;
}
