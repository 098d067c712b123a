#include "daemon/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/hub_variable.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* What may stand around a token: as much again. */
#define TOKEN_BYTES (2 * LIMIT_TOKEN)

/* A token as it is read, wiped at the end. */
typedef struct RawToken {
        char bytes[TOKEN_BYTES + 1];
        size_t size;
} RawToken;

static void raw_wipe(RawToken *raw)
{
        explicit_bzero(raw, sizeof(*raw));
}

char *token_free(char *token)
{
        if (token)
                explicit_bzero(token, strlen(token));
        alloc_free(token);
        return NULL;
}

void token_facts(bool system, const char *token_file, const char *user_file, TokenFacts *ret_facts)
{
        *ret_facts = (TokenFacts){
                .system = system,
                .credentials = getenv("CREDENTIALS_DIRECTORY"),
                .token_file = token_file,
                .variables = { getenv("HF_TOKEN"), getenv("HUGGING_FACE_HUB_TOKEN") },
                .user_file = user_file,
                .only_explicit = hub_variable_is_true(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
        };
}

static bool is_blank(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Line ends go wherever they are, blanks at both ends, as the Hub's own clients
 * have it. */
static void raw_clean(RawToken *raw)
{
        size_t from = 0, n = 0;

        for (size_t i = 0; i < raw->size; i++)
                if (raw->bytes[i] != '\r' && raw->bytes[i] != '\n')
                        raw->bytes[n++] = raw->bytes[i];
        while (n > 0 && is_blank(raw->bytes[n - 1]))
                n--;
        while (from < n && is_blank(raw->bytes[from]))
                from++;
        memmove(raw->bytes, raw->bytes + from, n - from);
        raw->size = n - from;
}

/* It becomes part of a header: nothing in it may end that. 0 also where nothing
 * is left. */
static int raw_take(RawToken *raw, const char *where, char **ret_token, Fault *fault)
{
        raw_clean(raw);
        if (raw->size > LIMIT_TOKEN)
                return fault_set(fault, FAULT_AUTH, "%s: a token has at most %d bytes", where, LIMIT_TOKEN);
        for (size_t i = 0; i < raw->size; i++)
                if (raw->bytes[i] <= ' ' || raw->bytes[i] > '~')
                        return fault_set(fault, FAULT_AUTH, "%s: a token has no blanks, control characters or letters "
                                         "beyond ASCII in it", where);
        if (raw->size == 0)
                return 0;
        *ret_token = alloc_text(raw->bytes, raw->size);
        return *ret_token ? 0 : error_trace(-ENOMEM);
}

static int token_of_text(const char *text, const char *where, char **ret_token, Fault *fault)
{
        CLEANUP(raw_wipe) RawToken raw = { .size = strnlen(text, TOKEN_BYTES + 1) };

        if (raw.size > TOKEN_BYTES)
                return fault_set(fault, FAULT_AUTH, "%s: a token has at most %d bytes", where, LIMIT_TOKEN);
        memcpy(raw.bytes, text, raw.size);
        return raw_take(&raw, where, ret_token, fault);
}

static int raw_read(int fd, RawToken *raw)
{
        while (raw->size < sizeof(raw->bytes)) {
                ssize_t n = read(fd, raw->bytes + raw->size, sizeof(raw->bytes) - raw->size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                raw->size += (size_t)n;
        }
        return 0;
}

static int token_cannot_read(const char *path, int error, Fault *fault)
{
        return fault_set(fault, FAULT_AUTH, "%s cannot be read: %s", path, strerrordesc_np(error));
}

/* Of whom a file must be is said by its mode alone: whoever owns it may read it. */
static int token_check_file(int fd, const char *path, bool secret, Fault *fault)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return token_cannot_read(path, errno, fault);
        if (!S_ISREG(st.st_mode))
                return fault_set(fault, FAULT_AUTH, "%s is no regular file", path);
        if (secret && (st.st_mode & 077))
                return fault_set(fault, FAULT_AUTH, "%s may be read or written by others than its owner (mode %03o): "
                                 "chmod 600 it", path, (unsigned)(st.st_mode & 0777));
        return 0;
}

/* `optional`: that it is missing is no fault. */
static int token_of_file(const char *path, bool optional, bool secret, char **ret_token, Fault *fault)
{
        /* Without O_NONBLOCK a FIFO would hold the thread up until somebody writes. */
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        CLEANUP(raw_wipe) RawToken raw = { .size = 0 };
        int r;

        if (fd < 0 && optional && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (fd < 0)
                return token_cannot_read(path, errno, fault);
        r = token_check_file(fd, path, secret, fault);
        if (r)
                return r;
        r = raw_read(fd, &raw);
        if (r < 0)
                return token_cannot_read(path, -r, fault);
        if (raw.size > TOKEN_BYTES)
                return fault_set(fault, FAULT_AUTH, "%s: a token has at most %d bytes", path, LIMIT_TOKEN);
        return raw_take(&raw, path, ret_token, fault);
}

/* A credential's mode is systemd's affair, which lets our user in by an ACL. */
static int token_of_credential(const char *folder, char **ret_token, Fault *fault)
{
        char path[LIMIT_PATH + 1];
        int n = snprintf(path, sizeof(path), "%s/hf_token", folder);

        if (n < 0 || (size_t)n >= sizeof(path))
                return 0;
        return token_of_file(path, true, false, ret_token, fault);
}

static int token_of_user(const TokenFacts *facts, char **ret_token, Fault *fault)
{
        static const char *const names[] = { "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN" };
        int r = 0;

        if (facts->only_explicit)
                return 0;
        for (size_t i = 0; r == 0 && !*ret_token && i < ARRAY_SIZE(names); i++)
                if (facts->variables[i])
                        r = token_of_text(facts->variables[i], names[i], ret_token, fault);
        if (r == 0 && !*ret_token && facts->user_file)
                r = token_of_file(facts->user_file, true, false, ret_token, fault);
        return r;
}

int token_read(const TokenFacts *facts, char **ret_token, Fault *fault)
{
        CLEANUP(token_freep) char *token = NULL;
        int r = 0;

        if (facts->system && facts->credentials)
                r = token_of_credential(facts->credentials, &token, fault);
        if (r == 0 && !token && facts->token_file)
                r = token_of_file(facts->token_file, false, facts->system, &token, fault);
        else if (r == 0 && !facts->system)
                r = token_of_user(facts, &token, fault);
        if (r == 0)
                *ret_token = STEAL(token);
        return r;
}
