/* round-trips SOCKET LAYER CPU [N]: asks for a layer over and over, on one
 * processor, and prints p50 and p99 in microseconds. It says "ready", and ends
 * after N calls, or with its standard input. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/sample.h"
#include "tests/bench/session.h"

#define BLOCK 256                 /* calls between two looks at the input */
#define CALLS_MAX (4u * 1024 * 1024)

static bool input_is_over(void)
{
        struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

        return poll(&input, 1, 0) != 0;
}

/* How many calls were timed. */
static size_t time_calls(int fd, const Buffer *request, size_t answer_size, size_t n, double *samples)
{
        for (size_t i = 0; i < CALLS_MAX; i++) {
                uint64_t start;

                if (n ? i == n : i && i % BLOCK == 0 && input_is_over())
                        return i;
                start = now_ns();
                session_send(fd, request->data, request->size);
                session_drain(fd, answer_size);
                samples[i] = (double)(now_ns() - start) / 1000;
        }
        return CALLS_MAX;
}

static void measure(const char *socket, const char *layer, size_t n)
{
        MsgQuery query = { .layer = text_of(layer), .device = TEXT("cpu"), .mode = TEXT("inference") };
        MsgResolve message = { .view = 1, .queries = { &query, 1 } };
        CLEANUP_BUFFER Buffer request = BUFFER_NULL;
        double *samples = calloc(CALLS_MAX, sizeof(*samples));
        CLEANUP_FD int fd = session_open(socket);
        size_t size;

        if (!samples)
                bench_die("out of memory");
        session_frame(&request, 7, "resolve", &schema_Resolve, &message);
        size = session_call(fd, &request, "resolve");
        puts("ready");
        fflush(stdout);
        n = time_calls(fd, &request, size, n, samples);
        printf("%.3f %.3f\n", percentile(samples, n, 0.5), percentile(samples, n, 0.99));
        free(samples);
}

int main(int argc, char **argv)
{
        if (argc < 4) {
                fprintf(stderr, "usage: %s SOCKET LAYER CPU [N]\n", argv[0]);
                return 2;
        }
        pin_to(atoi(argv[3]));
        measure(argv[1], argv[2], argc > 4 ? strtoull(argv[4], NULL, 10) : 0);
        return EXIT_SUCCESS;
}
