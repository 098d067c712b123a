/* The request cache.verify: hashes the files of kernels anew, one after the
 * other, in the file thread. */
#pragma once

#include "daemon/dispatch.h"
#include "kernels/known.h"

typedef struct Hub Hub;
typedef struct HubVerify HubVerify;

/* 0; 1 with a fault; -ENOMEM. */
int hub_verify_new(const Request *request, OptionalInteger deadline_ms, HubVerify **ret_verify, Fault *fault);
HubVerify *hub_verify_free(HubVerify *verify);
DEFINE_CLEANUP(HubVerify *, hub_verify_free)

/* One more kernel. 0, -ENOMEM. */
int hub_verify_add(HubVerify *verify, const Known *known, const RepositoryVariant *variant);

/* There are more, from this number on. */
void hub_verify_set_next(HubVerify *verify, int64_t next);

/* Takes it over. The request will be answered. */
void hub_verify_run(HubVerify *verify);

bool hub_verify_is_in_flight(const Hub *hub, const Session *session, uint32_t id);
void hub_verify_cancel(Hub *hub, const Session *session, int64_t id);
void hub_verify_forget_session(Hub *hub, const Session *session);
void hub_verify_tick(Hub *hub, uint64_t now_ms);
