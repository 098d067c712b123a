/* The rows of daemon/option_table.h as data, and what is made from them: the
 * three ways to set an option, --help, and the manual page's section. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/config.h"
#include "proto/base/text.h"
#include "proto/fault.h"

typedef enum OptionKind {
        OPTION_BOOL, OPTION_INTEGER, OPTION_TEXT, OPTION_URL, OPTION_WORD, OPTION_PUBLISHERS, OPTION_REPOSITORIES,
} OptionKind;
typedef enum OptionReload { OPTION_START, OPTION_LIVE } OptionReload;
typedef enum OptionWhere { OPTION_ANY, OPTION_FLAG } OptionWhere;

typedef struct Option {
        OptionKind kind;
        OptionReload reload;
        OptionWhere where;
        size_t offset; /* of the member of Config */
        const char *key;
        int64_t minimum;
        int64_t maximum;
        int64_t preset;
        const char *argument;
        const char *help;
} Option;

/* Long enough for any flag or environment name with its NUL. */
#define OPTION_NAME_SIZE 64

size_t option_n(void);
const Option *option_at(size_t i);

const Option *option_of_key(Text key);                 /* "quota.sessions" */
const Option *option_of_flag(Text flag);               /* "--quota-sessions" */
bool option_is_group(Text key);                        /* "quota": keys of options lie below */
void option_flag(const Option *option, char name[static OPTION_NAME_SIZE]);
void option_environment(const Option *option, char name[static OPTION_NAME_SIZE]);

/* Each is 0; 1 with FAULT_BAD_REQUEST that says what the option takes; -ENOMEM. */
int option_set_boolean(const Option *option, Config *config, bool value, Fault *fault);
int option_set_integer(const Option *option, Config *config, int64_t value, Fault *fault);
int option_set_text(const Option *option, Config *config, Text value, Fault *fault);  /* of TEXT, URL and WORD */
int option_set_list(const Option *option, Config *config, const Text *items, size_t n, Fault *fault); /* an item may be absent: no text */
int option_parse(const Option *option, Config *config, Text value, Fault *fault);     /* of any: from the environment or a flag, lists with commas */

void option_set_preset(const Option *option, Config *config);
void option_clear(const Option *option, Config *config);
bool option_equal(const Option *option, const Config *a, const Config *b);
int option_copy(const Option *option, Config *to, const Config *from);
const char *option_text(const Option *option, const Config *config); /* of TEXT and URL; may be NULL */
bool option_is_list(const Option *option);

void option_print_help(FILE *out);
void option_print_manual(FILE *out);
