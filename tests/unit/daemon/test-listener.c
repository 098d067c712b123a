#include "tests/lib/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/listener.h"

#define N_CLIENTS 25

typedef struct Bench {
        Loop loop;
        Listener *listener;
        int listening;
        struct sockaddr_un address;
        socklen_t address_size;
        int clients[N_CLIENTS];
        int accepted[N_CLIENTS];
        unsigned n_accepted;
        unsigned n_spared;
} Bench;

static void on_accepted(void *data, int fd, bool spared)
{
        Bench *bench = data;

        if (spared) {
                bench->n_spared++;
                (void)close(fd);
        } else {
                bench->accepted[bench->n_accepted++] = fd;
        }
}

static void bench_begin(Bench *bench)
{
        *bench = (Bench){ .address = { .sun_family = AF_UNIX }, .address_size = sizeof(bench->address) };
        ck_assert_int_eq(loop_init(&bench->loop), 0);
        bench->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        /* No path: the kernel chooses an abstract one. */
        ck_assert_int_eq(bind(bench->listening, (struct sockaddr *)&bench->address, sizeof(sa_family_t)), 0);
        ck_assert_int_eq(listen(bench->listening, N_CLIENTS), 0);
        ck_assert_int_eq(getsockname(bench->listening, (struct sockaddr *)&bench->address, &bench->address_size), 0);
        ck_assert_int_eq(listener_new(&bench->loop, bench->listening, on_accepted, bench, &bench->listener), 0);
        for (size_t i = 0; i < N_CLIENTS; i++) {
                bench->clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                ck_assert_int_eq(connect(bench->clients[i], (struct sockaddr *)&bench->address, bench->address_size), 0);
        }
}

static void bench_end(Bench *bench)
{
        for (size_t i = 0; i < N_CLIENTS; i++)
                (void)close(bench->clients[i]);
        for (size_t i = 0; i < bench->n_accepted; i++)
                (void)close(bench->accepted[i]);
        listener_close(bench->listener);
        loop_deinit(&bench->loop);
        uv_library_shutdown(); /* its pipe for signals */
        (void)close(bench->listening);
}

START_TEST(test_a_few_at_a_time)
{
        Bench bench;
        unsigned before = 0;

        bench_begin(&bench);
        while (bench.n_accepted < N_CLIENTS) {
                (void)uv_run(&bench.loop.uv, UV_RUN_NOWAIT);
                ck_assert_uint_le(bench.n_accepted - before, 10);
                before = bench.n_accepted;
        }
        for (size_t i = 0; i < N_CLIENTS; i++) {
                ck_assert_int_ne(fcntl(bench.accepted[i], F_GETFD) & FD_CLOEXEC, 0);
                ck_assert_int_ne(fcntl(bench.accepted[i], F_GETFL) & O_NONBLOCK, 0);
        }
        bench_end(&bench);
}
END_TEST

/* Without descriptors one peer a pause is told to go, on the spare; when there
 * are some again, the others are accepted. */
START_TEST(test_out_of_descriptors)
{
        struct rlimit limit, few;
        Bench bench;
        unsigned spared;

        bench_begin(&bench);
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        few = limit;
        few.rlim_cur = (rlim_t)bench.clients[N_CLIENTS - 1] + 4;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        while (bench.n_spared < 2)
                (void)uv_run(&bench.loop.uv, UV_RUN_ONCE);
        ck_assert_uint_lt(bench.n_accepted, 5);
        /* It looks away: nothing at all happens at once. */
        spared = bench.n_spared;
        for (unsigned i = 0; i < 10; i++)
                (void)uv_run(&bench.loop.uv, UV_RUN_NOWAIT);
        ck_assert_uint_le(bench.n_spared, spared + 1);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        while (bench.n_accepted + bench.n_spared < N_CLIENTS)
                (void)uv_run(&bench.loop.uv, UV_RUN_ONCE);
        ck_assert_uint_ge(bench.n_accepted, N_CLIENTS - 4);
        bench_end(&bench);
}
END_TEST

FIXTURE_MAIN("daemon/listener", test_a_few_at_a_time, test_out_of_descriptors)
