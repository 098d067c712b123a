/* lookup [--json]: what a lookup costs, in one run, with the aims beside it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/mapping.h"
#include "tests/bench/sample.h"
#include "tests/bench/session.h"

static void daemon_start(PrivateDaemon *made, size_t n_layers, int cpu)
{
        char program[PATH_MAX];
        int r = private_daemon_program(2, program, sizeof(program));

        if (r == 0)
                r = private_daemon_prepare(made);
        if (r == 0) {
                mapping_write(made->folder, n_layers);
                r = private_daemon_start(made, program, cpu, NULL);
        }
        if (r < 0)
                bench_die("cannot start %s: %s", program, strerror(-r));
        session_await_layers(made->socket, n_layers);
}

static void daemon_stop(PrivateDaemon *made)
{
        int status = private_daemon_stop(made);

        if (status)
                bench_die("the daemon ended with status %#x", (unsigned)status);
}

/* A daemon that has answered once, and holds nothing. */
static double measure_idle(int cpu)
{
        PrivateDaemon idle;
        double rss;

        daemon_start(&idle, 0, cpu);
        (void)close(session_open(idle.socket));
        rss = process_rss_mib(idle.pid);
        daemon_stop(&idle);
        return rss;
}

static void measure(Figures *figures)
{
        PrivateDaemon small, thousand, large;
        CpuTimes before = cpu_times();
        int cpu = last_cpu();

        figures->idle_mib = measure_idle(cpu);
        daemon_start(&thousand, 1000, cpu);
        measure_resolve(&thousand, cpu, figures);
        daemon_stop(&thousand);

        daemon_start(&large, 100000, cpu);
        measure_memory(&large, figures);
        daemon_start(&small, 100, cpu);
        measure_views(&small, &large, figures);
        daemon_stop(&small);
        daemon_stop(&large);

        bench_index(&figures->index);
        figures->steal_percent = steal_percent(before, cpu_times());
}

static void print_machine(void)
{
        char line[256], model[200] = "unknown", date[32];
        FILE *file = fopen("/proc/cpuinfo", "re");
        time_t now = time(NULL);
        struct utsname system;

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "model name : %199[^\n]", model) == 1)
                        break;
        if (file)
                fclose(file);
        uname(&system);
        strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&now));
        printf("%s, %ld processors (%s), Linux %s\n\n", date, sysconf(_SC_NPROCESSORS_ONLN), model, system.release);
}

static void row(const char *what, double value, const char *unit, const char *aim)
{
        printf("%-58s %12.*f %-4s %s\n", what, value >= 1000 ? 0 : 2, value, unit, aim);
}

static void print_table(const Figures *f)
{
        print_machine();
        printf("%-58s %12s %-4s %s\n", "", "median of 5", "", "aim");
        row("epoll echo of the same bytes, p50", f->echo_p50_us, "us", "");
        row("epoll echo of the same bytes, p99", f->echo_p99_us, "us", "");
        row("resolve over the socket, p50", f->resolve_p50_us, "us", "");
        row("resolve over the socket, p99", f->resolve_p99_us, "us", "");
        row("resolve / echo, p50", f->ratio_p50, "", "<= 1.25");
        row("resolve / echo, p99", f->ratio_p99, "", "<= 2");
        row("queries per processor second, 64 single in flight", f->single_per_s, "1/s", ">= 2,000,000");
        row("queries per processor second, batches of 400", f->batch_per_s, "1/s", ">= 5,000,000");
        row("index lookup, 100 layers, uniform", f->index.uniform_ns[0], "ns", "");
        row("index lookup, 1,000 layers, uniform", f->index.uniform_ns[1], "ns", "<= 35");
        row("index lookup, 10,000 layers, uniform", f->index.uniform_ns[2], "ns", "");
        row("index lookup, 100,000 layers, uniform", f->index.uniform_ns[3], "ns", "");
        row("index lookup, 100,000 layers, 100 of them hot", f->index.hot_ns, "ns", "<= 50");
        row("index lookup, 100,000 layers, prefetched batches", f->index.batch_ns, "ns", "<= 80");
        row("building the index of 100,000 layers", f->index.build_ms, "ms", "<= 100");
        row("view of 28 entries made and dropped, 100 layers, p50", f->view_small_us, "us", "");
        row("view of 28 entries made and dropped, 100,000 layers, p50", f->view_large_us, "us", "");
        row("growth of that", f->view_growth, "", "<= 3");
        row("resident memory, idle", f->idle_mib, "MiB", "<= 12");
        row("resident memory, 1,000 sessions, 100,000 layers", f->loaded_mib, "MiB", "<= 64");
        printf("\nprocessor time stolen by the hypervisor: %.1f %%\n", f->steal_percent);
}

static void print_json(const Figures *f)
{
        printf("{\"echo_p50_us\": %.3f, \"resolve_p50_us\": %.3f, \"ratio_p50\": %.3f, \"ratio_p99\": %.3f, "
               "\"single_per_s\": %.0f, \"batch_per_s\": %.0f, \"index_ns\": %.2f, \"index_hot_ns\": %.2f, "
               "\"index_batch_ns\": %.2f, \"build_ms\": %.2f, \"view_growth\": %.3f, \"idle_mib\": %.2f, "
               "\"loaded_mib\": %.2f}\n",
               f->echo_p50_us, f->resolve_p50_us, f->ratio_p50, f->ratio_p99, f->single_per_s, f->batch_per_s,
               f->index.uniform_ns[1], f->index.hot_ns, f->index.batch_ns, f->index.build_ms, f->view_growth,
               f->idle_mib, f->loaded_mib);
}

int main(int argc, char **argv)
{
        Figures figures = { 0 };
        bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

        if (argc > 1 && !json) {
                fprintf(stderr, "usage: %s [--json]\n", argv[0]);
                return 2;
        }
        measure(&figures);
        if (json)
                print_json(&figures);
        else
                print_table(&figures);
        return EXIT_SUCCESS;
}
