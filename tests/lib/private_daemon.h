/* A real kernelsd with a temporary folder of its own: configuration in
 * FOLDER/config, socket FOLDER/socket. It ends with the process that started
 * it, whatever way that ends. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

typedef struct PrivateDaemon {
        pid_t pid;
        char folder[64];
        char socket[96];
} PrivateDaemon;

#define PRIVATE_DAEMON_NULL ((PrivateDaemon){ 0 })

/* The kernelsd of the build folder that this program lies in, `up` folders
 * above it. 0 or a negative errno. */
int private_daemon_program(int up, char *path, size_t size);

/* Makes the folder, so that mapping files can be put into it before the start. */
int private_daemon_prepare(PrivateDaemon *made);

/* Starts it and waits until it accepts connections, on one processor only
 * where cpu is not negative. `arguments` (may be NULL) is ended by NULL. */
int private_daemon_start(PrivateDaemon *made, const char *program, int cpu, const char *const *arguments);

/* SIGTERM, waits, removes the folder. The exit status as waitpid says it; 0 if
 * it was never started. */
int private_daemon_stop(PrivateDaemon *made);
