#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/arguments.h"
#include "daemon/config_file.h"
#include "daemon/option.h"
#include "tests/lib/fixture.h"

static char config_dir_flag[PATH_MAX + 64];

static void put(const char *name, const char *text)
{
        char path[PATH_MAX];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", fixture_folder(), name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
}

/* Nothing of the environment of whoever runs the tests. */
static void begin(void)
{
        static const char *const foreign[] = {
                "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH",
                "HF_HUB_DISABLE_IMPLICIT_TOKEN", "CREDENTIALS_DIRECTORY",
        };
        char path[PATH_MAX], name[OPTION_NAME_SIZE];

        for (size_t i = 0; i < option_n(); i++) {
                option_environment(option_at(i), name);
                unsetenv(name);
        }
        for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
                unsetenv(foreign[i]);
        (void)snprintf(path, sizeof(path), "%s/kernelsd.d", fixture_folder());
        ck_assert_int_eq(mkdir(path, 0755), 0);
        (void)snprintf(config_dir_flag, sizeof(config_dir_flag), "--config-dir=%s", fixture_folder());
}

/* argv is not const, and literals are. */
#define VALUES(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })
#define ARGUMENTS(...) VALUES(config_dir_flag, __VA_ARGS__)

static Config *load_good(char *const *arguments)
{
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        Config *config = NULL;
        int r = config_load(arguments, &config, &faults);

        if (r == 1)
                ck_abort_msg("%.*s", TEXT_PRINT(faults.items[0].message));
        ck_assert_int_eq(r, 0);
        return config;
}

/* There is one fault, and this is it. */
static void expect_fault(char *const *arguments, const char *file, const char *pointer, const char *message)
{
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        Config *config = NULL;
        size_t size;

        ck_assert_int_eq(config_load(arguments, &config, &faults), 1);
        ck_assert_ptr_null(config);
        ck_assert_uint_eq(faults.n, 1);
        size = faults.items[0].file.size;
        ck_assert_uint_ge(size, strlen(file));
        ck_assert_mem_eq(faults.items[0].file.data + size - strlen(file), file, strlen(file));
        if (pointer)
                ck_assert_msg(text_equal(faults.items[0].pointer, text_of(pointer)), "%.*s", TEXT_PRINT(faults.items[0].pointer));
        ck_assert_msg(memmem(faults.items[0].message.data, faults.items[0].message.size, message, strlen(message)),
                      "%.*s", TEXT_PRINT(faults.items[0].message));
}

START_TEST(test_defaults)
{
        CLEANUP(config_freep) Config *config = NULL;

        begin();
        config = load_good(ARGUMENTS("--system"));
        ck_assert(config->system);
        ck_assert_int_eq(config->log_level, LOG_LEVEL_INFO);
        ck_assert_int_eq(config->quota_domain, QUOTA_DOMAIN_UID);
        ck_assert_int_eq(config->quota_sessions, LIMIT_DOMAIN_SESSIONS);
        ck_assert_int_eq(config->quota_bytes, LIMIT_DOMAIN_BYTES);
        ck_assert_int_eq(config->quota_entries, LIMIT_DOMAIN_ENTRIES);
        ck_assert_int_eq(config->quota_leases, LIMIT_DOMAIN_LEASES);
        ck_assert_int_eq(config->quota_acquires, LIMIT_DOMAIN_ACQUIRES);
        ck_assert_int_eq(config->hello_ms, LIMIT_HELLO_MS);
        ck_assert_str_eq(config->socket, "/run/kernelsd/kernelsd.sock");
        ck_assert_str_eq(config->admin_socket, "/run/kernelsd-admin/admin.sock");
        ck_assert_str_eq(config->places.folders[0], fixture_folder());
}
END_TEST

/* A default or a word that the table itself would refuse. */
START_TEST(test_table)
{
        for (size_t i = 0; i < option_n(); i++) {
                const Option *option = option_at(i);
                char flag[OPTION_NAME_SIZE];
                int64_t n_words = 1;

                if (option->kind == OPTION_BOOL || option->kind == OPTION_INTEGER || option->kind == OPTION_WORD)
                        ck_assert_int_lt(option->minimum, option->maximum);
                ck_assert_int_le(option->minimum, option->preset);
                ck_assert_int_ge(option->maximum, option->preset);
                option_flag(option, flag);
                ck_assert_ptr_eq(option_of_flag(text_of(flag)), option);
                ck_assert_ptr_eq(option_of_key(text_of(option->key)), option);
                for (const char *c = option->argument; *c; c++)
                        n_words += *c == '|';
                if (option->kind == OPTION_WORD)
                        ck_assert_int_eq(option->maximum, n_words - 1);
        }
        ck_assert_ptr_null(option_of_key(TEXT("quota")));
        ck_assert(option_is_group(TEXT("quota")));
        ck_assert(!option_is_group(TEXT("quot")));
        ck_assert(!option_is_group(TEXT("system")));
}
END_TEST

/* kernelsd.json, kernelsd.d by name, environment, flags: the later counts, key by key. */
START_TEST(test_precedence)
{
        CLEANUP(config_freep) Config *config = NULL;

        begin();
        put("kernelsd.json", "# a comment\n{\"quota\": {\"sessions\": 1, \"leases\": 1, \"entries\": 1, \"acquires\": 1},\n"
                             " \"log_level\": \"error\", \"socket\": \"/a\"}");
        put("kernelsd.d/10-a.json", "{\"quota\": {\"leases\": 2, \"entries\": 2, \"acquires\": 2}}");
        put("kernelsd.d/20-b.json", "{\"quota\": {\"entries\": 3, \"acquires\": 3, \"domain\": \"cgroup\"}}");
        put("kernelsd.d/30-c.conf", "no JSON, and not looked at");
        setenv("KERNELSD_QUOTA_ENTRIES", "4", 1);
        setenv("KERNELSD_QUOTA_ACQUIRES", "4", 1);
        setenv("KERNELSD_LOG_LEVEL", "", 1);
        config = load_good(ARGUMENTS("--quota-acquires", "5", "--socket=/b"));
        ck_assert_int_eq(config->quota_sessions, 1);
        ck_assert_int_eq(config->quota_leases, 2);
        ck_assert_int_eq(config->quota_entries, 4);
        ck_assert_int_eq(config->quota_acquires, 5);
        ck_assert_int_eq(config->quota_domain, QUOTA_DOMAIN_CGROUP);
        ck_assert_int_eq(config->log_level, LOG_LEVEL_ERROR);
        ck_assert_str_eq(config->socket, "/b");
        ck_assert_ptr_null(config->places.runtime);
        ck_assert_ptr_null(config->admin_socket);
}
END_TEST

START_TEST(test_environment_finds_files)
{
        CLEANUP(config_freep) Config *config = NULL;

        begin();
        put("kernelsd.json", "{\"sessions\": 12}");
        setenv("KERNELSD_CONFIG_DIR", fixture_folder(), 1);
        config = load_good(VALUES("--log-level=info"));
        ck_assert_int_eq(config->sessions, 12);
}
END_TEST

START_TEST(test_faulty_files)
{
        static const struct {
                const char *text, *pointer, *message;
        } cases[] = {
                { "{\"nothing\": 1}", "/nothing", "no such option" },
                { "{\"quota\": {\"nothing\": 1}}", "/quota/nothing", "no such option" },
                { "{\"quota.sessions\": 1}", "/quota.sessions", "no such option" },
                { "{\"quota\": 1}", "/quota", "object" },
                { "{\"quota\": {\"sessions\": 0}}", "/quota/sessions", "integer from 1 to 65536" },
                { "{\"quota\": {\"sessions\": \"7\"}}", "/quota/sessions", "integer from 1" },
                { "{\"quota\": {\"sessions\": 1.5}}", "/quota/sessions", "integer from 1" },
                { "{\"quota\": {\"sessions\": null}}", "/quota/sessions", "integer from 1" },
                { "{\"quota\": {\"domain\": \"gid\"}}", "/quota/domain", "uid|cgroup" },
                { "{\"log_level\": 3}", "/log_level", "error|warning" },
                { "{\"socket\": \"relative\"}", "/socket", "absolute path" },
                { "{\"socket\": [\"/a\"]}", "/socket", "absolute path" },
                { "{\"hub\": {\"endpoint\": \"ftp://h\"}}", "/hub/endpoint", "https:// or http://" },
                { "{\"hub\": {\"endpoint\": \"https:///h\"}}", "/hub/endpoint", "https:// or http://" },
                { "{\"hub\": {\"endpoint\": \"https://\"}}", "/hub/endpoint", "https:// or http://" },
                { "{\"hub\": {\"endpoint\": \"https://u:p@h\"}}", "/hub/endpoint", "without a user" },
                { "{\"hub\": {\"endpoint\": \"https://h?a\"}}", "/hub/endpoint", "without a user, a query" },
                { "{\"hub\": {\"endpoint\": \"https://a b\"}}", "/hub/endpoint", "https://" },
                { "{\"hub\": {\"endpoint\": [\"https://h\"]}}", "/hub/endpoint", "https://" },
                { "{\"trust\": {\"allow\": \"org\"}}", "/trust/allow", "list of at most 1024 publishers" },
                { "{\"trust\": {\"allow\": [\"org\", 1]}}", "/trust/allow", "publishers (org) and repositories (org/name)" },
                { "{\"trust\": {\"deny\": [\"a b\"]}}", "/trust/deny", "\"a b\" cannot be a publisher" },
                { "{\"trust\": {\"private\": [\"org\"]}}", "/trust/private", "organisation/name" },
                { "{\"trust\": {\"private\": null}}", "/trust/private", "list of at most 1024 repositories" },
                { "{\"trust\": {\"hub\": [\"org\"]}}", "/trust/hub", "true or false" },
                { "{\"fresh_s\": -1}", "/fresh_s", "integer from 0" },
                { "{\"quota\": {\"fetched\": 0}}", "/quota/fetched", "integer from 1" },
                { "{\"system\": true}", "/system", "use the flag" },
                { "[]", "", "object" },
        };

        begin();
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                put("kernelsd.d/a.json", cases[i].text);
                expect_fault(ARGUMENTS("--system"), "/kernelsd.d/a.json", cases[i].pointer, cases[i].message);
        }
}
END_TEST

/* A value that a later one replaces must be good all the same; every fault is told. */
START_TEST(test_every_fault)
{
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        Config *config = NULL;

        begin();
        put("kernelsd.json", "{\"sessions\": 0, \"hello_ms\": 0}");
        put("kernelsd.d/a.json", "{\"sessions\": 1}");
        ck_assert_int_eq(config_load(ARGUMENTS("--system"), &config, &faults), 1);
        ck_assert_uint_eq(faults.n, 2);
}
END_TEST

START_TEST(test_position)
{
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        Config *config = NULL;

        begin();
        put("kernelsd.json", "{\n  \"sessions\" 7 }");
        ck_assert_int_eq(config_load(ARGUMENTS("--system"), &config, &faults), 1);
        ck_assert_uint_eq(faults.n, 1);
        ck_assert(faults.items[0].line.present && faults.items[0].column.present);
        ck_assert_int_eq(faults.items[0].line.value, 2);
        ck_assert_ptr_null(faults.items[0].pointer.data);
}
END_TEST

START_TEST(test_faulty_environment)
{
        begin();
        setenv("KERNELSD_SYSTEM", "yes", 1);
        expect_fault(ARGUMENTS("--sessions=1"), "KERNELSD_SYSTEM", NULL, "true or false");
        setenv("KERNELSD_SYSTEM", "1", 1);
        setenv("KERNELSD_SESSIONS", "99999999999999999999", 1);
        expect_fault(ARGUMENTS("--sessions=1"), "KERNELSD_SESSIONS", NULL, "integer from");
        setenv("KERNELSD_SESSIONS", " 1", 1);
        expect_fault(ARGUMENTS("--sessions=1"), "KERNELSD_SESSIONS", NULL, "integer from");
}
END_TEST

static int apply(char *const *values, Arguments *arguments, Fault *fault)
{
        CLEANUP(config_freep) Config *config = NULL;

        ck_assert_int_eq(config_new(&config), 0);
        return arguments_apply(values, config, arguments, fault);
}

START_TEST(test_arguments)
{
        char *const *values = VALUES("--check-config", "--system", "a", "--b");
        Arguments arguments;
        Fault fault;

        ck_assert_int_eq(apply(values, &arguments, &fault), 0);
        ck_assert_int_eq(arguments.action, ACTION_CHECK);
        ck_assert_uint_eq(arguments.n_files, 2);
        ck_assert_str_eq(arguments.files[1], "--b");
        ck_assert_int_eq(apply(VALUES("--check-config", "--", "--a"), &arguments, &fault), 0);
        ck_assert_uint_eq(arguments.n_files, 1);
        ck_assert_int_eq(apply(VALUES("-h", "--version"), &arguments, &fault), 0);
        ck_assert_int_eq(arguments.action, ACTION_HELP);
        ck_assert_int_eq(apply(VALUES("--system=false"), &arguments, &fault), 0);
        ck_assert_int_eq(apply(VALUES("file"), &arguments, &fault), 1);
        ck_assert_int_eq(apply(VALUES("--nothing"), &arguments, &fault), 1);
        ck_assert_int_eq(apply(VALUES("--socket"), &arguments, &fault), 1);
        ck_assert_int_eq(apply(VALUES("--sessions="), &arguments, &fault), 1);
        ck_assert_int_eq(apply(VALUES("--system=maybe"), &arguments, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_BAD_REQUEST);
}
END_TEST

/* Lists, like all else that is no object, are replaced by the later. */
START_TEST(test_lists)
{
        CLEANUP(config_freep) Config *config = NULL;

        begin();
        put("kernelsd.json", "{\"trust\": {\"allow\": [\"a\", \"b/c\"], \"deny\": [\"d\"], \"private\": [\"e/f\", \"g/h\"]}}");
        put("kernelsd.d/a.json", "{\"trust\": {\"allow\": [\"z\"]}}");
        setenv("KERNELSD_TRUST_DENY", "x,y/z", 1);
        config = load_good(ARGUMENTS("--system", "--trust-private="));
        ck_assert_uint_eq(config->trust_allow.n, 1);
        ck_assert_str_eq(config->trust_allow.items[0], "z");
        ck_assert_uint_eq(config->trust_deny.n, 2);
        ck_assert_str_eq(config->trust_deny.items[0], "x");
        ck_assert_str_eq(config->trust_deny.items[1], "y/z");
        ck_assert_uint_eq(config->trust_private.n, 0);
        setenv("KERNELSD_TRUST_DENY", "x,", 1);
        expect_fault(ARGUMENTS("--system"), "KERNELSD_TRUST_DENY", NULL, "trust.deny takes a list");
        setenv("KERNELSD_TRUST_DENY", ",x", 1);
        expect_fault(ARGUMENTS("--system"), "KERNELSD_TRUST_DENY", NULL, "trust.deny takes a list");
}
END_TEST

START_TEST(test_long_list)
{
        char text[3 * LIMIT_TRUST_ITEMS + 3];
        CLEANUP(config_freep) Config *config = NULL;

        begin();
        for (size_t i = 0; i <= LIMIT_TRUST_ITEMS; i++)
                memcpy(text + 2 * i, "a,", 2);
        text[2 * LIMIT_TRUST_ITEMS - 1] = 0;
        setenv("KERNELSD_TRUST_ALLOW", text, 1);
        config = load_good(ARGUMENTS("--system"));
        ck_assert_uint_eq(config->trust_allow.n, LIMIT_TRUST_ITEMS);
        text[2 * LIMIT_TRUST_ITEMS - 1] = ',';
        text[2 * LIMIT_TRUST_ITEMS + 1] = 0;
        setenv("KERNELSD_TRUST_ALLOW", text, 1);
        expect_fault(ARGUMENTS("--system"), "KERNELSD_TRUST_ALLOW", NULL, "at most 1024");
        text[2 * LIMIT_TRUST_ITEMS] = 0;
        setenv("KERNELSD_TRUST_ALLOW", text, 1);
        expect_fault(ARGUMENTS("--system"), "KERNELSD_TRUST_ALLOW", NULL, "at most 1024");
}
END_TEST

/* The variables of the Hub's own clients say what no option says. */
START_TEST(test_hub_variables)
{
        CLEANUP(config_freep) Config *preset = NULL, *variables = NULL, *options = NULL;

        begin();
        preset = load_good(ARGUMENTS("--system"));
        ck_assert_str_eq(preset->hub_endpoint, "https://huggingface.co");
        ck_assert(!preset->offline);
        ck_assert_int_eq(preset->fresh_s, 86400);
        ck_assert_int_eq(preset->quota_fetched, LIMIT_DOMAIN_FETCHED);
        ck_assert(preset->trust_hub);
        ck_assert_ptr_null(preset->cache_dir);
        ck_assert_ptr_null(preset->token);
        setenv("HF_ENDPOINT", "http://127.0.0.1:9/hub//", 1);
        setenv("TRANSFORMERS_OFFLINE", "yes", 1);
        variables = load_good(ARGUMENTS("--system", "--cache-dir=/c"));
        ck_assert_str_eq(variables->hub_endpoint, "http://127.0.0.1:9/hub");
        ck_assert(variables->offline);
        ck_assert_str_eq(variables->cache_dir, "/c");
        setenv("HF_ENDPOINT", "nothing that is read", 1);
        put("kernelsd.json", "{\"hub\": {\"endpoint\": \"https://hub.example/\"}, \"offline\": false}");
        options = load_good(ARGUMENTS("--system"));
        ck_assert_str_eq(options->hub_endpoint, "https://hub.example");
        ck_assert(!options->offline);
        put("kernelsd.json", "{}");
        expect_fault(ARGUMENTS("--system"), "HF_ENDPOINT", NULL, "https:// or http://");
}
END_TEST

START_TEST(test_offline_variables)
{
        CLEANUP(config_freep) Config *first = NULL, *second = NULL;

        begin();
        setenv("HF_HUB_OFFLINE", "0", 1);
        setenv("TRANSFORMERS_OFFLINE", "1", 1);
        first = load_good(ARGUMENTS("--system"));
        ck_assert(!first->offline);
        setenv("HF_HUB_OFFLINE", "", 1);
        second = load_good(ARGUMENTS("--system"));
        ck_assert(second->offline);
}
END_TEST

START_TEST(test_policy_and_token)
{
        CLEANUP(config_freep) Config *config = NULL;
        TrustFacts facts = { .repo = TEXT("org/x"), .publisher = PUBLISHER_TRUSTED };

        begin();
        setenv("HF_TOKEN", "hf_a", 1);
        put("kernelsd.json", "{\"trust\": {\"deny\": [\"bad\"], \"private\": [\"org/own\"], \"hub\": false}}");
        config = load_good(ARGUMENTS("--log-level=info"));
        ck_assert_str_eq(config->token, "hf_a");
        ck_assert(text_equal(policy_trust_word(config->policy, &facts), TEXT("untrusted")));
        ck_assert(policy_is_private(config->policy, TEXT("org/own")));
        facts.repo = TEXT("bad/x");
        ck_assert(text_equal(policy_trust_word(config->policy, &facts), TEXT("denied")));
        setenv("HF_TOKEN", "hf a", 1);
        expect_fault(ARGUMENTS("--log-level=info"), "hub.token", NULL, "HF_TOKEN: a token has no blanks");
}
END_TEST

START_TEST(test_keep_start_options)
{
        CLEANUP(config_freep) Config *before = NULL;
        CLEANUP(config_freep) Config *after = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text changed;

        begin();
        before = load_good(ARGUMENTS("--system"));
        put("kernelsd.json", "{\"socket\": \"/other\", \"quota\": {\"domain\": \"cgroup\", \"sessions\": 9},"
                             " \"hub\": {\"endpoint\": \"https://h\"}, \"cache_dir\": \"/c\", \"trust\": {\"allow\": [\"a\"]}}");
        after = load_good(ARGUMENTS("--system"));
        ck_assert_int_eq(config_keep_start_options(after, before, &arena, &changed), 0);
        ck_assert_msg(text_equal(changed, TEXT("socket, cache_dir, hub.endpoint, quota.domain")), "%.*s", TEXT_PRINT(changed));
        ck_assert_str_eq(after->hub_endpoint, "https://huggingface.co");
        ck_assert_ptr_null(after->cache_dir);
        ck_assert_uint_eq(after->trust_allow.n, 1);
        ck_assert_str_eq(after->socket, "/run/kernelsd/kernelsd.sock");
        ck_assert_int_eq(after->quota_domain, QUOTA_DOMAIN_UID);
        ck_assert_int_eq(after->quota_sessions, 9);
        ck_assert_int_eq(config_keep_start_options(after, before, &arena, &changed), 0);
        ck_assert_uint_eq(changed.size, 0);
}
END_TEST

START_TEST(test_is_one)
{
        ck_assert(config_file_is_one("kernelsd.json"));
        ck_assert(config_file_is_one("/etc/kernelsd/kernelsd.json"));
        ck_assert(config_file_is_one("/etc/kernelsd/kernelsd.d/x.json"));
        ck_assert(config_file_is_one("kernelsd.d/x.json"));
        ck_assert(!config_file_is_one("/etc/kernelsd/mapping.d/x.json"));
        ck_assert(!config_file_is_one("not-kernelsd.d/x.json"));
        ck_assert(!config_file_is_one("x.json"));
        ck_assert(file_is_in("/etc/kernelsd/environment.d/x.json", "environment.d"));
        ck_assert(!file_is_in("/etc/kernelsd/my-environment.d/x.json", "environment.d"));
        ck_assert(!file_is_in("environment.d", "environment.d"));
}
END_TEST

static int load_all(void)
{
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        CLEANUP(config_freep) Config *config = NULL;

        return config_load(ARGUMENTS("--system", "--socket=/b"), &config, &faults);
}

START_TEST(test_no_memory)
{
        begin();
        put("kernelsd.json", "{\"quota\": {\"sessions\": 1}, \"socket\": \"/a\", \"trust\": {\"allow\": [\"a\", \"b/c\"], \"deny\": [\"d\"]}}");
        put("kernelsd.d/a.json", "{\"admin_socket\": \"/b\", \"trust\": {\"allow\": [\"e\"]}, \"hub\": {\"endpoint\": \"https://h\"}}");
        FIXTURE_TORTURE(load_all());
}
END_TEST

static int load_faulty(void)
{
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        CLEANUP(config_freep) Config *config = NULL;
        int r = config_load(ARGUMENTS("--system"), &config, &faults);

        return faults.failed ? -ENOMEM : r;
}

START_TEST(test_no_memory_faulty)
{
        begin();
        put("kernelsd.json", "{\"quota\": {\"sessions\": 0}, \"nothing\": \"/a\", \"trust\": {\"deny\": [\"a b\"]}}");
        FIXTURE_TORTURE(load_faulty());
}
END_TEST

FIXTURE_MAIN("daemon/config", test_defaults, test_table, test_precedence, test_environment_finds_files, test_faulty_files,
             test_every_fault, test_position, test_faulty_environment, test_arguments, test_lists, test_long_list,
             test_hub_variables, test_offline_variables, test_policy_and_token, test_keep_start_options, test_is_one,
             test_no_memory, test_no_memory_faulty)
