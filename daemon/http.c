#include "daemon/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "daemon/http_curl.h"
#include "daemon/http_transfer.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Transfers that libcurl has, each with a connection; what exceeds this waits here,
 * where it costs nothing and no timeout runs. Eight files at once is what Hub
 * clients do. */
#define MAX_TRANSFERS 16
#define MAX_TRANSFERS_HOST 8
/* The Hub's own clients give up after 10 s without a byte; a busy CDN may need
 * longer. Guess. */
#define STALL_S 30

/* Requests that have not begun; each knows its list. */
struct HttpList {
        HttpRequest *first;
        HttpRequest *last;
};

/* What a URL begins with. A transfer counts here also when a redirect has led it
 * elsewhere. */
struct HttpHost {
        HttpHost *next;
        HttpList queue;
        size_t n_users; /* requests of any state and transfers; the last takes the host along */
        size_t n_transfers;
        size_t size;
        char origin[];
};

struct Http {
        HttpSettings settings;
        CURLM *_Atomic multi; /* NULL: before the first request. Atomic for http_wake alone */
        HttpHost *hosts;
        HttpTransfer *transfers;
        HttpList delayed;
        HttpList refused; /* `done` is still owed */
        size_t n_requests;
        size_t n_transfers;
        bool calling; /* `write` and `started` may run: no transfer is freed now */
};

/* --- lists --- */

static void list_push(HttpList *list, HttpRequest *request)
{
        request->list = list;
        request->next = NULL;
        request->previous = list->last;
        if (list->last)
                list->last->next = request;
        else
                list->first = request;
        list->last = request;
}

static void list_take(HttpRequest *request)
{
        HttpList *list = request->list;

        if (!list)
                return;
        *(request->previous ? &request->previous->next : &list->first) = request->next;
        *(request->next ? &request->next->previous : &list->last) = request->previous;
        request->list = NULL;
}

/* --- hosts --- */

/* How far scheme, host and port go; 0: it is no URL for us. */
static size_t url_origin_size(const char *url)
{
        size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
        size_t host = scheme ? strcspn(url + scheme, "/?#") : 0;

        return host ? scheme + host : 0;
}

static HttpHost *http_find_host(Http *http, const char *url, size_t size)
{
        HttpHost *host = http->hosts;

        while (host && (host->size != size || memcmp(host->origin, url, size)))
                host = host->next;
        return host;
}

static HttpHost *http_make_host(Http *http, const char *url, size_t size)
{
        HttpHost *host = alloc_bytes(sizeof(*host) + size);

        if (!host)
                return NULL;
        *host = (HttpHost){ .next = http->hosts, .size = size };
        memcpy(host->origin, url, size);
        http->hosts = host;
        return host;
}

static void http_drop_host(Http *http, HttpHost *host)
{
        HttpHost **place = &http->hosts;

        if (--host->n_users)
                return;
        while (*place != host)
                place = &(*place)->next;
        *place = host->next;
        alloc_free(host);
}

/* --- transfers --- */

static void http_add_transfer(Http *http, HttpTransfer *transfer)
{
        transfer->next = http->transfers;
        transfer->previous = NULL;
        if (transfer->next)
                transfer->next->previous = transfer;
        http->transfers = transfer;
        http->n_transfers++;
        transfer->host->n_users++;
        transfer->host->n_transfers++;
}

static void http_free_transfer(Http *http, HttpTransfer *transfer)
{
        if (transfer->next)
                transfer->next->previous = transfer->previous;
        *(transfer->previous ? &transfer->previous->next : &http->transfers) = transfer->next;
        http->n_transfers--;
        transfer->host->n_transfers--;
        http_drop_host(http, transfer->host);
        (void)http_curl.multi_remove_handle(http->multi, transfer->easy);
        http_transfer_free(transfer);
}

/* --- requests --- */

static void http_refuse(Http *http, HttpRequest *request, const char *why)
{
        request->refusal = why;
        list_push(&http->refused, request);
}

/* The request is nobody's any more; `done` may begin it anew. */
static void http_let_go(Http *http, HttpRequest *request)
{
        list_take(request);
        if (request->host)
                http_drop_host(http, request->host);
        http->n_requests--;
        request->host = NULL;
        request->transfer = NULL;
        request->http = NULL;
}

static void http_start(Http *http, HttpRequest *request)
{
        HttpTransfer *transfer;

        list_take(request);
        if (http_transfer_new(&http->settings, request, &transfer) < 0) {
                http_refuse(http, request, "out of memory");
                return;
        }
        request->transfer = transfer;
        http_add_transfer(http, transfer);
        if (http_curl.multi_add_handle(http->multi, transfer->easy) == CURLM_OK)
                return;
        request->transfer = NULL;
        http_free_transfer(http, transfer);
        http_refuse(http, request, "out of memory");
}

static size_t http_n_transfers_of(const Http *http, const HttpHost *host, const void *group)
{
        size_t n = 0;

        for (const HttpTransfer *transfer = http->transfers; transfer; transfer = transfer->next)
                n += transfer->host == host && transfer->group == group;
        return n;
}

/* The oldest one of the group that has the fewest transfers there, so that nobody
 * waits behind all that another wants. NULL: none waits. */
static HttpRequest *http_choose(const Http *http, const HttpHost *host)
{
        HttpRequest *chosen = NULL;
        size_t fewest = SIZE_MAX;

        for (HttpRequest *request = host->queue.first; request && fewest; request = request->next) {
                size_t n = chosen && chosen->group == request->group ? fewest : http_n_transfers_of(http, host, request->group);

                if (n >= fewest)
                        continue;
                chosen = request;
                fewest = n;
        }
        return chosen;
}

/* One of each host in turn, so that none waits for another's. */
static bool http_start_round(Http *http)
{
        bool any = false;

        for (HttpHost *host = http->hosts; host; host = host->next) {
                if (http->n_transfers >= MAX_TRANSFERS)
                        return false;
                if (!host->queue.first || host->n_transfers >= MAX_TRANSFERS_HOST)
                        continue;
                http_start(http, http_choose(http, host));
                any = true;
        }
        return any;
}

static uint64_t now_ms(void)
{
        return uv_hrtime() / 1000000;
}

/* How long until the next one is due; `wait_ms` if none is sooner. */
static int http_queue_due(Http *http, int wait_ms)
{
        uint64_t now = now_ms();
        HttpRequest *next;

        for (HttpRequest *request = http->delayed.first; request; request = next) {
                next = request->next;
                if (request->due_ms <= now) {
                        list_take(request);
                        list_push(&request->host->queue, request);
                } else if (request->due_ms - now < (uint64_t)wait_ms) {
                        wait_ms = (int)(request->due_ms - now);
                }
        }
        return wait_ms;
}

/* --- what has ended --- */

static void http_finish(Http *http, HttpTransfer *transfer, CURLcode code)
{
        const HubReply *reply;
        HttpRequest *request;

        if (transfer->request) {
                http->calling = true;
                reply = http_transfer_end(transfer, code);
                http->calling = false;
                request = transfer->request; /* NULL: `started` gave it up */
                if (request) {
                        http_let_go(http, request);
                        request->done(request, reply);
                }
        }
        http_free_transfer(http, transfer);
}

static void http_finish_ended(Http *http)
{
        CURLMsg *message;
        int n_left;

        while ((message = http_curl.multi_info_read(http->multi, &n_left)))
                http_finish(http, http_transfer_of(message->easy_handle), message->data.result);
}

static void http_free_unwanted(Http *http)
{
        HttpTransfer *next;

        for (HttpTransfer *transfer = http->transfers; transfer; transfer = next) {
                next = transfer->next;
                if (!transfer->request)
                        http_free_transfer(http, transfer);
        }
}

static void http_tell_refused(Http *http)
{
        HttpRequest *request;
        HubReply reply = { .trouble = HUB_REFUSED_LOCALLY };

        while ((request = http->refused.first)) {
                (void)snprintf(reply.message, sizeof(reply.message), "%s", request->refusal);
                http_let_go(http, request);
                request->done(request, &reply);
        }
}

/* --- the pump --- */

static bool http_is_busy(void *data)
{
        return ((Http *)data)->n_requests > 0;
}

static void http_move(Http *http, int wait_ms)
{
        int n_running;

        if (wait_ms && !http->refused.first)
                (void)http_curl.multi_poll(http->multi, NULL, 0, wait_ms, NULL);
        http->calling = true;
        (void)http_curl.multi_perform(http->multi, &n_running);
        http->calling = false;
}

static void http_turn(void *data, int wait_ms)
{
        Http *http = data;

        wait_ms = http_queue_due(http, wait_ms);
        while (http->multi && http_start_round(http))
                ;
        if (http->multi) {
                http_move(http, wait_ms);
                http_finish_ended(http);
                http_free_unwanted(http);
        }
        http_tell_refused(http);
}

/* Safe beside all else that is done with the handle, and not lost when no wait has
 * begun. Before there is a handle the file thread does not wait in it. */
static void http_wake(void *data)
{
        Http *http = data;

        if (http->multi)
                (void)http_curl.multi_wakeup(http->multi);
}

/* --- begin and cancel --- */

/* Why it cannot be asked; NULL: it can. Other bytes would end the header line. */
static const char *request_refusal(const HttpRequest *request)
{
        if (!url_origin_size(request->url))
                return "the URL is neither http nor https";
        for (const char *c = request->token; c && *c; c++)
                if (*c <= ' ' || *c == 0x7f)
                        return "the token has characters that no token has";
        return NULL;
}

static int http_set_up(Http *http)
{
        int r;

        if (http->multi)
                return 0;
        r = http_curl_load();
        if (r < 0)
                return r;
        if (http_curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return error_trace(-ENOMEM);
        http->multi = http_curl.multi_init();
        if (!http->multi) {
                http_curl.global_cleanup();
                return error_trace(-ENOMEM);
        }
        (void)http_curl.multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
        (void)http_curl.multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)MAX_TRANSFERS);
        return 0;
}

static HttpHost *http_take_host(Http *http, const char *url)
{
        size_t size = url_origin_size(url);
        HttpHost *host = http_find_host(http, url, size);

        if (!host)
                host = http_make_host(http, url, size);
        if (host)
                host->n_users++;
        return host;
}

void http_begin(Http *http, HttpRequest *request)
{
        const char *refusal = request_refusal(request);

        request->http = http;
        request->host = NULL;
        request->transfer = NULL;
        http->n_requests++;
        if (!refusal && http_set_up(http) == -ENOENT)
                refusal = "libcurl.so.4 cannot be loaded: install it (libcurl4)";
        if (!refusal && http->multi)
                request->host = http_take_host(http, request->url);
        if (!request->host) {
                http_refuse(http, request, refusal ? refusal : "out of memory");
                return;
        }
        request->due_ms = request->delay_ms ? now_ms() + request->delay_ms : 0;
        list_push(request->delay_ms ? &http->delayed : &request->host->queue, request);
}

void http_cancel(Http *http, HttpRequest *request)
{
        HttpTransfer *transfer = request->transfer;

        if (!request->http)
                return;
        http_let_go(http, request);
        if (!transfer)
                return;
        transfer->request = NULL;
        if (!http->calling)
                http_free_transfer(http, transfer);
}

/* --- life --- */

static const char *environment_ca(void)
{
        static const char *const names[] = { "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                const char *path = secure_getenv(names[i]);

                if (path && *path)
                        return path;
        }
        return NULL;
}

static int settings_copy(const char *text, char **ret_copy)
{
        if (!text || !*text)
                return 0;
        *ret_copy = alloc_text(text, strlen(text));
        return *ret_copy ? 0 : error_trace(-ENOMEM);
}

/* The bundle of requests may be a folder. */
static int settings_set_ca(HttpSettings *settings, const char *path)
{
        struct stat st;
        int r;

        if (path)
                return settings_copy(path, &settings->ca_file);
        path = environment_ca();
        if (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                return settings_copy(path, &settings->ca_folder);
        r = settings_copy(path, &settings->ca_file);
        return r == 0 ? settings_copy(secure_getenv("SSL_CERT_DIR"), &settings->ca_folder) : r;
}

static Http *http_free(Http *http)
{
        alloc_free(http->settings.user_agent);
        alloc_free(http->settings.ca_file);
        alloc_free(http->settings.ca_folder);
        alloc_free(http);
        return NULL;
}
DEFINE_CLEANUP(Http *, http_free)

int http_new(Worker *worker, const HttpOptions *options, Http **ret_http)
{
        CLEANUP(http_freep) Http *http = alloc_zeroed(1, sizeof(*http));
        int r;

        if (!http)
                return error_trace(-ENOMEM);
        http->settings.stall_s = options->stall_s ? options->stall_s : STALL_S;
        r = settings_copy(options->user_agent, &http->settings.user_agent);
        if (r == 0)
                r = settings_set_ca(&http->settings, options->ca_file);
        if (r < 0)
                return r;
        worker_set_pump(worker, &(WorkerPump){ .data = http, .busy = http_is_busy, .turn = http_turn, .wake = http_wake });
        *ret_http = STEAL(http);
        return 0;
}

void http_close(Http *http)
{
        HttpHost *next;

        if (!http)
                return;
        while (http->transfers)
                http_free_transfer(http, http->transfers);
        for (HttpHost *host = http->hosts; host; host = next) {
                next = host->next;
                alloc_free(host);
        }
        if (http->multi) {
                (void)http_curl.multi_cleanup(http->multi);
                http_curl.global_cleanup();
        }
        http_free(http);
}
