#include "daemon/progress.h"

static void store(atomic_int_least64_t *place, int64_t value)
{
        atomic_store_explicit(place, value, memory_order_relaxed);
}

static int64_t load(atomic_int_least64_t *place)
{
        return atomic_load_explicit(place, memory_order_relaxed);
}

static OptionalInteger total(int64_t value)
{
        return value < 0 ? INTEGER_ABSENT : INTEGER_PRESENT(value);
}

void shared_progress_clear(SharedProgress *shared)
{
        shared_progress_set(shared, &(Progress){ 0 });
}

void shared_progress_set(SharedProgress *shared, const Progress *progress)
{
        store(&shared->files, progress->files);
        store(&shared->files_total, progress->files_total.present ? progress->files_total.value : -1);
        store(&shared->bytes, progress->bytes);
        store(&shared->bytes_total, progress->bytes_total.present ? progress->bytes_total.value : -1);
}

Progress shared_progress_get(SharedProgress *shared)
{
        return (Progress){
                .files = load(&shared->files),
                .files_total = total(load(&shared->files_total)),
                .bytes = load(&shared->bytes),
                .bytes_total = total(load(&shared->bytes_total)),
        };
}
