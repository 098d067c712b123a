#include "daemon/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/lib/fixture.h"

static int socket_make(int type, const char *name, bool listening)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, type, 0);

        ck_assert_int_ge(fd, 0);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", fixture_folder(), name);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        if (listening)
                ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

/* As systemd would: descriptors from 3 on, names, the pid of who gets them. */
static void pass(const int *fds, int n, const char *names)
{
        char text[32];

        /* Out of the way first: one may be where another shall go. */
        for (int i = 0; i < n; i++)
                ck_assert_int_eq(dup2(fds[i], 100 + i), 100 + i);
        for (int i = 0; i < n; i++) {
                ck_assert_int_eq(dup2(100 + i, 3 + i), 3 + i);
                close(100 + i);
        }
        (void)snprintf(text, sizeof(text), "%d", (int)getpid());
        setenv("LISTEN_PID", text, 1);
        (void)snprintf(text, sizeof(text), "%d", n);
        setenv("LISTEN_FDS", text, 1);
        setenv("LISTEN_FDNAMES", names, 1);
}

/* In a child, whose low descriptors may be overwritten. */
static void in_child(void (*body)(void))
{
        int status;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                body();
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}

#define REQUIRE(condition) do { if (!(condition)) { fprintf(stderr, "%d: %s\n", __LINE__, #condition); _exit(1); } } while (0)

static void take_both(void)
{
        int fds[] = { socket_make(SOCK_STREAM, "a", true), socket_make(SOCK_STREAM, "p", true) };
        ServiceSockets sockets;

        pass(fds, 2, "admin:public");
        REQUIRE(service_take_sockets(&sockets) == 0);
        REQUIRE(sockets.admin == 3);
        REQUIRE(sockets.public == 4);
        REQUIRE(fcntl(3, F_GETFD) & FD_CLOEXEC);
        REQUIRE(fcntl(4, F_GETFL) & O_NONBLOCK);
        REQUIRE(!getenv("LISTEN_FDS"));
        service_sockets_deinit(&sockets);
        REQUIRE(fcntl(3, F_GETFD) < 0 && fcntl(4, F_GETFD) < 0);
}

/* Another name, one twice, one that does not listen, a datagram socket, a file. */
static void take_others(void)
{
        int fds[] = {
                socket_make(SOCK_STREAM, "1", true), socket_make(SOCK_STREAM, "2", true),
                socket_make(SOCK_STREAM, "3", true), socket_make(SOCK_STREAM, "4", false),
                socket_make(SOCK_DGRAM, "5", false), open("/dev/null", O_RDONLY),
        };
        ServiceSockets sockets;

        pass(fds, 6, "http:public:public:admin:admin:admin");
        REQUIRE(service_take_sockets(&sockets) == 0);
        REQUIRE(sockets.public == 4);
        REQUIRE(sockets.admin == -1);
        for (int fd = 3; fd < 9; fd++)
                REQUIRE((fcntl(fd, F_GETFD) >= 0) == (fd == 4));
}

static void take_none(void)
{
        ServiceSockets sockets;

        REQUIRE(service_take_sockets(&sockets) == 0);
        REQUIRE(sockets.public == -1 && sockets.admin == -1);
}

START_TEST(test_sockets)
{
        (void)fixture_folder();
        in_child(take_both);
}
END_TEST

START_TEST(test_unknown_sockets)
{
        (void)fixture_folder();
        in_child(take_others);
}
END_TEST

START_TEST(test_no_sockets)
{
        in_child(take_none);
}
END_TEST

static int notify_open(void)
{
        int fd = socket_make(SOCK_DGRAM, "notify", false);
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/notify", fixture_folder());
        setenv("NOTIFY_SOCKET", path, 1);
        return fd;
}

static void notify_expect(int fd, const char *begin)
{
        char text[512];
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

        ck_assert_int_ge(n, 0);
        text[n] = 0;
        ck_assert_msg(strncmp(text, begin, strlen(begin)) == 0, "'%s' instead of '%s'", text, begin);
}

START_TEST(test_notify)
{
        int fd = notify_open();

        service_ready();
        notify_expect(fd, "READY=1");
        service_status("serving %d", 3);
        notify_expect(fd, "STATUS=serving 3");
        {
                CLEANUP(service_reload_end) ServiceReload reload = SERVICE_RELOAD_NULL;

                service_reload_begin(&reload);
                notify_expect(fd, "RELOADING=1\nMONOTONIC_USEC=");
        }
        notify_expect(fd, "READY=1");
        {
                CLEANUP(service_reload_end) ServiceReload reload = SERVICE_RELOAD_NULL;

                ck_assert(!reload.active);
        }
        service_stopping();
        notify_expect(fd, "STOPPING=1");
        close(fd);
}
END_TEST

typedef struct Stall {
        Job job;
        int gate;
        bool done;
} Stall;

static int stall_step(Job *job)
{
        char byte;

        return read(((Stall *)job)->gate, &byte, 1) == 1 ? 0 : -EIO;
}

static void stall_done(Job *job, int result)
{
        ((Stall *)job)->done = true;
}

static int n_ticks;

static void count_tick(uv_timer_t *timer)
{
        n_ticks++;
}

/* How many pings come while the loop turns often enough for several. */
static unsigned watchdog_pings(uv_loop_t *loop, int fd)
{
        unsigned n_pings = 0;
        char text[64];

        while (recv(fd, text, sizeof(text), MSG_DONTWAIT) >= 0)
                ;
        n_ticks = 0;
        while (n_ticks < 10)
                uv_run(loop, UV_RUN_ONCE);
        while (recv(fd, text, sizeof(text), MSG_DONTWAIT) >= 0)
                n_pings++;
        return n_pings;
}

/* Either thread of the two; the other is idle. */
static void watch_stall(int stalled)
{
        Stall stall = { .job = { .step = stall_step, .done = stall_done } };
        int fd = notify_open(), gate[2];
        Worker *workers[WATCHDOG_WORKERS];
        Watchdog *watchdog;
        uv_timer_t ticks;
        uv_loop_t loop;

        setenv("WATCHDOG_USEC", "40000", 1);
        ck_assert_int_eq(pipe(gate), 0);
        stall.gate = gate[0];
        ck_assert_int_eq(uv_loop_init(&loop), 0);
        for (int i = 0; i < WATCHDOG_WORKERS; i++)
                ck_assert_int_eq(worker_new(&loop, &workers[i]), 0);
        ck_assert_int_eq(watchdog_new(&loop, workers, &watchdog), 0);
        ck_assert_ptr_nonnull(watchdog);
        (void)uv_timer_init(&loop, &ticks);
        (void)uv_timer_start(&ticks, count_tick, 10, 10);

        ck_assert_uint_ge(watchdog_pings(&loop, fd), 2);
        worker_submit(workers[stalled], &stall.job);
        ck_assert_uint_eq(watchdog_pings(&loop, fd), 1); /* a job that came just now is not yet stuck */
        ck_assert_uint_eq(watchdog_pings(&loop, fd), 0);
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        while (!stall.done)
                uv_run(&loop, UV_RUN_ONCE);
        ck_assert_uint_ge(watchdog_pings(&loop, fd), 2);

        watchdog_close(watchdog);
        for (int i = 0; i < WATCHDOG_WORKERS; i++)
                worker_close(workers[i]);
        uv_close((uv_handle_t *)&ticks, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        ck_assert_int_eq(uv_loop_close(&loop), 0);
        uv_library_shutdown();
        close(gate[0]);
        close(gate[1]);
        close(fd);
}

START_TEST(test_watchdog)
{
        watch_stall(0);
}
END_TEST

START_TEST(test_watchdog_second)
{
        watch_stall(1);
}
END_TEST

FIXTURE_MAIN("daemon/service", test_sockets, test_unknown_sockets, test_no_sockets, test_notify, test_watchdog, test_watchdog_second)
