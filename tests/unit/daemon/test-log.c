#include "daemon/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/log_output.h"
#include "daemon/log_ring.h"
#include "proto/base/error.h"
#include "tests/lib/fixture.h"

static int saved_stderr = -1;
static int reader = -1;

/* stderr is a pipe that the test reads. */
static void stderr_take(int flags)
{
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC | flags), 0);
        saved_stderr = dup(2);
        ck_assert_int_eq(dup2(fds[1], 2), 2);
        close(fds[1]);
        reader = fds[0];
        ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
}

static void stderr_give_back(void)
{
        ck_assert_int_eq(dup2(saved_stderr, 2), 2);
        close(saved_stderr);
        close(reader);
}

static size_t stderr_read(char *text, size_t size)
{
        size_t n = 0;
        ssize_t r;

        while (n < size - 1 && (r = read(reader, text + n, size - 1 - n)) > 0)
                n += (size_t)r;
        text[n] = 0;
        return n;
}

START_TEST(test_lines)
{
        LogFields fields = LOG_FIELDS_NULL;
        char text[4096];

        stderr_take(0);
        log_open(LOG_LEVEL_INFO);
        fields.session = 5;
        fields.uid = 1000;
        fields.pid = 77;
        fields.error = -ENOSPC;
        log_notice(START, NULL, "hello %d", 1);
        log_debug(START, NULL, "not seen");
        log_warning(PEER, &fields, "bad\n\x1b[2Jname\xc2\x9b""2J\xc2\xa0");
        log_level_set(LOG_LEVEL_DEBUG);
        log_debug(START, NULL, "seen");
        stderr_read(text, sizeof(text));
        log_close();
        stderr_give_back();
        ck_assert_str_eq(text, "kernelsd: notice: hello 1\n"
                               "kernelsd: warning: bad??[2Jname??2J\xc2\xa0 (session 5)\n"
                               "kernelsd: debug: seen\n");
}
END_TEST

/* A reader that does not read holds up nobody; afterwards it hears how much it
 * has missed. */
START_TEST(test_full_pipe)
{
        static char text[1 << 20];
        char message[1000];
        uint64_t dropped;

        stderr_take(0);
        log_open(LOG_LEVEL_INFO);
        memset(message, 'm', sizeof(message) - 1);
        message[sizeof(message) - 1] = 0;
        for (int i = 0; i < 1000; i++)
                log_info(START, NULL, "%s", message);
        dropped = log_dropped();
        ck_assert_uint_gt(dropped, 0);
        stderr_read(text, sizeof(text));
        log_info(START, NULL, "after");
        stderr_read(text, sizeof(text));
        log_close();
        stderr_give_back();
        (void)snprintf(message, sizeof(message),
                       "kernelsd: warning: %lu messages were dropped before this one\nkernelsd: info: after\n",
                       (unsigned long)dropped);
        ck_assert_str_eq(text, message);
}
END_TEST

START_TEST(test_rate)
{
        LogRate rate = { 0 };
        uint64_t now = 3 * LOG_INTERVAL_US;

        for (unsigned i = 0; i < LOG_BURST; i++)
                ck_assert(log_rate_take(&rate, now));
        ck_assert(!log_rate_take(&rate, now));
        ck_assert(!log_rate_take(&rate, now + LOG_INTERVAL_US - 1));
        ck_assert(log_rate_take(&rate, now + LOG_INTERVAL_US));
}
END_TEST

/* Peers are limited, the daemon's own messages are not. */
START_TEST(test_peers)
{
        static char text[1 << 20];
        LogFields fields = LOG_FIELDS_NULL;

        stderr_take(0);
        log_open(LOG_LEVEL_INFO);
        fields.peer = true;
        for (unsigned i = 0; i < 2 * LOG_BURST; i++)
                log_info(PEER, &fields, "x");
        log_info(START, NULL, "own");
        stderr_read(text, sizeof(text));
        log_close();
        stderr_give_back();
        ck_assert_uint_ge(log_dropped(), LOG_BURST / 2); /* an interval may have ended meanwhile */
        ck_assert_ptr_nonnull(strstr(text, "kernelsd: info: own\n"));
}
END_TEST

START_TEST(test_record)
{
        static LogRecord record;
        const char expected[] = "A\n\x03\0\0\0\0\0\0\0b\nc\nN\n\x02\0\0\0\0\0\0\0-7\n";

        log_record_text(&record, "A", TEXT("b\nc"));
        log_record_text(&record, "ABSENT", TEXT_NULL);
        log_record_integer(&record, "N", -7);
        ck_assert_uint_eq(record.size, sizeof(expected) - 1);
        ck_assert_mem_eq(record.bytes, expected, record.size);
}
END_TEST

START_TEST(test_record_full)
{
        static LogRecord record;
        static char value[LOG_RECORD_SIZE];
        size_t size;

        memset(value, 'v', sizeof(value));
        log_record_text(&record, "TOO_LARGE", (Text){ value, sizeof(value) });
        ck_assert_uint_eq(record.size, 0);
        log_record_text(&record, "F", (Text){ value, sizeof(value) - 11 });
        size = record.size;
        ck_assert_uint_eq(size, LOG_RECORD_SIZE);
        log_record_text(&record, "G", TEXT(""));
        ck_assert_uint_eq(record.size, size);
}
END_TEST

static int fails(void)
{
        return error_trace(-EXDEV);
}

/* The way there is told by the process that dies, at any level. */
START_TEST(test_abort)
{
        char text[65536];
        int status;
        pid_t pid;

        stderr_take(0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                log_open(LOG_LEVEL_ERROR);
                for (int i = 0; i < 300; i++)
                        log_debug(START, NULL, "step %d", i);
                (void)fails();
                abort();
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        stderr_read(text, sizeof(text));
        stderr_give_back();
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGABRT);
        ck_assert_ptr_nonnull(strstr(text, "  debug: step 299\n"));
        ck_assert_ptr_null(strstr(text, "step 100\n"));
        ck_assert_ptr_nonnull(strstr(text, "trace: fails at "));
}
END_TEST

FIXTURE_MAIN("daemon/log", test_lines, test_full_pipe, test_rate, test_peers, test_record, test_record_full, test_abort)
