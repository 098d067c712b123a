/* Where a daemon finds and puts its things: the system's fixed places, or a
 * user's by the XDG rules. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/limits.h"

#define PLACES_MAX_FOLDERS 3

typedef struct Places {
        char *folders[PLACES_MAX_FOLDERS]; /* of kernelsd.json, kernelsd.d, mapping.d and environment.d; later ones go over earlier */
        size_t n_folders;
        char *runtime;      /* the user's folder for the socket, to be made; NULL for the system */
        char *socket;       /* default path; the configuration may say another */
        char *admin_socket; /* NULL: none */
        char *state;        /* what is stored; NULL: nothing is, unless an option says where */
        char *cache;        /* the Hub's files; NULL: none, unless an option says where */
        char *token;        /* the file with a user's token of the Hub, which may be missing; NULL: none */
} Places;

#define PLACES_NULL ((Places){ 0 })

/* What decides; texts may be NULL. From places_facts in the daemon, by hand in tests. */
typedef struct PlacesFacts {
        bool system;
        uid_t uid;
        const char *config_dir;      /* instead of all folders */
        const char *home;            /* $HOME, else the password file's */
        const char *xdg_config_home; /* ignored unless absolute, as XDG says */
        const char *xdg_runtime_dir;
        const char *xdg_state_home; /* ignored unless absolute */
        const char *xdg_cache_home; /* ignored unless absolute */
        bool has_run_user;           /* /run/user/<uid> exists */
        const char *(*variable)(const char *name); /* of the environment, for what the Hub's clients read; NULL: none is set */
        char folder[LIMIT_PATH + 1]; /* that the process is in; "": not known */
} PlacesFacts;

/* From environment and password file; the texts live as long as the process. */
void places_facts(bool system, const char *config_dir, PlacesFacts *ret_facts);

/* 0 or -ENOMEM, or -ENOENT: a user without a home and without XDG_CONFIG_HOME. */
int places_init(Places *places, const PlacesFacts *facts);
void places_deinit(Places *places);

/* The mapping.d of each folder, in the same order: n_folders texts in the arena. 0, -ENOMEM. */
int places_mapping_folders(const Places *places, Arena *arena, const char *ret_folders[static PLACES_MAX_FOLDERS]);

/* The environment.d of each, likewise. */
int places_environment_folders(const Places *places, Arena *arena, const char *ret_folders[static PLACES_MAX_FOLDERS]);

/* Makes the folder 0700 if it is not there. 0; -EPERM if it is a link, another
 * uid's or open to others; another negative errno. */
int places_make_runtime(const char *path, uid_t uid);
