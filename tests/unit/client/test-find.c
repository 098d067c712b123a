#include "client/find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fixture.h"

static char root[200], runtime[256], run_user[256], temporary[256], system_folder[256];

static void folder(char *path, size_t size, const char *name)
{
        (void)snprintf(path, size, "%s/%s", root, name);
        ck_assert_int_eq(mkdir(path, 0755), 0);
}

static FindPlaces begin(void)
{
        (void)snprintf(root, sizeof(root), "%s", fixture_folder());
        folder(runtime, sizeof(runtime), "runtime");
        folder(run_user, sizeof(run_user), "user");
        folder(temporary, sizeof(temporary), "tmp");
        folder(system_folder, sizeof(system_folder), "system");
        return (FindPlaces){ .runtime = runtime, .run_user = run_user, .temporary = temporary,
                             .system_folder = system_folder, .uid = geteuid() };
}

/* A socket at FOLDER/kernelsd.sock, listened on or left behind. */
static int serve(const char *where, bool listens)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/kernelsd.sock", where);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        if (listens)
                ck_assert_int_eq(listen(fd, 4), 0);
        return fd;
}

static int make_private(char *path, size_t size, const char *below, const char *name)
{
        (void)snprintf(path, size, "%s/%s", below, name);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        return serve(path, true);
}

/* Connects; returns by which listener. */
static int find(const FindPlaces *places, const int *listeners, int n, kd_error *error)
{
        struct sockaddr_un peer, own;
        socklen_t peer_size = sizeof(peer), own_size = sizeof(own);
        int fd, r, found = -1000;

        r = find_connect(places, 1000, &fd, error);
        if (r)
                return r;
        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
        ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &peer_size), 0);
        for (int i = 0; i < n; ++i) {
                own_size = sizeof(own);
                ck_assert_int_eq(getsockname(listeners[i], (struct sockaddr *)&own, &own_size), 0);
                if (!strcmp(own.sun_path, peer.sun_path))
                        found = i;
        }
        close(fd);
        return found;
}

START_TEST(test_order)
{
        FindPlaces places = begin();
        char path[300], user[300], named[400];
        int listeners[4];
        kd_error error;

        ck_assert_int_eq(find(&places, NULL, 0, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "runtime/kernelsd/kernelsd.sock (not there)"));
        ck_assert_ptr_nonnull(strstr(error.message, "system/kernelsd.sock (not there)"));
        ck_assert_ptr_nonnull(strstr(error.message, "systemctl --user start kernelsd.socket"));
        listeners[0] = serve(system_folder, true);
        ck_assert_int_eq(find(&places, listeners, 1, NULL), 0);
        listeners[1] = make_private(path, sizeof(path), runtime, "kernelsd");
        ck_assert_int_eq(find(&places, listeners, 2, NULL), 1);
        /* Without XDG_RUNTIME_DIR: /tmp, or /run/user/<uid> where that is. */
        places.runtime = NULL;
        (void)snprintf(named, sizeof(named), "kernelsd-%lu", (unsigned long)places.uid);
        listeners[2] = make_private(path, sizeof(path), temporary, named);
        ck_assert_int_eq(find(&places, listeners, 3, NULL), 2);
        (void)snprintf(user, sizeof(user), "%s/%lu", run_user, (unsigned long)places.uid);
        ck_assert_int_eq(mkdir(user, 0700), 0);
        ck_assert_int_eq(find(&places, listeners, 3, NULL), 0);
        listeners[3] = make_private(path, sizeof(path), user, "kernelsd");
        ck_assert_int_eq(find(&places, listeners, 4, NULL), 3);
        /* One that is named is the only one. */
        (void)snprintf(named, sizeof(named), "%s/kernelsd.sock", system_folder);
        places.named = named;
        ck_assert_int_eq(find(&places, listeners, 4, NULL), 0);
        places.named = "/nowhere/x.sock";
        ck_assert_int_eq(find(&places, listeners, 4, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "/nowhere/x.sock"));
        ck_assert_ptr_null(strstr(error.message, "system"));
        for (int i = 0; i < 4; ++i)
                close(listeners[i]);
}
END_TEST

START_TEST(test_stale)
{
        FindPlaces places = begin();
        char path[300];
        kd_error error;
        int stale;

        (void)snprintf(path, sizeof(path), "%s/kernelsd", runtime);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        stale = serve(path, false);
        ck_assert_int_eq(find(&places, NULL, 0, &error), -ECONNREFUSED);
        ck_assert_ptr_nonnull(strstr(error.message, "nobody listens"));
        close(stale);
}
END_TEST

/* The folder of a user's socket: not a link, not open to others, not another's. */
START_TEST(test_folder)
{
        FindPlaces places = begin();
        char path[300], link[300], reason[256];
        kd_error error;
        int listener = make_private(path, sizeof(path), runtime, "kernelsd");

        ck_assert_int_eq(find_check_folder(path, places.uid, reason, sizeof(reason)), 0);
        ck_assert_int_eq(find_check_folder(path, places.uid + 1, reason, sizeof(reason)), -EACCES);
        ck_assert_ptr_nonnull(strstr(reason, "belongs to uid"));
        (void)snprintf(link, sizeof(link), "%s/link", runtime);
        ck_assert_int_eq(symlink(path, link), 0);
        ck_assert_int_eq(find_check_folder(link, places.uid, reason, sizeof(reason)), -EACCES);
        ck_assert_ptr_nonnull(strstr(reason, "is a link"));
        ck_assert_int_eq(chmod(path, 0710), 0);
        ck_assert_int_eq(find_check_folder(path, places.uid, reason, sizeof(reason)), -EACCES);
        ck_assert_ptr_nonnull(strstr(reason, "open to others"));
        ck_assert_int_eq(find(&places, &listener, 1, &error), -EACCES);
        ck_assert_ptr_nonnull(strstr(error.message, "chmod 700"));
        close(listener);
}
END_TEST

START_TEST(test_server)
{
        FindPlaces places = begin();

        places.uid = 1234;
        ck_assert_int_eq(find_check_server(0, &places), 0);
        ck_assert_int_eq(find_check_server(1234, &places), 0);
        ck_assert_int_eq(find_check_server(1235, &places), -EACCES);
        if (geteuid() == 0) {
                ck_assert_int_eq(chown(system_folder, 1235, (gid_t)-1), 0);
                ck_assert_int_eq(find_check_server(1235, &places), 0);
                ck_assert_int_eq(find_check_server(1236, &places), -EACCES);
        }
}
END_TEST

/* A server of a foreign uid: the one that called listen() counts. */
START_TEST(test_foreign_server)
{
        FindPlaces places = begin();
        kd_error error;
        int listener, status;
        pid_t child;

        if (geteuid() != 0) {
                fprintf(stderr, "client/find: test_foreign_server is skipped: it needs to be root\n");
                return;
        }
        listener = serve(system_folder, false);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child)
                _exit(setresuid(12345, 12345, 12345) || listen(listener, 4));
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(find(&places, &listener, 1, &error), -EACCES);
        ck_assert_ptr_nonnull(strstr(error.message, "uid 12345"));
        ck_assert_int_eq(chown(system_folder, 12345, (gid_t)-1), 0);
        ck_assert_int_eq(find(&places, &listener, 1, &error), 0);
        close(listener);
}
END_TEST

START_TEST(test_long_path)
{
        FindPlaces places = begin();
        char path[400];
        kd_error error;

        memset(path, 'x', sizeof(path) - 1);
        path[0] = '/';
        path[sizeof(path) - 1] = 0;
        places.named = path;
        ck_assert_int_eq(find(&places, NULL, 0, &error), -ENAMETOOLONG);
        places.named = NULL;
        places.runtime = path;
        ck_assert_int_eq(find(&places, NULL, 0, &error), -ENAMETOOLONG);
}
END_TEST

FIXTURE_MAIN("client/find", test_order, test_stale, test_folder, test_server,
             test_foreign_server, test_long_path)
