#include "tests/unit/daemon/scripted-server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/fixture.h"

void server_bind(Server *server)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);

        *server = (Server){ 0 };
        server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(server->listener, 0);
        ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
        ck_assert_int_eq(listen(server->listener, 64), 0);
        ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
        server->port = ntohs(address.sin_port);
        (void)snprintf(server->origin, sizeof(server->origin), "http://127.0.0.1:%u", (unsigned)server->port);
}

ServerAnswer *server_add(Server *server, const char *path, const char *head, const void *body, size_t size)
{
        ServerAnswer *answer = &server->answers[server->n_answers++];

        ck_assert_uint_le(server->n_answers, SERVER_MAX_ANSWERS);
        *answer = (ServerAnswer){ .path = path, .body = body, .size = size };
        (void)snprintf(answer->head, sizeof(answer->head), "%s", head);
        return answer;
}

static void connection_end(Server *server, ServerConnection *connection)
{
        close(connection->fd);
        *connection = server->connections[--server->n_connections];
}

/* A client that has gone is no fault of the server's. */
static void connection_send(const ServerConnection *connection, const char *bytes, size_t size)
{
        while (size) {
                ssize_t n = send(connection->fd, bytes, size, MSG_NOSIGNAL);

                if (n <= 0)
                        return;
                bytes += n;
                size -= (size_t)n;
        }
}

static void connection_answer(ServerConnection *connection, const ServerAnswer *answer)
{
        connection->waits = NULL;
        connection_send(connection, answer->head, strlen(answer->head));
        if (answer->size)
                connection_send(connection, answer->body, answer->size);
        if (answer->then == THEN_CLOSE)
                (void)shutdown(connection->fd, SHUT_WR);
}

static void server_answer_together(Server *server, ServerAnswer *answer)
{
        int n = 0;

        for (size_t i = 0; i < server->n_connections; i++)
                n += server->connections[i].waits == answer;
        for (size_t i = 0; i < server->n_connections && n >= answer->together; i++)
                if (server->connections[i].waits == answer)
                        connection_answer(&server->connections[i], answer);
}

static void server_take_request(Server *server, ServerConnection *connection)
{
        char path[256];

        connection->request[connection->size] = 0;
        connection->size = 0;
        ck_assert_int_eq(sscanf(connection->request, "GET %255s HTTP/1.1", path), 1);
        for (size_t i = 0; i < server->n_answers; i++) {
                ServerAnswer *answer = &server->answers[i];

                if (strcmp(path, answer->path))
                        continue;
                memcpy(answer->request, connection->request, sizeof(answer->request));
                answer->n_asked++;
                connection->waits = answer;
                server_answer_together(server, answer);
                return;
        }
        ck_abort_msg("nobody said what to answer to %s", path);
}

static void server_read(Server *server, ServerConnection *connection)
{
        ssize_t n = recv(connection->fd, connection->request + connection->size,
                         sizeof(connection->request) - 1 - connection->size, 0);

        if (n <= 0) {
                connection_end(server, connection);
                return;
        }
        connection->size += (size_t)n;
        if (memmem(connection->request, connection->size, "\r\n\r\n", 4))
                server_take_request(server, connection);
}

static void server_accept(Server *server)
{
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_uint_lt(server->n_connections, SERVER_MAX_CONNECTIONS);
        server->connections[server->n_connections++] = (ServerConnection){ .fd = fd };
        server->n_accepted++;
}

static void *server_thread(void *data)
{
        Server *server = data;
        struct pollfd polls[2 + SERVER_MAX_CONNECTIONS];

        for (;;) {
                size_t n = server->n_connections;

                polls[0] = (struct pollfd){ .fd = server->stop[0], .events = POLLIN };
                polls[1] = (struct pollfd){ .fd = server->listener, .events = POLLIN };
                for (size_t i = 0; i < n; i++)
                        polls[2 + i] = (struct pollfd){ .fd = server->connections[i].fd, .events = POLLIN };
                ck_assert_int_gt(poll(polls, 2 + n, -1), 0);
                if (polls[0].revents)
                        return NULL;
                /* From the end: one that ends is replaced by the last. */
                for (size_t i = n; i-- > 0;)
                        if (polls[2 + i].revents)
                                server_read(server, &server->connections[i]);
                if (polls[1].revents)
                        server_accept(server);
        }
}

void server_start(Server *server)
{
        ck_assert_int_eq(pipe(server->stop), 0);
        ck_assert_int_eq(pthread_create(&server->thread, NULL, server_thread, server), 0);
}

void server_stop(Server *server)
{
        ck_assert_int_eq(write(server->stop[1], "x", 1), 1);
        ck_assert_int_eq(pthread_join(server->thread, NULL), 0);
        while (server->n_connections)
                connection_end(server, &server->connections[0]);
        close(server->listener);
        close(server->stop[0]);
        close(server->stop[1]);
}
