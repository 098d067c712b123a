#include "daemon/token.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/fixture.h"

static char paths[4][PATH_MAX];

/* One of four places that a test puts files in. */
static const char *put(size_t i, const char *name, const char *text, size_t size, mode_t mode)
{
        int fd;

        (void)snprintf(paths[i], PATH_MAX, "%s/%s", fixture_folder(), name);
        fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, size), (ssize_t)size);
        ck_assert_int_eq(fchmod(fd, mode), 0);
        close(fd);
        return paths[i];
}

#define PUT(i, name, text, mode) put(i, name, text, strlen(text), mode)

static void expect(TokenFacts facts, const char *expected)
{
        CLEANUP(token_freep) char *token = NULL;
        Fault fault = FAULT_NULL;
        int r = token_read(&facts, &token, &fault);

        ck_assert_msg(r == 0, "%s", fault.message);
        if (expected)
                ck_assert_str_eq(token, expected);
        else
                ck_assert_ptr_null(token);
}

/* The fault says where, and nothing of what is there. */
static void expect_fault(TokenFacts facts, const char *where, const char *says)
{
        CLEANUP(token_freep) char *token = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(token_read(&facts, &token, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_AUTH);
        ck_assert_ptr_null(token);
        ck_assert_msg(strstr(fault.message, where) && strstr(fault.message, says), "%s", fault.message);
        ck_assert_msg(!strstr(fault.message, "hf_"), "%s", fault.message);
}

START_TEST(test_user)
{
        const char *explicit = PUT(0, "explicit", "hf_0\n", 0644), *user = PUT(1, "user", " \t hf_1 \r\n", 0644);
        const char *empty = PUT(2, "empty", "\r\n", 0600);

        expect((TokenFacts){ 0 }, NULL);
        expect((TokenFacts){ .user_file = "/no/such/file" }, NULL);
        expect((TokenFacts){ .user_file = user }, "hf_1");
        expect((TokenFacts){ .variables = { NULL, "hf_b" }, .user_file = user }, "hf_b");
        expect((TokenFacts){ .variables = { "hf_a", "hf_b" }, .user_file = user }, "hf_a");
        expect((TokenFacts){ .variables = { "", " \n" }, .user_file = user }, "hf_1");
        expect((TokenFacts){ .variables = { "  hf\n_a\r\n" } }, "hf_a");
        expect((TokenFacts){ .token_file = explicit, .variables = { "hf_a", NULL }, .user_file = user }, "hf_0");
        expect((TokenFacts){ .token_file = empty, .variables = { "hf_a", NULL } }, NULL);
        expect((TokenFacts){ .variables = { "hf_a", NULL }, .user_file = user, .only_explicit = true }, NULL);
        expect((TokenFacts){ .token_file = explicit, .only_explicit = true }, "hf_0");
        expect((TokenFacts){ .credentials = fixture_folder(), .variables = { "hf_a", NULL } }, "hf_a");
}
END_TEST

/* A user's variables are nothing to the system's daemon. */
START_TEST(test_system)
{
        const char *file = PUT(0, "file", "hf_file", 0600);

        expect((TokenFacts){ .system = true, .variables = { "hf_a", "hf_b" }, .user_file = file }, NULL);
        expect((TokenFacts){ .system = true, .token_file = file }, "hf_file");
        expect((TokenFacts){ .system = true, .token_file = file, .only_explicit = true }, "hf_file");
        expect((TokenFacts){ .system = true, .token_file = file, .credentials = fixture_folder() }, "hf_file");
        (void)PUT(1, "hf_token", "hf_credential\n", 0440);
        expect((TokenFacts){ .system = true, .credentials = fixture_folder() }, "hf_credential");
        expect((TokenFacts){ .system = true, .token_file = file, .credentials = fixture_folder() }, "hf_credential");
}
END_TEST

START_TEST(test_modes)
{
        static const mode_t open_modes[] = { 0640, 0604, 0620, 0610, 0601 };

        for (size_t i = 0; i < ARRAY_SIZE(open_modes); i++) {
                const char *file = PUT(0, "file", "hf_file", open_modes[i]);

                expect_fault((TokenFacts){ .system = true, .token_file = file }, file, "chmod 600");
                expect((TokenFacts){ .token_file = file }, "hf_file");
        }
        expect((TokenFacts){ .system = true, .token_file = PUT(0, "file", "hf_file", 0400) }, "hf_file");
}
END_TEST

START_TEST(test_no_file)
{
        expect_fault((TokenFacts){ .token_file = "/no/such/file" }, "/no/such/file", "No such file");
        expect_fault((TokenFacts){ .system = true, .token_file = "/no/such/file" }, "/no/such/file", "No such file");
        expect_fault((TokenFacts){ .token_file = fixture_folder() }, fixture_folder(), "no regular file");
        expect_fault((TokenFacts){ .user_file = fixture_folder() }, fixture_folder(), "no regular file");
        expect_fault((TokenFacts){ .token_file = "/dev/null" }, "/dev/null", "no regular file");
}
END_TEST

START_TEST(test_contents)
{
        static const char *const bad[] = { "hf_a b", "hf_a\tb", "hf_a\x01", "hf_\x7f", "hf_\xc3\xa4", "hf_a: b" };
        char text[2 * LIMIT_TOKEN + 64];

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                expect_fault((TokenFacts){ .variables = { bad[i], NULL } }, "HF_TOKEN", "no blanks");
                expect_fault((TokenFacts){ .token_file = PUT(0, "file", bad[i], 0600) }, paths[0], "no blanks");
        }
        expect_fault((TokenFacts){ .token_file = put(0, "file", "hf_a\0b", 6, 0600) }, paths[0], "no blanks");
        memset(text, 'a', sizeof(text));
        text[LIMIT_TOKEN] = 0;
        expect((TokenFacts){ .variables = { text, NULL } }, text);
        expect((TokenFacts){ .token_file = put(0, "file", text, LIMIT_TOKEN, 0600) }, text);
        text[LIMIT_TOKEN] = 'a';
        text[LIMIT_TOKEN + 1] = 0;
        expect_fault((TokenFacts){ .variables = { NULL, text } }, "HUGGING_FACE_HUB_TOKEN", "at most 4096 bytes");
        text[LIMIT_TOKEN + 1] = 'a';
        text[sizeof(text) - 1] = 0;
        expect_fault((TokenFacts){ .variables = { text, NULL } }, "HF_TOKEN", "at most 4096 bytes");
        expect_fault((TokenFacts){ .token_file = put(0, "file", text, sizeof(text), 0600) }, paths[0], "at most 4096 bytes");
}
END_TEST

START_TEST(test_facts)
{
        TokenFacts facts;

        setenv("HF_TOKEN", "hf_a", 1);
        setenv("HUGGING_FACE_HUB_TOKEN", "hf_b", 1);
        setenv("CREDENTIALS_DIRECTORY", "/c", 1);
        setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "no", 1);
        token_facts(true, "/t", "/u", &facts);
        ck_assert(facts.system && !facts.only_explicit);
        ck_assert_str_eq(facts.credentials, "/c");
        ck_assert_str_eq(facts.token_file, "/t");
        ck_assert_str_eq(facts.user_file, "/u");
        ck_assert_str_eq(facts.variables[0], "hf_a");
        ck_assert_str_eq(facts.variables[1], "hf_b");
        setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "On", 1);
        token_facts(false, NULL, NULL, &facts);
        ck_assert(!facts.system && facts.only_explicit);
}
END_TEST

static int read_all(const TokenFacts *facts)
{
        CLEANUP(token_freep) char *token = NULL;
        Fault fault;

        return token_read(facts, &token, &fault);
}

START_TEST(test_no_memory)
{
        TokenFacts facts = { .user_file = PUT(0, "file", "hf_file", 0600) };

        FIXTURE_TORTURE(read_all(&facts));
        ck_assert_int_eq(read_all(&facts), 0);
}
END_TEST

FIXTURE_MAIN("daemon/token", test_user, test_system, test_modes, test_no_file, test_contents, test_facts, test_no_memory)
