/* One case of a vector file, and what came of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/text.h"

typedef struct Verdict {
        bool failed;
        char why[1024];
} Verdict;

/* Marks the case as failed; the first reason stays. */
void verdict_fail(Verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Texts of a case; "" and NULL for what is not there. */
const char *case_text(const json_t *object, const char *key);
const char *case_text_or_null(const json_t *object, const char *key);
/* The bytes of a JSON text, NULs in it included; absent where it is none. */
Text case_bytes(const json_t *value);
bool case_has_tag(const json_t *one, const char *tag);

/* Two values as they are written in JSON must be equal. */
void verdict_equal(Verdict *verdict, const char *what, const json_t *expected, const json_t *got);

/* The runners, one for each list of cases. `one` has its own `expect`, or the
 * one that our rule gives (difference.h). */
void run_resolve(const json_t *one, Verdict *verdict);
void run_gate(const json_t *one, Verdict *verdict);
void run_variant_parse(const json_t *one, Verdict *verdict);
void run_variant_resolve(const json_t *one, Verdict *verdict);
void run_lock_hash(const json_t *one, Verdict *verdict);
void run_lock_lookup(const json_t *one, Verdict *verdict);
void run_digest_hash(const json_t *one, Verdict *verdict);
void run_digest_validate(const json_t *one, Verdict *verdict);
void run_digest_verify(const json_t *one, Verdict *verdict);
void run_digest_parse(const json_t *one, Verdict *verdict);
