/* Sessions begin: hello, then the record of views, each with the daemon's
 * number that it had, before anything that waits. All of it is queued; nothing
 * is waited for. And sessions are lost. */
#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/failure.h"
#include "client/find.h"
#include "client/part.h"
#include "proto/base/alloc.h"

#define PROTOCOL 1

static int greet_other_protocol(kd_error *error, int64_t protocol)
{
        return failure_refuse(error, FAULT_PROTOCOL, "kernelsd speaks protocol %lld, this library protocol %d: install "
                                                     "the same version of both", (long long)protocol, PROTOCOL);
}

static int greet_read(kd_client *client, const Call *call, kd_error *error)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgHelloResult result;
        Fault fault = FAULT_NULL;
        Text daemon;
        int r;

        r = codec_decode(&schema_HelloResult, call->body, call->body_size, &arena, &result, &fault);
        if (r < 0)
                return failure_memory(error);
        if (r > 0)
                return failure_fault(error, &fault);
        if (result.protocol != PROTOCOL)
                return greet_other_protocol(error, result.protocol);
        if (client->daemon && text_equal(text_of(client->daemon), result.daemon))
                return 0;
        if (arena_copy(&client->texts, result.daemon, &daemon) < 0)
                return failure_memory(error);
        client->daemon = daemon.data;
        return 0;
}

static void greet_end(kd_client *client, Call *call)
{
        int r;

        if (call->code)
                r = failure_copy(&client->greeting_error, &call->error);
        else
                r = greet_read(client, call, &client->greeting_error);
        client->greeting = r ? GREETING_FAILED : GREETING_DONE;
        (void)pthread_cond_broadcast(&client->changed);
}

/* One part of one view, on its way. */
typedef struct Replay {
        uint32_t number;
        LocalSet locals;
} Replay;

static void replay_failed(kd_client *client, uint32_t number, const kd_error *error)
{
        for (ViewRecord *view = client->views; view; view = view->next) {
                if (view->number != number || view->lost)
                        continue;
                view->lost = alloc_bytes(sizeof(*view->lost));
                if (view->lost)
                        *view->lost = *error;
        }
}

static int replay_read(kd_client *client, const Call *call, const Replay *replay)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgViewResult result;
        Fault fault;
        int r;

        r = codec_decode(&schema_ViewResult, call->body, call->body_size, &arena, &result, &fault);
        if (r || !replay->locals.n || !result.first_local.present)
                return r;
        return local_numbers_add(&client->locals, result.first_local.value, &replay->locals);
}

static void replay_end(kd_client *client, Call *call)
{
        Replay *replay = call->context;

        if (call->code > 0)
                replay_failed(client, replay->number, &call->error);
        else if (!call->code && replay_read(client, call, replay)) {
                (void)failure_memory(&call->error);
                replay_failed(client, replay->number, &call->error);
        }
        local_set_deinit(&replay->locals);
        alloc_free(replay);
}

/* Queues one part: the first makes the view, unless hello has. */
static int replay_part(kd_client *client, const ViewRecord *view, Part *part, bool creates, Call *before,
                       kd_error *error)
{
        MsgViewCreate create = { .view = view->remote, .parent = view->on_host ? INTEGER_PRESENT(0) : INTEGER_ABSENT };
        CLEANUP_ALLOC Replay *replay = alloc_zeroed(1, sizeof(*replay));
        Call *call;
        int r;

        if (!replay)
                return failure_memory(error);
        part->message.view = view->remote;
        create.entries.items = part->message.entries.items;
        create.entries.n = part->message.entries.n;
        create.locals.items = part->message.locals.items;
        create.locals.n = part->message.locals.n;
        r = creates ? call_new(client, METHOD_VIEW_CREATE, &create, &call, error) :
                      call_new(client, METHOD_VIEW_EXTEND, &part->message, &call, error);
        if (r)
                return r;
        replay->number = view->number;
        replay->locals = part->locals;
        part->locals = LOCAL_SET_NULL;
        call->end = replay_end;
        call->context = STEAL(replay);
        call_start_before(call, before);
        return 0;
}

static int replay_view(kd_client *client, ViewRecord *view, Call *before, kd_error *error)
{
        bool creates = view->remote != KD_VIEW_SESSION, first = true;
        size_t at = 0, n;
        int r;

        alloc_free(STEAL(view->lost));
        if (!creates && view->on_host && !view->own.n)
                return 0;
        for (; first || at < view->own.n_slots; first = false, at += n) {
                CLEANUP(part_deinit) Part part = PART_NULL;

                r = part_fill(&part, view->own.slots + at, view->own.n_slots - at, &n);
                if (r < 0)
                        return failure_memory(error);
                part.message.inherit = !first || view->on_host;
                if (!first && !part.message.entries.n)
                        continue;
                r = replay_part(client, view, &part, creates && first, before, error);
                if (r)
                        return r;
        }
        return 0;
}

/* hello makes view 1; if its number is no longer that of a view, it goes. */
static int replay_drop_first(kd_client *client, Call *before, kd_error *error)
{
        MsgViewDrop message = { .view = KD_VIEW_SESSION };
        Replay *replay;
        Call *call;
        int r;

        for (const ViewRecord *view = client->views; view; view = view->next)
                if (view->remote == KD_VIEW_SESSION)
                        return 0;
        replay = alloc_zeroed(1, sizeof(*replay));
        if (!replay)
                return failure_memory(error);
        r = call_new(client, METHOD_VIEW_DROP, &message, &call, error);
        if (r) {
                alloc_free(replay);
                return r;
        }
        call->end = replay_end;
        call->context = replay;
        call_start_before(call, before);
        return 0;
}

static int session_hello(kd_client *client, Call *before, kd_error *error)
{
        MsgHello message = {
                .protocol = PROTOCOL,
                .client = text_of(client->program),
                .environment = &client->environment.message,
                .native = client->native,
                .job = text_of(client->job),
                .offline = client->offline,
        };
        Call *call;
        int r;

        r = call_new(client, METHOD_HELLO, &message, &call, error);
        if (r)
                return r;
        call->end = greet_end;
        call_start_before(call, before);
        return 0;
}

static int session_replay(kd_client *client, Call *before, kd_error *error)
{
        int r;

        r = session_hello(client, before, error);
        if (!r)
                r = replay_drop_first(client, before, error);
        for (ViewRecord *view = client->views; !r && view; view = view->next)
                r = replay_view(client, view, before, error);
        return r;
}

/* What was queued for a session that cannot begin. */
static void session_unqueue(kd_client *client, const Call *before, const kd_error *error)
{
        Call *call;

        while ((call = client->calls.waiting.first) != before) {
                call_unlist(call);
                call->code = failure_copy(&call->error, error);
                call->end(client, call);
                (void)call_free(call);
        }
}

int session_begin(kd_client *client, int wait_ms, kd_error *error)
{
        FindPlaces places = find_places(client->named);
        Call *before = client->calls.waiting.first;
        kd_error kept;
        int fd, r;

        r = find_connect(&places, wait_ms, &fd, &kept);
        if (!r) {
                r = connection_open(&client->connection, fd);
                if (r < 0)
                        (void)failure_set(&kept, r, "the new connection failed: %s", strerrordesc_np(-r));
        }
        if (r)
                return failure_copy(error, &kept);
        ++client->epoch;
        client->greeting = GREETING_SENT;
        local_numbers_clear(&client->locals);
        r = session_replay(client, before, &kept);
        if (!r)
                return 0;
        session_unqueue(client, before, &kept);
        connection_close(&client->connection);
        client->greeting = GREETING_FAILED;
        client->greeting_error = kept;
        return failure_copy(error, &kept);
}

static void session_lost_error(int reason, kd_error *error)
{
        if (reason == -EBADMSG)
                (void)failure_unreachable(error, -EBADMSG, "what answers on the socket does not speak kernelsd's "
                                                           "protocol: the connection was ended");
        else if (reason == -ENOMEM)
                (void)failure_memory(error);
        else
                (void)failure_unreachable(error, -ECONNRESET, "kernelsd ended the connection before it answered; what "
                                                              "was asked for may have been done or not: try again");
}

void session_lost(kd_client *client, int reason)
{
        kd_error error;

        session_lost_error(reason, &error);
        client->broken = true;
        client->greeting = GREETING_NONE;
        connection_shut(&client->connection); /* wakes who polls it: the leader, a loop of the program's */
        calls_lost(client, &error);
        if (!client->leading) {
                connection_close(&client->connection);
                client->broken = false;
        }
        (void)pthread_cond_broadcast(&client->changed);
}
