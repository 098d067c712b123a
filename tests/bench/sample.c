#include "tests/bench/sample.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t now_ns(void)
{
        return clock_ns(CLOCK_MONOTONIC);
}

uint64_t thread_cpu_ns(void)
{
        return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

double percentile(double *samples, size_t n, double part)
{
        qsort(samples, n, sizeof(*samples), compare);
        return samples[(size_t)((double)(n - 1) * part)];
}

double median(double *samples, size_t n)
{
        return percentile(samples, n, 0.5);
}

uint64_t process_cpu_ns(pid_t pid)
{
        struct timespec used;
        clockid_t clock;

        if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
                bench_die("no processor clock of process %d", (int)pid);
        return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

double process_rss_mib(pid_t pid)
{
        char path[64], line[256];
        long kib = -1;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "VmRSS: %ld kB", &kib) == 1)
                        break;
        if (file)
                fclose(file);
        if (kib < 0)
                bench_die("no memory figure of process %d", (int)pid);
        return (double)kib / 1024;
}

CpuTimes cpu_times(void)
{
        unsigned long long value[8] = { 0 };
        CpuTimes times = { 0 };
        FILE *file = fopen("/proc/stat", "re");

        if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &value[0], &value[1], &value[2],
                            &value[3], &value[4], &value[5], &value[6], &value[7]) != 8)
                bench_die("cannot read /proc/stat");
        fclose(file);
        for (size_t i = 0; i < 8; i++)
                times.total += value[i];
        times.steal = value[7];
        return times;
}

double steal_percent(CpuTimes before, CpuTimes after)
{
        uint64_t total = after.total - before.total;

        return total ? 100.0 * (double)(after.steal - before.steal) / (double)total : 0;
}

int last_cpu(void)
{
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                bench_die("no processors");
        for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
                if (CPU_ISSET(cpu, &set))
                        return cpu;
        return 0;
}

/* As a batch process: else it depends on the scheduler's history whether a
 * process that is woken runs at once or when the waker sleeps, which makes two
 * kinds of round trips, 1.5 times apart, of which one end of a comparison may
 * have the one and the other the other. */
void pin_to(int cpu)
{
        const struct sched_param parameters = { 0 };
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set) < 0)
                bench_die("cannot use processor %d alone", cpu);
        if (sched_setscheduler(0, SCHED_BATCH, &parameters) < 0)
                bench_die("cannot become a batch process");
}

void bench_die(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        fputs("bench: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
        exit(EXIT_FAILURE);
}
