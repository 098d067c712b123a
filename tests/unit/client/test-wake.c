#include "client/wake.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "tests/lib/fixture.h"

static int readable(const Wake *wake)
{
        struct pollfd item = { .fd = wake->fds[0], .events = POLLIN };

        return poll(&item, 1, 0);
}

START_TEST(test_set_and_clear)
{
        Wake wake = WAKE_NULL;

        wake_set(&wake);
        wake_clear(&wake);
        ck_assert_int_eq(wake_open(&wake), 0);
        ck_assert_int_eq(fcntl(wake.fds[0], F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(fcntl(wake.fds[1], F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(readable(&wake), 0);
        /* Set twice is set once. */
        for (int i = 0; i < 2; ++i) {
                wake_set(&wake);
                wake_set(&wake);
                ck_assert_int_eq(readable(&wake), 1);
                wake_clear(&wake);
                ck_assert_int_eq(readable(&wake), 0);
        }
        wake_close(&wake);
        ck_assert(!wake_is_open(&wake));
        wake_close(&wake);
}
END_TEST

/* What has since been opened at one of its numbers is left alone. */
START_TEST(test_close_foreign)
{
        Wake wake = WAKE_NULL, other = WAKE_NULL;
        int number;

        ck_assert_int_eq(wake_open(&wake), 0);
        ck_assert_int_eq(wake_open(&other), 0);
        number = wake.fds[1];
        ck_assert_int_eq(dup2(other.fds[1], number), number);
        wake_close(&wake);
        ck_assert_int_ge(fcntl(number, F_GETFD), 0);
        close(number);
        wake_close(&other);
}
END_TEST

FIXTURE_MAIN("client/wake", test_set_and_clear, test_close_foreign)
