/* The rules that a row of `report` keeps; the client leaves out what breaks them,
 * the daemon refuses it. */
#pragma once

#include "proto/fault.h"
#include "proto/schema.h"

/* 0 and the row with its mode in the canonical spelling, so that the same is the
 * same (its texts are those of `used`, the mode's is constant), or an answer with
 * the fault: FAULT_INVALID_NAME, FAULT_INVALID_MODE, FAULT_INVALID_DEVICE,
 * FAULT_BAD_REQUEST. */
int used_check(const MsgUsed *used, MsgUsed *ret_used, Fault *fault);
