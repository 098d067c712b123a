#include "daemon/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/log_output.h"
#include "daemon/log_ring.h"
#include "proto/base/cleanup.h"
#include "proto/base/error.h"

/* One log a process: the traces of proto/base/error.h and the signal handler
 * of the ring have no place to carry a pointer. */
static struct {
        pthread_mutex_t lock; /* guards all below but the level */
        LogOutput output;
        LogRate rate;
        uint64_t n_dropped;
        uint64_t n_told;      /* dropped ones that a message has spoken of */
        _Atomic int level;
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER, .output = { .fd = 2 }, .level = LOG_LEVEL_INFO };

static const struct {
        const char *name;
        int priority; /* of syslog(3) */
} log_levels[] = {
        [LOG_LEVEL_ERROR] = { "error", 3 },   [LOG_LEVEL_WARNING] = { "warning", 4 },
        [LOG_LEVEL_NOTICE] = { "notice", 5 }, [LOG_LEVEL_INFO] = { "info", 6 },
        [LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static const LogFields log_no_fields = { .uid = -1, .pid = -1 };

static const char *const log_event_ids[] = {
#define E(name, id, meaning) [LOG_##name##_EVENT] = id,
        LOG_EVENTS(E)
#undef E
};

bool log_rate_take(LogRate *rate, uint64_t now_us)
{
        if (now_us - rate->begin_us >= LOG_INTERVAL_US) {
                rate->begin_us = now_us;
                rate->n = 0;
        }
        if (rate->n >= LOG_BURST)
                return false;
        rate->n++;
        return true;
}

static uint64_t log_now_us(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* Peers' bytes reach messages; no line break or escape sequence of theirs does,
 * nor what a terminal takes for one: C1, which is two bytes of UTF-8. */
static void log_clean(char *text)
{
        for (; *text; text++) {
                unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

                if (c < 0x20 || c == 0x7f)
                        text[0] = '?';
                else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
                        text[0] = text[1] = '?';
        }
}

static void record_fields(LogRecord *record, const LogFields *fields)
{
        if (fields->session > 0)
                log_record_integer(record, "KERNELSD_SESSION", fields->session);
        if (fields->uid >= 0)
                log_record_integer(record, "KERNELSD_UID", fields->uid);
        if (fields->pid > 0)
                log_record_integer(record, "KERNELSD_PID", fields->pid);
        if (fields->error)
                log_record_integer(record, "ERRNO", fields->error < 0 ? -fields->error : fields->error);
        log_record_text(record, "KERNELSD_LAYER", fields->layer);
        log_record_text(record, "KERNELSD_REPOSITORY", fields->repository);
        log_record_text(record, "KERNELSD_VARIANT", fields->variant);
        log_record_text(record, "KERNELSD_REASON", fields->reason);
        log_record_text(record, "KERNELSD_FILE", fields->file);
}

/* With the lock held. */
static bool log_emit(LogLevel level, LogEvent event, const LogFields *fields, const char *message)
{
        LogRecord record = LOG_RECORD_NULL;
        char line[LOG_LINE_SIZE];

        /* Whoever writes the message says in it what a reader of a line wants. */
        if (fields->session > 0)
                (void)snprintf(line, sizeof(line), "%s (session %" PRId64 ")", message, fields->session);
        else
                (void)snprintf(line, sizeof(line), "%s", message);
        log_ring_add(log_levels[level].name, line);
        if ((int)level > log_state.level)
                return true;
        if (!log_state.output.journal)
                return log_output_line(&log_state.output, log_levels[level].name, line);
        log_record_text(&record, "MESSAGE", text_of(line));
        log_record_integer(&record, "PRIORITY", log_levels[level].priority);
        log_record_text(&record, "MESSAGE_ID", text_of(log_event_ids[event]));
        log_record_text(&record, "SYSLOG_IDENTIFIER", TEXT("kernelsd"));
        record_fields(&record, fields);
        return log_output_record(&log_state.output, &record);
}

/* Once something gets through again, say what did not. With the lock held. */
static void log_tell_dropped(void)
{
        char message[80];
        uint64_t n = log_state.n_dropped - log_state.n_told;

        if (n == 0)
                return;
        (void)snprintf(message, sizeof(message), "%" PRIu64 " messages were dropped before this one", n);
        if (log_emit(LOG_LEVEL_WARNING, LOG_FAILURE_EVENT, &log_no_fields, message))
                log_state.n_told += n;
}

void log_write(LogLevel level, LogEvent event, const LogFields *fields, const char *format, ...)
{
        char message[LOG_LINE_SIZE];
        va_list arguments;

        if (!fields)
                fields = &log_no_fields;
        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        log_clean(message);

        pthread_mutex_lock(&log_state.lock);
        if (fields->peer && (int)level <= log_state.level && !log_rate_take(&log_state.rate, log_now_us())) {
                log_state.n_dropped++;
        } else {
                log_tell_dropped();
                if (!log_emit(level, event, fields, message))
                        log_state.n_dropped++;
        }
        pthread_mutex_unlock(&log_state.lock);
}

/* The way that a failure took goes into the ring; the log has the decision. */
static void log_trace(int error, const char *function, const char *file, int line)
{
        char text[160];

        (void)snprintf(text, sizeof(text), "%s at %s:%d: %s", function, file, line, strerrordesc_np(-error));
        pthread_mutex_lock(&log_state.lock);
        log_ring_add("trace", text);
        pthread_mutex_unlock(&log_state.lock);
}

void log_open(LogLevel level)
{
        log_level_set(level);
        log_output_open(&log_state.output);
        log_ring_install();
        error_trace_set(log_trace);
}

void log_level_set(LogLevel level)
{
        log_state.level = (int)level;
}

void log_close(void)
{
        error_trace_set(NULL);
        log_output_close(&log_state.output);
}

uint64_t log_dropped(void)
{
        uint64_t n;

        pthread_mutex_lock(&log_state.lock);
        n = log_state.n_dropped;
        pthread_mutex_unlock(&log_state.lock);
        return n;
}
