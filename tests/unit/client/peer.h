/* A daemon for tests: a thread that listens on a socket in the test's folder
 * and plays a script, connection by connection. A step that does not go as
 * written aborts the test. */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/kernelsd.h"
#include "proto/base/buffer.h"

typedef struct Peer Peer;

/* Plays connection number `n`, from 0; afterwards it is closed. */
typedef void (*PeerScript)(Peer *peer, unsigned n);

struct Peer {
        char path[108];
        int listener;
        int fd;               /* of the connection that is played */
        unsigned n_connections;
        PeerScript script;
        void *data;           /* the test's */
        pthread_t thread;
        pid_t process;        /* instead of the thread, or 0 */
        bool deserted;        /* the client may end the connection at any point */
        Buffer input;
        uint32_t id;          /* of the request that was read last */
        char method[32];
        kd_value *params;     /* of it */
};

/* Listens, and plays `n_connections` in a thread. */
void peer_start(Peer *peer, const char *folder, unsigned n_connections, PeerScript script, void *data);
void peer_join(Peer *peer);

/* The same in a process of its own, so that the test can let allocations of the
 * library fail; for any number of connections, until peer_join ends it. What it
 * changes of `data` is its own. */
void peer_start_process(Peer *peer, const char *folder, PeerScript script, void *data);

/* --- steps --- */

/* Reads the next request into id, method, params; false at the end. */
bool peer_read(Peer *peer);
void peer_expect(Peer *peer, const char *method);
const char *peer_text(Peer *peer, const char *key);
int64_t peer_integer(Peer *peer, const char *key);

/* Answers request `id`. The value is freed. With a descriptor it is sent along
 * (and stays the script's); `piece` 0: all in one. */
void peer_answer(Peer *peer, uint32_t id, kd_value *result, int descriptor, size_t piece);
void peer_refuse(Peer *peer, uint32_t id, int fault, const char *message);
void peer_notify(Peer *peer, const char *name, kd_value *params);
void peer_send(Peer *peer, const void *bytes, size_t size);

/* Answers request `id` with a lease on `folder`. */
void peer_lease(Peer *peer, uint32_t id, kd_value *result, const char *folder);

/* hello, and its answer; the answer to a hello that was read. */
void peer_greet(Peer *peer);
void peer_greet_read(Peer *peer);

/* {"answers": [{layer, mode…} …], generation}: one for each query of the request
 * that was read last, named by its layer. */
kd_value *peer_answers(Peer *peer);

/* The result of an acquire, for peer_lease: a kernel of a repository. */
kd_value *peer_kernel(const char *layer, const char *mode, const char *repo, const char *path, int lease);

/* A map of integers and texts: pairs of a key and, with '#' before the key, an
 * int, else a const char * (NULL: nil); ends with NULL. */
kd_value *peer_map(const char *key, ...);
