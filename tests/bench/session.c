#include "tests/bench/session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/arena.h"
#include "proto/frame.h"
#include "tests/bench/sample.h"

static uint8_t scratch[FRAME_HEADER_SIZE + LIMIT_MESSAGE_OUT];

int session_open(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timeval patience = { .tv_sec = 60 };
        MsgHello hello = { .protocol = 1, .client = TEXT("bench"), .native = false };
        CLEANUP_BUFFER Buffer frame = BUFFER_NULL;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                bench_die("cannot connect to %s: %s", path, strerror(errno));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        session_frame(&frame, 1, "hello", &schema_Hello, &hello);
        session_call(fd, &frame, "hello");
        return fd;
}

void session_frame(Buffer *buffer, uint32_t id, const char *method, const SchemaStruct *schema, const void *message)
{
        static const uint8_t nothing[FRAME_HEADER_SIZE];
        size_t start = buffer->size;

        if (buffer_append(buffer, nothing, sizeof(nothing)) < 0 ||
            envelope_write_request(buffer, id, text_of(method)) < 0 ||
            codec_encode(schema, message, true, buffer) < 0)
                bench_die("out of memory");
        frame_write_header(buffer->data + start, (uint32_t)(buffer->size - start - FRAME_HEADER_SIZE), 0);
}

void session_send(int fd, const void *bytes, size_t size)
{
        while (size) {
                ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

                if (n < 0)
                        bench_die("cannot send: %s", strerror(errno));
                bytes = (const uint8_t *)bytes + n;
                size -= (size_t)n;
        }
}

size_t session_receive(int fd, uint8_t *bytes, size_t capacity)
{
        size_t size = 0, wanted = FRAME_HEADER_SIZE;

        while (size < wanted) {
                ssize_t n = recv(fd, bytes + size, capacity - size, 0);

                if (n <= 0)
                        bench_die("no answer: %s", n ? strerror(errno) : "the connection was closed");
                size += (size_t)n;
                if (size >= FRAME_HEADER_SIZE)
                        wanted = FRAME_HEADER_SIZE + (bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 |
                                                      (size_t)bytes[3] << 24);
        }
        return size;
}

void session_drain(int fd, size_t size)
{
        while (size) {
                ssize_t n = recv(fd, scratch, size < sizeof(scratch) ? size : sizeof(scratch), 0);

                if (n <= 0)
                        bench_die("no answer: %s", n ? strerror(errno) : "the connection was closed");
                size -= (size_t)n;
        }
}

Text session_check(const uint8_t *bytes, size_t size, const char *what)
{
        Envelope envelope;
        bool id_known;

        if (envelope_parse(bytes + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE, &envelope, &id_known) != 0 ||
            envelope.type != 1)
                bench_die("%s: not an answer", what);
        if (envelope.error.data)
                bench_die("%s: %.*s", what, TEXT_PRINT(envelope.error));
        return envelope.body;
}

size_t session_call(int fd, const Buffer *frame, const char *what)
{
        size_t size;

        session_send(fd, frame->data, frame->size);
        size = session_receive(fd, scratch, sizeof(scratch));
        (void)session_check(scratch, size, what);
        return size;
}

void session_await_layers(const char *socket, size_t n_layers)
{
        CLEANUP_BUFFER Buffer frame = BUFFER_NULL;
        CLEANUP_FD int fd = session_open(socket);
        MsgEmpty nothing;
        MsgStatusResult status = { 0 };
        Fault fault = FAULT_NULL;

        session_frame(&frame, 2, "status", &schema_Empty, &nothing);
        do {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                Text body;

                session_send(fd, frame.data, frame.size);
                body = session_check(scratch, session_receive(fd, scratch, sizeof(scratch)), "status");
                if (codec_decode(&schema_StatusResult, (const uint8_t *)body.data, body.size, &arena, &status,
                                 &fault) != 0)
                        bench_die("status: %s", fault.message);
                if (!status.mapping_ok)
                        bench_die("the daemon refuses the mapping: %.*s",
                                  TEXT_PRINT(status.mapping_faults.items[0].message));
        } while (status.layers != (int64_t)n_layers);
}
