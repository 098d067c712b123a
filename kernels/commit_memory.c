#include "kernels/commit_memory.h"

#include <errno.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

struct CommitMemory {
        unsigned n_users;
        TextTable table;
};

int commit_memory_new(uint64_t key, CommitMemory **ret_memory)
{
        CommitMemory *memory = alloc_zeroed(1, sizeof(*memory));

        if (!memory)
                return error_trace(-ENOMEM);
        memory->n_users = 1;
        memory->table = TEXT_TABLE_OF(key);
        *ret_memory = memory;
        return 0;
}

CommitMemory *commit_memory_ref(CommitMemory *memory)
{
        memory->n_users++;
        return memory;
}

CommitMemory *commit_memory_unref(CommitMemory *memory)
{
        if (!memory || --memory->n_users)
                return NULL;
        for (TableItem *item = text_table_take_all(&memory->table), *next; item; item = next) {
                next = item->next;
                alloc_free(item);
        }
        alloc_free(memory);
        return NULL;
}

bool commit_memory_is_shared(const CommitMemory *memory)
{
        return memory->n_users > 1;
}

const RememberedCommit *commit_memory_find(const CommitMemory *memory, Text repo, Text revision)
{
        return (const RememberedCommit *)text_table_find(&memory->table, repo, revision);
}

static RememberedCommit *remembered_new(const Revision *revision)
{
        size_t n_bytes = revision->item.a.size + revision->item.b.size + revision->commit.size +
                         revision->final_repo.size + revision->final_commit.size;
        RememberedCommit *made = alloc_zeroed(1, sizeof(*made) + n_bytes);
        char *at = (char *)(made + 1);

        if (!made)
                return NULL;
        made->item.a = table_item_text(&at, revision->item.a);
        made->item.b = table_item_text(&at, revision->item.b);
        made->commit = table_item_text(&at, revision->commit);
        made->final_repo = table_item_text(&at, revision->final_repo);
        made->final_commit = table_item_text(&at, revision->final_commit);
        return made;
}

int commit_memory_put(CommitMemory *memory, const Revision *revision)
{
        TableItem *before = text_table_find(&memory->table, revision->item.a, revision->item.b);
        RememberedCommit *made = remembered_new(revision);

        if (!made)
                return error_trace(-ENOMEM);
        if (before) {
                text_table_remove(&memory->table, before);
                alloc_free(before);
        }
        if (text_table_put(&memory->table, &made->item) < 0) {
                alloc_free(made);
                return error_trace(-ENOMEM);
        }
        return 0;
}
