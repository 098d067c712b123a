/* What unit tests share. A test file is
 *
 *         START_TEST(test_one) { ck_assert(…); } END_TEST
 *         FIXTURE_MAIN("proto/frame", test_one, test_two)
 *
 * Each test runs in a process of its own and fails if it ends with other
 * descriptors open than it began with. A build with ASan also fails it for
 * leaked memory. */
#pragma once

/* A test asserts in every build. */
#undef NDEBUG

#include <assert.h>
#include <check.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/base/alloc.h"

#define FIXTURE_MAIN(name, ...)                                                      \
        int main(void)                                                               \
        {                                                                            \
                const TTest *const fixture_tests[] = { __VA_ARGS__ };                \
                return fixture_run(name, fixture_tests, ARRAY_SIZE(fixture_tests));  \
        }

/* Runs the tests, prints their verdicts; main's exit status. */
int fixture_run(const char *name, const TTest *const *tests, size_t n_tests);

/* Runs `body`, an int expression, with allocation 0, 1, 2, … of it failing,
 * until it passes untouched. Whenever an allocation failed, body must be
 * -ENOMEM or what it is in the end; it must clean up after itself each time. */
#define FIXTURE_TORTURE(body)                                                        \
        do {                                                                         \
                FixtureTorture torture_ = { 0 };                                     \
                int torture_answer_;                                                 \
                do {                                                                 \
                        alloc_fault_set(torture_.k);                                 \
                        torture_answer_ = (body);                                    \
                } while (fixture_torture_again(&torture_, torture_answer_, #body));  \
        } while (0)

typedef struct FixtureTorture {
        long k;        /* the allocation that fails */
        int answer;    /* what body was when it was no -ENOMEM */
        bool answered;
} FixtureTorture;

bool fixture_torture_again(FixtureTorture *torture, int answer, const char *body);

/* The bytes of tests/data/NAME, a NUL behind them; give back with alloc_free. */
char *fixture_read(const char *name, size_t *ret_size) __attribute__((warn_unused_result));

/* Path of an empty folder of this test's own, removed with all in it when the
 * test has passed. */
const char *fixture_folder(void);
