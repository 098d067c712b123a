#include <string.h>

#include "tests/bench/figures.h"
#include "tests/bench/mapping.h"
#include "tests/bench/sample.h"
#include "tests/bench/session.h"

#define PAIRS 2000 /* of create and drop, in each run */
#define BLOCK 50   /* so many over one mapping, then over the other */

static void frame_pair(Buffer *create, Buffer *drop)
{
        MsgViewDrop message = { .view = BENCH_VIEW };

        view_frame(create, 1);
        session_frame(drop, 2, "view.drop", &schema_ViewDrop, &message);
}

void view_frame(Buffer *frame, unsigned id)
{
        static char names[BENCH_VIEW_ENTRIES][LAYER_NAME_MAX];
        MsgReference reference[BENCH_VIEW_ENTRIES];
        Text mode[BENCH_VIEW_ENTRIES];
        MsgEntry entries[BENCH_VIEW_ENTRIES] = { 0 };
        MsgViewCreate message = { .view = BENCH_VIEW, .parent = INTEGER_PRESENT(0) };

        for (size_t i = 0; i < BENCH_VIEW_ENTRIES; i++) {
                mapping_layer_name(i, names[i]);
                if (i % 2)
                        strcat(names[i], "Own");
                mode[i] = TEXT("fallback");
                reference[i] = (MsgReference){ .repo = TEXT("kernels-community/own"), .version = INTEGER_PRESENT(1) };
                entries[i].layer = text_of(names[i]);
                entries[i].device = TEXT("cuda");
                entries[i].modes.keys = &mode[i];
                entries[i].modes.items = &reference[i];
                entries[i].modes.n = 1;
        }
        message.entries.items = entries;
        message.entries.n = BENCH_VIEW_ENTRIES;
        session_frame(frame, id, "view.create", &schema_ViewCreate, &message);
}

static double time_pair(int fd, const Buffer *create, const Buffer *drop)
{
        uint64_t start = now_ns();

        session_call(fd, create, "view.create");
        session_call(fd, drop, "view.drop");
        return (double)(now_ns() - start) / 1000;
}

void measure_views(const PrivateDaemon *small, const PrivateDaemon *large, Figures *figures)
{
        static double samples[2][PAIRS];
        double p50[2][BENCH_RUNS], growth[BENCH_RUNS];
        CLEANUP_BUFFER Buffer create = BUFFER_NULL, drop = BUFFER_NULL;
        CLEANUP_FD int small_fd = session_open(small->socket);
        CLEANUP_FD int large_fd = session_open(large->socket);

        frame_pair(&create, &drop);
        for (size_t run = 0; run < BENCH_RUNS; run++) {
                for (size_t i = 0; i < PAIRS; i += BLOCK) {
                        for (size_t j = i; j < i + BLOCK; j++)
                                samples[0][j] = time_pair(small_fd, &create, &drop);
                        for (size_t j = i; j < i + BLOCK; j++)
                                samples[1][j] = time_pair(large_fd, &create, &drop);
                }
                for (size_t k = 0; k < 2; k++)
                        p50[k][run] = median(samples[k], PAIRS);
                growth[run] = p50[1][run] / p50[0][run];
        }
        figures->view_small_us = median(p50[0], BENCH_RUNS);
        figures->view_large_us = median(p50[1], BENCH_RUNS);
        figures->view_growth = median(growth, BENCH_RUNS);
}
