#include "daemon/tell.h"

#include "proto/codec.h"

static bool progress_equal(const Progress *a, const Progress *b)
{
        return a->files == b->files && a->bytes == b->bytes && a->files_total.present == b->files_total.present &&
               a->bytes_total.present == b->bytes_total.present;
}

void tell_progress(Session *session, uint32_t id, const Progress *progress, Progress *told)
{
        MsgProgress message = {
                .id = id,
                .files = progress->files,
                .files_total = progress->files_total,
                .bytes = progress->bytes,
                .bytes_total = progress->bytes_total,
        };
        Buffer *buffer;
        size_t start;

        if (session_is_congested(session) || progress_equal(told, progress))
                return;
        *told = *progress;
        buffer = session_frame_begin(session, &start);
        if (!buffer || envelope_write_notification(buffer, TEXT("progress")) < 0 ||
            codec_encode(&schema_Progress, &message, false, buffer) < 0)
                session_frame_drop(session, start);
        else
                session_frame_end(session, start, -1);
}
