#include "tests/lib/fixture.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/identity.h"

static void make_pair(int pair[2])
{
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
        (void)close(pair[0]);
        (void)close(pair[1]);
}

START_TEST(test_the_kernel_says_who)
{
        Identity identity;
        int pair[2];

        make_pair(pair);
        ck_assert_int_eq(identity_read(pair[0], &identity), 0);
        ck_assert_int_eq(identity.pid, getpid());
        ck_assert_uint_eq(identity.uid, geteuid());
        ck_assert_int_eq(identity_read(-1, &identity), 1);
        close_pair(pair);
}
END_TEST

/* Each way to the cgroup gives the same answer twice; the oldest one gives the
 * path that /proc shows. */
START_TEST(test_the_cgroup_in_every_way)
{
        static const char *const withouts[] = { NULL, "pidfdinfo", "peerpidfd", "peerpidfd,pidfdinfo" };
        Identity identity;
        int pair[2];

        make_pair(pair);
        ck_assert_int_eq(identity_read(pair[0], &identity), 0);
        for (size_t i = 0; i < ARRAY_SIZE(withouts); i++) {
                char first[IDENTITY_CGROUP_MAX], second[IDENTITY_CGROUP_MAX];
                KernelFeatures features;
                Text one, two;

                kernel_features_try(&features, withouts[i]);
                ck_assert_int_eq(identity_cgroup(pair[0], &identity, &features, first, &one), 0);
                ck_assert_int_eq(identity_cgroup(pair[0], &identity, &features, second, &two), 0);
                ck_assert(text_equal(one, two));
                ck_assert_uint_gt(one.size, 0);
                ck_assert(one.data[0] == (i == 0 && features.there[KERNEL_FEATURE_PIDFDINFO] ? '#' : '/'));
        }
        close_pair(pair);
}
END_TEST

/* A listening socket, and one that a child connected and left behind. */
static int accept_from_dead_child(pid_t *ret_child)
{
        CLEANUP_FD int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t size = sizeof(sa_family_t);
        pid_t child;

        /* No path: the kernel chooses an abstract one. */
        ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, size), 0);
        ck_assert_int_eq(listen(listening, 1), 0);
        size = sizeof(address);
        ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &size), 0);
        child = fork();
        if (child == 0) {
                int fd = socket(AF_UNIX, SOCK_STREAM, 0);

                _exit(connect(fd, (struct sockaddr *)&address, size) < 0);
        }
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        *ret_child = child;
        return accept4(listening, NULL, NULL, SOCK_CLOEXEC);
}

/* A process that ended is not looked up by its number, which may be another's. */
START_TEST(test_the_cgroup_of_one_that_ended)
{
        static const char *const withouts[] = { NULL, "pidfdinfo" };
        Identity identity;
        pid_t child;
        CLEANUP_FD int fd = accept_from_dead_child(&child);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(identity_read(fd, &identity), 0);
        ck_assert_int_eq(identity.pid, child);
        identity.pid = getpid(); /* as if the number had been given to another */
        for (size_t i = 0; i < ARRAY_SIZE(withouts); i++) {
                char storage[IDENTITY_CGROUP_MAX];
                KernelFeatures features;
                Text cgroup;

                kernel_features_try(&features, withouts[i]);
                if (features.there[KERNEL_FEATURE_PEERPIDFD])
                        ck_assert_int_eq(identity_cgroup(fd, &identity, &features, storage, &cgroup), 1);
        }
}
END_TEST

START_TEST(test_features_can_be_taken_away)
{
        KernelFeatures all, fewer;

        kernel_features_try(&all, NULL);
        kernel_features_try(&fewer, "passrights,peerpidfd");
        ck_assert(!fewer.there[KERNEL_FEATURE_PASSRIGHTS]);
        ck_assert(!fewer.there[KERNEL_FEATURE_PEERPIDFD]);
        ck_assert_int_eq(fewer.there[KERNEL_FEATURE_PIDFDINFO], all.there[KERNEL_FEATURE_PIDFDINFO]);
        ck_assert_uint_ge(fewer.n_absent, 2);
        ck_assert(text_equal(fewer.absent[0], TEXT("SO_PEERPIDFD")));
        ck_assert(text_equal(fewer.absent[1], TEXT("SO_PASSRIGHTS")));
        kernel_features_try(&fewer, "passright,peer");
        ck_assert_uint_eq(fewer.n_absent, all.n_absent);
}
END_TEST

FIXTURE_MAIN("daemon/identity", test_the_kernel_says_who, test_the_cgroup_in_every_way,
             test_the_cgroup_of_one_that_ended, test_features_can_be_taken_away)
