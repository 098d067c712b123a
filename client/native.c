/* Native kernels: the library that metadata.json names, loaded with dlopen. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "client/failure.h"
#include "client/kernel.h"
#include "proto/name.h"

static const MsgNativeLayer *native_find(const MsgNative *native, Text layer)
{
        for (size_t i = 0; i < native->layers.n; ++i)
                if (text_equal(native->layers.keys[i], layer))
                        return &native->layers.items[i];
        return NULL;
}

static int native_layer(const kd_kernel *kernel, const char *layer, const MsgNativeLayer **ret_layer, kd_error *error)
{
        if (!kernel->native)
                return failure_set(error, -ENOENT, "the kernel at %s has no native functions: its metadata.json has no "
                                                   "`native` table", kernel->path);
        if (!layer)
                layer = kernel->answer.reference_layer ? kernel->answer.reference_layer : kernel->answer.layer;
        *ret_layer = layer ? native_find(kernel->native, text_of(layer)) : NULL;
        if (!*ret_layer)
                return failure_set(error, -ENOENT, "the `native` table of the kernel at %s does not name layer \"%s\"",
                                   kernel->path, layer ? layer : "");
        return 0;
}

/* Where this process does not see the folder under its name, the way to it is
 * /proc/self/fd/N. The loader knows objects again by the text of their path,
 * and N is used anew once the kernel is freed, while a library may stay loaded
 * (thread-local destructors). So each such path is spelled in its own way: a
 * counter, in which "." stands for 1 and "" for 0. */
static Text native_unique_path(const kd_kernel *kernel, Arena *arena, Text library)
{
        static unsigned counter;
        unsigned number = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
        char digits[2 * 32 + 1], *at = digits;

        for (; number; number >>= 1) {
                if (number & 1)
                        *at++ = '.';
                *at++ = '/';
        }
        *at = 0;
        return arena_format(arena, "/proc/self/fd/%d/%s%.*s", kernel->fd, digits, TEXT_PRINT(library));
}

static Text native_path(const kd_kernel *kernel, Arena *arena)
{
        Text library = kernel->native->library;

        if (!strncmp(kernel->path, "/proc/self/fd/", strlen("/proc/self/fd/")))
                return native_unique_path(kernel, arena, library);
        return arena_format(arena, "%s/%.*s", kernel->path, TEXT_PRINT(library));
}

/* Two threads may load at once; the loader counts, and the second lets go. */
static int native_load(kd_kernel *kernel, void **ret_library, kd_error *error)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        void *library = __atomic_load_n(&kernel->library, __ATOMIC_ACQUIRE), *other = NULL;
        Text path;

        if (library) {
                *ret_library = library;
                return 0;
        }
        if (!name_is_file(kernel->native->library))
                return failure_set(error, -ELIBBAD, "the `native` table of the kernel at %s names no plain file as its "
                                                    "library", kernel->path);
        path = native_path(kernel, &arena);
        if (!path.data)
                return failure_memory(error);
        library = dlopen(path.data, RTLD_NOW | RTLD_LOCAL);
        if (!library)
                return failure_set(error, -ELIBBAD, "the kernel's library does not load: %s", dlerror());
        if (!__atomic_compare_exchange_n(&kernel->library, &other, library, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
                (void)dlclose(library);
                library = other;
        }
        *ret_library = library;
        return 0;
}

int kd_native(kd_kernel *kernel, const char *layer, kd_forward *ret_function, kd_error *error)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const MsgNativeLayer *entry;
        void *library = NULL, *symbol;
        Text name;
        int r;

        r = native_layer(kernel, layer, &entry, error);
        if (!r)
                r = native_load(kernel, &library, error);
        if (r)
                return r;
        name = arena_format(&arena, "__tvm_ffi_%.*s", TEXT_PRINT(entry->function));
        if (!name.data)
                return failure_memory(error);
        symbol = dlsym(library, name.data);
        if (!symbol)
                return failure_set(error, -ELIBBAD, "the kernel's library has no function %s: %s", name.data,
                                   dlerror());
        memcpy(ret_function, &symbol, sizeof(symbol)); /* POSIX: a symbol may be a function */
        return 0;
}

int native_arguments(const kd_kernel *kernel, const char *layer)
{
        const MsgNativeLayer *entry;

        if (native_layer(kernel, layer, &entry, NULL) || !entry->arguments.n)
                return -1;
        return (int)entry->arguments.n;
}

int kd_native_states(const kd_kernel *kernel, const char *layer, int *ret_has_backward, int *ret_can_torch_compile,
                     kd_error *error)
{
        const MsgNativeLayer *entry;
        int r;

        r = native_layer(kernel, layer, &entry, error);
        if (r)
                return r;
        *ret_has_backward = entry->has_backward;
        *ret_can_torch_compile = entry->can_torch_compile;
        return 0;
}
