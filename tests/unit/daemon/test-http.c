#include "daemon/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "tests/unit/daemon/scripted-server.h"

#define MAX_FETCHES 48

typedef struct TestFetch TestFetch;
typedef struct TestRun TestRun;

struct TestFetch {
        HttpRequest request;
        TestRun *run;
        char url[512];
        HubReply reply; /* what `done` was given; the body copied */
        char body[4096];
        size_t n_written;
        char written[4096]; /* the first bytes of it */
        int started;        /* the status that `started` was given */
        int n_started, n_done;
        bool refuses;       /* in `write` */
        bool cancelled;
        TestFetch *cancels; /* in the next callback, which may be its own */
};

/* One job, which begins all and is done when all are. */
struct TestRun {
        Job job;
        Http *http;
        TestFetch fetches[MAX_FETCHES];
        int n, n_left;
        atomic_int n_written; /* bytes, of all */
        bool job_done;
        int answer;
};

static uv_loop_t loop;
static Worker *worker;
static TestRun run;

static void test_callback(TestFetch *fetch)
{
        TestFetch *other = fetch->cancels;

        fetch->cancels = NULL;
        if (!other)
                return;
        http_cancel(fetch->run->http, &other->request);
        other->cancelled = true;
        if (--fetch->run->n_left == 0)
                job_resume(&fetch->run->job);
}

static void test_started(HttpRequest *request, const HubReply *reply)
{
        TestFetch *fetch = request->data;

        ck_assert_uint_eq(fetch->n_written, 0);
        fetch->n_started++;
        fetch->started = reply->status;
        test_callback(fetch);
}

static int test_write(HttpRequest *request, const void *bytes, size_t size)
{
        TestFetch *fetch = request->data;
        size_t room = sizeof(fetch->written) - 1 - fetch->n_written;

        ck_assert_int_eq(fetch->n_started, 1);
        if (fetch->n_written < sizeof(fetch->written))
                memcpy(fetch->written + fetch->n_written, bytes, size < room ? size : room);
        fetch->n_written += size;
        fetch->run->n_written += (int)size;
        test_callback(fetch);
        return fetch->refuses;
}

static void test_done(HttpRequest *request, const HubReply *reply)
{
        TestFetch *fetch = request->data;

        fetch->n_done++;
        fetch->reply = *reply;
        if (reply->body.size)
                memcpy(fetch->body, reply->body.data,
                       reply->body.size < sizeof(fetch->body) ? reply->body.size : sizeof(fetch->body) - 1);
        test_callback(fetch);
        if (--fetch->run->n_left == 0)
                job_resume(&fetch->run->job);
}

static int test_step(Job *job)
{
        if (!run.n_left)
                return 0;
        for (int i = 0; i < run.n; i++)
                http_begin(run.http, &run.fetches[i].request);
        for (int i = 0; i < run.n; i++)
                ck_assert_int_eq(run.fetches[i].n_done, 0);
        return JOB_PARKED;
}

static void test_job_done(Job *job, int result)
{
        run.job_done = true;
        run.answer = result;
}

static void test_begin(const HttpOptions *options)
{
        static const char *const proxies[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                               "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE" };

        for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
                unsetenv(proxies[i]);
        run = (TestRun){ .job = { .step = test_step, .done = test_job_done } };
        ck_assert_int_eq(uv_loop_init(&loop), 0);
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        ck_assert_int_eq(http_new(worker, options, &run.http), 0);
}

static const HttpOptions plain = { .user_agent = "kernelsd/test" };

static TestFetch *test_add_url(const char *url)
{
        TestFetch *fetch = &run.fetches[run.n++];

        ck_assert_int_le(run.n, MAX_FETCHES);
        fetch->run = &run;
        (void)snprintf(fetch->url, sizeof(fetch->url), "%s", url);
        fetch->request = (HttpRequest){ .url = fetch->url, .limit = 1000, .done = test_done, .started = test_started,
                                        .data = fetch };
        run.n_left++;
        return fetch;
}

static TestFetch *test_add(const Server *server, const char *path)
{
        char url[256];

        (void)snprintf(url, sizeof(url), "%s%s", server->origin, path);
        return test_add_url(url);
}

static TestFetch *test_add_file(const Server *server, const char *path)
{
        TestFetch *fetch = test_add(server, path);

        fetch->request.write = test_write;
        return fetch;
}

static void test_submit(void)
{
        worker_submit(worker, &run.job);
}

static void test_wait(void)
{
        while (!run.job_done)
                uv_run(&loop, UV_RUN_ONCE);
}

static void test_end(void)
{
        worker_close(worker);
        http_close(run.http);
        uv_run(&loop, UV_RUN_DEFAULT);
        ck_assert_int_eq(uv_loop_close(&loop), 0);
        uv_library_shutdown();
}

/* All of it; what was added is judged afterwards. */
static void test_all(Server *server)
{
        server_start(server);
        test_submit();
        test_wait();
        test_end();
        server_stop(server);
        for (int i = 0; i < run.n; i++)
                ck_assert_int_le(run.fetches[i].n_done, 1);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"

static Server server;

START_TEST(test_gathered)
{
        TestFetch *fetch, *empty;

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/a", OK_HEAD "Link: <http://x/?cursor=1>; rel=\"next\"\r\nRATELIMIT:\t\"api\";r=9;t=3 \r\n"
                   "Retry-After: 7\r\n\r\n", "hello", 5);
        server_add(&server, "/empty", "HTTP/1.1 204 No Content\r\n\r\n", NULL, 0);
        fetch = test_add(&server, "/a");
        empty = test_add(&server, "/empty");
        test_all(&server);
        ck_assert_int_eq(fetch->n_done, 1);
        ck_assert_int_eq(fetch->n_started, 1);
        ck_assert_int_eq(fetch->reply.trouble, HUB_REPLIED);
        ck_assert_int_eq(fetch->reply.status, 200);
        ck_assert(!fetch->reply.ranged);
        ck_assert_str_eq(fetch->body, "hello");
        ck_assert_str_eq(fetch->reply.link, "<http://x/?cursor=1>; rel=\"next\"");
        ck_assert_str_eq(fetch->reply.rate_limit, "\"api\";r=9;t=3");
        ck_assert_str_eq(fetch->reply.retry_after, "7");
        ck_assert_str_eq(fetch->reply.error_code, "");
        ck_assert_int_eq(empty->started, 204);
        ck_assert_uint_eq(empty->reply.body.size, 0);
        ck_assert_ptr_nonnull(strstr(server.answers[0].request, "User-Agent: kernelsd/test\r\n"));
        ck_assert_ptr_null(strcasestr(server.answers[0].request, "accept-encoding"));
        ck_assert_ptr_null(strcasestr(server.answers[0].request, "authorization"));
        ck_assert_ptr_null(strcasestr(server.answers[0].request, "range"));
}
END_TEST

/* Of an error the body is kept, also where a file was to be written, which gets
 * nothing of it; a long one is cut, and stays the error that it is. */
START_TEST(test_error)
{
        static char page[100000];
        TestFetch *fetch, *file, *large;

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/a", "HTTP/1.1 404 Not Found\r\nX-Error-Code: RepoNotFound\r\nContent-Length: 5\r\n"
                   "X-Error-Message: not \x1b[31mhere\xff\xc2\x85!\r\n\r\n", "hello", 5);
        server_add(&server, "/large", "HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n", page, sizeof(page));
        fetch = test_add(&server, "/a");
        fetch->request.limit = 0;
        file = test_add_file(&server, "/a");
        large = test_add(&server, "/large");
        test_all(&server);
        ck_assert_int_eq(fetch->reply.trouble, HUB_REPLIED);
        ck_assert_int_eq(fetch->reply.status, 404);
        ck_assert_str_eq(fetch->reply.error_code, "RepoNotFound");
        ck_assert_str_eq(fetch->reply.error_message, "not  [31mhere? !");
        ck_assert_str_eq(fetch->body, "hello");
        ck_assert_str_eq(file->body, "hello");
        ck_assert_uint_eq(file->n_written, 0);
        ck_assert_int_eq(file->started, 404);
        ck_assert_int_eq(large->reply.trouble, HUB_REPLIED);
        ck_assert_int_eq(large->reply.status, 503);
        ck_assert_uint_le(large->reply.body.size, 65536);
}
END_TEST

START_TEST(test_too_large)
{
        TestFetch *fetch, *fits;

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/a", OK_HEAD "\r\n", "hello", 5);
        server_add(&server, "/b", "HTTP/1.1 200 OK\r\n\r\n", "hello", 5)->then = THEN_CLOSE; /* of no known length */
        fetch = test_add(&server, "/b");
        fetch->request.limit = 4;
        fits = test_add(&server, "/a");
        fits->request.limit = 5;
        test_all(&server);
        ck_assert_int_eq(fetch->reply.trouble, HUB_TOO_LARGE);
        ck_assert_int_eq(fits->reply.trouble, HUB_REPLIED);
}
END_TEST

/* A half address would lead elsewhere; of a message less is enough. */
START_TEST(test_long_headers)
{
        static char head[8192];
        TestFetch *fetch;
        char *link;

        test_begin(&plain);
        server_bind(&server);
        memset(head, 'x', sizeof(head) - 1);
        link = head + snprintf(head, sizeof(head), OK_HEAD "X-Error-Message: ");
        memset(link, 'x', 300);
        link += 300;
        link += sprintf(link, "\r\nLink: ");
        memset(link, 'y', 2048);
        memcpy(link + 2048, "\r\n\r\nhello", 10);
        server_add(&server, "/a", "", head, sizeof(head));
        server.answers[0].size = (size_t)(link + 2048 + 9 - head);
        fetch = test_add(&server, "/a");
        test_all(&server);
        ck_assert_int_eq(fetch->reply.trouble, HUB_BROKEN);
        ck_assert_uint_eq(strlen(fetch->reply.error_message), 255);
}
END_TEST

static char megabyte[1000000];

START_TEST(test_file)
{
        TestFetch *fetch;

        test_begin(&plain);
        server_bind(&server);
        memset(megabyte, 'm', sizeof(megabyte));
        server_add(&server, "/f", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", megabyte, sizeof(megabyte));
        fetch = test_add_file(&server, "/f");
        fetch->request.limit = 0;
        test_all(&server);
        ck_assert_int_eq(fetch->reply.trouble, HUB_REPLIED);
        ck_assert_uint_eq(fetch->n_written, sizeof(megabyte));
        ck_assert_int_eq(fetch->written[4000], 'm');
        ck_assert_int_eq(fetch->n_started, 1);
        ck_assert_uint_eq(fetch->reply.body.size, 0);
}
END_TEST

START_TEST(test_refused_by_sink)
{
        TestFetch *fetch;

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/f", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", megabyte, sizeof(megabyte));
        fetch = test_add_file(&server, "/f");
        fetch->refuses = true;
        test_all(&server);
        ck_assert_int_eq(fetch->reply.trouble, HUB_REFUSED_LOCALLY);
        ck_assert_int_eq(fetch->reply.status, 200);
        ck_assert_uint_gt(fetch->n_written, 0);
        ck_assert_uint_lt(fetch->n_written, sizeof(megabyte));
}
END_TEST

START_TEST(test_range)
{
        TestFetch *fetch, *whole, *wrong, *unasked, *end;

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/f", "HTTP/1.1 206 Partial\r\nContent-Range: bytes 3-7/8\r\nContent-Length: 5\r\n\r\n",
                   "hello", 5);
        server_add(&server, "/whole", OK_HEAD "\r\n", "hello", 5);
        server_add(&server, "/end", "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n", NULL, 0);
        fetch = test_add_file(&server, "/f");
        fetch->request.from = 3;
        whole = test_add_file(&server, "/whole");
        whole->request.from = 3;
        end = test_add_file(&server, "/end");
        end->request.from = 5;
        wrong = test_add_file(&server, "/f");
        wrong->request.from = 2;
        unasked = test_add(&server, "/f");
        test_all(&server);
        ck_assert_int_eq(fetch->reply.trouble, HUB_REPLIED);
        ck_assert(fetch->reply.ranged);
        ck_assert_int_eq(fetch->started, 206);
        ck_assert_str_eq(fetch->written, "hello");
        ck_assert_int_eq(whole->started, 200);
        ck_assert(!whole->reply.ranged);
        ck_assert_str_eq(whole->written, "hello");
        ck_assert_ptr_nonnull(strstr(server.answers[1].request, "Range: bytes=3-\r\n"));
        ck_assert_int_eq(end->reply.status, 416);
        ck_assert_int_eq(wrong->reply.trouble, HUB_BROKEN);
        ck_assert_int_eq(wrong->n_started, 0);
        ck_assert_uint_eq(wrong->n_written, 0);
        ck_assert_int_eq(unasked->reply.trouble, HUB_BROKEN);
}
END_TEST

START_TEST(test_cut)
{
        TestFetch *fetch, *none, *garbage;

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/f", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "hello", 5)->then = THEN_CLOSE;
        server_add(&server, "/none", "", NULL, 0)->then = THEN_CLOSE;
        server_add(&server, "/garbage", "SSH-2.0-OpenSSH\r\n", NULL, 0)->then = THEN_CLOSE;
        fetch = test_add_file(&server, "/f");
        none = test_add(&server, "/none");
        garbage = test_add(&server, "/garbage");
        test_all(&server);
        ck_assert_int_eq(fetch->reply.trouble, HUB_BROKEN);
        ck_assert_str_eq(fetch->written, "hello");
        ck_assert_str_ne(fetch->reply.message, "");
        ck_assert_int_eq(none->reply.trouble, HUB_BROKEN);
        ck_assert_int_eq(none->reply.status, 0);
        ck_assert_int_eq(none->n_started, 0);
        ck_assert_int_eq(garbage->reply.trouble, HUB_BROKEN);
}
END_TEST

static void test_add_redirect(Server *from, const char *path, const char *headers, const char *to, const char *target)
{
        ServerAnswer *answer = server_add(from, path, "", NULL, 0);

        (void)snprintf(answer->head, sizeof(answer->head),
                       "HTTP/1.1 302 Found\r\nLocation: %s%s\r\nContent-Length: 3\r\n%s\r\n302", to, target, headers);
}

/* The token goes along to the same host and port, and nowhere else; the headers of
 * the last answer count. */
START_TEST(test_redirect)
{
        static Server other;
        TestFetch *near, *far, *named;
        char localhost[64];

        test_begin(&plain);
        server_bind(&server);
        server_bind(&other);
        (void)snprintf(localhost, sizeof(localhost), "http://localhost:%u", (unsigned)server.port);
        test_add_redirect(&server, "/near", "X-Error-Code: Hop\r\n", "", "/end");
        test_add_redirect(&server, "/far", "", other.origin, "/end");
        test_add_redirect(&server, "/named", "", localhost, "/named-end");
        server_add(&server, "/end", OK_HEAD "\r\n", "hello", 5);
        server_add(&server, "/named-end", OK_HEAD "\r\n", "hello", 5);
        server_add(&other, "/end", OK_HEAD "\r\n", "HELLO", 5);
        server_start(&other);
        near = test_add(&server, "/near");
        far = test_add_file(&server, "/far");
        named = test_add(&server, "/named");
        near->request.token = far->request.token = named->request.token = "hf_secret";
        far->request.from = 7;
        test_all(&server);
        server_stop(&other);
        ck_assert_str_eq(near->body, "hello");
        ck_assert_str_eq(near->reply.error_code, "");
        ck_assert_int_eq(near->reply.status, 200);
        ck_assert_str_eq(far->written, "HELLO");
        ck_assert_str_eq(named->body, "hello");
        for (int i = 0; i < 4; i++)
                ck_assert_ptr_nonnull(strstr(server.answers[i].request, "Authorization: Bearer hf_secret\r\n"));
        ck_assert_ptr_null(strcasestr(server.answers[4].request, "authorization"));
        ck_assert_ptr_null(strcasestr(other.answers[0].request, "authorization"));
        ck_assert_ptr_nonnull(strstr(other.answers[0].request, "Range: bytes=7-\r\n"));
}
END_TEST

START_TEST(test_redirects_end)
{
        TestFetch *round, *file;

        test_begin(&plain);
        server_bind(&server);
        test_add_redirect(&server, "/round", "", "", "/round");
        test_add_redirect(&server, "/file", "", "", "file:///etc/passwd");
        round = test_add(&server, "/round");
        file = test_add(&server, "/file");
        test_all(&server);
        ck_assert_int_eq(round->reply.trouble, HUB_BROKEN);
        ck_assert_int_eq(server.answers[0].n_asked, 6);
        ck_assert_int_eq(file->reply.trouble, HUB_REFUSED_LOCALLY);
}
END_TEST

/* Of no server at all. */
START_TEST(test_unreachable)
{
        TestFetch *fetch, *name, *ftp, *none, *token;

        test_begin(&plain);
        server_bind(&server);
        close(server.listener);
        fetch = test_add(&server, "/a");
        name = test_add_url("http://no-such-host.invalid/");
        ftp = test_add_url("ftp://127.0.0.1/a");
        none = test_add_url("http://");
        token = test_add(&server, "/a");
        token->request.token = "hf_a\r\nX: y";
        test_submit();
        test_wait();
        test_end();
        ck_assert_int_eq(fetch->reply.trouble, HUB_UNREACHABLE);
        ck_assert_ptr_nonnull(strstr(fetch->reply.message, "127.0.0.1"));
        ck_assert_int_eq(name->reply.trouble, HUB_UNREACHABLE);
        ck_assert_int_eq(ftp->reply.trouble, HUB_REFUSED_LOCALLY);
        ck_assert_int_eq(none->reply.trouble, HUB_REFUSED_LOCALLY);
        ck_assert_int_eq(token->reply.trouble, HUB_REFUSED_LOCALLY);
        ck_assert_int_eq(token->n_done, 1);
}
END_TEST

START_TEST(test_stall)
{
        TestFetch *fetch;

        test_begin(&(HttpOptions){ .user_agent = "a", .stall_s = 1 });
        server_bind(&server);
        server_add(&server, "/f", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "hello", 5)->then = THEN_HOLD;
        fetch = test_add_file(&server, "/f");
        test_all(&server);
        ck_assert_int_eq(fetch->reply.trouble, HUB_TIMED_OUT);
        ck_assert_str_eq(fetch->written, "hello");
}
END_TEST

/* A job that cancels the others' requests, as an owner does that gives up. */
static int test_cancel_step(Job *job)
{
        for (int i = 0; i < run.n; i++) {
                if (!run.fetches[i].n_done && !run.fetches[i].cancelled)
                        run.n_left--;
                http_cancel(run.http, &run.fetches[i].request);
        }
        job_resume(&run.job);
        return 0;
}

static void test_cancel_done(Job *job, int result)
{
}

/* Standing still, waiting for a connection and for its time, and ended. */
START_TEST(test_cancel)
{
        Job cancel = { .step = test_cancel_step, .done = test_cancel_done };

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/f", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "h", 1)->then = THEN_HOLD;
        server_add(&server, "/a", OK_HEAD "\r\n", "hello", 5);
        (void)test_add(&server, "/a");
        for (int i = 0; i < 11; i++)
                (void)test_add_file(&server, "/f");
        test_add(&server, "/a")->request.delay_ms = 3600000;
        server_start(&server);
        test_submit();
        while (run.n_written < 8)
                (void)sched_yield();
        worker_submit(worker, &cancel);
        test_wait();
        test_end();
        server_stop(&server);
        ck_assert_int_eq(run.fetches[0].n_done, 1);
        for (int i = 1; i < run.n; i++)
                ck_assert_int_eq(run.fetches[i].n_done, 0);
        ck_assert_int_eq(server.answers[0].n_asked, 8);
}
END_TEST

/* From within callbacks, of itself and of another. */
START_TEST(test_cancel_within)
{
        TestFetch *itself, *other, *starting, *empty, *done;

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/f", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", megabyte, sizeof(megabyte));
        server_add(&server, "/hold", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", NULL, 0)->then = THEN_HOLD;
        server_add(&server, "/empty", "HTTP/1.1 204 No Content\r\n\r\n", NULL, 0);
        itself = test_add_file(&server, "/f");
        itself->request.started = NULL;
        itself->n_started = 1;
        itself->cancels = itself;
        starting = test_add_file(&server, "/f");
        starting->cancels = starting;
        empty = test_add(&server, "/empty"); /* `started` comes when libcurl has ended it */
        empty->cancels = empty;
        other = test_add(&server, "/hold");
        done = test_add_file(&server, "/f");
        done->cancels = other;
        (void)test_add(&server, "/hold");
        test_add(&server, "/empty")->cancels = &run.fetches[5];
        run.fetches[6].request.started = NULL; /* so that it is `done` that cancels */
        test_all(&server);
        ck_assert_int_eq(itself->n_done, 0);
        ck_assert_int_eq(starting->n_done, 0);
        ck_assert_uint_eq(starting->n_written, 0);
        ck_assert_int_eq(empty->n_done, 0);
        ck_assert_int_eq(other->n_done, 0);
        ck_assert_int_eq(done->n_done, 1);
        ck_assert_int_eq(run.fetches[5].n_done, 0);
        ck_assert_int_eq(run.fetches[6].n_done, 1);
}
END_TEST

/* Given up from within a callback, one that stands still leaves its place. */
START_TEST(test_cancel_leaves_place)
{
        static Server other;
        Job cancel = { .step = test_cancel_step, .done = test_cancel_done };

        test_begin(&plain);
        server_bind(&server);
        server_bind(&other);
        server_add(&server, "/hold", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", NULL, 0)->then = THEN_HOLD;
        server_add(&server, "/a", OK_HEAD "\r\n", "hello", 5);
        server_add(&other, "/b", OK_HEAD "\r\n", "hello", 5);
        for (int i = 0; i < 8; i++)
                (void)test_add(&server, "/hold");
        (void)test_add_file(&server, "/a");
        test_add_file(&other, "/b")->cancels = &run.fetches[0];
        server_start(&server);
        server_start(&other);
        test_submit();
        while (run.n_written < 10)
                (void)sched_yield();
        worker_submit(worker, &cancel);
        test_wait();
        test_end();
        server_stop(&server);
        server_stop(&other);
        ck_assert_int_eq(run.fetches[8].n_done, 1);
}
END_TEST

/* No earlier than was said; others do not wait for it. */
START_TEST(test_delay)
{
        TestFetch *late, *now;
        uint64_t begin = uv_hrtime();

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/late", OK_HEAD "\r\n", "hello", 5);
        server_add(&server, "/now", OK_HEAD "\r\n", "hello", 5);
        late = test_add(&server, "/late");
        late->request.delay_ms = 50;
        now = test_add(&server, "/now");
        test_all(&server);
        ck_assert_uint_ge(uv_hrtime() - begin, 49000000);
        ck_assert_int_eq(late->reply.status, 200);
        ck_assert_int_eq(now->reply.status, 200);
}
END_TEST

/* Eight at a time, and over the same eight connections. */
START_TEST(test_parallel)
{
        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/a", OK_HEAD "\r\n", "hello", 5)->together = 8;
        for (int i = 0; i < 40; i++)
                (void)test_add(&server, "/a");
        test_all(&server);
        for (int i = 0; i < 40; i++)
                ck_assert_str_eq(run.fetches[i].body, "hello");
        ck_assert_int_eq(server.n_accepted, 8);
}
END_TEST

static void test_add_of(const char *path, const char *group, int n)
{
        while (n--) {
                TestFetch *fetch = *path == '/' && path[1] == 'f' ? test_add_file(&server, path) : test_add(&server, path);

                fetch->request.group = group;
        }
}

/* Whoever asks for much has the others wait for one of his transfers, not for all:
 * a place that becomes free goes to the group that has the fewest. */
START_TEST(test_groups)
{
        Job cancel = { .step = test_cancel_step, .done = test_cancel_done };

        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/f", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "h", 1)->then = THEN_HOLD;
        server_add(&server, "/a", OK_HEAD "\r\n", "hello", 5);
        test_add_of("/a", "many", 1); /* its place is the only one that becomes free */
        test_add_of("/f", "few", 1);
        test_add_of("/f", "many", 10);
        test_add_of("/a", "few", 2);
        test_add_of("/a", NULL, 1);
        server_start(&server);
        test_submit();
        while (run.n_written < 8)
                (void)sched_yield();
        worker_submit(worker, &cancel);
        test_wait();
        test_end();
        server_stop(&server);
        ck_assert_int_eq(run.fetches[0].n_done, 1);
        for (int i = 12; i < run.n; i++)
                ck_assert_int_eq(run.fetches[i].n_done, 1);
        ck_assert_int_eq(server.answers[0].n_asked, 8);
}
END_TEST

/* Sixteen in all, whatever the host, and none is left out. */
START_TEST(test_many_hosts)
{
        static Server servers[3];
        Job cancel = { .step = test_cancel_step, .done = test_cancel_done };
        int n_asked = 0;

        test_begin(&plain);
        for (int i = 0; i < 3; i++) {
                server_bind(&servers[i]);
                server_add(&servers[i], "/f", OK_HEAD "\r\n", "h", 1)->then = THEN_HOLD;
                for (int k = 0; k < 9; k++)
                        (void)test_add_file(&servers[i], "/f");
                server_start(&servers[i]);
        }
        test_submit();
        while (run.n_written < 16)
                (void)sched_yield();
        worker_submit(worker, &cancel);
        test_wait();
        test_end();
        for (int i = 0; i < 3; i++) {
                server_stop(&servers[i]);
                ck_assert_int_ge(servers[i].answers[0].n_asked, 5);
                n_asked += servers[i].answers[0].n_asked;
        }
        ck_assert_int_eq(n_asked, 16);
}
END_TEST

/* The owner's way out where the job is cancelled instead of the requests. */
static void test_abandon(Job *job)
{
        for (int i = 0; i < run.n; i++)
                http_cancel(run.http, &run.fetches[i].request);
}

static void test_close_running(bool abandons)
{
        test_begin(&plain);
        server_bind(&server);
        server_add(&server, "/f", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "h", 1)->then = THEN_HOLD;
        for (int i = 0; i < 12; i++)
                (void)test_add_file(&server, "/f");
        test_add_file(&server, "/f")->request.delay_ms = 3600000;
        run.job.abandon = abandons ? test_abandon : NULL;
        server_start(&server);
        test_submit();
        while (run.n_written < 8)
                (void)sched_yield();
        test_end();
        server_stop(&server);
        ck_assert_int_eq(run.answer, -ECANCELED);
        for (int i = 0; i < run.n; i++)
                ck_assert_int_eq(run.fetches[i].n_done, 0);
}

START_TEST(test_close)
{
        test_close_running(true);
        test_close_running(false);
}
END_TEST

START_TEST(test_no_memory)
{
        Http *http = NULL;

        test_begin(&plain);
        FIXTURE_TORTURE(http_new(worker, &(HttpOptions){ .user_agent = "a", .ca_file = "/b" }, &http));
        http_close(run.http);
        run.http = http;
        test_end();
}
END_TEST

/* --- https, against the Hub double --- */

typedef struct Double {
        pid_t pid;
        char endpoint[128], control[128], ca_file[256];
} Double;

static void double_put(const char *folder, const char *name, const char *content)
{
        char path[512];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        for (char *c = path + strlen(folder) + 1; (c = strchr(c, '/')); *c++ = '/') {
                *c = 0;
                (void)mkdir(path, 0755);
        }
        file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(content, file), 0);
        ck_assert_int_eq(fclose(file), 0);
}

static void double_read_text(const char *line, const char *key, char *ret_text, size_t size)
{
        const char *value = strstr(line, key);
        size_t n;

        ck_assert_msg(value, "the double says no %s: %s", key, line);
        value += strlen(key);
        n = strcspn(value, "\"");
        ck_assert_uint_lt(n, size);
        memcpy(ret_text, value, n);
        ret_text[n] = 0;
}

static void double_start(Double *started)
{
        char line[1024] = "";
        int output[2];
        FILE *file;

        double_put(fixture_folder(), "org/name/main/large.so", "the bytes of a library");
        double_put(fixture_folder(), "org/name/main/small.txt", "small");
        ck_assert_int_eq(pipe(output), 0);
        started->pid = fork();
        if (started->pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)dup2(output[1], STDOUT_FILENO);
                (void)close(output[0]);
                (void)close(output[1]);
                execl(HUB_DOUBLE, HUB_DOUBLE, fixture_folder(), "--tls", "--token", "hf_good", (char *)NULL);
                _exit(127);
        }
        (void)close(output[1]);
        file = fdopen(output[0], "r");
        ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
        fclose(file);
        double_read_text(line, "\"endpoint\": \"", started->endpoint, sizeof(started->endpoint));
        double_read_text(line, "\"control\": \"", started->control, sizeof(started->control));
        double_read_text(line, "\"ca_file\": \"", started->ca_file, sizeof(started->ca_file));
}

static void double_stop(const Double *started)
{
        ck_assert_int_eq(kill(started->pid, SIGTERM), 0);
        ck_assert_int_eq(waitpid(started->pid, NULL, 0), started->pid);
}

static TestFetch *double_add(const Double *started, const char *path)
{
        char url[512];

        (void)snprintf(url, sizeof(url), "%s/kernels/org/name/resolve/main/%s", started->endpoint, path);
        return test_add_url(url);
}

/* The double's CDN refuses whoever comes with a token. */
START_TEST(test_tls)
{
        Double hub;
        TestFetch *small, *large;

        double_start(&hub);
        unsetenv("SSL_CERT_FILE");
        test_begin(&(HttpOptions){ .user_agent = "a", .ca_file = hub.ca_file });
        small = double_add(&hub, "small.txt");
        large = double_add(&hub, "large.so");
        large->request.write = test_write;
        small->request.token = large->request.token = "hf_good";
        test_submit();
        test_wait();
        test_end();
        double_stop(&hub);
        ck_assert_str_eq(small->reply.message, "");
        ck_assert_int_eq(small->reply.trouble, HUB_REPLIED);
        ck_assert_str_eq(small->body, "small");
        ck_assert_int_eq(large->reply.status, 200);
        ck_assert_str_eq(large->written, "the bytes of a library");
}
END_TEST

static HubTrouble double_trouble(const Double *hub, const char *variable)
{
        TestFetch *fetch;

        test_begin(&plain);
        unsetenv("SSL_CERT_FILE");
        if (variable)
                setenv(variable, hub->ca_file, 1);
        http_close(run.http);
        ck_assert_int_eq(http_new(worker, &plain, &run.http), 0);
        fetch = double_add(hub, "small.txt");
        test_submit();
        test_wait();
        test_end();
        return fetch->reply.trouble;
}

START_TEST(test_tls_environment)
{
        Double hub;

        double_start(&hub);
        ck_assert_int_eq(double_trouble(&hub, NULL), HUB_TLS);
        ck_assert_int_eq(double_trouble(&hub, "SSL_CERT_FILE"), HUB_REPLIED);
        ck_assert_int_eq(double_trouble(&hub, "REQUESTS_CA_BUNDLE"), HUB_REPLIED);
        ck_assert_int_eq(double_trouble(&hub, "CURL_CA_BUNDLE"), HUB_REPLIED);
        (void)snprintf(hub.ca_file, sizeof(hub.ca_file), "%s/none.pem", fixture_folder());
        ck_assert_int_eq(double_trouble(&hub, "SSL_CERT_FILE"), HUB_TLS);
        double_stop(&hub);
}
END_TEST

/* Asks the control interface, which answers JSON. */
static void double_fault(const Double *hub, const char *fault)
{
        char request[1024], answer[256];
        unsigned port;
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int n;

        ck_assert_int_eq(sscanf(hub->control, "http://127.0.0.1:%u", &port), 1);
        address.sin_port = htons((uint16_t)port);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        n = snprintf(request, sizeof(request),
                     "POST /_double/faults HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(fault), fault);
        ck_assert_int_eq(send(fd, request, (size_t)n, 0), n);
        n = (int)recv(fd, answer, sizeof(answer) - 1, 0);
        ck_assert_int_gt(n, 0);
        answer[n] = 0;
        ck_assert_msg(strstr(answer, " 200 "), "%s", answer);
        close(fd);
}

/* Also at the second hop of one that began with http. */
START_TEST(test_tls_never_down)
{
        Double hub;
        TestFetch *fetch, *through;
        char fault[512];

        double_start(&hub);
        test_begin(&(HttpOptions){ .user_agent = "a", .ca_file = hub.ca_file });
        server_bind(&server);
        server_add(&server, "/secret", OK_HEAD "\r\n", "hello", 5);
        test_add_redirect(&server, "/begin", "", hub.endpoint, "/kernels/org/name/resolve/main/small.txt");
        (void)snprintf(fault, sizeof(fault), "{\"kind\": \"status\", \"class\": \"resolve\", \"status\": 302, "
                       "\"headers\": {\"Location\": \"%s/secret\"}}", server.origin);
        double_fault(&hub, fault);
        fetch = double_add(&hub, "small.txt");
        through = test_add(&server, "/begin");
        test_all(&server);
        double_stop(&hub);
        ck_assert_int_eq(fetch->reply.trouble, HUB_REFUSED_LOCALLY);
        ck_assert_int_eq(fetch->reply.status, 302);
        ck_assert_ptr_nonnull(strstr(fetch->reply.message, "redirect"));
        ck_assert_int_eq(through->reply.trouble, HUB_REFUSED_LOCALLY);
        ck_assert_int_eq(server.answers[0].n_asked, 0);
        ck_assert_int_eq(server.answers[1].n_asked, 1);
}
END_TEST

FIXTURE_MAIN("daemon/http", test_gathered, test_error, test_too_large, test_long_headers, test_file,
             test_refused_by_sink, test_range, test_cut, test_redirect, test_redirects_end, test_unreachable, test_stall,
             test_cancel, test_cancel_within, test_cancel_leaves_place, test_delay, test_parallel, test_groups,
             test_many_hosts, test_close, test_no_memory, test_tls, test_tls_environment, test_tls_never_down)
