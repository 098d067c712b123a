#include "daemon/http_transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "daemon/http_curl.h"
#include "daemon/http_headers.h"
#include "proto/base/alloc.h"
#include "proto/base/buffer.h"
#include "proto/base/error.h"

/* Facts: what keeps up with curl -o for files. Small ones, lists and the like need
 * no more than libcurl's own: it allocates one for each request, and one of this
 * size is mapped and unmapped every time. */
#define FILE_BUFFER_SIZE (512L * 1024)
#define LIST_BUFFER_SIZE (16L * 1024)
/* As Hub clients have it. */
#define CONNECT_TIMEOUT_S 10L
/* The Hub needs two: to a new name of a repository, to the CDN. */
#define MAX_REDIRECTS 5L
/* Of an answer that is no success; the Hub's are under 1 KiB. */
#define ERROR_BODY_MAX (64 * 1024)

/* Why we ended it. */
typedef enum TransferStop {
        STOP_NOT,
        STOP_REFUSED, /* by `write` */
        STOP_TOO_LARGE,
        STOP_RANGE,
        STOP_ENOUGH, /* of an error's body */
        STOP_NO_MEMORY,
} TransferStop;

typedef struct Transfer {
        HttpTransfer base;
        struct curl_slist authorization; /* ours, so that it can be wiped */
        size_t authorization_size;
        char range[32];
        char error[CURL_ERROR_SIZE];
        HubReply reply;
        HttpHeaders headers;
        Buffer body;
        TransferStop stop;
        bool started;
        CURLcode setup; /* the first option that was not taken */
} Transfer;

/* --- what libcurl calls --- */

static bool transfer_succeeded(const Transfer *transfer)
{
        return transfer->reply.status == 200 || transfer->reply.status == 206;
}

/* 0: end it, for this reason. */
static size_t transfer_stop(Transfer *transfer, TransferStop stop)
{
        transfer->stop = stop;
        return 0;
}

static void transfer_take_status(Transfer *transfer)
{
        long status = 0;

        (void)http_curl.easy_getinfo(transfer->base.easy, CURLINFO_RESPONSE_CODE, &status);
        transfer->reply.status = (int)status;
        transfer->reply.ranged = status == 206;
}

/* A range that begins elsewhere would be put into the wrong place. */
static bool transfer_has_wrong_range(const Transfer *transfer)
{
        int64_t from = transfer->base.request->from;

        return transfer->reply.ranged && (from <= 0 || transfer->headers.from != from);
}

/* Of the final answer, as redirects that are followed have no body for us. It may
 * stop the transfer. */
static void transfer_start(Transfer *transfer)
{
        HttpRequest *request = transfer->base.request;

        if (transfer->started)
                return;
        transfer->started = true;
        transfer_take_status(transfer);
        if (transfer_has_wrong_range(transfer))
                (void)transfer_stop(transfer, STOP_RANGE);
        else if (request->started)
                request->started(request, &transfer->reply);
}

static size_t transfer_gather(Transfer *transfer, const void *bytes, size_t size)
{
        bool success = transfer_succeeded(transfer);
        size_t limit = success ? transfer->base.request->limit : ERROR_BODY_MAX;

        if (size > limit - transfer->body.size)
                return transfer_stop(transfer, success ? STOP_TOO_LARGE : STOP_ENOUGH);
        if (buffer_append(&transfer->body, bytes, size) < 0)
                return transfer_stop(transfer, STOP_NO_MEMORY);
        return size;
}

/* Taking less than `size` ends the transfer. Nobody may want it any more, before
 * or after `started`. */
static size_t transfer_on_body(char *bytes, size_t one, size_t size, void *data)
{
        Transfer *transfer = data;
        HttpRequest *request;

        if (transfer->base.request)
                transfer_start(transfer);
        request = transfer->base.request;
        if (!request || transfer->stop != STOP_NOT)
                return 0;
        if (!request->write || !transfer_succeeded(transfer))
                return transfer_gather(transfer, bytes, size);
        return request->write(request, bytes, size) == 0 ? size : transfer_stop(transfer, STOP_REFUSED);
}

/* Once an answer came by https, no redirect leads to http any more. libcurl reads
 * the option when it follows one. */
static void transfer_forbid_http(CURL *easy)
{
        const char *url = NULL;

        (void)http_curl.easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
        if (url && strncasecmp(url, "https:", 6) == 0)
                (void)http_curl.easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
}

static size_t transfer_on_header(char *bytes, size_t one, size_t size, void *data)
{
        Transfer *transfer = data;
        Text line = { bytes, size };

        if (text_starts_with(line, TEXT("HTTP/")))
                transfer_forbid_http(transfer->base.easy);
        http_headers_take(&transfer->headers, line);
        return size;
}

static curl_socket_t transfer_on_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- what libcurl is told --- */

#define transfer_set(transfer, option, value)                                                   \
        do {                                                                                    \
                CURLcode code_ = http_curl.easy_setopt((transfer)->base.easy, option, value);        \
                if (code_ != CURLE_OK && (transfer)->setup == CURLE_OK)                         \
                        (transfer)->setup = code_;                                              \
        } while (0)

static void transfer_set_callbacks(Transfer *transfer)
{
        transfer_set(transfer, CURLOPT_PRIVATE, transfer);
        transfer_set(transfer, CURLOPT_ERRORBUFFER, transfer->error);
        transfer_set(transfer, CURLOPT_WRITEFUNCTION, transfer_on_body);
        transfer_set(transfer, CURLOPT_WRITEDATA, transfer);
        transfer_set(transfer, CURLOPT_HEADERFUNCTION, transfer_on_header);
        transfer_set(transfer, CURLOPT_HEADERDATA, transfer);
        transfer_set(transfer, CURLOPT_OPENSOCKETFUNCTION, transfer_on_socket);
}

/* HTTP/2 puts all transfers on one connection and gains nothing for few large
 * files. */
static void transfer_set_rules(Transfer *transfer, const HttpSettings *settings)
{
        transfer_set(transfer, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        transfer_set(transfer, CURLOPT_NOSIGNAL, 1L);
        transfer_set(transfer, CURLOPT_PROTOCOLS_STR, "http,https");
        transfer_set(transfer, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        transfer_set(transfer, CURLOPT_FOLLOWLOCATION, 1L);
        transfer_set(transfer, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
        transfer_set(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        transfer_set(transfer, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
        transfer_set(transfer, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
        transfer_set(transfer, CURLOPT_LOW_SPEED_LIMIT, 1L);
        transfer_set(transfer, CURLOPT_LOW_SPEED_TIME, (long)settings->stall_s);
        transfer_set(transfer, CURLOPT_USERAGENT, settings->user_agent);
        if (settings->ca_file)
                transfer_set(transfer, CURLOPT_CAINFO, settings->ca_file);
        if (settings->ca_folder)
                transfer_set(transfer, CURLOPT_CAPATH, settings->ca_folder);
}

static long transfer_buffer_size(const HttpRequest *request)
{
        bool small = !request->write || (request->size > 0 && request->size <= LIST_BUFFER_SIZE);

        return small ? LIST_BUFFER_SIZE : FILE_BUFFER_SIZE;
}

static void transfer_set_request(Transfer *transfer, const HttpRequest *request)
{
        transfer_set(transfer, CURLOPT_URL, request->url);
        transfer_set(transfer, CURLOPT_BUFFERSIZE, transfer_buffer_size(request));
        if (transfer->authorization.data)
                transfer_set(transfer, CURLOPT_HTTPHEADER, &transfer->authorization);
        if (request->from > 0) {
                (void)snprintf(transfer->range, sizeof(transfer->range), "%lld-", (long long)request->from);
                transfer_set(transfer, CURLOPT_RANGE, transfer->range);
        }
}

/* A header line given like this stays behind when a redirect leads to another host
 * or port (checked with libcurl 7.88.1, and by a test). */
static int transfer_set_token(Transfer *transfer, const char *token)
{
        static const char before[] = "Authorization: Bearer ";
        size_t size = sizeof(before) + strlen(token);

        transfer->authorization.data = alloc_bytes(size);
        if (!transfer->authorization.data)
                return error_trace(-ENOMEM);
        transfer->authorization_size = size;
        (void)snprintf(transfer->authorization.data, size, "%s%s", before, token);
        return 0;
}

int http_transfer_new(const HttpSettings *settings, HttpRequest *request, HttpTransfer **ret_transfer)
{
        CLEANUP(http_transfer_freep) HttpTransfer *base = NULL;
        Transfer *transfer = alloc_zeroed(1, sizeof(*transfer));

        if (!transfer)
                return error_trace(-ENOMEM);
        base = &transfer->base;
        base->request = request;
        base->host = request->host;
        base->group = request->group;
        transfer->headers = (HttpHeaders){ .reply = &transfer->reply, .from = -1 };
        if (request->token && transfer_set_token(transfer, request->token) < 0)
                return -ENOMEM;
        base->easy = http_curl.easy_init();
        if (!base->easy)
                return error_trace(-ENOMEM);
        transfer_set_callbacks(transfer);
        transfer_set_rules(transfer, settings);
        transfer_set_request(transfer, request);
        if (transfer->setup != CURLE_OK)
                return error_trace(-ENOMEM);
        *ret_transfer = STEAL(base);
        return 0;
}

HttpTransfer *http_transfer_free(HttpTransfer *base)
{
        Transfer *transfer = (Transfer *)base;

        if (!transfer)
                return NULL;
        http_curl.easy_cleanup(base->easy);
        if (transfer->authorization.data)
                explicit_bzero(transfer->authorization.data, transfer->authorization_size);
        alloc_free(transfer->authorization.data);
        buffer_deinit(&transfer->body);
        alloc_free(transfer);
        return NULL;
}

HttpTransfer *http_transfer_of(void *easy)
{
        char *transfer = NULL;

        (void)http_curl.easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        return &((Transfer *)(void *)transfer)->base;
}

/* --- the end --- */

static HubTrouble trouble_of(CURLcode code)
{
        switch (code) {
        case CURLE_OK:
                return HUB_REPLIED;
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_PROXY:
                return HUB_UNREACHABLE;
        case CURLE_OPERATION_TIMEDOUT:
                return HUB_TIMED_OUT;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_ENGINE_NOTFOUND:
        case CURLE_SSL_ENGINE_SETFAILED:
        case CURLE_SSL_ENGINE_INITFAILED:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CRL_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS:
                return HUB_TLS;
        case CURLE_URL_MALFORMAT:
        case CURLE_OUT_OF_MEMORY:
        case CURLE_FAILED_INIT:
        case CURLE_BAD_FUNCTION_ARGUMENT:
                return HUB_REFUSED_LOCALLY;
        default:
                return HUB_BROKEN;
        }
}

static void transfer_tell(Transfer *transfer, HubTrouble trouble, const char *message)
{
        transfer->reply.trouble = trouble;
        (void)http_clean(text_of(message), transfer->reply.message, sizeof(transfer->reply.message));
}

static void transfer_take_url(Transfer *transfer)
{
        const char *url = NULL;
        long n_redirects = 0;

        (void)http_curl.easy_getinfo(transfer->base.easy, CURLINFO_REDIRECT_COUNT, &n_redirects);
        (void)http_curl.easy_getinfo(transfer->base.easy, CURLINFO_EFFECTIVE_URL, &url);
        if (n_redirects && url)
                (void)http_clean(text_of(url), transfer->reply.url, sizeof(transfer->reply.url));
}

/* libcurl calls "unsupported protocol" a redirect that we forbade as well as an
 * answer that is no HTTP. */
static void transfer_tell_code(Transfer *transfer, CURLcode code)
{
        int status = transfer->reply.status;

        if (code == CURLE_UNSUPPORTED_PROTOCOL && status >= 300 && status < 400)
                transfer_tell(transfer, HUB_REFUSED_LOCALLY,
                              "a redirect leads from https to http, or to neither, and is not followed");
        else
                transfer_tell(transfer, trouble_of(code),
                              transfer->error[0] ? transfer->error : http_curl.easy_strerror(code));
}

static void transfer_tell_stop(Transfer *transfer)
{
        switch (transfer->stop) {
        case STOP_REFUSED:
                transfer_tell(transfer, HUB_REFUSED_LOCALLY, "the body was not taken");
                break;
        case STOP_TOO_LARGE:
                transfer_tell(transfer, HUB_TOO_LARGE, "the answer is larger than is read");
                break;
        case STOP_RANGE:
                transfer_tell(transfer, HUB_BROKEN, "the answer is another range than was asked for");
                break;
        case STOP_NO_MEMORY:
                transfer_tell(transfer, HUB_REFUSED_LOCALLY, "out of memory");
                break;
        case STOP_ENOUGH:
        case STOP_NOT:
        default:
                break;
        }
}

const HubReply *http_transfer_end(HttpTransfer *base, int code)
{
        Transfer *transfer = (Transfer *)base;

        transfer_take_status(transfer);
        transfer_take_url(transfer);
        if (code == CURLE_OK)
                transfer_start(transfer);
        if (transfer->stop != STOP_NOT)
                transfer_tell_stop(transfer);
        else if (code != CURLE_OK)
                transfer_tell_code(transfer, (CURLcode)code);
        else if (transfer->headers.link_is_cut)
                transfer_tell(transfer, HUB_BROKEN, "the Link header is too long");
        transfer->reply.body = buffer_text(&transfer->body);
        return &transfer->reply;
}
