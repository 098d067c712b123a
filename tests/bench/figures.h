/* What the benchmark finds out, and the parts that find it out. */
#pragma once

#include "proto/base/buffer.h"
#include "tests/bench/bench_index.h"
#include "tests/lib/private_daemon.h"

typedef struct Figures {
        double echo_p50_us, echo_p99_us;
        double resolve_p50_us, resolve_p99_us;
        double ratio_p50, ratio_p99;        /* medians of the ratios of each run */
        double single_per_s, batch_per_s;   /* queries a second of the daemon's processor time */
        BenchIndex index;
        double view_small_us, view_large_us, view_growth;
        double idle_mib, loaded_mib;
        double steal_percent;
} Figures;

/* Round trips beside an echo, and rates, over a daemon of 1,000 layers. */
void measure_resolve(const PrivateDaemon *thousand, int cpu, Figures *figures);

/* One view of 28 entries made and dropped, over a small and a large mapping. */
void measure_views(const PrivateDaemon *small, const PrivateDaemon *large, Figures *figures);

/* Resident memory with 1,000 sessions, each with a view of 28 entries that it
 * has looked things up in. */
void measure_memory(const PrivateDaemon *large, Figures *figures);

/* A request to make view 7 with 28 entries on the host mapping, half of them
 * for layers that it has. */
#define BENCH_VIEW 7
#define BENCH_VIEW_ENTRIES 28
void view_frame(Buffer *frame, unsigned id);
