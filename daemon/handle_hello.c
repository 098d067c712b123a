#include <inttypes.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "daemon/hub.h"
#include "daemon/log.h"
#include "kernels/host_mapping.h"

#define PROTOCOL 1

int handle_hello(Request *request)
{
        const MsgHello *hello = request->params;
        MsgHelloResult *result = request->result;
        Session *session = request->session;
        Daemon *daemon = request->daemon;
        int r;

        if (hello->protocol != PROTOCOL)
                return fault_set(&request->fault, FAULT_PROTOCOL,
                                 "this daemon (kernelsd " KERNELSD_VERSION ") speaks protocol %d, the client %" PRId64 ": "
                                 "install the same version of both", PROTOCOL, hello->protocol);
        r = holdings_new(hello, &session->holdings, &request->fault);
        if (r != 0)
                return r;
        session->holdings->offline = hello->offline;
        r = hub_memory(daemon->hub, session->charge.account, hello->job, &session->holdings->memory);
        if (r < 0)
                return r;
        session_greeted(session);
        log_debug(SESSION, &((LogFields){ .session = session->number, .uid = session->identity.uid,
                                          .pid = session->identity.pid, .peer = true }),
                  "session %u begins: %s", session->number, session->holdings->client);
        *result = (MsgHelloResult){
                .protocol = PROTOCOL,
                .daemon = TEXT("kernelsd " KERNELSD_VERSION),
                .uid = (int64_t)geteuid(),
                .instance = text_of(daemon->instance),
                .session = session->number,
                .generation = (int64_t)(daemon->mapping->generation + catalog_generation(daemon->hub->catalog)),
        };
        return REQUEST_DONE;
}

int handle_environment_set(Request *request)
{
        const MsgEnvironmentSet *set = request->params;

        return holdings_set_environment(request->holdings, set->environment, set->native, &request->fault);
}
