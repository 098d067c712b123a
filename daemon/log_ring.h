/* The last messages and traces of errors, of every level, kept in memory and
 * printed when the process aborts: what led there, without a debug log. */
#pragma once

/* Under the log's lock. Long messages are cut. */
void log_ring_add(const char *level, const char *message);

/* Prints to a descriptor with nothing but write(2). */
void log_ring_print(int fd);

/* Prints on SIGABRT and memory faults, where nobody else handles them. */
void log_ring_install(void);
