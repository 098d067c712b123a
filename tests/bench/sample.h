/* Times, medians, and what the machine did meanwhile. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_RUNS 5 /* every figure is the median of so many */

uint64_t now_ns(void);

/* Processor time of this thread: for what runs here alone, where other programs
 * on the machine would only add their turns. */
uint64_t thread_cpu_ns(void);

/* Sorts the samples. */
double percentile(double *samples, size_t n, double part);
double median(double *samples, size_t n);

/* Processor time that a process has used, to the nanosecond. */
uint64_t process_cpu_ns(pid_t pid);

/* Resident memory of a process. */
double process_rss_mib(pid_t pid);

/* Share of the time since `before` that the hypervisor gave to others; per cent. */
typedef struct CpuTimes {
        uint64_t steal;
        uint64_t total;
} CpuTimes;

CpuTimes cpu_times(void);
double steal_percent(CpuTimes before, CpuTimes after);

/* The last processor that this process may use. */
int last_cpu(void);
void pin_to(int cpu);

/* For a benchmark every failure is the end: prints and exits. */
void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
