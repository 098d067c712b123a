#include "proto/fault.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct FaultRow {
        const char *spelling;
        const char *meaning;
        int exit_status;
        bool retry;
} FaultRow;

static const FaultRow fault_rows[_FAULT_MAX] = {
        [FAULT_NONE] = { "none", "No error.", 0, false },
#define F(name, spelling, status, retry, meaning) [FAULT_##name] = { spelling, meaning, status, retry },
        FAULT_TABLE(F)
#undef F
};

/* Makes printable UTF-8 of `size` bytes, in place; never longer than before. A
 * sequence that was cut off at the end goes, any other bad byte becomes '?'. */
static void message_clean(char *message, size_t size, bool cut)
{
        size_t from = 0, to = 0;

        while (from < size) {
                const char *p = message + from;
                size_t n = text_utf8_step((Text){ p, size - from });

                if (!n && cut && size - from < 4 && (*p & 0xc0) == 0xc0)
                        break;
                if (!n || text_begins_with_control((Text){ p, n })) {
                        message[to++] = '?';
                } else {
                        memmove(message + to, p, n);
                        to += n;
                }
                from += n ? n : 1;
        }
        message[to] = 0;
}

int fault_set(Fault *fault, FaultName name, const char *format, ...)
{
        va_list arguments;
        size_t size;
        int n;

        fault->name = name;
        va_start(arguments, format);
        n = vsnprintf(fault->message, sizeof(fault->message), format, arguments);
        va_end(arguments);
        if (n < 0)
                n = 0;
        size = (size_t)n < sizeof(fault->message) ? (size_t)n : sizeof(fault->message) - 1;
        message_clean(fault->message, size, (size_t)n > size);
        return 1;
}

static const FaultRow *fault_row(FaultName name)
{
        return &fault_rows[(unsigned)name < _FAULT_MAX ? name : FAULT_INTERNAL];
}

const char *fault_spelling(FaultName name)
{
        return fault_row(name)->spelling;
}

const char *fault_meaning(FaultName name)
{
        return fault_row(name)->meaning;
}

int fault_exit_status(FaultName name)
{
        return fault_row(name)->exit_status;
}

bool fault_may_retry(FaultName name)
{
        return fault_row(name)->retry;
}

FaultName fault_parse(Text spelling)
{
        for (unsigned i = FAULT_NONE + 1; i < _FAULT_MAX; i++)
                if (text_equal(text_of(fault_rows[i].spelling), spelling))
                        return (FaultName)i;
        return FAULT_NONE;
}
