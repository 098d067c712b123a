/* What is known at the start: what was noted before, and what the cache holds,
 * which the file thread looks through. */
#pragma once

#include "daemon/hub.h"

/* The facts become the scan's. Afterwards hub->ready is set and the daemon told. -ENOMEM. */
int hub_scan_begin(Hub *hub, Facts *facts);

/* NULL is allowed. */
void hub_scan_cancel(HubScan *scan);
