/* `resolve` over the socket beside a bare echo of the same bytes, all on one
 * processor: across two the wake-up of the hypervisor hides everything. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/arena.h"
#include "proto/frame.h"
#include "tests/bench/figures.h"
#include "tests/bench/mapping.h"
#include "tests/bench/sample.h"
#include "tests/bench/session.h"

#define LAYERS 1000
#define CALLS 20000       /* round trips of a run */
#define BLOCK 200         /* so many to the one, then to the other */
#define WINDOW 64         /* single requests in flight */
#define WINDOWS 6000      /* of a run */
#define BATCH 400         /* queries in one request */
#define BATCHES 4000      /* of a run */
#define N_BATCHES 25      /* different ones */
#define SMALL 4096        /* holds any single answer */

/* Requests, each with the answer that the daemon gave to it. */
typedef struct Exchange {
        Buffer request;
        Buffer answer;
} Exchange;

typedef struct Resolve {
        int fd;
        pid_t pid;
        Exchange single[LAYERS];
        Exchange batch[N_BATCHES];
        Buffer window[LAYERS / WINDOW]; /* WINDOW requests one behind the other */
        size_t window_answer[LAYERS / WINDOW]; /* bytes of all their answers */
} Resolve;

static uint8_t large[FRAME_HEADER_SIZE + LIMIT_MESSAGE_OUT];

/* Every answer is looked at once, before anything is timed. */
static void check_answers(const uint8_t *bytes, size_t size, size_t n_queries)
{
        Text body = session_check(bytes, size, "resolve");
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgResolveResult result;
        Fault fault = FAULT_NULL;

        if (codec_decode(&schema_ResolveResult, (const uint8_t *)body.data, body.size, &arena, &result, &fault) != 0)
                bench_die("resolve: %s", fault.message);
        if (result.answers.n != n_queries)
                bench_die("resolve: %zu answers to %zu queries", result.answers.n, n_queries);
        for (size_t i = 0; i < n_queries; i++)
                if (result.answers.items[i].name.data)
                        bench_die("resolve: %.*s", TEXT_PRINT(result.answers.items[i].message));
}

/* A request for n layers, beginning with that of a number, in an order that
 * jumps about. */
static void exchange_make(Exchange *exchange, int fd, uint32_t id, size_t first, size_t n)
{
        static char names[BATCH][LAYER_NAME_MAX];
        static MsgQuery queries[BATCH];
        MsgResolve message = { .view = 1 };
        size_t size;

        for (size_t i = 0; i < n; i++) {
                mapping_layer_name((first + i) * 617 % LAYERS, names[i]);
                queries[i] = (MsgQuery){ .layer = text_of(names[i]), .device = TEXT("cuda"),
                                         .capability = INTEGER_PRESENT(90), .mode = TEXT("inference") };
        }
        message.queries.items = queries;
        message.queries.n = n;
        session_frame(&exchange->request, id, "resolve", &schema_Resolve, &message);
        session_send(fd, exchange->request.data, exchange->request.size);
        size = session_receive(fd, large, sizeof(large));
        check_answers(large, size, n);
        if (buffer_append(&exchange->answer, large, size) < 0)
                bench_die("out of memory");
}

static Resolve *resolve_new(const PrivateDaemon *thousand)
{
        Resolve *resolve = calloc(1, sizeof(*resolve));

        if (!resolve)
                bench_die("out of memory");
        resolve->fd = session_open(thousand->socket);
        resolve->pid = thousand->pid;
        for (uint32_t i = 0; i < LAYERS; i++)
                exchange_make(&resolve->single[i], resolve->fd, i + 1, i, 1);
        for (uint32_t i = 0; i < N_BATCHES; i++)
                exchange_make(&resolve->batch[i], resolve->fd, i + 1, i * 40, BATCH);
        for (size_t i = 0; i < LAYERS / WINDOW; i++)
                for (size_t j = i * WINDOW; j < (i + 1) * WINDOW; j++) {
                        if (buffer_append(&resolve->window[i], resolve->single[j].request.data,
                                          resolve->single[j].request.size) < 0)
                                bench_die("out of memory");
                        resolve->window_answer[i] += resolve->single[j].answer.size;
                }
        return resolve;
}

static void resolve_free(Resolve *resolve)
{
        for (size_t i = 0; i < LAYERS; i++) {
                buffer_deinit(&resolve->single[i].request);
                buffer_deinit(&resolve->single[i].answer);
        }
        for (size_t i = 0; i < N_BATCHES; i++) {
                buffer_deinit(&resolve->batch[i].request);
                buffer_deinit(&resolve->batch[i].answer);
        }
        for (size_t i = 0; i < LAYERS / WINDOW; i++)
                buffer_deinit(&resolve->window[i]);
        (void)close(resolve->fd);
        free(resolve);
}

/* What a server cannot do without: wait, read, write. It answers request k with
 * the bytes that the daemon answered it with. Never returns. */
static void echo_serve(int fd, const Resolve *resolve)
{
        struct epoll_event event = { .events = EPOLLIN };
        int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        uint8_t buffer[SMALL];

        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                _exit(1);
        for (size_t k = 0;; k = (k + 1) % LAYERS) {
                const Buffer *answer = &resolve->single[k].answer;

                if (epoll_wait(epoll_fd, &event, 1, -1) < 0 || recv(fd, buffer, sizeof(buffer), 0) <= 0 ||
                    send(fd, answer->data, answer->size, MSG_NOSIGNAL) < 0)
                        _exit(0);
        }
}

static pid_t echo_start(const Resolve *resolve, int *ret_fd)
{
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || (pid = fork()) < 0)
                bench_die("cannot start the echo: %s", strerror(errno));
        if (pid == 0) {
                (void)close(pair[0]);
                echo_serve(pair[1], resolve);
        }
        (void)close(pair[1]);
        *ret_fd = pair[0];
        return pid;
}

static void time_calls(int fd, const Resolve *resolve, size_t first, double *samples)
{
        uint8_t buffer[SMALL];

        for (size_t i = 0; i < BLOCK; i++) {
                const Buffer *request = &resolve->single[(first + i) % LAYERS].request;
                uint64_t start = now_ns();

                session_send(fd, request->data, request->size);
                (void)session_receive(fd, buffer, sizeof(buffer));
                samples[i] = (double)(now_ns() - start) / 1000;
        }
}

static void measure_round_trips(const Resolve *resolve, Figures *figures)
{
        static double echo[CALLS], call[CALLS];
        double echo_p50[BENCH_RUNS], echo_p99[BENCH_RUNS], p50[BENCH_RUNS], p99[BENCH_RUNS];
        double ratio_p50[BENCH_RUNS], ratio_p99[BENCH_RUNS];
        CLEANUP_FD int echo_fd = -1;
        pid_t pid = echo_start(resolve, &echo_fd);

        for (size_t run = 0; run < BENCH_RUNS; run++) {
                for (size_t i = 0; i < CALLS; i += BLOCK) {
                        time_calls(echo_fd, resolve, i, &echo[i]);
                        time_calls(resolve->fd, resolve, i, &call[i]);
                }
                echo_p50[run] = percentile(echo, CALLS, 0.5);
                echo_p99[run] = percentile(echo, CALLS, 0.99);
                p50[run] = percentile(call, CALLS, 0.5);
                p99[run] = percentile(call, CALLS, 0.99);
                ratio_p50[run] = p50[run] / echo_p50[run];
                ratio_p99[run] = p99[run] / echo_p99[run];
        }
        (void)close(STEAL_FD(echo_fd));
        (void)waitpid(pid, NULL, 0);

        figures->echo_p50_us = median(echo_p50, BENCH_RUNS);
        figures->echo_p99_us = median(echo_p99, BENCH_RUNS);
        figures->resolve_p50_us = median(p50, BENCH_RUNS);
        figures->resolve_p99_us = median(p99, BENCH_RUNS);
        figures->ratio_p50 = median(ratio_p50, BENCH_RUNS);
        figures->ratio_p99 = median(ratio_p99, BENCH_RUNS);
}

/* Queries a second of the daemon's processor time, in one run. */
static double single_rate(const Resolve *resolve)
{
        uint64_t start = process_cpu_ns(resolve->pid);

        for (size_t i = 0; i < WINDOWS; i++) {
                const Buffer *window = &resolve->window[i % (LAYERS / WINDOW)];

                session_send(resolve->fd, window->data, window->size);
                session_drain(resolve->fd, resolve->window_answer[i % (LAYERS / WINDOW)]);
        }
        return (double)WINDOWS * WINDOW * 1e9 / (double)(process_cpu_ns(resolve->pid) - start);
}

static double batch_rate(const Resolve *resolve)
{
        uint64_t start = process_cpu_ns(resolve->pid);

        for (size_t i = 0; i < BATCHES; i++) {
                const Exchange *batch = &resolve->batch[i % N_BATCHES];

                session_send(resolve->fd, batch->request.data, batch->request.size);
                session_drain(resolve->fd, batch->answer.size);
        }
        return (double)BATCHES * BATCH * 1e9 / (double)(process_cpu_ns(resolve->pid) - start);
}

void measure_resolve(const PrivateDaemon *thousand, int cpu, Figures *figures)
{
        double single[BENCH_RUNS], batch[BENCH_RUNS];
        Resolve *resolve;

        pin_to(cpu);
        resolve = resolve_new(thousand);
        measure_round_trips(resolve, figures);
        for (size_t run = 0; run < BENCH_RUNS; run++) {
                single[run] = single_rate(resolve);
                batch[run] = batch_rate(resolve);
        }
        figures->single_per_s = median(single, BENCH_RUNS);
        figures->batch_per_s = median(batch, BENCH_RUNS);
        resolve_free(resolve);
}
