#include "daemon/hub_places.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/fixture.h"

/* The environment of a test: "NAME=value" each, NULL at the end. */
static const char *const *variables;

static const char *variable(const char *name)
{
        size_t size = strlen(name);

        for (size_t i = 0; variables[i]; i++)
                if (!strncmp(variables[i], name, size) && variables[i][size] == '=')
                        return variables[i] + size + 1;
        return NULL;
}

typedef struct Case {
        const char *variables[8];
        const char *xdg_cache_home, *home, *config_dir;
        const char *cache, *token;
} Case;

static int places_of(const Case *c, char **ret_cache, char **ret_token)
{
        PlacesFacts facts = { .home = c->home, .xdg_cache_home = c->xdg_cache_home, .config_dir = c->config_dir,
                              .variable = variable, .folder = "/in/here" };

        variables = c->variables;
        return hub_places(&facts, ret_cache, ret_token);
}

static bool same(const char *a, const char *b)
{
        return a && b ? !strcmp(a, b) : !a && !b;
}

START_TEST(test_places)
{
        static const Case cases[] = {
                { .home = "/h", .cache = "/h/.cache/huggingface/hub", .token = "/h/.cache/huggingface/token" },
                { .home = "/h", .xdg_cache_home = "/x", .cache = "/x/huggingface/hub", .token = "/x/huggingface/token" },
                { .home = "/h", .xdg_cache_home = "x", .cache = "/h/.cache/huggingface/hub",
                  .token = "/h/.cache/huggingface/token" },
                { { "HF_HOME=/f" }, .home = "/h", .xdg_cache_home = "/x", .cache = "/f/hub", .token = "/f/token" },
                { { "HF_HOME=" }, .home = "/h", .cache = "/h/.cache/huggingface/hub", .token = "/h/.cache/huggingface/token" },
                { { "HF_HOME=~/f" }, .home = "/h", .cache = "/h/f/hub", .token = "/h/f/token" },
                { { "HF_HOME=~" }, .home = "/h", .cache = "/h/hub", .token = "/h/token" },
                { { "HF_HOME=~other/f" }, .home = "/h", .cache = "/in/here/~other/f/hub", .token = "/in/here/~other/f/token" },
                { { "HF_HOME=f" }, .home = "/h", .cache = "/in/here/f/hub", .token = "/in/here/f/token" },
                { { "HF_HOME=$A/${B}/$C", "A=/a", "B=b" }, .home = "/h", .cache = "/a/b/$C/hub", .token = "/a/b/$C/token" },
                { { "HF_HOME=/$/${/${A", "A=a" }, .home = "/h", .cache = "/$/${/${A/hub", .token = "/$/${/${A/token" },
                { { "HUGGINGFACE_HUB_CACHE=$A/c", "A=/a" }, .home = "/h", .cache = "/a/c", .token = "/h/.cache/huggingface/token" },
                { { "HUGGINGFACE_HUB_CACHE=/1", "HF_HUB_CACHE=~/2" }, .home = "/h", .cache = "/h/2",
                  .token = "/h/.cache/huggingface/token" },
                { { "HF_HUB_CACHE=/2", "KERNELS_CACHE=/3/$A", "A=a" }, .home = "/h", .cache = "/3/$A",
                  .token = "/h/.cache/huggingface/token" },
                { { "KERNELS_CACHE=3" }, .home = "/h", .cache = "/in/here/3", .token = "/h/.cache/huggingface/token" },
                { { "KERNELS_CACHE=", "HF_HUB_CACHE=" }, .home = "/h", .cache = "/h/.cache/huggingface/hub",
                  .token = "/h/.cache/huggingface/token" },
                { { "HF_TOKEN_PATH=~/t" }, .home = "/h", .cache = "/h/.cache/huggingface/hub", .token = "/h/t" },
                { .cache = NULL, .token = NULL },
                { { "HF_HUB_CACHE=/2" }, .cache = "/2", .token = NULL },
                /* A daemon with folders of its own leaves the user's alone. */
                { { "HF_HOME=/f", "KERNELS_CACHE=/3" }, .home = "/h", .config_dir = "/d", .cache = NULL, .token = NULL },
                { { "HF_TOKEN_PATH=/t" }, .home = "/h", .config_dir = "/d", .cache = NULL, .token = "/t" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_ALLOC char *cache = NULL, *token = NULL;

                ck_assert_int_eq(places_of(&cases[i], &cache, &token), 0);
                ck_assert_msg(same(cache, cases[i].cache), "%zu: %s", i, cache);
                ck_assert_msg(same(token, cases[i].token), "%zu: %s", i, token);
        }
}
END_TEST

/* Neither a path that no system call takes, nor one relative to nobody knows what. */
START_TEST(test_no_place)
{
        char value[LIMIT_PATH + 64] = "KERNELS_CACHE=/";
        CLEANUP_ALLOC char *cache = NULL, *token = NULL;
        const char *const relative[] = { "KERNELS_CACHE=a", NULL };
        PlacesFacts facts = { .home = "/h", .variable = variable };

        variables = relative;
        ck_assert_int_eq(hub_places(&facts, &cache, &token), 0);
        ck_assert_ptr_null(cache);
        alloc_free(STEAL(token));
        memset(value + strlen(value), 'a', LIMIT_PATH);
        ck_assert_int_eq(places_of(&(Case){ { value }, .home = "/h" }, &cache, &token), 0);
        ck_assert_ptr_null(cache);
}
END_TEST

static int torture(void)
{
        CLEANUP_ALLOC char *cache = NULL, *token = NULL;

        return places_of(&(Case){ { "HF_HOME=~/$A/b", "A=a", "HF_TOKEN_PATH=t" }, .home = "/h" }, &cache, &token);
}

START_TEST(test_no_memory)
{
        FIXTURE_TORTURE(torture());
        ck_assert_int_eq(torture(), 0);
}
END_TEST

FIXTURE_MAIN("daemon/hub_places", test_places, test_no_place, test_no_memory)
