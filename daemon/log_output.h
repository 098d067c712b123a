/* Where log messages go: records to the journal in its native protocol
 * (systemd's JOURNAL_NATIVE_PROTOCOL), or lines to stderr. Neither ever waits:
 * sd_journal_send would, for a journal that does not read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/text.h"

#define LOG_LINE_SIZE 1280   /* a fault's message and who */
#define LOG_RECORD_SIZE 4096 /* a message and all fields */

typedef struct LogOutput {
        bool journal;
        int fd; /* the journal's socket, or 2 */
} LogOutput;

typedef struct LogRecord {
        size_t size;
        uint8_t bytes[LOG_RECORD_SIZE];
} LogRecord;

#define LOG_RECORD_NULL ((LogRecord){ 0 })

/* A field that has no room is left out; an absent text is. */
void log_record_text(LogRecord *record, const char *name, Text value);
void log_record_integer(LogRecord *record, const char *name, int64_t value);

/* The journal where stderr is connected to it (JOURNAL_STREAM), else stderr. */
void log_output_open(LogOutput *output);
void log_output_close(LogOutput *output);

/* Both false: dropped. */
bool log_output_record(LogOutput *output, const LogRecord *record);
bool log_output_line(LogOutput *output, const char *level, const char *message);
