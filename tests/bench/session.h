/* A connection that speaks raw frames, so that what is measured is the daemon
 * and not the client library. */
#pragma once

#include "proto/base/buffer.h"
#include "proto/codec.h"

/* Connects and says hello. */
int session_open(const char *socket);

/* Appends a whole frame with one request. */
void session_frame(Buffer *buffer, uint32_t id, const char *method, const SchemaStruct *schema, const void *message);

void session_send(int fd, const void *bytes, size_t size);

/* One whole answer, header included; returns its size. */
size_t session_receive(int fd, uint8_t *bytes, size_t capacity);

/* Reads and drops exactly `size` bytes of answers. */
void session_drain(int fd, size_t size);

/* The body of an answer (header included in `bytes`), which must be no error. */
Text session_check(const uint8_t *bytes, size_t size, const char *what);

/* Sends one frame, takes its answer, checks that it is no error; its size. */
size_t session_call(int fd, const Buffer *frame, const char *what);

/* Asks for `status` until the host mapping has so many layers. */
void session_await_layers(const char *socket, size_t n_layers);
