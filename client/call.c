#include "client/call.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "client/failure.h"
#include "client/kernel.h"
#include "proto/base/alloc.h"
#include "proto/payload.h"

static int call_too_large(kd_error *error, size_t size)
{
        return failure_refuse(error, FAULT_TOO_LARGE, "the request has %zu bytes; at most %u are taken: ask for less at "
                                                      "once", size, LIMIT_MESSAGE_IN);
}

/* The frame up to where the params begin. */
static int call_prepare(kd_client *client, MethodNumber method, Call **ret_call)
{
        static const uint8_t header[FRAME_HEADER_SIZE];
        CLEANUP(call_freep) Call *call = alloc_zeroed(1, sizeof(*call));
        int r;

        if (!call)
                return -ENOMEM;
        assert(method < _METHOD_MAX);
        call->client = client;
        call->method = method;
        call->repeatable = method_table[method].idempotent;
        call->greets = method == METHOD_HELLO;
        call->descriptor = -1;
        call->id = __atomic_fetch_add(&client->next_id, 1, __ATOMIC_RELAXED);
        r = buffer_append(&call->frame, header, sizeof(header));
        if (!r)
                r = envelope_write_request(&call->frame, call->id, text_of(method_table[method].name));
        if (r < 0)
                return r;
        *ret_call = STEAL(call);
        return 0;
}

static int call_complete(Call *call, kd_error *error)
{
        size_t size = call->frame.size - FRAME_HEADER_SIZE;

        if (size > LIMIT_MESSAGE_IN)
                return call_too_large(error, size);
        frame_write_header(call->frame.data, (uint32_t)size, 0);
        return 0;
}

int call_new(kd_client *client, MethodNumber method, const void *message, Call **ret_call, kd_error *error)
{
        CLEANUP(call_freep) Call *call = NULL;
        const char *missing = NULL;
        int r;

        r = call_prepare(client, method, &call);
        if (!r)
                r = codec_encode_naming(method_table[method].params, message, true, &call->frame, &missing);
        if (missing)
                return failure_set(error, r, "%s needs %s: say it", method_table[method].name, missing);
        if (r < 0)
                return failure_memory(error);
        r = call_complete(call, error);
        if (!r)
                *ret_call = STEAL(call);
        return r;
}

int call_new_value(kd_client *client, MethodNumber method, const Value *params, Call **ret_call, kd_error *error)
{
        static const Value empty = { .kind = VALUE_MAP };
        CLEANUP(call_freep) Call *call = NULL;
        int r;

        r = call_prepare(client, method, &call);
        if (!r)
                r = codec_encode_value(params ? params : &empty, &call->frame);
        if (r == -EINVAL)
                return failure_set(error, r, "params have more than %d lists and maps inside each other: make them flatter",
                                   LIMIT_DEPTH - 1);
        if (r < 0)
                return failure_memory(error);
        r = call_complete(call, error);
        if (!r)
                *ret_call = STEAL(call);
        return r;
}

Call *call_free(Call *call)
{
        if (!call)
                return NULL;
        assert(!call->list);
        buffer_deinit(&call->frame);
        alloc_free(call->body);
        if (call->descriptor >= 0)
                (void)close(call->descriptor);
        alloc_free(call);
        return NULL;
}

static void list_insert(CallList *list, Call *call, Call *before)
{
        assert(!call->list);
        call->list = list;
        call->next = before;
        call->previous = before ? before->previous : list->last;
        *(call->previous ? &call->previous->next : &list->first) = call;
        *(before ? &before->previous : &list->last) = call;
}

void call_unlist(Call *call)
{
        CallList *list = call->list;

        if (!list)
                return;
        if (list == &call->client->calls.flight && call->method != METHOD_CANCEL)
                --call->client->calls.n_flight;
        *(call->previous ? &call->previous->next : &list->first) = call->next;
        *(call->next ? &call->next->previous : &list->last) = call->previous;
        call->list = NULL;
        call->next = call->previous = NULL;
}

/* Acquires may wait long for room, and so does what is to come after them. */
static bool call_gives_way(const Call *call)
{
        return call->method == METHOD_ACQUIRE || call->method == METHOD_VIEW_DROP;
}

void call_start(Call *call)
{
        CallList *waiting = &call->client->calls.waiting;
        Call *before = NULL, *other = waiting->last;

        if (call->method != METHOD_ACQUIRE)
                for (; other && call_gives_way(other); other = other->previous)
                        before = other;
        list_insert(waiting, call, before);
}

void call_start_before(Call *call, Call *before)
{
        list_insert(&call->client->calls.waiting, call, before);
}

/* What an answer that nobody waits for brought along. */
static void call_give_back(Call *call)
{
        if (call->method == METHOD_ACQUIRE && !call->code)
                acquire_give_back(call);
}

/* The call is over: its end is told to whoever wants to know. */
static void call_finish(Call *call)
{
        kd_client *client = call->client;

        call_unlist(call);
        call->over = true;
        if (call->end || call->abandoned) {
                if (call->end)
                        call->end(client, call);
                else
                        call_give_back(call);
                (void)call_free(call);
                return;
        }
        if (call->done)
                list_insert(&client->calls.over, call, NULL);
        (void)pthread_cond_broadcast(&client->changed);
}

static void call_finish_error(Call *call, const kd_error *error)
{
        call->code = failure_copy(&call->error, error);
        call_finish(call);
}

void call_abandon(Call *call)
{
        Calls *calls = &call->client->calls;

        if (call->list == &calls->flight) {
                call->abandoned = true;
                call->done = NULL;
                call->progressed = NULL;
                return;
        }
        call_unlist(call);
        if (call->over)
                call_give_back(call);
        (void)call_free(call);
}

/* Whether there is room for it among those that are under way. */
static bool calls_have_room(const Calls *calls, const Call *call)
{
        if (call->method == METHOD_CANCEL)
                return true;
        return calls->n_flight < (call->method == METHOD_ACQUIRE ? LIMIT_IN_FLIGHT - CALL_SPARE : LIMIT_IN_FLIGHT);
}

int calls_flush(kd_client *client)
{
        Calls *calls = &client->calls;
        Call *call;

        while ((call = calls->waiting.first)) {
                int r;

                if (client->greeting != GREETING_DONE && !call->greets)
                        break;
                if (!calls_have_room(calls, call))
                        break;
                call->begins = client->connection.n_queued;
                call->epoch = client->epoch;
                r = connection_queue(&client->connection, &call->frame);
                if (r < 0)
                        return r;
                call_unlist(call);
                list_insert(&calls->flight, call, NULL);
                if (call->method != METHOD_CANCEL)
                        ++calls->n_flight;
        }
        return 0;
}

static Call *flight_find(const Calls *calls, uint32_t id)
{
        Call *call = calls->flight.first;

        while (call && call->id != id)
                call = call->next;
        return call;
}

static int deliver_error(Call *call, Text bytes)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        int r;

        r = envelope_parse_error(bytes, &arena, &fault);
        if (r)
                return r < 0 ? r : -EBADMSG;
        call->code = failure_fault(&call->error, &fault);
        call_finish(call);
        return 0;
}

static int deliver_answer(kd_client *client, const Envelope *envelope, int *descriptor)
{
        Call *call = flight_find(&client->calls, envelope->id);

        /* A peer that is not let in is told so before its hello is read. */
        if (!call && client->greeting == GREETING_SENT && envelope->error.data)
                call = client->calls.flight.first;
        if (!call || (*descriptor >= 0 && call->method != METHOD_ACQUIRE))
                return -EBADMSG;
        if (envelope->error.data)
                return *descriptor >= 0 ? -EBADMSG : deliver_error(call, envelope->error);
        if (!envelope->body.data)
                return -EBADMSG;
        call->body = alloc_bytes(envelope->body.size);
        if (!call->body)
                return -ENOMEM;
        memcpy(call->body, envelope->body.data, envelope->body.size);
        call->body_size = envelope->body.size;
        call->descriptor = STEAL_FD(*descriptor);
        call_finish(call);
        return 0;
}

static int deliver_progress(kd_client *client, const Envelope *envelope)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgProgress progress;
        Fault fault;
        Call *call;
        int r;

        if (!text_equal(envelope->method, TEXT("progress")) || !envelope->body.data)
                return 0;
        r = codec_decode(&schema_Progress, (const uint8_t *)envelope->body.data, envelope->body.size, &arena, &progress,
                         &fault);
        if (r)
                return r < 0 ? r : -EBADMSG;
        call = progress.id >= 0 && progress.id <= UINT32_MAX ? flight_find(&client->calls, (uint32_t)progress.id) : NULL;
        if (call) {
                call->progress = progress;
                call->told = true;
                if (call->progressed)
                        *call->progressed = true;
                (void)pthread_cond_broadcast(&client->changed);
        }
        return 0;
}

int calls_deliver(kd_client *client, const uint8_t *payload, size_t size, int descriptor)
{
        CLEANUP_FD int owned = descriptor;
        Envelope envelope;
        bool id_known;

        if (payload_check(payload, size) != PAYLOAD_OK || envelope_parse(payload, size, &envelope, &id_known))
                return -EBADMSG;
        if (envelope.type == 1)
                return deliver_answer(client, &envelope, &owned);
        if (envelope.type != 2 || owned >= 0)
                return -EBADMSG;
        return deliver_progress(client, &envelope);
}

/* Whether a call may go out once more. One of which not a byte was written has
 * had no effect, whatever its method. */
static bool call_may_repeat(const Call *call)
{
        const Calls *calls = &call->client->calls;
        bool unsent = call->list == &calls->waiting || call->begins >= call->client->connection.n_written;

        return !call->bound && !call->end && !call->abandoned && call->n_losses == 0 && (unsent || call->repeatable);
}

void calls_lost(kd_client *client, const kd_error *error)
{
        Calls *calls = &client->calls;
        CallList lost = { 0 };
        Call *call;

        while ((call = calls->waiting.last) || (call = calls->flight.last)) {
                bool repeat = call_may_repeat(call);

                call_unlist(call);
                ++call->n_losses;
                list_insert(&lost, call, lost.first);
                call->over = !repeat;
        }
        while ((call = lost.first)) {
                call_unlist(call);
                if (call->over)
                        call_finish_error(call, error);
                else
                        call_start(call);
        }
}

void calls_fail(kd_client *client, const kd_error *error)
{
        Call *call;

        while ((call = client->calls.waiting.first))
                call_finish_error(call, error);
}

void calls_forget(kd_client *client, bool torn)
{
        CallList *lists[] = { &client->calls.waiting, &client->calls.flight, &client->calls.over };
        Call *call;

        for (size_t i = 0; !torn && i < ARRAY_SIZE(lists); ++i)
                while ((call = lists[i]->first)) {
                        call_unlist(call);
                        call->code = -ECONNRESET;
                        if (call->end)
                                call->end(client, call);
                        if (call->end || call->abandoned || call->done)
                                (void)call_free(call);
                }
        client->calls = (Calls){ 0 };
}
