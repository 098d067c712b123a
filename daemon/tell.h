/* Telling a session how far something is that it waits for. */
#pragma once

#include "daemon/session.h"
#include "kernels/step.h"

/* Sends a progress notification for the request, unless that was told already
 * (*told, which is brought up to date) or the session has unsent bytes: a later one will do. */
void tell_progress(Session *session, uint32_t id, const Progress *progress, Progress *told);
