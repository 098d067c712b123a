/* A server on 127.0.0.1 that answers paths with bytes it was given, in a thread of
 * its own. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVER_MAX_ANSWERS 8
#define SERVER_MAX_CONNECTIONS 64

typedef enum ServerThen {
        THEN_KEEP,  /* the connection, for the next request */
        THEN_CLOSE,
        THEN_HOLD,  /* it stands still */
} ServerThen;

typedef struct ServerAnswer {
        const char *path;
        char head[512];     /* sent as it is */
        const void *body;   /* may be NULL */
        size_t size;
        ServerThen then;
        int together;       /* held back until so many ask at once; 0, 1: not */
        int n_asked;        /* what follows is the server's until server_stop */
        char request[2048]; /* the last one */
} ServerAnswer;

typedef struct ServerConnection {
        int fd;
        char request[2048];
        size_t size;
        ServerAnswer *waits; /* for others */
} ServerConnection;

typedef struct Server {
        ServerAnswer answers[SERVER_MAX_ANSWERS];
        size_t n_answers;
        char origin[64]; /* http://127.0.0.1:PORT */
        uint16_t port;
        int n_accepted;
        int listener;    /* private from here on */
        int stop[2];
        pthread_t thread;
        ServerConnection connections[SERVER_MAX_CONNECTIONS];
        size_t n_connections;
} Server;

/* Binds, so that origin and port are known for what answers say. */
void server_bind(Server *server);

ServerAnswer *server_add(Server *server, const char *path, const char *head, const void *body, size_t size);

/* All answers are there. */
void server_start(Server *server);
void server_stop(Server *server);
