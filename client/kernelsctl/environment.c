#include "client/kernelsctl/environment.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "client/kernelsctl/field.h"

static int refuse(kd_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(kd_error *error, const char *format, ...)
{
        va_list arguments;

        *error = (kd_error){ .code = KD_INVALID_NAME, .name = "invalid-name" };
        va_start(arguments, format);
        (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
        va_end(arguments);
        return error->code;
}

/* "12.8" with prefix "cu" is "cu128"; the minor is one digit in variant names. */
static int backend_of_version(const char *prefix, const char *option, const char *version, char *buffer, size_t size,
                              kd_error *error)
{
        const char *dot = strchr(version, '.');
        size_t n = dot ? (size_t)(dot - version) : 0;

        for (size_t i = 0; i < n; i++)
                if (!isdigit((unsigned char)version[i]))
                        n = 0;
        if (!n || n > 8 || !isdigit((unsigned char)dot[1]) || dot[2])
                return refuse(error, "--%s takes major.minor, such as 12.8; not \"%s\"", option, version);
        (void)snprintf(buffer, size, "%s%.*s%c", prefix, (int)n, version, dot[1]);
        return 0;
}

static int backend_from_arguments(const Arguments *arguments, EnvironmentTexts *texts, const char **ret_backend,
                                  kd_error *error)
{
        const char *cuda = arguments->values[OPTION_CUDA], *rocm = arguments->values[OPTION_ROCM];
        const char *backend = arguments->values[OPTION_BACKEND];
        int r = 0;

        if (!!cuda + !!rocm + !!backend > 1)
                return refuse(error, "only one of --cuda, --rocm and --backend can be given");
        if (cuda)
                r = backend_of_version("cu", "cuda", cuda, texts->backend, sizeof(texts->backend), error);
        else if (rocm)
                r = backend_of_version("rocm", "rocm", rocm, texts->backend, sizeof(texts->backend), error);
        if (r)
                return r;
        *ret_backend = cuda || rocm ? texts->backend : backend;
        return 0;
}

int environment_from_arguments(const Arguments *arguments, EnvironmentTexts *texts, kd_environment *ret_environment,
                               kd_error *error)
{
        kd_environment environment = KD_ENVIRONMENT_INIT;
        const char *abi = arguments->values[OPTION_ABI];
        int r = backend_from_arguments(arguments, texts, &environment.backend, error);

        if (r)
                return r;
        if (abi && strcmp(abi, "cxx11") != 0 && strcmp(abi, "cxx98") != 0)
                return refuse(error, "--abi takes cxx11 or cxx98; not \"%s\"", abi);
        environment.cxx11_abi = abi ? strcmp(abi, "cxx11") == 0 : -1;
        environment.torch = arguments->values[OPTION_TORCH];
        environment.tvm_ffi = arguments->values[OPTION_TVM_FFI];
        environment.cpu = arguments->values[OPTION_CPU];
        environment.os = arguments->values[OPTION_OS];
        environment.python = arguments->values[OPTION_PYTHON];
        environment.free_threaded = arguments_have(arguments, OPTION_FREE_THREADED) ? 1 : -1;
        environment.glibc = arguments->values[OPTION_GLIBC];
        environment.program = "kernelsctl";
        *ret_environment = environment;
        return 0;
}

static int set_truth(kd_value *map, const char *key, int truth)
{
        return truth < 0 ? 0 : kd_value_set(map, key, kd_value_bool(truth));
}

kd_value *environment_to_value(const kd_environment *environment)
{
        kd_value *map = kd_value_map();
        struct utsname system;

        if (!map || uname(&system) < 0)
                return kd_value_free(map);
        if (field_set_text(map, "torch", environment->torch) < 0 ||
            set_truth(map, "cxx11_abi", environment->cxx11_abi) < 0 ||
            field_set_text(map, "tvm_ffi", environment->tvm_ffi) < 0 ||
            field_set_text(map, "backend", environment->backend) < 0 ||
            field_set_text(map, "cpu", environment->cpu ? environment->cpu : system.machine) < 0 ||
            field_set_text(map, "os", environment->os ? environment->os : "linux") < 0 ||
            field_set_text(map, "python", environment->python) < 0 ||
            set_truth(map, "free_threaded", environment->free_threaded) < 0 ||
            field_set_text(map, "glibc", environment->glibc) < 0)
                return kd_value_free(map);
        return map;
}

void environment_from_value(const kd_value *value, kd_environment *ret_environment)
{
        *ret_environment = (kd_environment){
                .torch = field_text(value, "torch", NULL),
                .cxx11_abi = field_truth(value, "cxx11_abi"),
                .tvm_ffi = field_text(value, "tvm_ffi", NULL),
                .backend = field_text(value, "backend", NULL),
                .cpu = field_text(value, "cpu", NULL),
                .os = field_text(value, "os", NULL),
                .python = field_text(value, "python", NULL),
                .free_threaded = field_truth(value, "free_threaded"),
                .glibc = field_text(value, "glibc", NULL),
                .program = "kernelsctl",
        };
}
