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
        E(START, "09b0e201101847e5af1c7b8c246d5749", "the daemon starts or stops")          \
        E(CONFIG, "0a378e84c6554f51885ec77bb50135d2", "configuration, good or faulty")      \
        E(MAPPING, "d8cb6af9bfe74033b6783bead063c4cb", "mapping files, good or faulty")     \
        E(SESSION, "4c8f7214a037479c8b538606b7088980", "a session begins or ends")          \
        E(PEER, "95270a9a49c7408e84c9097ea8ac47eb", "a peer breaks the protocol")           \
        E(QUOTA, "1ed4738e697e41b9a83b4aca976f9b75", "a quota is used up")                  \
        E(HUB, "5d0d5c7f0b5a4c55b1a2d0c0a9a3f3d1", "the Hub, the cache, a fetch")           \
        E(LEASE, "77315910662f44f2bf2355e93685ab03", "a lease is given or refused")         \
        E(FAILURE, "1385519551354388942f109ce476ae64", "the daemon's own failure")          \
        E(SERVICE, "41c5200702794702a0862839f5e93836", "systemd, sockets, the watchdog")

typedef enum LogEvent {
#define E(name, id, meaning) LOG_##name##_EVENT,
        LOG_EVENTS(E)
#undef E
        _LOG_EVENT_MAX,
} LogEvent;

/* Fields beside the message; what is absent or below 0 is left out. A line on
 * stderr has of them the session alone. */
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

/* {0} counts as uid 0 and pid 0: begin with this. */
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

/* The limit on what peers cause: LOG_BURST messages in LOG_INTERVAL_US. Pure,
 * time comes in; returns whether this one may pass. */
#define LOG_BURST 200u
#define LOG_INTERVAL_US (10u * 1000000u)
typedef struct LogRate {
        uint64_t begin_us;
        unsigned n;
} LogRate;
bool log_rate_take(LogRate *rate, uint64_t now_us);
