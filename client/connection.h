/* The bytes of one connection: frames out, frames in, descriptors attributed
 * to the frame that they came with. Never waits: the socket is non-blocking.
 *
 * A descriptor is sent with the first byte of its frame. The kernel ends a read
 * behind the piece that carried one and never merges two such pieces; so it
 * belongs to the frame that holds the last byte of the read that brought it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/kernelsd.h"
#include "proto/base/buffer.h"
#include "proto/frame.h"

typedef struct Connection {
        int fd;               /* -1: not connected */
        dev_t device;         /* of the socket, to know it again after fork */
        ino_t inode;
        Buffer input;         /* what was read */
        size_t input_start;   /* up to here it has been handed out */
        uint64_t input_base;  /* position in the stream of input.data[0] */
        bool drained;         /* the last read found all there was */
        /* Descriptors whose frames are not complete. One of the first frame, and
         * one of the next, whose first byte came in one read with the end of it. */
        struct ConnectionReceived {
                int fd;
                uint64_t at; /* position of the last byte of its read */
        } received[2];
        size_t n_received;
        Buffer output;
        size_t output_start;  /* written up to here */
        uint64_t n_queued;    /* bytes ever queued */
        uint64_t n_written;   /* bytes ever written */
} Connection;

#define CONNECTION_NULL ((Connection){ .fd = -1 })

/* Takes a connected socket. 0 or a negative errno (then it is closed). */
int connection_open(Connection *connection, int fd);

/* Closes it and forgets all bytes. */
void connection_close(Connection *connection);

/* In a child after fork: closes the inherited copy of the socket if the
 * descriptor still is that socket. (It must not stay: the daemon would keep the
 * parent's session alive until the child ends as well. Closing a copy does not
 * disturb the parent. A descriptor that the child has since closed and used
 * anew is left alone.) With `torn` the memory may be half changed, and is given
 * up. */
void connection_forget(Connection *connection, bool torn);

/* Wakes whoever polls; nothing more can be read or written. */
void connection_shut(Connection *connection);

/* Queues a whole frame: 0 or -ENOMEM. */
int connection_queue(Connection *connection, const Buffer *frame);

static inline bool connection_has_output(const Connection *connection)
{
        return connection->output.size > connection->output_start;
}

/* Writes what can be written: 0, or a negative errno: the connection is lost. */
int connection_write(Connection *connection);

/* Reads once. 0: something came; 1: nothing there; -ECONNRESET: the other end
 * is gone; -EBADMSG: unexpected descriptors; others. */
int connection_read(Connection *connection);

/* Takes the next frame out of what was read; payload valid until the next
 * read. A descriptor that came with it is the caller's (-1: none). 0: a frame;
 * 1: none complete; -EBADMSG: not our protocol, or descriptors that no frame
 * announced (they are closed). */
int connection_next(Connection *connection, Frame *ret_frame, int *ret_descriptor);
