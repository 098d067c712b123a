#include "client/kernelsctl/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BAR_MIN 10
#define BAR_MAX 40
#define RATE_AFTER_MS 1000 /* before that it says little; guess */
#define COLUMNS 80         /* of a terminal that does not say */
#define LINE_SIZE 256

/* "999 B", "1.5 kB", "12.0 MB": powers of 1,000, as networks count. */
static void bytes_text(double bytes, char *buffer, size_t size)
{
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
        size_t unit = 0;

        while (bytes >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
                bytes /= 1000;
                unit++;
        }
        (void)snprintf(buffer, size, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* Everything but the bar: "12.0 MB of 1.1 GB, 3 of 7 files, 55.0 MB/s". */
static void facts_text(const ProgressState *state, char *buffer, size_t size)
{
        char done[32], total[40] = "", files_total[32] = "", rate[48] = "", number[32];

        bytes_text((double)state->bytes, done, sizeof(done));
        if (state->bytes_total >= 0) {
                bytes_text((double)state->bytes_total, number, sizeof(number));
                (void)snprintf(total, sizeof(total), " of %s", number);
        }
        if (state->files_total >= 0)
                (void)snprintf(files_total, sizeof(files_total), " of %lld", (long long)state->files_total);
        if (state->elapsed_ms >= RATE_AFTER_MS) {
                bytes_text((double)state->fresh * 1000 / (double)state->elapsed_ms, number, sizeof(number));
                (void)snprintf(rate, sizeof(rate), ", %s/s", number);
        }
        (void)snprintf(buffer, size, "%s%s, %lld%s file%s%s", done, total, (long long)state->files, files_total,
                       state->files == 1 && state->files_total < 0 ? "" : "s", rate);
}

/* "[####      ]  40 %  " of `room` characters at most, or nothing. */
static void bar_text(const ProgressState *state, size_t room, char *buffer, size_t size)
{
        static const size_t around = 10; /* brackets, number, blanks */
        double part = (double)state->bytes / (double)state->bytes_total;
        char cells[BAR_MAX];
        size_t width, full;

        *buffer = 0;
        if (state->bytes_total <= 0 || room < around + BAR_MIN)
                return;
        part = part > 1 ? 1 : part;
        width = room - around < BAR_MAX ? room - around : BAR_MAX;
        full = (size_t)(part * (double)width);
        memset(cells, '#', full);
        memset(cells + full, ' ', width - full);
        (void)snprintf(buffer, size, "[%.*s] %3d %%  ", (int)width, cells, (int)(part * 100));
}

void progress_text(const ProgressState *state, size_t columns, char *buffer, size_t size)
{
        char facts[LINE_SIZE], bar[BAR_MAX + 20];
        size_t room = columns ? columns - 1 : 0, n;

        facts_text(state, facts, sizeof(facts));
        n = strlen(facts);
        bar_text(state, room > n ? room - n : 0, bar, sizeof(bar));
        (void)snprintf(buffer, room < size ? room + 1 : size, "%s%s", bar, facts);
}

static int64_t now_ms(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t terminal_columns(void)
{
        struct winsize window;

        return ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col : COLUMNS;
}

Progress progress_begin(bool json)
{
        const char *terminal = getenv("TERM");

        return (Progress){
                .wanted = !json && isatty(STDERR_FILENO) && terminal && *terminal && strcmp(terminal, "dumb") != 0,
        };
}

int progress_draw(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        Progress *progress = data;
        ProgressState state = { files, files_total, bytes, bytes_total, 0, 0 };
        char line[LINE_SIZE];

        if (!progress->wanted)
                return 0;
        if (!progress->drawn) {
                progress->begun_ms = now_ms();
                progress->begun_bytes = bytes;
                progress->drawn = true;
        }
        state.fresh = bytes - progress->begun_bytes;
        state.elapsed_ms = now_ms() - progress->begun_ms;
        progress_text(&state, terminal_columns(), line, sizeof(line));
        fprintf(stderr, "\r%s\033[K", line);
        (void)fflush(stderr);
        return 0;
}

void progress_end(Progress *progress)
{
        if (progress->drawn)
                fprintf(stderr, "\r\033[K");
        progress->drawn = false;
}
