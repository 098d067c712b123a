#include "client/answer.h"

#include <errno.h>

#include "client/failure.h"

static int64_t optional_or(OptionalInteger from)
{
        return from.present ? from.value : -1;
}

static int string_copy(Arena *arena, Text from, const char **ret)
{
        Text copy;

        if (arena_copy(arena, from, &copy) < 0)
                return -1;
        *ret = copy.data;
        return 0;
}

LocalRepository *answer_local(kd_client *client, uint64_t epoch, const MsgAnswer *answer)
{
        LocalRepository *local = NULL;

        if (!answer->reference || !answer->reference->local.present || client_lock(client, NULL) < 0)
                return NULL;
        if (client->epoch == epoch)
                local = local_numbers_find(&client->locals, answer->reference->local.value);
        client_unlock(client);
        return local;
}

static int answer_fill_error(const MsgAnswer *from, Arena *arena, kd_answer *answer)
{
        FaultName name = fault_parse(from->name);

        answer->code = name == FAULT_NONE ? KD_INTERNAL : (int)name;
        if (string_copy(arena, from->name, &answer->name) < 0)
                return -1;
        return string_copy(arena, from->message, &answer->message);
}

static int answer_fill_reference(kd_client *client, uint64_t epoch, const MsgAnswer *from, Arena *arena,
                                 kd_answer *answer)
{
        CLEANUP(local_unrefp) LocalRepository *local = answer_local(client, epoch, from);
        const MsgAnswerReference *reference = from->reference;
        Text path;

        if (!reference)
                return 0;
        path = local ? text_of(local->path) : reference->path;
        answer->version = optional_or(reference->version);
        if (string_copy(arena, reference->repo, &answer->repo) < 0 ||
            string_copy(arena, reference->revision, &answer->revision) < 0 ||
            string_copy(arena, reference->locked, &answer->locked) < 0 ||
            string_copy(arena, path, &answer->path) < 0)
                return -1;
        return string_copy(arena, reference->layer, &answer->reference_layer);
}

static int answer_fill_facts(const MsgAnswer *from, Arena *arena, kd_answer *answer)
{
        const struct { Text from; const char **to; } texts[] = {
                { from->layer, &answer->layer },     { from->mode, &answer->mode },
                { from->source, &answer->source },   { from->commit, &answer->commit },
                { from->variant, &answer->variant }, { from->arch, &answer->arch },
                { from->state, &answer->state },     { from->redirect, &answer->redirect },
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); ++i)
                if (string_copy(arena, texts[i].from, texts[i].to) < 0)
                        return -1;
        answer->min_capability = optional_or(from->min);
        answer->max_capability = optional_or(from->max);
        answer->commit_age_s = optional_or(from->commit_age_s);
        return 0;
}

int answer_fill(kd_client *client, uint64_t epoch, const MsgAnswer *from, Arena *arena, kd_answer *ret_answer,
                kd_error *error)
{
        kd_answer answer = { .min_capability = -1, .max_capability = -1, .version = -1, .commit_age_s = -1 };

        if (from->name.data) {
                if (answer_fill_error(from, arena, &answer) < 0)
                        return failure_memory(error);
        } else if (answer_fill_facts(from, arena, &answer) < 0 ||
                   answer_fill_reference(client, epoch, from, arena, &answer) < 0) {
                return failure_memory(error);
        }
        *ret_answer = answer;
        return 0;
}

MsgQuery query_message(const kd_query *query)
{
        return (MsgQuery){
                .layer = text_of(query->layer),
                .device = text_of(query->device),
                .capability = optional_of(query->capability),
                .mode = text_of(query->mode),
                .arch = text_of(query->arch),
        };
}

int query_check(const kd_query *query, kd_error *error)
{
        if (query->layer && query->device && query->mode)
                return 0;
        return failure_refuse(error, FAULT_BAD_REQUEST, "a query names layer, device and mode: set all three");
}

int flags_check(unsigned flags, unsigned allowed, kd_error *error)
{
        if (!(flags & ~allowed))
                return 0;
        return failure_set(error, -EINVAL, "flags 0x%x are none of this function: use those that kernelsd.h names",
                           flags & ~allowed);
}
