/* A kernel: made of the answer to an acquire, shared, given back. */
#include <assert.h>
#include <dlfcn.h>
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
#include "proto/base/alloc.h"

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

int kernel_new(kd_client *client, Call *call, kd_kernel **ret_kernel, kd_error *error)
{
        CLEANUP(kd_kernel_freep) kd_kernel *kernel = alloc_zeroed(1, sizeof(*kernel));
        MsgAcquireResult result;
        Fault fault = FAULT_NULL;
        int r;

        if (!kernel)
                return failure_memory(error);
        kernel->n_users = 1;
        kernel->client = client_ref(client);
        kernel->epoch = call->epoch;
        kernel->fd = STEAL_FD(call->descriptor);
        r = codec_decode(&schema_AcquireResult, call->body, call->body_size, &kernel->arena, &result, &fault);
        if (r < 0)
                return failure_memory(error);
        if (r > 0)
                return failure_fault(error, &fault);
        kernel->body = STEAL(call->body); /* which the texts are in */
        r = kernel_fill(kernel, &result, error);
        if (!r)
                *ret_kernel = STEAL(kernel);
        return r;
}

/* --- giving back --- */

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

kd_kernel *kernel_ref(kd_kernel *kernel)
{
        (void)__atomic_fetch_add(&kernel->n_users, 1, __ATOMIC_RELAXED);
        return kernel;
}

kd_kernel *kd_kernel_free(kd_kernel *kernel)
{
        kd_client *client;

        if (!kernel || __atomic_sub_fetch(&kernel->n_users, 1, __ATOMIC_ACQ_REL))
                return NULL;
        if (kernel->library)
                (void)dlclose(kernel->library);
        if (kernel->fd >= 0)
                (void)close(kernel->fd);
        client = kernel->client;
        if (client && kernel->lease.present && client_lock(client, NULL) == 0) {
                lease_release(client, kernel->epoch, kernel->lease.value);
                client_drive(client, true);
                (void)client_dispatch(client);
                client_unlock(client);
        }
        (void)client_unref(client);
        arena_deinit(&kernel->arena);
        alloc_free(kernel->body);
        alloc_free(kernel);
        return NULL;
}

const kd_answer *kd_kernel_answer(const kd_kernel *kernel)
{
        return &kernel->answer;
}

const char *kd_kernel_path(const kd_kernel *kernel)
{
        return kernel->path;
}

int kd_kernel_fd(const kd_kernel *kernel)
{
        return kernel->fd;
}

const char *kd_kernel_metadata(const kd_kernel *kernel, size_t *ret_size)
{
        if (ret_size)
                *ret_size = kernel->metadata_size;
        return kernel->metadata;
}
