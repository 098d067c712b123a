/* The verbs and options of kernelsctl, once: from this table come the parser,
 * `--help` and the manual page. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* option, argument (NULL: none), meaning. Each verb takes a subset. */
#define OPTION_TABLE(O)                                                                                         \
        O(HELP, "help", NULL, "Show what the verb does and takes.")                                             \
        O(JSON, "json", NULL, "One JSON object on stdout, its form named by the key `schema`.")                 \
        O(SOCKET, "socket", "PATH", "Ask the daemon behind this socket.")                                       \
        O(SYSTEM, "system", NULL, "Ask the host's daemon, not the user's.")                                     \
        O(DEVICE, "device", "TYPE", "Device type: cpu, cuda, mps, neuron, npu, rocm, tpu or xpu. Default: cpu; where a repository is named, that of the environment's backend.") \
        O(CAPABILITY, "capability", "N", "Capability of the device, for cuda and rocm: 90 or 9.0.")             \
        O(MIN, "min-capability", "N", "The lowest capability of the entry: 75 or 7.5.")                         \
        O(MAX, "max-capability", "N", "The highest capability of the entry.")                                   \
        O(MODE, "mode", "MODE", "inference or training, each alone or with `|torch_compile`. Default: inference.") \
        O(ARCH, "arch", "GFX", "For rocm: the device's gfx name.")                                              \
        O(TORCH, "torch", "VERSION", "Torch's version, such as 2.7.")                                           \
        O(ABI, "abi", "ABI", "The C++ ABI that Torch was built with: cxx11 or cxx98.")                          \
        O(CUDA, "cuda", "VERSION", "CUDA's version, such as 12.8: the backend cu128.")                          \
        O(ROCM, "rocm", "VERSION", "ROCm's version, such as 6.3: the backend rocm63.")                          \
        O(BACKEND, "backend", "NAME", "The backend in the spelling of variants, such as cu128 or cpu.")         \
        O(TVM_FFI, "tvm-ffi", "VERSION", "tvm-ffi's version, such as 0.1.")                                     \
        O(CPU, "cpu", "NAME", "Machine name. Default: this machine's.")                                         \
        O(OS, "os", "NAME", "System name. Default: linux.")                                                     \
        O(PYTHON, "python", "VERSION", "Python's version, such as 3.11.")                                       \
        O(FREE_THREADED, "free-threaded", NULL, "That Python runs without the interpreter lock.")               \
        O(GLIBC, "glibc", "VERSION", "The C library's version.")                                                \
        O(NATIVE, "native", NULL, "The program loads native kernels: tvm-ffi 0.1 where none is named.")         \
        O(LIKE, "like", "SESSION", "The environment of a connected client, by its number in `clients`.")        \
        O(DEADLINE, "deadline", "SECONDS", "Give up after so long. Default: 600.")                              \
        O(REPO, "repo", "ORG/NAME", "This repository of the Hub, whatever a mapping says.")                     \
        O(VERSION, "version", "N", "Version N of the repository, which is its branch vN.")                      \
        O(REVISION, "revision", "NAME", "A branch, a tag or a commit of the repository.")                       \
        O(FRESH, "fresh", NULL, "The commit of now, whatever is known.")                                        \
        O(TRUST, "trust-remote-code", NULL, "Take the kernel of a publisher whom nobody trusts: its code runs with the rights of who loads it. Lifts no denial.") \
        O(OFFLINE, "offline", NULL, "Ask nothing of the Hub.")                                                  \
        O(JOB, "job", "NAME", "The commits that this job had: those who name the same one agree.")              \
        O(LOCK, "lock", "FILE", "All that this kernels.lock names, at its commits; - for stdin.")               \
        O(ENVIRONMENT, "environment", "NAME", "For the environment of this name; see `environment list`.")      \
        O(REMOVE, "remove", NULL, "Remove it.")                                                                 \
        O(NUMBER, "number", "N", "At most so many; also -n N. Default: 100.")

typedef enum OptionNumber {
#define O(constant, name, argument, meaning) OPTION_##constant,
        OPTION_TABLE(O)
#undef O
        _OPTION_MAX,
} OptionNumber;

typedef struct Option {
        const char *name;
        const char *argument;
        const char *meaning;
} Option;

extern const Option option_table[_OPTION_MAX];

#define OPTION_BIT(constant) (UINT64_C(1) << OPTION_##constant)
#define OPTIONS_ALWAYS (OPTION_BIT(HELP) | OPTION_BIT(JSON))
#define OPTIONS_SOCKET (OPTIONS_ALWAYS | OPTION_BIT(SOCKET) | OPTION_BIT(SYSTEM))
#define OPTIONS_DEVICE (OPTION_BIT(DEVICE) | OPTION_BIT(CAPABILITY) | OPTION_BIT(ARCH))
#define OPTIONS_FACTS                                                                                      \
        (OPTION_BIT(TORCH) | OPTION_BIT(ABI) | OPTION_BIT(CUDA) | OPTION_BIT(ROCM) | OPTION_BIT(BACKEND) |    \
         OPTION_BIT(TVM_FFI) | OPTION_BIT(CPU) | OPTION_BIT(OS) | OPTION_BIT(PYTHON) |                        \
         OPTION_BIT(FREE_THREADED) | OPTION_BIT(GLIBC) | OPTION_BIT(NATIVE))
#define OPTIONS_SUIT (OPTIONS_SOCKET | OPTIONS_DEVICE | OPTIONS_FACTS | OPTION_BIT(LIKE))
#define OPTIONS_QUERY (OPTIONS_SUIT | OPTION_BIT(MODE) | OPTION_BIT(OFFLINE) | OPTION_BIT(JOB))
#define OPTIONS_REVISION (OPTION_BIT(VERSION) | OPTION_BIT(REVISION))

/* A command line, taken apart. Texts are argv's. */
typedef struct Arguments {
        const char *values[_OPTION_MAX]; /* NULL: not given; "" for options without an argument */
        char **words;                    /* what is no option, after the verb */
        size_t n_words;
        char **command;                  /* after "--": NULL-terminated; NULL: no "--" */
} Arguments;

static inline bool arguments_have(const Arguments *arguments, OptionNumber option)
{
        return arguments->values[option] != NULL;
}

typedef struct Command {
        const char *verb;     /* "mapping list" */
        const char *words;    /* "LAYER…", for help */
        uint64_t options;     /* OPTION_BITs it takes */
        size_t min_words;
        size_t max_words;
        bool takes_command;   /* "-- COMMAND" */
        int (*run)(const Arguments *arguments);
        const char *summary;  /* one line */
        const char *text;     /* what it does, for `--help` and the manual */
} Command;

extern const Command command_table[];
extern const size_t n_commands;

/* Runs a command line: kernelsctl's exit status. */
int command_run(int argc, char **argv);

/* Prints the sections of the manual page (roff) that the table makes. */
void command_print_manual(void);

/* The verbs, each in its file; they return the exit status. */
int verb_resolve(const Arguments *arguments);
int verb_explain(const Arguments *arguments);
int verb_acquire(const Arguments *arguments);
int verb_mapping_list(const Arguments *arguments);
int verb_mapping_check(const Arguments *arguments);
int verb_mapping_store(const Arguments *arguments);
int verb_mapping_remove(const Arguments *arguments);
int verb_mapping_load(const Arguments *arguments);
int verb_mapping_dump(const Arguments *arguments);
int verb_versions(const Arguments *arguments);
int verb_info(const Arguments *arguments);
int verb_refresh(const Arguments *arguments);
int verb_prefetch(const Arguments *arguments);
int verb_environment_list(const Arguments *arguments);
int verb_environment_add(const Arguments *arguments);
int verb_cache_list(const Arguments *arguments);
int verb_cache_verify(const Arguments *arguments);
int verb_history(const Arguments *arguments);
int verb_pin(const Arguments *arguments);
int verb_unpin(const Arguments *arguments);
int verb_pins(const Arguments *arguments);
int verb_clients(const Arguments *arguments);
int verb_status(const Arguments *arguments);
int verb_version(const Arguments *arguments);
