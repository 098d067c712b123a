#include "kernels/environment.h"

#include "kernels/variant.h"
#include "proto/base/cleanup.h"
#include "proto/name.h"

static bool number_parse(Text text, int64_t *ret_number)
{
        int64_t number = 0;

        if (!text.size)
                return false;
        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(number, 10, &number) ||
                    __builtin_add_overflow(number, text.data[i] - '0', &number))
                        return false;
        }
        *ret_number = number;
        return number < INT64_MAX;
}

bool version2_parse(Text text, Version2 *ret_version)
{
        const char *dot = text.size ? memchr(text.data, '.', text.size) : NULL;
        Version2 version = { .present = true };
        size_t n;

        if (!dot)
                return false;
        n = (size_t)(dot - text.data);
        if (!number_parse((Text){ text.data, n }, &version.major) ||
            !number_parse((Text){ dot + 1, text.size - n - 1 }, &version.minor))
                return false;
        *ret_version = version;
        return true;
}

typedef struct Field {
        const char *key;
        const Text *from;
        Text *to;
} Field;

/* "2.7": major.minor and nothing else. */
static int take_version(Text text, const char *key, Version2 *ret_version, Fault *fault)
{
        if (!text.data)
                return 0;
        if (!version2_parse(text, ret_version))
                return fault_set(fault, FAULT_BAD_REQUEST, "environment: `%s` is \"%.*s\"; write major.minor, such as 2.7",
                                 key, TEXT_PRINT(text));
        return 0;
}

static int check_backend(Text text, Fault *fault)
{
        Backend backend;
        Version2 version;

        if (!text.data || backend_parse_variant(text, &backend, &version))
                return 0;
        return fault_set(fault, FAULT_BAD_REQUEST,
                         "environment: `backend` is \"%.*s\"; write it as build variants do, such as cu128, rocm63 or cpu",
                         TEXT_PRINT(text));
}

static int copy_words(Environment *environment, const MsgEnvironment *message, Fault *fault)
{
        MsgEnvironment *own = &environment->message;
        const Field fields[] = {
                { "torch", &message->torch, &own->torch },       { "tvm_ffi", &message->tvm_ffi, &own->tvm_ffi },
                { "backend", &message->backend, &own->backend }, { "cpu", &message->cpu, &own->cpu },
                { "os", &message->os, &own->os },                { "python", &message->python, &own->python },
                { "glibc", &message->glibc, &own->glibc },       { "program", &message->program, &own->program },
        };
        int r;

        _Static_assert(ARRAY_SIZE(fields) <= ARRAY_SIZE(environment->storage), "room for every text");
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                if (!fields[i].from->data)
                        continue;
                r = name_check_word(*fields[i].from, fields[i].key, fault);
                if (r)
                        return r;
                memcpy(environment->storage[i], fields[i].from->data, fields[i].from->size);
                *fields[i].to = (Text){ environment->storage[i], fields[i].from->size };
        }
        return 0;
}

int environment_init(Environment *environment, const MsgEnvironment *message, bool native, Fault *fault)
{
        MsgEnvironment *own = &environment->message;
        int r;

        *environment = (Environment){ .message = { .cxx11_abi = -1, .free_threaded = -1 } };
        if (message) {
                environment->present = true;
                own->cxx11_abi = message->cxx11_abi;
                own->free_threaded = message->free_threaded;
                r = copy_words(environment, message, fault);
                if (r)
                        return r;
        }
        if (native && !own->tvm_ffi.data)
                own->tvm_ffi = TEXT("0.1");
        r = take_version(own->torch, "torch", &environment->torch, fault);
        if (!r)
                r = take_version(own->tvm_ffi, "tvm_ffi", &environment->tvm_ffi, fault);
        if (!r)
                r = take_version(own->python, "python", &environment->python, fault);
        if (!r)
                r = check_backend(own->backend, fault);
        return r;
}
