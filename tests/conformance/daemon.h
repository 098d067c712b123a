/* The one daemon that resolve cases ask: started by the first of them, from the
 * build folder that this program lies in, with an empty mapping and a socket of
 * its own in a temporary folder. */
#pragma once

#include "client/kernelsd.h"

/* The connection; NULL with a reason on stderr, once, if there is none. */
kd_client *daemon_client(void);

/* Stops the daemon and removes its folder; says so if it did not end well.
 * Nothing if none was started. Returns 0 if all was well. */
int daemon_stop(void);
