#include "client/kernelsctl/progress.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/lib/fixture.h"

static const char *text_at(const ProgressState *state, size_t columns)
{
        static char line[256];

        memset(line, 'x', sizeof(line));
        progress_text(state, columns, line, sizeof(line));
        return line;
}

START_TEST(test_all_is_known)
{
        ProgressState state = { 3, 7, 512000000, 1024000000, 440000000, 8000 };

        ck_assert_str_eq(text_at(&state, 80), "[#############             ]  50 %  512.0 MB of 1.0 GB, 3 of 7 files, 55.0 MB/s");
        state.bytes = state.bytes_total;
        ck_assert_str_eq(text_at(&state, 70), "[##################] 100 %  1.0 GB of 1.0 GB, 3 of 7 files, 55.0 MB/s");
}
END_TEST

START_TEST(test_totals_are_not_known)
{
        ProgressState state = { 1, -1, 999, -1, 999, 999 };

        ck_assert_str_eq(text_at(&state, 80), "999 B, 1 file");
        state = (ProgressState){ 0, 2, 1000, -1, 1000, 1000 };
        ck_assert_str_eq(text_at(&state, 80), "1.0 kB, 0 of 2 files, 1.0 kB/s");
        state = (ProgressState){ 0, 0, 0, 0, 0, 0 };
        ck_assert_str_eq(text_at(&state, 80), "0 B of 0 B, 0 of 0 files");
}
END_TEST

/* Where it grew meanwhile the bar ends at its end. */
START_TEST(test_more_than_all)
{
        ProgressState state = { 1, 1, INT64_MAX, 5, INT64_MAX, 1 };

        ck_assert_ptr_nonnull(strstr(text_at(&state, 200), "########] 100 %"));
        ck_assert_ptr_nonnull(strstr(text_at(&state, 200), " PB of 5 B"));
}
END_TEST

/* Never as wide as the terminal, which would break the line. */
START_TEST(test_every_width)
{
        ProgressState state = { 3, 7, 512000000, 1024000000, 440000000, 8000 };

        for (size_t columns = 0; columns < 300; columns++) {
                const char *text = text_at(&state, columns);

                ck_assert_uint_le(strlen(text), columns ? columns - 1 : 0);
                ck_assert_int_eq(strchr(text, '[') != NULL, columns >= 64);
        }
        ck_assert_str_eq(text_at(&state, 9), "512.0 MB");
}
END_TEST

START_TEST(test_units)
{
        static const struct { int64_t bytes; const char *text; } cases[] = {
                { 0, "0 B, " }, { 999, "999 B, " }, { 1000, "1.0 kB, " }, { 999949, "999.9 kB, " }, { 999950, "1.0 MB, " },
                { 1500000000, "1.5 GB, " }, { 2000000000000, "2.0 TB, " },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ProgressState state = { 0, -1, cases[i].bytes, -1, 0, 0 };

                ck_assert_msg(!strncmp(text_at(&state, 80), cases[i].text, strlen(cases[i].text)), "%s", text_at(&state, 80));
        }
}
END_TEST

/* Of a program's own output nothing is drawn, whatever TERM says. */
START_TEST(test_no_terminal)
{
        Progress progress;

        ck_assert_int_eq(setenv("TERM", "xterm", 1), 0);
        progress = progress_begin(true);
        ck_assert(!progress.wanted);
        ck_assert_int_eq(progress_draw(&progress, 1, 2, 3, 4), 0);
        ck_assert(!progress.drawn);
        progress_end(&progress);
}
END_TEST

/* On a terminal: drawn anew in one line, and gone at the end. */
START_TEST(test_terminal)
{
        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), slave;
        const struct winsize window = { .ws_col = 30 };
        static const char expected[] = "\r0 B of 4.0 kB, 0 of 2 files\033[K\r1.5 kB of 4.0 kB, 1 of 2 file\033[K\r\033[K";
        char text[256] = "";
        Progress progress;
        size_t n = 0;

        ck_assert(master >= 0 && kept >= 0 && !grantpt(master) && !unlockpt(master));
        slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(slave, 0);
        ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &window), 0);
        ck_assert_int_eq(dup2(slave, STDERR_FILENO), STDERR_FILENO);
        ck_assert_int_eq(setenv("TERM", "dumb", 1), 0);
        ck_assert(!progress_begin(false).wanted);
        ck_assert_int_eq(unsetenv("TERM"), 0);
        ck_assert(!progress_begin(false).wanted);
        ck_assert_int_eq(setenv("TERM", "xterm", 1), 0);
        ck_assert(!progress_begin(true).wanted);
        progress = progress_begin(false);
        ck_assert(progress.wanted);
        progress_end(&progress); /* nothing was drawn */
        ck_assert_int_eq(progress_draw(&progress, 0, 2, 0, 4000), 0);
        ck_assert_int_eq(progress_draw(&progress, 1, 2, 1500, 4000), 0);
        progress_end(&progress);
        ck_assert_int_eq(dup2(kept, STDERR_FILENO), STDERR_FILENO);
        while (n < strlen(expected)) {
                ssize_t more = read(master, text + n, strlen(expected) - n);

                ck_assert_int_gt(more, 0);
                n += (size_t)more;
        }
        ck_assert_str_eq(text, expected);
        close(kept);
        close(slave);
        close(master);
}
END_TEST

FIXTURE_MAIN("kernelsctl/progress", test_all_is_known, test_totals_are_not_known, test_more_than_all, test_every_width,
             test_units, test_no_terminal, test_terminal)
