#include "daemon/log_ring.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

#define RING_LINES 128 /* guess: the way through a dozen requests */
#define RING_LINE_SIZE 200

static char ring_lines[RING_LINES][RING_LINE_SIZE];
static volatile size_t ring_n; /* ever added */

void log_ring_add(const char *level, const char *message)
{
        char *line = ring_lines[ring_n % RING_LINES];

        (void)snprintf(line, RING_LINE_SIZE, "%s: %s", level, message);
        ring_n++;
}

static void write_text(int fd, const char *text)
{
        ssize_t n = write(fd, text, strlen(text));

        (void)n; /* the process is about to die: nothing to be done */
}

void log_ring_print(int fd)
{
        size_t n = ring_n;
        size_t first = n > RING_LINES ? n - RING_LINES : 0;

        write_text(fd, "kernelsd: what came before:\n");
        for (size_t i = first; i < n; i++) {
                write_text(fd, "  ");
                write_text(fd, ring_lines[i % RING_LINES]);
                write_text(fd, "\n");
        }
}

/* SA_RESETHAND: the signal, raised again, ends the process with a core. */
static void ring_on_signal(int signal_number)
{
        log_ring_print(STDERR_FILENO);
        (void)raise(signal_number);
}

void log_ring_install(void)
{
        static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
        struct sigaction action = { .sa_handler = ring_on_signal, .sa_flags = (int)SA_RESETHAND };
        struct sigaction present;

        /* A sanitizer reports these itself: leave it its handler. */
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                if (sigaction(signals[i], NULL, &present) == 0 && present.sa_handler == SIG_DFL)
                        (void)sigaction(signals[i], &action, NULL);
}
