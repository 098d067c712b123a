#include <inttypes.h>
#include <time.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "daemon/hub.h"
#include "kernels/explain.h"
#include "kernels/resolve.h"
#include "proto/base/error.h"
#include "proto/pack.h"
#include "proto/resolve_cursor.h"

/* Who asks: 0 with the asker, or 1. */
int request_asker(Daemon *daemon, Holdings *holdings, int64_t view, Asker *ret_asker, Fault *fault)
{
        HeldView *held = NULL;

        if (view != 0) {
                held = holdings_view(holdings, view);
                if (!held)
                        return fault_set(fault, FAULT_BAD_REQUEST, "there is no view %" PRId64 " in this session", view);
        }
        *ret_asker = (Asker){
                .host = daemon->mapping,
                .view = held ? held->view : NULL,
                .environment = holdings->environment,
                .memo = &holdings->memo,
                .catalog = daemon->hub->catalog,
                .policy = daemon->config->policy,
                .memory = holdings->memory,
                .offline = holdings->offline || hub_is_offline(daemon->hub),
                .now_s = hub_now_s(),
        };
        return 0;
}

/* The frame of an answer: {generation, answers: [n …]}. */
static int answers_begin(Buffer *buffer, uint32_t id, const Asker *asker, size_t n)
{
        int r;

        r = envelope_write_answer(buffer, id);
        if (r == 0)
                r = pack_map(buffer, 2);
        if (r == 0)
                r = pack_string(buffer, TEXT("generation"));
        if (r == 0)
                r = pack_integer(buffer, (int64_t)asker_generation(asker));
        if (r == 0)
                r = pack_string(buffer, TEXT("answers"));
        return r == 0 ? pack_list(buffer, n) : r;
}

/* How many of the answers would fit; the frame has been begun. */
static size_t answers_that_fit(const Asker *asker, const MsgQuery *queries, size_t n, Session *session, size_t start,
                               Buffer *buffer)
{
        size_t fit;

        for (fit = 0; fit < n; fit++)
                if (resolve_encode(asker, &queries[fit], 1, buffer) < 0 ||
                    session_frame_size(session, start) > LIMIT_MESSAGE_OUT)
                        break;
        return fit;
}

static int answer_how_many_fit(const Asker *asker, const MsgResolve *resolve, Session *session, uint32_t id,
                               size_t start, Buffer *buffer)
{
        Fault fault;
        size_t fit;

        session_frame_restart(session, start);
        fit = answers_that_fit(asker, resolve->queries.items, resolve->queries.n, session, start, buffer);
        session_frame_drop(session, start);
        (void)fault_set(&fault, FAULT_TOO_LARGE,
                        "the answers would pass the limit of %u bytes; the first %zu queries fit: ask for fewer at a time",
                        LIMIT_MESSAGE_OUT, fit);
        return answer_fault(session, id, &fault);
}

static int answer_queries(const Asker *asker, const MsgResolve *resolve, Session *session, uint32_t id)
{
        Buffer *buffer;
        size_t start;
        int r;

        buffer = session_frame_begin(session, &start);
        if (!buffer)
                return error_trace(-ENOMEM);
        r = answers_begin(buffer, id, asker, resolve->queries.n);
        if (r == 0)
                r = resolve_encode(asker, resolve->queries.items, resolve->queries.n, buffer);
        if (r < 0) {
                session_frame_drop(session, start);
                return error_trace(r);
        }
        if (session_frame_size(session, start) > LIMIT_MESSAGE_OUT)
                return answer_how_many_fit(asker, resolve, session, id, start, buffer);
        session_frame_end(session, start, -1);
        return 0;
}

int handle_resolve_quickly(Daemon *daemon, Session *session, uint32_t id, Text body)
{
        MsgResolve resolve;
        Asker asker;
        Fault fault;

        if (!body.data || resolve_cursor_read((const uint8_t *)body.data, body.size, daemon->queries, LIMIT_QUERIES,
                                              &resolve) != 0)
                return 1;
        if (!resolve.queries.n || request_asker(daemon, session->holdings, resolve.view, &asker, &fault) != 0)
                return 1;
        return answer_queries(&asker, &resolve, session, id);
}

int handle_resolve(Request *request)
{
        const MsgResolve *resolve = request->params;
        Asker asker;
        int r;

        if (resolve->queries.n < 1 || resolve->queries.n > LIMIT_QUERIES)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "queries: 1 to %d of them, not %zu", LIMIT_QUERIES,
                                 resolve->queries.n);
        r = request_asker(request->daemon, request->holdings, resolve->view, &asker, &request->fault);
        if (r != 0)
                return r;
        asker.fresh = resolve->fresh;
        r = answer_queries(&asker, resolve, request->session, request->id);
        return r < 0 ? r : REQUEST_LATER;
}

int handle_explain(Request *request)
{
        const MsgExplain *question = request->params;
        struct timespec now; /* on the clock that the mapping's files were read by */
        Asker asker;
        int r;

        r = request_asker(request->daemon, request->holdings, question->view, &asker, &request->fault);
        if (r != 0)
                return r;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return explain(&asker, question->query, now.tv_sec, request->arena, request->result);
}
