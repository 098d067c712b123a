#include "daemon/log_output.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

/* NAME, line feed, size as u64 little endian, value, line feed. */
void log_record_text(LogRecord *record, const char *name, Text value)
{
        size_t name_size = strlen(name);
        uint64_t size = htole64(value.size);
        uint8_t *at = record->bytes + record->size;

        if (!value.data || value.size > LOG_RECORD_SIZE ||
            LOG_RECORD_SIZE - record->size < name_size + sizeof(size) + value.size + 2)
                return;
        memcpy(at, name, name_size);
        at += name_size;
        *at++ = '\n';
        memcpy(at, &size, sizeof(size));
        at += sizeof(size);
        memcpy(at, value.data, value.size);
        at += value.size;
        *at++ = '\n';
        record->size = (size_t)(at - record->bytes);
}

void log_record_integer(LogRecord *record, const char *name, int64_t value)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRId64, value);
        log_record_text(record, name, text_of(text));
}

/* systemd says which stream it connected stderr to; a shell in between may
 * have led stderr elsewhere since. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &st) < 0)
                return false;
        return st.st_dev == device && st.st_ino == inode;
}

static int journal_connect(void)
{
        const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
        CLEANUP_FD int fd = -1;

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -1;
        return STEAL_FD(fd);
}

void log_output_open(LogOutput *output)
{
        int fd = stderr_is_journal() ? journal_connect() : -1;

        *output = fd >= 0 ? (LogOutput){ .journal = true, .fd = fd } : (LogOutput){ .fd = STDERR_FILENO };
}

void log_output_close(LogOutput *output)
{
        if (output->journal)
                (void)close(output->fd);
        *output = (LogOutput){ .fd = STDERR_FILENO };
}

bool log_output_record(LogOutput *output, const LogRecord *record)
{
        ssize_t n = send(output->fd, record->bytes, record->size, MSG_DONTWAIT | MSG_NOSIGNAL);

        /* journald was restarted: its socket is another one now. */
        if (n < 0 && (errno == ECONNREFUSED || errno == ENOTCONN)) {
                int fd = journal_connect();

                if (fd < 0)
                        return false;
                (void)close(output->fd);
                output->fd = fd;
                n = send(fd, record->bytes, record->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        return n >= 0;
}

/* stderr is shared with whoever started us, so it cannot be made non-blocking.
 * A pipe that poll calls writable has room for PIPE_BUF bytes, and a line is
 * shorter than that. */
bool log_output_line(LogOutput *output, const char *level, const char *message)
{
        struct pollfd poll_fd = { .fd = output->fd, .events = POLLOUT };
        char line[LOG_LINE_SIZE + 64];
        int size;

        _Static_assert(sizeof(line) <= 4096, "no longer than PIPE_BUF");
        size = snprintf(line, sizeof(line), "kernelsd: %s: %s\n", level, message);
        if (size < 0 || (size_t)size >= sizeof(line))
                return false;
        if (poll(&poll_fd, 1, 0) != 1 || !(poll_fd.revents & POLLOUT))
                return false;
        return write(output->fd, line, (size_t)size) == size;
}
