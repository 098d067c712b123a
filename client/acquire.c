#include "client/acquire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/answer.h"
#include "client/failure.h"
#include "client/kernel.h"
#include "client/view.h"
#include "proto/base/alloc.h"

void lease_release(kd_client *client, uint64_t epoch, int64_t lease)
{
        MsgRelease message = { .lease = lease };
        Call *call;

        if (client->closed || client->epoch != epoch || client->connection.fd < 0 || client->broken ||
            call_new(client, METHOD_RELEASE, &message, &call, NULL))
                return;
        call->abandoned = true;
        call_start(call);
}

void acquire_give_back(Call *call)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgAcquireResult result;
        Fault fault;

        if (codec_decode(&schema_AcquireResult, call->body, call->body_size, &arena, &result, &fault))
                return;
        if (result.lease.present)
                lease_release(call->client, call->epoch, result.lease.value);
}

/* --- waiting --- */

static void acquire_cancel(Call *call)
{
        kd_client *client = call->client;
        MsgCancel message = { .id = call->id };
        Call *cancel;

        if (call->list == &client->calls.flight && !call_new(client, METHOD_CANCEL, &message, &cancel, NULL)) {
                cancel->abandoned = true;
                call_start_before(cancel, client->calls.waiting.first);
        }
        call_abandon(call);
        client_drive(client, false);
}

static int64_t progress_total(OptionalInteger total)
{
        return total.present ? total.value : -1;
}

/* With the lock open. Non-zero: the caller gives up. */
static int acquire_progress(Call *call, kd_progress progress, void *data)
{
        kd_client *client = call->client;
        MsgProgress now = call->progress;
        int stop;

        call->progressed = false;
        if (!progress)
                return 0;
        client_unlock(client);
        stop = progress(data, now.files, progress_total(now.files_total), now.bytes, progress_total(now.bytes_total));
        (void)pthread_mutex_lock(&client->lock);
        client->locked = true;
        return stop;
}

static int acquire_given_up(kd_error *error)
{
        return failure_refuse(error, FAULT_CANCELLED, "the caller gave the acquire up");
}

static int acquire_await(Call **call, int64_t deadline, kd_progress progress, void *data, kd_error *error)
{
        kd_client *client = (*call)->client;
        int r;

        while (!(*call)->over) {
                if ((*call)->progressed && acquire_progress(*call, progress, data)) {
                        acquire_cancel(STEAL(*call));
                        return acquire_given_up(error);
                }
                if ((*call)->over)
                        break;
                r = client_wait(client, deadline);
                if (r < 0 && !(*call)->over) {
                        acquire_cancel(STEAL(*call));
                        return failure_unreachable(error, r, "kernelsd did not answer the acquire in time: see whether "
                                                             "it is stopped or overloaded, or allow more time");
                }
        }
        return (*call)->code ? failure_copy(error, &(*call)->error) : 0;
}

/* --- the kernel --- */

/* Whether the daemon's path leads to the same folder in this process, whose
 * view of the files may be another one. */
static bool path_is_folder(const char *path, int fd)
{
        struct stat named, opened;

        return stat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
               named.st_ino == opened.st_ino;
}

static int kernel_set_path(kd_kernel *kernel, Text path, kd_error *error)
{
        Text copy;

        if (path.data) {
                if (arena_copy(&kernel->arena, path, &copy) < 0)
                        return failure_memory(error);
                if (path_is_folder(copy.data, kernel->fd)) {
                        kernel->path = copy.data;
                        return 0;
                }
        }
        copy = arena_format(&kernel->arena, "/proc/self/fd/%d", kernel->fd);
        kernel->path = copy.data;
        return copy.data ? 0 : failure_memory(error);
}

static int kernel_set_metadata(kd_kernel *kernel, Text metadata, kd_error *error)
{
        Text copy;

        if (arena_copy(&kernel->arena, metadata, &copy) < 0)
                return failure_memory(error);
        kernel->metadata = copy.data;
        kernel->metadata_size = copy.size;
        return 0;
}

static const MsgLocalVariant *local_variant(const LocalRepository *local, Text name)
{
        for (size_t i = 0; i < local->n_variants; ++i)
                if (text_equal(local->variants[i].variant, name))
                        return &local->variants[i];
        return NULL;
}

/* A local repository of the caller's: opened here. `variant` is one that was
 * found there: a name from the daemon alone could lead anywhere. */
static int kernel_open_local(kd_kernel *kernel, const LocalRepository *local, const MsgLocalVariant *variant,
                             kd_error *error)
{
        Text path = arena_format(&kernel->arena, "%s/%.*s", local->base, TEXT_PRINT(variant->variant));
        int r;

        if (!path.data)
                return failure_memory(error);
        kernel->fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (kernel->fd < 0)
                return failure_refuse(error, FAULT_GONE, "the local repository's variant %s cannot be opened (%s): "
                                                         "register it again once it is there", path.data,
                                      strerrordesc_np(errno));
        r = kernel_set_path(kernel, path, error);
        return !r && !kernel->metadata ? kernel_set_metadata(kernel, variant->metadata, error) : r;
}

static int kernel_refuse(kd_error *error)
{
        return failure_unreachable(error, -EBADMSG, "kernelsd answered an acquire without a usable folder: install the same "
                                                    "version of library and daemon");
}

/* The facts of an acquire stand where those of an answer do. */
static MsgAnswer acquire_facts(const MsgAcquireResult *result)
{
        MsgAnswer answer = { 0 };

        static_assert(offsetof(MsgAcquireResult, layer) == offsetof(MsgAnswer, layer) &&
                              offsetof(MsgAcquireResult, reference) == offsetof(MsgAnswer, reference) &&
                              offsetof(MsgAcquireResult, state) == offsetof(MsgAnswer, state),
                      "both begin with the same keys");
        memcpy(&answer, result, offsetof(MsgAnswer, state) + sizeof(answer.state));
        return answer;
}

static int kernel_set_digest(kd_kernel *kernel, Text digest, kd_error *error)
{
        Text copy;

        if (arena_copy(&kernel->arena, digest, &copy) < 0)
                return failure_memory(error);
        kernel->answer.digest = copy.data;
        return 0;
}

static int kernel_fill(kd_kernel *kernel, const MsgAcquireResult *result, kd_error *error)
{
        MsgAnswer facts = acquire_facts(result);
        CLEANUP(local_unrefp) LocalRepository *local = answer_local(kernel->client, kernel->epoch, &facts);
        const MsgLocalVariant *variant = local ? local_variant(local, result->variant) : NULL;
        int r;

        kernel->lease = result->lease;
        kernel->native = result->native;
        r = answer_fill(kernel->client, kernel->epoch, &facts, &kernel->arena, &kernel->answer, error);
        if (!r)
                r = kernel_set_digest(kernel, result->digest, error);
        if (!r && result->metadata.data)
                r = kernel_set_metadata(kernel, result->metadata, error);
        if (r)
                return r;
        if (kernel->fd >= 0)
                return kernel_set_path(kernel, result->path, error);
        return variant ? kernel_open_local(kernel, local, variant, error) : kernel_refuse(error);
}

static int kernel_new(kd_client *client, Call *call, kd_kernel **ret_kernel, kd_error *error)
{
        CLEANUP(kd_kernel_freep) kd_kernel *kernel = alloc_zeroed(1, sizeof(*kernel));
        MsgAcquireResult result;
        Fault fault = FAULT_NULL;
        int r;

        if (!kernel)
                return failure_memory(error);
        kernel->client = client_ref(client);
        kernel->epoch = call->epoch;
        kernel->fd = STEAL_FD(call->descriptor);
        kernel->body = STEAL(call->body);
        r = codec_decode(&schema_AcquireResult, kernel->body, call->body_size, &kernel->arena, &result, &fault);
        if (r < 0)
                return failure_memory(error);
        if (r > 0)
                return failure_fault(error, &fault);
        r = kernel_fill(kernel, &result, error);
        if (!r)
                *ret_kernel = STEAL(kernel);
        return r;
}

/* One acquire of the caller's. */
typedef struct Acquiring {
        kd_client *client;
        MsgAcquire message;  /* its deadline is set */
        const uint32_t *view; /* the caller's number; NULL: by repository */
        kd_progress progress;
        void *data;
} Acquiring;

static int acquire_call(Acquiring *acquiring, Call **ret_call, kd_error *error)
{
        uint32_t remote;
        int r;

        if (acquiring->view) {
                r = view_remote(acquiring->client, *acquiring->view, &remote, error);
                if (r)
                        return r;
                acquiring->message.view = INTEGER_PRESENT(remote);
        }
        return call_new(acquiring->client, METHOD_ACQUIRE, &acquiring->message, ret_call, error);
}

static int acquire_run(Acquiring *acquiring, kd_kernel **ret_kernel, kd_error *error)
{
        CLEANUP(call_freep) Call *call = NULL;
        kd_client *client = acquiring->client;
        int64_t wait_ms = acquiring->message.deadline_ms.value;
        int r;

        r = client_lock(client, error);
        if (r)
                return r;
        r = acquire_call(acquiring, &call, error);
        if (!r) {
                /* The daemon keeps the deadline; we only notice when it does not. */
                int64_t until = client_deadline(client, wait_ms > INT64_MAX - client->timeout_ms ?
                                                                INT64_MAX : wait_ms + client->timeout_ms);

                call_start(call);
                client_drive(client, false);
                r = acquire_await(&call, until, acquiring->progress, acquiring->data, error);
                (void)client_dispatch(client);
        }
        client_unlock(client);
        return r ? r : kernel_new(client, call, ret_kernel, error);
}

static MsgAcquire acquire_message(unsigned flags, int64_t deadline_ms)
{
        return (MsgAcquire){
                .fresh = flags & KD_FRESH,
                .trust_remote_code = flags & KD_TRUST_REMOTE_CODE,
                .deadline_ms = INTEGER_PRESENT(deadline_ms > 0 ? deadline_ms : LIMIT_ACQUIRE_MS),
        };
}

#define ACQUIRE_FLAGS (KD_FRESH | KD_TRUST_REMOTE_CODE)

int kd_acquire(kd_client *client, uint32_t view, const kd_query *query, unsigned flags, int64_t deadline_ms,
               kd_progress progress, void *data, kd_kernel **ret_kernel, kd_error *error)
{
        Acquiring acquiring = { .client = client, .message = acquire_message(flags, deadline_ms), .view = &view,
                                .progress = progress, .data = data };
        MsgQuery question;
        int r;

        r = query_check(query, error);
        if (!r)
                r = flags_check(flags, ACQUIRE_FLAGS, error);
        if (r)
                return r;
        question = query_message(query);
        acquiring.message.query = &question;
        return acquire_run(&acquiring, ret_kernel, error);
}

int kd_acquire_repository(kd_client *client, const kd_repository_query *query, unsigned flags, int64_t deadline_ms,
                          kd_progress progress, void *data, kd_kernel **ret_kernel, kd_error *error)
{
        Acquiring acquiring = { .client = client, .message = acquire_message(flags, deadline_ms),
                                .progress = progress, .data = data };
        MsgAcquire *message = &acquiring.message;
        int r;

        if (!query->repo)
                return failure_refuse(error, FAULT_BAD_REQUEST, "a repository is asked for without its name: set `repo`");
        r = flags_check(flags, ACQUIRE_FLAGS, error);
        if (r)
                return r;
        message->repo = text_of(query->repo);
        message->version = optional_of(query->version);
        message->revision = text_of(query->revision);
        message->device = text_of(query->device);
        message->capability = optional_of(query->capability);
        message->arch = text_of(query->arch);
        return acquire_run(&acquiring, ret_kernel, error);
}
