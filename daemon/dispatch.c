#include "daemon/dispatch.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "daemon/acquire.h"
#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/hub_task.h"
#include "daemon/hub_verify.h"
#include "daemon/log.h"
#include "daemon/state.h"
#include "proto/base/error.h"
#include "proto/codec.h"
#include "proto/payload.h"

static const RequestHandler handlers[] = {
        [METHOD_HELLO] = handle_hello,
        [METHOD_ENVIRONMENT_SET] = handle_environment_set,
        [METHOD_VIEW_CREATE] = handle_view_create,
        [METHOD_VIEW_EXTEND] = handle_view_extend,
        [METHOD_VIEW_DROP] = handle_view_drop,
        [METHOD_RESOLVE] = handle_resolve,
        [METHOD_EXPLAIN] = handle_explain,
        [METHOD_ACQUIRE] = handle_acquire,
        [METHOD_RELEASE] = handle_release,
        [METHOD_REPORT] = handle_report,
        [METHOD_CANCEL] = handle_cancel,
        [METHOD_STATUS] = handle_status,
        [METHOD_CLIENTS] = handle_clients,
        [METHOD_MAPPING_LIST] = handle_mapping_list,
        [METHOD_MAPPING_STORE] = handle_mapping_store,
        [METHOD_MAPPING_REMOVE] = handle_mapping_remove,
        [METHOD_MAPPING_LOAD] = handle_mapping_load,
        [METHOD_MAPPING_DUMP] = handle_mapping_dump,
        [METHOD_PIN_SET] = handle_pin_set,
        [METHOD_PIN_DROP] = handle_pin_drop,
        [METHOD_PIN_LIST] = handle_pin_list,
        [METHOD_VERSIONS] = handle_versions,
        [METHOD_VARIANTS] = handle_variants,
        [METHOD_HISTORY] = handle_history,
        [METHOD_REFRESH] = handle_refresh,
        [METHOD_PREFETCH] = handle_prefetch,
        [METHOD_ENVIRONMENT_LIST] = handle_environment_list,
        [METHOD_ENVIRONMENT_ADD] = handle_environment_add,
        [METHOD_CACHE_LIST] = handle_cache_list,
        [METHOD_CACHE_VERIFY] = handle_cache_verify,
};
_Static_assert(ARRAY_SIZE(handlers) == _METHOD_MAX, "every method has a handler");

/* --- answers --- */

int answer_fault(Session *session, uint32_t id, const Fault *fault)
{
        Buffer *buffer;
        size_t start;
        int r;

        buffer = session_frame_begin(session, &start);
        r = buffer ? envelope_write_error(buffer, id, fault) : -ENOMEM;
        if (r < 0) {
                session_frame_drop(session, start);
                session_close(session);
                return error_trace(r);
        }
        session_frame_end(session, start, -1);
        return 0;
}

/* Replaces an answer that is over the limit. */
static int answer_too_large(Session *session, uint32_t id, size_t start, size_t size)
{
        Fault fault;
        int r;

        session_frame_drop(session, start);
        (void)fault_set(&fault, FAULT_TOO_LARGE, "the answer would have %zu bytes, over the limit of %u: ask for less",
                        size, LIMIT_MESSAGE_OUT);
        r = answer_fault(session, id, &fault);
        return r < 0 ? r : 1;
}

/* Replaces an answer that cannot be written: a fault of ours, but in this one result. */
static int answer_incomplete(Session *session, uint32_t id, MethodNumber method, size_t start, const char *missing)
{
        LogFields fields = LOG_FIELDS_NULL;
        Fault fault;
        int r;

        session_frame_drop(session, start);
        fields.session = session->number;
        fields.uid = session->identity.uid;
        fields.pid = session->identity.pid;
        fields.error = EINVAL;
        fields.peer = true;
        log_error(FAILURE, &fields, "cannot answer %s of process %d of uid %u: the result has no %s, which must be there",
                  method_table[method].name, session->identity.pid, session->identity.uid, missing);
        (void)fault_set(&fault, FAULT_INTERNAL, "the daemon could not write the answer; its log says why");
        r = answer_fault(session, id, &fault);
        return r < 0 ? r : 1;
}

int answer_result(Session *session, uint32_t id, MethodNumber method, const void *result, int fd)
{
        CLEANUP_FD int owned = fd;
        const char *missing = NULL;
        Buffer *buffer;
        size_t start, size;
        int r;

        buffer = session_frame_begin(session, &start);
        r = buffer ? envelope_write_answer(buffer, id) : -ENOMEM;
        if (r == 0)
                r = codec_encode_naming(method_table[method].result, result, false, buffer, &missing);
        if (missing)
                return answer_incomplete(session, id, method, start, missing);
        if (r < 0) {
                session_frame_drop(session, start);
                session_close(session);
                return error_trace(r);
        }
        size = session_frame_size(session, start);
        if (size > LIMIT_MESSAGE_OUT)
                return answer_too_large(session, id, start, size);
        session_frame_end(session, start, STEAL_FD(owned));
        return 0;
}

/* --- requests --- */

/* What stands before a method, from the outside in. */
static int request_admit(const Session *session, MethodNumber method, Text name, Fault *fault)
{
        if (method == _METHOD_MAX)
                return fault_set(fault, FAULT_UNKNOWN_METHOD, "no method is called %.*s: is the daemon older than the client?",
                                 (int)(name.size < 64 ? name.size : 64), name.data);
        if (!session->holdings && method != METHOD_HELLO)
                return fault_set(fault, FAULT_PROTOCOL, "the first request must be hello");
        if (session->holdings && method == METHOD_HELLO)
                return fault_set(fault, FAULT_PROTOCOL, "this session has said hello already");
        if (method_table[method].needs == METHOD_ADMIN && !session->admin)
                return fault_set(fault, FAULT_DENIED,
                                 "this socket does not offer %s to anybody: ask on the administrators' socket",
                                 method_table[method].name);
        return 0;
}

static int request_run(Request *request)
{
        const Method *method = &method_table[request->method];
        void *params, *result;
        int r;

        params = arena_zeroed(request->arena, 1, method->params->size ? method->params->size : 1);
        result = arena_zeroed(request->arena, 1, method->result->size ? method->result->size : 1);
        if (!params || !result)
                return error_trace(-ENOMEM);
        if (!request->body.data)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "the params of %s must be a map", method->name);
        r = codec_decode(method->params, (const uint8_t *)request->body.data, request->body.size, request->arena, params,
                         &request->fault);
        if (r != 0)
                return r;
        request->params = params;
        request->result = result;
        return handlers[request->method](request);
}

/* Runs a request that nothing quicker has answered. */
static int dispatch_request(Daemon *daemon, Session *session, MethodNumber method, const Envelope *envelope)
{
        Request request = {
                .daemon = daemon,
                .session = session,
                .holdings = session->holdings,
                .method = method,
                .id = envelope->id,
                .body = envelope->body,
                .arena = &daemon->arena,
        };
        int r;

        r = request_admit(session, method, envelope->method, &request.fault);
        if (r == 0)
                r = request_run(&request);
        if (r == REQUEST_DONE)
                r = answer_result(session, request.id, method, request.result, -1);
        else if (r == REQUEST_FAULT)
                r = answer_fault(session, request.id, &request.fault);
        arena_reset(&daemon->arena);
        return r == REQUEST_LATER ? 0 : r;
}

/* Out of memory is ours, but one asker's request is not worth the daemon. */
static FrameVerdict dispatch_failed(Session *session, uint32_t id, int r)
{
        LogFields fields = LOG_FIELDS_NULL;
        Fault fault;

        fields.session = session->number;
        fields.uid = session->identity.uid;
        fields.pid = session->identity.pid;
        fields.error = -r;
        fields.peer = true;
        log_error(FAILURE, &fields, "cannot handle a request of process %d of uid %u: %s", session->identity.pid,
                  session->identity.uid, strerrordesc_np(-r));
        (void)fault_set(&fault, FAULT_INTERNAL, "the daemon could not handle the request; its log says why");
        return answer_fault(session, id, &fault) < 0 ? FRAME_FAILED : FRAME_HANDLED;
}

static FrameVerdict dispatch_malformed(Session *session, uint32_t id)
{
        Fault fault;

        (void)fault_set(&fault, FAULT_BAD_REQUEST, "a request is [0, id, method, params]");
        return answer_fault(session, id, &fault) < 0 ? FRAME_FAILED : FRAME_HANDLED;
}

FrameVerdict dispatch_frame(void *data, Session *session, Text payload, const char **ret_reason)
{
        Daemon *daemon = data;
        const uint8_t *bytes = (const uint8_t *)payload.data;
        PayloadAnswer checked;
        Envelope envelope;
        MethodNumber method;
        bool id_known = false;
        int r;

        checked = payload_check(bytes, payload.size);
        if (checked != PAYLOAD_OK) {
                *ret_reason = payload_explain(checked);
                return FRAME_FAULT;
        }
        r = envelope_parse(bytes, payload.size, &envelope, &id_known);
        if ((r != 0 && !id_known) || envelope.type != 0) {
                *ret_reason = "a message that is no request";
                return FRAME_FAULT;
        }
        if (session->n_in_flight && (acquire_is_in_flight(session, envelope.id) ||
                                     hub_task_is_in_flight(daemon->hub, session, envelope.id) ||
                                     hub_verify_is_in_flight(daemon->hub, session, envelope.id) ||
                                     state_is_in_flight(daemon->state, session, envelope.id))) {
                *ret_reason = "a request with the number of one in flight";
                return FRAME_FAULT;
        }
        if (r != 0)
                return dispatch_malformed(session, envelope.id);
        method = method_find(envelope.method);
        r = 1;
        if (method == METHOD_RESOLVE && session->holdings)
                r = handle_resolve_quickly(daemon, session, envelope.id, envelope.body);
        if (r == 0)
                return FRAME_HANDLED;
        if (r == 1)
                r = dispatch_request(daemon, session, method, &envelope);
        return r < 0 && !session->closing ? dispatch_failed(session, envelope.id, r) : FRAME_WORKED;
}
