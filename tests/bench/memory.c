#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/mapping.h"
#include "tests/bench/sample.h"
#include "tests/bench/session.h"

#define SESSIONS 1000

/* One request that looks up every layer of the view. */
static void frame_lookups(Buffer *frame)
{
        static char names[BENCH_VIEW_ENTRIES][LAYER_NAME_MAX];
        MsgQuery queries[BENCH_VIEW_ENTRIES] = { 0 };
        MsgResolve message = { .view = BENCH_VIEW };

        for (size_t i = 0; i < BENCH_VIEW_ENTRIES; i++) {
                mapping_layer_name(i, names[i]);
                queries[i] = (MsgQuery){ .layer = text_of(names[i]), .device = TEXT("cuda"),
                                         .capability = INTEGER_PRESENT(90), .mode = TEXT("inference") };
        }
        message.queries.items = queries;
        message.queries.n = BENCH_VIEW_ENTRIES;
        session_frame(frame, 2, "resolve", &schema_Resolve, &message);
}

void measure_memory(const PrivateDaemon *large, Figures *figures)
{
        static int fds[SESSIONS];
        struct rlimit files;
        CLEANUP_BUFFER Buffer create = BUFFER_NULL, lookups = BUFFER_NULL;

        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < SESSIONS + 64) {
                files.rlim_cur = SESSIONS + 64;
                if (setrlimit(RLIMIT_NOFILE, &files) < 0)
                        bench_die("cannot have %d connections open", SESSIONS);
        }
        view_frame(&create, 1);
        frame_lookups(&lookups);
        for (size_t i = 0; i < SESSIONS; i++) {
                fds[i] = session_open(large->socket);
                session_call(fds[i], &create, "view.create");
                session_call(fds[i], &lookups, "resolve");
        }
        figures->loaded_mib = process_rss_mib(large->pid);
        for (size_t i = 0; i < SESSIONS; i++)
                (void)close(fds[i]);
}
