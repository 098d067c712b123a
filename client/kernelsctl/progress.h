/* How far a fetch is, for a person: one line on stderr that is drawn anew, and
 * gone at the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ProgressState {
        int64_t files, files_total; /* totals -1: not known */
        int64_t bytes, bytes_total;
        int64_t fresh;              /* bytes since the line was first drawn */
        int64_t elapsed_ms;         /* and the time since then */
} ProgressState;

/* The line, in `columns` of a terminal, the last of which stays free: a bar where
 * the total is known and there is room, bytes, files and, after a second, the
 * rate. ASCII. */
void progress_text(const ProgressState *state, size_t columns, char *buffer, size_t size);

typedef struct Progress {
        bool wanted;
        bool drawn;
        int64_t begun_ms;
        int64_t begun_bytes;
} Progress;

/* Something is drawn only where stderr is a terminal that can, and `json` false. */
Progress progress_begin(bool json);

/* A kd_progress whose data is a Progress. Gives nothing up. */
int progress_draw(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total);

void progress_end(Progress *progress);
