/* The configuration: files, then environment, then flags, all by the table in
 * daemon/option_table.h. A Config is complete, checked and never changes; a
 * reload makes a new one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/fault_list.h"
#include "daemon/option_table.h"
#include "daemon/places.h"
#include "daemon/text_array.h"
#include "kernels/policy.h"
#include "proto/base/arena.h"
#include "proto/base/cleanup.h"

typedef enum LogLevel { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG } LogLevel;
typedef enum QuotaDomain { QUOTA_DOMAIN_UID, QUOTA_DOMAIN_CGROUP } QuotaDomain;

#define OPTION_C_BOOL(member) bool member;
#define OPTION_C_INTEGER(member) int64_t member;
#define OPTION_C_WORD(member) int member;
#define OPTION_C_TEXT(member) char *member;
#define OPTION_C_URL(member) char *member;
#define OPTION_C_PUBLISHERS(member) TextArray member;
#define OPTION_C_REPOSITORIES(member) TextArray member;
#define OPTION_MEMBER(kind, member, key, minimum, maximum, preset, reload, where, argument, help) OPTION_C_##kind(member)

/* Texts are owned. `socket` and `hub_endpoint` are always set, by an option, the
 * environment or the places; `admin_socket` NULL means that there is none,
 * `state_dir` that nothing can be stored, `cache_dir` that nothing can be
 * fetched. `places.runtime` is NULL where an option names the socket: then
 * nobody makes a folder for it. */
typedef struct Config {
        OPTION_TABLE(OPTION_MEMBER)
        Places places;
        Policy *policy; /* what trust.* says; counted */
        char *token;    /* the Hub's; NULL: there is none. Never to be shown; wiped in the end */
} Config;

/* All options at their defaults, no places. 0, -ENOMEM. */
int config_new(Config **ret_config);

/* Reads everything that the arguments, the environment and the folders say, and
 * the token.
 * `arguments` is argv from number 1 on, NULL at its end; it is kept by the
 * caller for the next reload. 0; 1 with faults; negative. Reads files: before
 * the loop runs, or in the file thread. */
int config_load(char *const *arguments, Config **ret_config, FaultList *faults);

Config *config_free(Config *config);
DEFINE_CLEANUP(Config *, config_free)

/* After a reload: takes over from `current` what only a restart changes, and
 * tells in `changed` the keys (", " between) for which that made a difference. */
int config_keep_start_options(Config *config, const Config *current, Arena *arena, Text *ret_changed);
