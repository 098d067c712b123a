/* The index alone, in this process. */
#pragma once

typedef struct BenchIndex {
        double uniform_ns[4]; /* 100, 1,000, 10,000 and 100,000 layers, any of them next */
        double hot_ns;        /* 100,000 layers, 100 of which are asked for */
        double batch_ns;      /* 100,000 layers, any of them next, in prefetched batches */
        double build_ms;      /* of 100,000 layers */
} BenchIndex;

/* Single lookups wait for the one before, as a caller does that needs the
 * answer; every figure is the median of five runs. */
void bench_index(BenchIndex *ret);
