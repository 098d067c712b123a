/* The Hub's token: where it comes from, and that it can be sent. It is never
 * logged, shown or told of, and its memory is wiped when it is given back. */
#pragma once

#include <stdbool.h>

#include "proto/base/cleanup.h"
#include "proto/fault.h"

/* Where it may come from; texts may be NULL. */
typedef struct TokenFacts {
        bool system;
        const char *credentials;  /* the system's: the folder of systemd, in which hf_token may lie */
        const char *token_file;   /* hub.token_file: must be there */
        const char *variables[2]; /* a user's: HF_TOKEN, HUGGING_FACE_HUB_TOKEN */
        const char *user_file;    /* a user's, which may be missing */
        bool only_explicit;       /* HF_HUB_DISABLE_IMPLICIT_TOKEN: of a user's, token_file alone counts */
} TokenFacts;

/* From the environment; the texts live as long as the process and what is given. */
void token_facts(bool system, const char *token_file, const char *user_file, TokenFacts *ret_facts);

/* 0 with the token, or with NULL where there is none; 1 with FAULT_AUTH, naming
 * where it comes from; -ENOMEM. Reads files: before the loop, or file thread. */
int token_read(const TokenFacts *facts, char **ret_token, Fault *fault);

char *token_free(char *token);
DEFINE_CLEANUP(char *, token_free)
