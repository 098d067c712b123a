#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/failure.h"

static_assert((int)KD_BAD_REQUEST == (int)FAULT_BAD_REQUEST && (int)KD_TIMEOUT == (int)FAULT_TIMEOUT &&
                      (int)KD_TIMEOUT + 1 == (int)_FAULT_MAX,
              "kd_fault counts as FaultName does");
static_assert(sizeof(((kd_error *)NULL)->message) >= LIMIT_FAULT_MESSAGE, "a fault's message fits");

static void failure_fill(kd_error *error, int code, bool retry, const char *name)
{
        error->code = code;
        error->retry = retry;
        (void)snprintf(error->name, sizeof(error->name), "%s", name ? name : "unknown");
}

int failure_set(kd_error *error, int code, const char *format, ...)
{
        va_list arguments;

        assert(code < 0);
        if (!error)
                return code;
        failure_fill(error, code, code == -EAGAIN || code == -EINTR, strerrorname_np(-code));
        va_start(arguments, format);
        (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
        va_end(arguments);
        return code;
}

int failure_unreachable(kd_error *error, int code, const char *format, ...)
{
        va_list arguments;

        assert(code < 0);
        if (!error)
                return code;
        failure_fill(error, code, true, "unreachable");
        va_start(arguments, format);
        (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
        va_end(arguments);
        return code;
}

int failure_fault(kd_error *error, const Fault *fault)
{
        assert(fault->name > FAULT_NONE && fault->name < _FAULT_MAX);
        if (error) {
                failure_fill(error, (int)fault->name, fault_may_retry(fault->name), fault_spelling(fault->name));
                (void)snprintf(error->message, sizeof(error->message), "%s", fault->message);
        }
        return (int)fault->name;
}

int failure_refuse(kd_error *error, FaultName name, const char *format, ...)
{
        char message[LIMIT_FAULT_MESSAGE + 4]; /* more than fits, so that the fault knows of a cut */
        Fault fault = FAULT_NULL;
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        (void)fault_set(&fault, name, "%s", message);
        return failure_fault(error, &fault);
}

int failure_as(kd_error *error, int code, bool retry, const char *name, const char *message)
{
        if (error) {
                failure_fill(error, code, retry, name);
                (void)snprintf(error->message, sizeof(error->message), "%s", message);
        }
        return code;
}

int failure_memory(kd_error *error)
{
        return failure_set(error, -ENOMEM, "this process has no memory left for the request");
}

int failure_copy(kd_error *error, const kd_error *kept)
{
        if (error)
                *error = *kept;
        return kept->code;
}

const char *kd_fault_name(int fault)
{
        return fault > FAULT_NONE && fault < _FAULT_MAX ? fault_spelling((FaultName)fault) : NULL;
}

int kd_exit_status(int code)
{
        if (code < 0)
                return 3;
        return code > FAULT_NONE && code < _FAULT_MAX ? fault_exit_status((FaultName)code) : code != 0;
}

const char *kd_version(void)
{
        return KERNELSD_VERSION;
}
