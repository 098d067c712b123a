#undef NDEBUG
#include "tests/unit/client/peer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/value.h"
#include "proto/frame.h"
#include "proto/payload.h"

static void peer_play_one(Peer *peer, unsigned n)
{
        peer->fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        assert(peer->fd >= 0);
        peer->script(peer, n);
        close(peer->fd);
        buffer_deinit(&peer->input);
        peer->params = kd_value_free(peer->params);
}

static void *peer_play(void *data)
{
        Peer *peer = data;

        for (unsigned n = 0; n < peer->n_connections; ++n)
                peer_play_one(peer, n);
        return NULL;
}

static void peer_listen(Peer *peer, const char *folder, PeerScript script, void *data)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        *peer = (Peer){ .script = script, .data = data, .fd = -1 };
        (void)snprintf(peer->path, sizeof(peer->path), "%s/peer.sock", folder);
        memcpy(address.sun_path, peer->path, sizeof(peer->path));
        peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert(peer->listener >= 0);
        (void)unlink(peer->path);
        assert(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
        assert(listen(peer->listener, 8) == 0);
}

void peer_start(Peer *peer, const char *folder, unsigned n_connections, PeerScript script, void *data)
{
        peer_listen(peer, folder, script, data);
        peer->n_connections = n_connections;
        if (n_connections)
                assert(pthread_create(&peer->thread, NULL, peer_play, peer) == 0);
}

void peer_start_process(Peer *peer, const char *folder, PeerScript script, void *data)
{
        peer_listen(peer, folder, script, data);
        peer->deserted = true;
        peer->process = fork();
        assert(peer->process >= 0);
        for (unsigned n = 0; !peer->process; ++n)
                peer_play_one(peer, n);
}

static void peer_end_process(pid_t process)
{
        int status;

        assert(kill(process, SIGKILL) == 0 && waitpid(process, &status, 0) == process);
        assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* no step of the script failed */
}

void peer_join(Peer *peer)
{
        if (peer->n_connections)
                assert(pthread_join(peer->thread, NULL) == 0);
        if (peer->process)
                peer_end_process(peer->process);
        close(peer->listener);
        (void)unlink(peer->path);
}

static void peer_digest(Peer *peer, const Frame *frame)
{
        Envelope envelope;
        bool known;

        assert(payload_check(frame->payload, frame->size) == PAYLOAD_OK);
        assert(envelope_parse(frame->payload, frame->size, &envelope, &known) == 0 && envelope.type == 0);
        peer->id = envelope.id;
        (void)snprintf(peer->method, sizeof(peer->method), "%.*s", TEXT_PRINT(envelope.method));
        peer->params = kd_value_free(peer->params);
        assert(value_decode((const uint8_t *)envelope.body.data, envelope.body.size, &peer->params, NULL) == 0);
}

bool peer_read(Peer *peer)
{
        for (;;) {
                FrameAnswer answer = FRAME_PARTIAL;
                Frame frame;
                size_t wanted;
                ssize_t n;

                if (peer->input.size)
                        answer = frame_parse(peer->input.data, peer->input.size, LIMIT_MESSAGE_IN, 0, &frame, &wanted);
                assert(answer == FRAME_COMPLETE || answer == FRAME_PARTIAL);
                if (answer == FRAME_COMPLETE) {
                        peer_digest(peer, &frame);
                        buffer_consume(&peer->input, FRAME_HEADER_SIZE + frame.size);
                        return true;
                }
                assert(buffer_reserve(&peer->input, 65536) == 0);
                n = recv(peer->fd, peer->input.data + peer->input.size, 65536, 0);
                if (n <= 0)
                        return false;
                peer->input.size += (size_t)n;
        }
}

void peer_expect(Peer *peer, const char *method)
{
        bool there = peer_read(peer);

        if (!there || strcmp(peer->method, method))
                fprintf(stderr, "peer: %s was to come, not %s\n", method, there ? peer->method : "the end");
        assert(there && !strcmp(peer->method, method));
}

const char *peer_text(Peer *peer, const char *key)
{
        return kd_value_as_string(kd_value_get(peer->params, key), NULL);
}

int64_t peer_integer(Peer *peer, const char *key)
{
        return kd_value_as_integer(kd_value_get(peer->params, key), -1);
}

static void peer_sent(const Peer *peer, ssize_t n, size_t size)
{
        assert(n == (ssize_t)size || (peer->deserted && (errno == EPIPE || errno == ECONNRESET)));
}

void peer_send(Peer *peer, const void *bytes, size_t size)
{
        peer_sent(peer, send(peer->fd, bytes, size, MSG_NOSIGNAL), size);
}

static void peer_send_descriptor(Peer *peer, const uint8_t *bytes, size_t size, int descriptor)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec vector = { (void *)(uintptr_t)bytes, size };
        struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };

        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                           .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(int));
        peer_sent(peer, sendmsg(peer->fd, &message, MSG_NOSIGNAL), size);
}

static void peer_send_frame(Peer *peer, Buffer *frame, int descriptor, size_t piece)
{
        frame_write_header(frame->data, (uint32_t)(frame->size - FRAME_HEADER_SIZE), descriptor >= 0);
        for (size_t at = 0; at < frame->size;) {
                size_t n = piece && piece < frame->size - at ? piece : frame->size - at;

                if (descriptor >= 0 && !at)
                        peer_send_descriptor(peer, frame->data, n, descriptor);
                else
                        peer_send(peer, frame->data + at, n);
                at += n;
        }
        buffer_deinit(frame);
}

static Buffer peer_frame(void)
{
        static const char header[FRAME_HEADER_SIZE];
        Buffer frame = BUFFER_NULL;

        assert(buffer_append(&frame, header, sizeof(header)) == 0);
        return frame;
}

void peer_answer(Peer *peer, uint32_t id, kd_value *result, int descriptor, size_t piece)
{
        Buffer frame = peer_frame();

        assert(result);
        assert(envelope_write_answer(&frame, id) == 0);
        assert(codec_encode_value(&result->value, &frame) == 0);
        (void)kd_value_free(result);
        peer_send_frame(peer, &frame, descriptor, piece);
}

void peer_lease(Peer *peer, uint32_t id, kd_value *result, const char *folder)
{
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert(fd >= 0);
        peer_answer(peer, id, result, fd, 0);
        close(fd);
}

void peer_refuse(Peer *peer, uint32_t id, int fault, const char *message)
{
        Buffer frame = peer_frame();
        Fault told = FAULT_NULL;

        (void)fault_set(&told, (FaultName)fault, "%s", message);
        assert(envelope_write_error(&frame, id, &told) == 0);
        peer_send_frame(peer, &frame, -1, 0);
}

void peer_notify(Peer *peer, const char *name, kd_value *params)
{
        Buffer frame = peer_frame();

        assert(envelope_write_notification(&frame, text_of(name)) == 0);
        assert(codec_encode_value(&params->value, &frame) == 0);
        (void)kd_value_free(params);
        peer_send_frame(peer, &frame, -1, 0);
}

kd_value *peer_map(const char *key, ...)
{
        kd_value *map = kd_value_map();
        va_list arguments;

        va_start(arguments, key);
        for (; key; key = va_arg(arguments, const char *)) {
                kd_value *item = *key == '#' ? kd_value_integer(va_arg(arguments, int)) :
                                               kd_value_string(va_arg(arguments, const char *));

                assert(kd_value_set(map, key + (*key == '#'), item) == 0);
        }
        va_end(arguments);
        return map;
}

kd_value *peer_kernel(const char *layer, const char *mode, const char *repo, const char *path, int lease)
{
        kd_value *result = peer_map("layer", layer, "mode", mode, "source", "view", "commit",
                                    "0123456789abcdef0123456789abcdef01234567", "variant", "tvm-ffi01-cpu-x86_64-linux",
                                    "arch", "ok", "state", "ready", "#generation", 7, "path", path, "#lease", lease, NULL);

        assert(kd_value_set(result, "reference", peer_map("repo", repo, "#version", 1, "layer", layer, NULL)) == 0);
        return result;
}

void peer_greet(Peer *peer)
{
        peer_expect(peer, "hello");
        peer_greet_read(peer);
}

void peer_greet_read(Peer *peer)
{
        kd_value *result;

        assert(peer_integer(peer, "protocol") == 1);
        result = peer_map("#protocol", 1, "daemon", "fake 1", "#uid", (int)geteuid(), "instance", "i", "#session", 1,
                          "#generation", 1, NULL);
        assert(kd_value_set(result, "features", kd_value_list()) == 0);
        peer_answer(peer, peer->id, result, -1, 0);
}

kd_value *peer_answers(Peer *peer)
{
        const kd_value *queries = kd_value_get(peer->params, "queries");
        kd_value *answers = kd_value_list(), *result = peer_map("#generation", 7, NULL);

        for (size_t i = 0; i < kd_value_count(queries); ++i) {
                const char *layer = kd_value_as_string(kd_value_get(kd_value_at(queries, i), "layer"), NULL);

                assert(kd_value_append(answers, peer_map("layer", layer, "mode", "inference", "source", "view", "state",
                                                         "unknown", NULL)) == 0);
        }
        assert(kd_value_set(result, "answers", answers) == 0);
        return result;
}
