#include "tests/lib/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/listen_path.h"
#include "tests/unit/kernels/users.h"

static void path_of(char path[108], const char *name)
{
        ck_assert_int_lt(snprintf(path, 108, "%s/%s", fixture_folder(), name), 108);
}

static bool can_connect(const char *path)
{
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        memcpy(address.sun_path, path, strlen(path));
        return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

START_TEST(test_listens_with_permissions_and_cleans_up)
{
        CLEANUP_LISTEN_PATH ListenPath listen_path = LISTEN_PATH_NULL;
        struct stat stat_now;
        char path[108];
        Fault fault;
        mode_t mask;

        path_of(path, "s");
        mask = umask(0077);
        ck_assert_int_eq(listen_path_open(&listen_path, path, 0666, &fault), 0);
        (void)umask(mask);
        ck_assert(can_connect(path));
        ck_assert_int_eq(stat(path, &stat_now), 0);
        ck_assert_uint_eq(stat_now.st_mode & 07777, 0666);
        listen_path_deinit(&listen_path);
        ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(test_a_stale_socket_is_replaced)
{
        CLEANUP_LISTEN_PATH ListenPath listen_path = LISTEN_PATH_NULL;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char path[108];
        Fault fault;

        path_of(path, "s");
        memcpy(address.sun_path, path, strlen(path));
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert(!can_connect(path));
        ck_assert_int_eq(listen_path_open(&listen_path, path, 0600, &fault), 0);
        ck_assert(can_connect(path));
}
END_TEST

START_TEST(test_a_living_socket_is_not_stolen)
{
        CLEANUP_LISTEN_PATH ListenPath first = LISTEN_PATH_NULL;
        ListenPath second = LISTEN_PATH_NULL;
        char path[108];
        Fault fault;

        path_of(path, "s");
        ck_assert_int_eq(listen_path_open(&first, path, 0600, &fault), 0);
        ck_assert_int_eq(listen_path_open(&second, path, 0600, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_BUSY);
        ck_assert_ptr_nonnull(strstr(fault.message, path));
        ck_assert(can_connect(path));
        listen_path_deinit(&second);
        ck_assert(can_connect(path));
}
END_TEST

/* What lies there and is no socket is somebody's file. */
START_TEST(test_a_file_is_left_alone)
{
        ListenPath listen_path = LISTEN_PATH_NULL;
        char path[108];
        Fault fault;

        path_of(path, "s");
        (void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        ck_assert_int_eq(listen_path_open(&listen_path, path, 0600, &fault), 1);
        ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

static void lock_of(char path[116], const char *socket)
{
        (void)snprintf(path, 116, "%s.lock", socket);
}

/* Two that start at once: while one is at it, the other waits for its lock. */
START_TEST(test_whoever_starts_is_waited_for)
{
        CLEANUP_LISTEN_PATH ListenPath first = LISTEN_PATH_NULL;
        ListenPath second = LISTEN_PATH_NULL;
        struct stat stat_now;
        char path[108], lock[116];
        Fault fault;
        int fd;

        path_of(path, "s");
        lock_of(lock, path);
        ck_assert_int_eq(listen_path_open(&first, path, 0600, &fault), 0);
        ck_assert_int_eq(stat(lock, &stat_now), 0);
        ck_assert_uint_eq(stat_now.st_mode, S_IFREG | 0600);
        fd = open(lock, O_RDWR | O_CLOEXEC);
        ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0); /* held for the start alone */
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(listen_path_open(&second, path, 0600, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_BUSY);
        ck_assert_ptr_nonnull(strstr(fault.message, lock));
        (void)close(fd);
        ck_assert_int_eq(listen_path_open(&second, path, 0600, &fault), 0);
        listen_path_deinit(&second);
        ck_assert_int_eq(access(lock, F_OK), 0);
}
END_TEST

static int locks(const char *path)
{
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0;
}

static int held[2]; /* says when the other user has the lock, and ends him */

static int locks_and_stays(const char *path)
{
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        char byte;

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || write(held[1], "x", 1) != 1)
                return 1;
        return read(held[1], &byte, 1) != 0;
}

/* By hand first: whoever may look into the folder can lock the folder; that
 * holds up nobody. What is locked he cannot open. */
START_TEST(test_another_user_holds_nothing_up)
{
        CLEANUP_LISTEN_PATH ListenPath listen_path = LISTEN_PATH_NULL;
        char path[108], lock[116], byte;
        Fault fault = FAULT_NULL;
        int status;
        pid_t pid;

        USERS_OR_SKIP;
        path_of(path, "s");
        lock_of(lock, path);
        ck_assert_int_eq(chmod(fixture_folder(), 0755), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, held), 0);
        pid = fork();
        if (pid == 0) {
                (void)close(held[0]);
                _exit(users_run(USER_OTHER, locks_and_stays, fixture_folder()));
        }
        (void)close(held[1]);
        ck_assert_int_eq(read(held[0], &byte, 1), 1);
        ck_assert_msg(listen_path_open(&listen_path, path, 0600, &fault) == 0, "%s", fault.message);
        ck_assert_int_eq(users_run(USER_OTHER, locks, lock), 1);
        (void)close(held[0]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}
END_TEST

/* What others made or can open is no lock of ours. */
START_TEST(test_a_lock_that_is_not_ours)
{
        ListenPath listen_path = LISTEN_PATH_NULL;
        char path[108], lock[116];
        Fault fault;

        path_of(path, "s");
        lock_of(lock, path);
        ck_assert_int_eq(symlink("elsewhere", lock), 0);
        ck_assert_int_eq(listen_path_open(&listen_path, path, 0600, &fault), 1);
        ck_assert_int_eq(unlink(lock), 0);
        (void)close(open(lock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        ck_assert_int_eq(chmod(lock, 0604), 0);
        ck_assert_int_eq(listen_path_open(&listen_path, path, 0600, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, lock));
        ck_assert_int_eq(chmod(lock, 0600), 0);
        USERS_OR_SKIP;
        ck_assert_int_eq(chown(lock, USER_OTHER, USER_OTHER), 0);
        ck_assert_int_eq(listen_path_open(&listen_path, path, 0600, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, lock));
}
END_TEST

/* Whoever took the path since is not removed with us. */
START_TEST(test_only_our_own_socket_is_removed)
{
        ListenPath first = LISTEN_PATH_NULL;
        CLEANUP_LISTEN_PATH ListenPath second = LISTEN_PATH_NULL;
        char path[108];
        Fault fault;

        path_of(path, "s");
        ck_assert_int_eq(listen_path_open(&first, path, 0600, &fault), 0);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(listen_path_open(&second, path, 0600, &fault), 0);
        listen_path_deinit(&first);
        ck_assert(can_connect(path));
}
END_TEST

START_TEST(test_paths_that_cannot_be)
{
        ListenPath listen_path = LISTEN_PATH_NULL;
        char path[200];
        Fault fault;

        memset(path, 'a', sizeof(path));
        path[0] = '/';
        path[sizeof(path) - 1] = 0;
        ck_assert_int_eq(listen_path_open(&listen_path, path, 0600, &fault), 1);
        ck_assert_int_eq(listen_path_open(&listen_path, "/nowhere-at-all/s", 0600, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "/nowhere-at-all"));
}
END_TEST

static int open_one(const char *path)
{
        CLEANUP_LISTEN_PATH ListenPath listen_path = LISTEN_PATH_NULL;
        Fault fault;

        return listen_path_open(&listen_path, path, 0600, &fault);
}

START_TEST(test_without_memory)
{
        char path[108];

        path_of(path, "s");
        FIXTURE_TORTURE(open_one(path));
}
END_TEST

FIXTURE_MAIN("daemon/listen_path", test_listens_with_permissions_and_cleans_up, test_a_stale_socket_is_replaced,
             test_a_living_socket_is_not_stolen, test_a_file_is_left_alone, test_whoever_starts_is_waited_for,
             test_another_user_holds_nothing_up, test_a_lock_that_is_not_ours, test_only_our_own_socket_is_removed,
             test_paths_that_cannot_be, test_without_memory)
