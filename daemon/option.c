#include "daemon/option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/policy.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define PRESET_BOOL(preset) (preset)
#define PRESET_INTEGER(preset) (preset)
#define PRESET_WORD(preset) (preset)
#define PRESET_TEXT(preset) 0
#define PRESET_URL(preset) 0
#define PRESET_PUBLISHERS(preset) 0
#define PRESET_REPOSITORIES(preset) 0
#define ROW(kind_, member, key_, minimum_, maximum_, preset_, reload_, where_, argument_, help_)      \
        {                                                                                             \
                .kind = OPTION_##kind_, .reload = OPTION_##reload_, .where = OPTION_##where_,         \
                .offset = offsetof(Config, member), .key = key_, .minimum = minimum_,                 \
                .maximum = maximum_, .preset = PRESET_##kind_(preset_), .argument = argument_,        \
                .help = help_,                                                                        \
        },

static const Option options[] = { OPTION_TABLE(ROW) };

size_t option_n(void)
{
        return ARRAY_SIZE(options);
}

const Option *option_at(size_t i)
{
        return &options[i];
}

const Option *option_of_key(Text key)
{
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (text_equal(key, text_of(options[i].key)))
                        return &options[i];
        return NULL;
}

const Option *option_of_flag(Text flag)
{
        char name[OPTION_NAME_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                option_flag(&options[i], name);
                if (text_equal(flag, text_of(name)))
                        return &options[i];
        }
        return NULL;
}

bool option_is_group(Text key)
{
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (text_starts_with(text_of(options[i].key), key) && options[i].key[key.size] == '.')
                        return true;
        return false;
}

void option_flag(const Option *option, char name[static OPTION_NAME_SIZE])
{
        (void)snprintf(name, OPTION_NAME_SIZE, "--%s", option->key);
        for (char *c = name; *c; c++)
                if (*c == '.' || *c == '_')
                        *c = '-';
}

void option_environment(const Option *option, char name[static OPTION_NAME_SIZE])
{
        (void)snprintf(name, OPTION_NAME_SIZE, "KERNELSD_%s", option->key);
        for (char *c = name; *c; c++)
                *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

static void *option_member(const Option *option, const Config *config)
{
        return (char *)config + option->offset;
}

const char *option_text(const Option *option, const Config *config)
{
        return *(char **)option_member(option, config);
}

/* What the list of that option holds, for messages. */
static const char *option_items(const Option *option)
{
        return option->kind == OPTION_PUBLISHERS ? "publishers (org) and repositories (org/name)" :
                                                   "repositories (org/name)";
}

static int option_expects(const Option *option, Fault *fault)
{
        switch (option->kind) {
        case OPTION_BOOL:
                return fault_set(fault, FAULT_BAD_REQUEST, "%s takes true or false", option->key);
        case OPTION_INTEGER:
                return fault_set(fault, FAULT_BAD_REQUEST, "%s takes an integer from %" PRId64 " to %" PRId64,
                                 option->key, option->minimum, option->maximum);
        case OPTION_WORD:
                return fault_set(fault, FAULT_BAD_REQUEST, "%s takes one of %s", option->key, option->argument);
        case OPTION_URL:
                return fault_set(fault, FAULT_BAD_REQUEST,
                                 "%s takes a URL that begins with https:// or http://, without a user, a query or a "
                                 "fragment, of at most %d bytes", option->key, LIMIT_URL);
        case OPTION_PUBLISHERS:
        case OPTION_REPOSITORIES:
                return fault_set(fault, FAULT_BAD_REQUEST, "%s takes a list of at most %d %s, as the Hub spells them",
                                 option->key, LIMIT_TRUST_ITEMS, option_items(option));
        case OPTION_TEXT:
        default:
                return fault_set(fault, FAULT_BAD_REQUEST, "%s takes an absolute path of at most %d bytes", option->key,
                                 LIMIT_PATH);
        }
}

int option_set_boolean(const Option *option, Config *config, bool value, Fault *fault)
{
        if (option->kind != OPTION_BOOL)
                return option_expects(option, fault);
        *(bool *)option_member(option, config) = value;
        return 0;
}

int option_set_integer(const Option *option, Config *config, int64_t value, Fault *fault)
{
        if (option->kind != OPTION_INTEGER || value < option->minimum || value > option->maximum)
                return option_expects(option, fault);
        *(int64_t *)option_member(option, config) = value;
        return 0;
}

static int option_set_word(const Option *option, Config *config, Text value, Fault *fault)
{
        const char *word = option->argument;

        for (int number = 0; *word; number++) {
                size_t size = strcspn(word, "|");

                if (text_equal(value, (Text){ word, size })) {
                        *(int *)option_member(option, config) = number;
                        return 0;
                }
                word += size + (word[size] == '|');
        }
        return option_expects(option, fault);
}

static bool is_path(Text value)
{
        return value.size > 0 && value.size <= LIMIT_PATH && value.data[0] == '/' && !memchr(value.data, 0, value.size);
}

/* Printable ASCII, and none of what would be another part of a URL: paths are
 * put behind it, and nothing secret may be in it, for it is shown and logged. */
static bool is_url(Text value)
{
        size_t scheme = text_starts_with(value, TEXT("https://")) ? 8 : text_starts_with(value, TEXT("http://")) ? 7 : 0;

        if (!scheme || value.size == scheme || value.size > LIMIT_URL || value.data[scheme] == '/')
                return false;
        for (size_t i = 0; i < value.size; i++)
                if (value.data[i] <= ' ' || value.data[i] > '~' || strchr("@?#\\\"<>", value.data[i]))
                        return false;
        return true;
}

static int option_take_text(const Option *option, Config *config, Text value)
{
        char *copy = alloc_text(value.data, value.size);

        if (!copy)
                return error_trace(-ENOMEM);
        option_clear(option, config);
        *(char **)option_member(option, config) = copy;
        return 0;
}

int option_set_text(const Option *option, Config *config, Text value, Fault *fault)
{
        if (option->kind == OPTION_WORD)
                return option_set_word(option, config, value, fault);
        if (option->kind == OPTION_URL) {
                while (text_ends_with(value, TEXT("/")))
                        value.size--;
                return is_url(value) ? option_take_text(option, config, value) : option_expects(option, fault);
        }
        if (option->kind == OPTION_TEXT && is_path(value))
                return option_take_text(option, config, value);
        return option_expects(option, fault);
}

bool option_is_list(const Option *option)
{
        return option->kind == OPTION_PUBLISHERS || option->kind == OPTION_REPOSITORIES;
}

static int option_refuse_item(const Option *option, Text item, const Fault *why, Fault *fault)
{
        if (!item.data)
                return option_expects(option, fault);
        return fault_set(fault, FAULT_BAD_REQUEST, "%s takes a list of %s: %s", option->key, option_items(option),
                         why->message);
}

int option_set_list(const Option *option, Config *config, const Text *items, size_t n, Fault *fault)
{
        int (*const check)(Text, Fault *) = option->kind == OPTION_PUBLISHERS ? policy_check_publisher :
                                                                                policy_check_repository;
        Fault why;

        if (!option_is_list(option) || n > LIMIT_TRUST_ITEMS)
                return option_expects(option, fault);
        for (size_t i = 0; i < n; i++)
                if (!items[i].data || check(items[i], &why))
                        return option_refuse_item(option, items[i], &why, fault);
        return text_array_set(option_member(option, config), items, n);
}

/* "a,b/c"; "" is an empty list. */
static int option_parse_list(const Option *option, Config *config, Text value, Fault *fault)
{
        Text items[LIMIT_TRUST_ITEMS + 1];
        size_t n = 0;

        while (value.size && n < ARRAY_SIZE(items)) {
                const char *comma = memchr(value.data, ',', value.size);
                size_t size = comma ? (size_t)(comma - value.data) : value.size;

                items[n++] = (Text){ value.data, size };
                /* What ends with a comma has an empty item behind it, which is refused. */
                if (comma && size + 1 == value.size && n < ARRAY_SIZE(items))
                        items[n++] = TEXT("");
                value = (Text){ value.data + size + !!comma, value.size - size - !!comma };
        }
        return option_set_list(option, config, items, n, fault);
}

static int option_parse_boolean(const Option *option, Config *config, Text value, Fault *fault)
{
        if (text_equal(value, TEXT("true")) || text_equal(value, TEXT("1")))
                return option_set_boolean(option, config, true, fault);
        if (text_equal(value, TEXT("false")) || text_equal(value, TEXT("0")))
                return option_set_boolean(option, config, false, fault);
        return option_expects(option, fault);
}

static int option_parse_integer(const Option *option, Config *config, Text value, Fault *fault)
{
        int64_t number = 0;

        if (value.size == 0)
                return option_expects(option, fault);
        for (size_t i = 0; i < value.size; i++) {
                int digit = value.data[i] - '0';

                if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, (int64_t)10, &number) ||
                    __builtin_add_overflow(number, (int64_t)digit, &number))
                        return option_expects(option, fault);
        }
        return option_set_integer(option, config, number, fault);
}

int option_parse(const Option *option, Config *config, Text value, Fault *fault)
{
        if (option->kind == OPTION_BOOL)
                return option_parse_boolean(option, config, value, fault);
        if (option->kind == OPTION_INTEGER)
                return option_parse_integer(option, config, value, fault);
        if (option_is_list(option))
                return option_parse_list(option, config, value, fault);
        return option_set_text(option, config, value, fault);
}

void option_set_preset(const Option *option, Config *config)
{
        switch (option->kind) {
        case OPTION_BOOL:
                *(bool *)option_member(option, config) = option->preset != 0;
                break;
        case OPTION_INTEGER:
                *(int64_t *)option_member(option, config) = option->preset;
                break;
        case OPTION_WORD:
                *(int *)option_member(option, config) = (int)option->preset;
                break;
        case OPTION_TEXT:
        case OPTION_URL:
        case OPTION_PUBLISHERS:
        case OPTION_REPOSITORIES:
        default:
                option_clear(option, config);
                break;
        }
}

void option_clear(const Option *option, Config *config)
{
        char **text = option_member(option, config);

        if (option_is_list(option))
                text_array_deinit(option_member(option, config));
        if (option->kind != OPTION_TEXT && option->kind != OPTION_URL)
                return;
        alloc_free(*text);
        *text = NULL;
}

bool option_equal(const Option *option, const Config *a, const Config *b)
{
        const void *left = option_member(option, a);
        const void *right = option_member(option, b);

        switch (option->kind) {
        case OPTION_BOOL:
                return *(const bool *)left == *(const bool *)right;
        case OPTION_INTEGER:
                return *(const int64_t *)left == *(const int64_t *)right;
        case OPTION_WORD:
                return *(const int *)left == *(const int *)right;
        case OPTION_PUBLISHERS:
        case OPTION_REPOSITORIES:
                return text_array_equal(left, right);
        case OPTION_TEXT:
        case OPTION_URL:
        default:
                return text_equal(text_of(option_text(option, a)), text_of(option_text(option, b)));
        }
}

static int option_copy_text(const Option *option, Config *to, const Config *from)
{
        const char *text = option_text(option, from);

        if (text)
                return option_take_text(option, to, text_of(text));
        option_clear(option, to);
        return 0;
}

int option_copy(const Option *option, Config *to, const Config *from)
{
        switch (option->kind) {
        case OPTION_BOOL:
                *(bool *)option_member(option, to) = *(const bool *)option_member(option, from);
                return 0;
        case OPTION_INTEGER:
                *(int64_t *)option_member(option, to) = *(const int64_t *)option_member(option, from);
                return 0;
        case OPTION_WORD:
                *(int *)option_member(option, to) = *(const int *)option_member(option, from);
                return 0;
        case OPTION_PUBLISHERS:
        case OPTION_REPOSITORIES:
                return text_array_copy(option_member(option, to), option_member(option, from));
        case OPTION_TEXT:
        case OPTION_URL:
        default:
                return option_copy_text(option, to, from);
        }
}
