/* The log: to the journal with fields when stderr is connected to it, else a
 * line to stderr. One message per decision, where it is decided. Callable from
 * any thread. What is written on behalf of peers is rate-limited, never blocks
 * and is counted when dropped. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/config.h"
#include "proto/base/text.h"

/* name, MESSAGE_ID (random, for ever), what it is about */
#define LOG_EVENTS(E)                                                                      \
        E(START, "5a0e4e9f0c6f4b5ea0d0a6a5d8fb2d11", "the daemon starts or stops")          \
        E(CONFIG, "8c4b1f0a4f1e4d53b9d7b4d0f4d1a7e2", "configuration, good or faulty")      \
        E(MAPPING, "c1a7f34d2b5948aa9e0b8d4f5a1c6e93", "mapping files, good or faulty")     \
        E(SESSION, "2f6d7c8b1e5a4f0c8b3d9a7e6c5f4b14", "a session begins or ends")          \
        E(PEER, "e94d3a5b7c6f48d1a2b0c9f8e7d6a545", "a peer breaks the protocol")           \
        E(QUOTA, "7b8a9c0d1e2f4a3b8c5d6e7f9a0b1c26", "a quota is used up")                  \
        E(LEASE, "0d9e8f7a6b5c4d3e9f2a1b0c8d7e6f57", "a lease is given or refused")         \
        E(FAILURE, "b3c2d1e0f9a84b7c9d6e5f4a3b2c1d08", "the daemon's own failure")          \
        E(SERVICE, "4e5f6a7b8c9d40e1b2c3d4e5f6a7b8c9", "systemd, sockets, the watchdog")

typedef enum LogEvent {
#define E(name, id, meaning) LOG_##name##_EVENT,
        LOG_EVENTS(E)
#undef E
        _LOG_EVENT_MAX,
} LogEvent;

/* Fields beside the message; what is absent or below 0 is left out. */
typedef struct LogFields {
        int64_t session;  /* KERNELSD_SESSION; 0: none */
        int64_t uid;      /* KERNELSD_UID */
        int64_t pid;      /* KERNELSD_PID */
        Text layer;       /* KERNELSD_LAYER */
        Text repository;  /* KERNELSD_REPOSITORY */
        Text variant;     /* KERNELSD_VARIANT */
        Text reason;      /* KERNELSD_REASON: a fault's spelling */
        Text file;        /* KERNELSD_FILE */
        int error;        /* ERRNO; 0: none */
        bool peer;        /* on behalf of a peer: rate-limited */
} LogFields;

#define LOG_FIELDS_NULL ((LogFields){ .uid = -1, .pid = -1 })

/* Looks where stderr leads and takes the traces of proto/base/error.h. */
void log_open(LogLevel level);
void log_level_set(LogLevel level);
void log_close(void);

/* fields may be NULL. Control characters in the message become '?'. */
void log_write(LogLevel level, LogEvent event, const LogFields *fields, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

#define log_error(event, fields, ...) log_write(LOG_LEVEL_ERROR, LOG_##event##_EVENT, fields, __VA_ARGS__)
#define log_warning(event, fields, ...) log_write(LOG_LEVEL_WARNING, LOG_##event##_EVENT, fields, __VA_ARGS__)
#define log_notice(event, fields, ...) log_write(LOG_LEVEL_NOTICE, LOG_##event##_EVENT, fields, __VA_ARGS__)
#define log_info(event, fields, ...) log_write(LOG_LEVEL_INFO, LOG_##event##_EVENT, fields, __VA_ARGS__)
#define log_debug(event, fields, ...) log_write(LOG_LEVEL_DEBUG, LOG_##event##_EVENT, fields, __VA_ARGS__)

/* Messages dropped since the start. */
uint64_t log_dropped(void);
