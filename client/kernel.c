#include "client/kernel.h"

#include <dlfcn.h>
#include <unistd.h>

#include "client/acquire.h"
#include "proto/base/alloc.h"

kd_kernel *kd_kernel_free(kd_kernel *kernel)
{
        kd_client *client;

        if (!kernel)
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
