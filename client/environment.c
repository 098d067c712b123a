#include "client/environment.h"

#include <errno.h>
#include <sys/utsname.h>

static int8_t environment_tristate(int value)
{
        return (int8_t)(value < 0 ? -1 : value > 0);
}

/* A name from the system, not from the caller: cut to what the protocol takes,
 * odd bytes made harmless, rather than refused by the daemon. */
static int environment_word(Arena *arena, const char *word, bool lower, Text *ret_word)
{
        size_t size = strnlen(word, LIMIT_WORD);
        char *copy = arena_bytes(arena, size + 1);

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < size; ++i) {
                unsigned char c = (unsigned char)word[i];

                copy[i] = (char)(c < 0x20 || c > 0x7e ? '?' : lower && c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
        copy[size] = 0;
        *ret_word = (Text){ size ? copy : NULL, size };
        return 0;
}

static int environment_defaults(Arena *arena, MsgEnvironment *message)
{
        struct utsname system;
        int r = 0;

        if (uname(&system) < 0)
                return -errno;
        if (!message->cpu.data)
                r = environment_word(arena, system.machine, false, &message->cpu);
        if (!r && !message->os.data)
                r = environment_word(arena, system.sysname, true, &message->os);
        if (!r && !message->program.data)
                r = environment_word(arena, program_invocation_short_name, false, &message->program);
        return r;
}

int client_environment_init(ClientEnvironment *ret, const kd_environment *environment)
{
        static const kd_environment nothing = KD_ENVIRONMENT_INIT;
        const kd_environment *from = environment ? environment : &nothing;
        MsgEnvironment message = {
                .cxx11_abi = environment_tristate(from->cxx11_abi),
                .free_threaded = environment_tristate(from->free_threaded),
        };
        Arena arena = ARENA_NULL;
        const struct { const char *from; Text *to; } words[] = {
                { from->torch, &message.torch },     { from->tvm_ffi, &message.tvm_ffi },
                { from->backend, &message.backend }, { from->cpu, &message.cpu },
                { from->os, &message.os },           { from->python, &message.python },
                { from->glibc, &message.glibc },     { from->program, &message.program },
        };
        int r = 0;

        for (size_t i = 0; !r && i < ARRAY_SIZE(words); ++i)
                r = arena_copy(&arena, text_of(words[i].from), words[i].to);
        if (!r)
                r = environment_defaults(&arena, &message);
        if (r < 0) {
                arena_deinit(&arena);
                return r;
        }
        *ret = (ClientEnvironment){ arena, message };
        return 0;
}

void client_environment_deinit(ClientEnvironment *environment)
{
        arena_deinit(&environment->arena);
        *environment = CLIENT_ENVIRONMENT_NULL;
}
