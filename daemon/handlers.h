/* The handlers of all methods, one file for each area. */
#pragma once

#include "daemon/dispatch.h"
#include "daemon/holdings.h"
#include "kernels/target.h"
#include "kernels/resolve.h"

/* handle_hello.c */
int handle_hello(Request *request);
int handle_environment_set(Request *request);

/* handle_view.c */
int handle_view_create(Request *request);
int handle_view_extend(Request *request);
int handle_view_drop(Request *request);

/* handle_resolve.c */
int handle_resolve(Request *request);
int handle_explain(Request *request);

/* Who asks, in the session's view of that number: 0, or 1 with a fault. */
int request_asker(Daemon *daemon, Holdings *holdings, int64_t view, Asker *ret_asker, Fault *fault);

/* The hot way, before anything is allocated: 0: answered; 1: ask the ordinary
 * way, which knows what is unusual; negative. */
int handle_resolve_quickly(Daemon *daemon, Session *session, uint32_t id, Text body);

/* handle_acquire.c */
int handle_acquire(Request *request);

/* What requests that wait have in common: each 0, or 1 with a fault. The charge
 * is for one that waits. */
int request_wait(const Request *request, Charge *charge, Fault *fault);
int request_deadline(OptionalInteger asked, uint64_t *ret_deadline_ms, Fault *fault);

/* With the commit that is pinned for it, if one is. Borrowed from the parameters and the mapping. */
int request_reference(const Request *request, Text repo, OptionalInteger version, Text revision, Reference *ret_reference,
                      Fault *fault);

/* What a kernel is wanted for: the session's environment, on the device that is named,
 * else on that of its backend, else on cpu. 0; 1 with a fault; -ENOMEM. */
int request_target(const Holdings *holdings, Text device, OptionalInteger capability, Text arch, Target **ret_target,
                   Fault *fault);

/* The device type of the session's backend; cpu where it has none. */
Text request_device(const Holdings *holdings);
int handle_release(Request *request);
int handle_cancel(Request *request);

/* handle_state.c */
int handle_mapping_store(Request *request);
int handle_mapping_remove(Request *request);
int handle_mapping_load(Request *request);
int handle_mapping_dump(Request *request);
int handle_pin_set(Request *request);
int handle_pin_drop(Request *request);
int handle_pin_list(Request *request);

/* handle_hub.c, handle_prefetch.c, handle_cache.c, handle_environment.c, handle_history.c */
int handle_versions(Request *request);
int handle_variants(Request *request);
int handle_refresh(Request *request);
int handle_prefetch(Request *request);
int handle_environment_list(Request *request);
int handle_cache_list(Request *request);
int handle_cache_verify(Request *request);

/* handle_history.c */
int handle_history(Request *request);

/* handle_environment.c */
int handle_environment_add(Request *request);

/* handle_report.c */
int handle_report(Request *request);

/* handle_status.c */
int handle_status(Request *request);
int handle_clients(Request *request);
int handle_mapping_list(Request *request);
