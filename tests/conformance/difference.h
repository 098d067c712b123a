/* Where this project deliberately answers otherwise than upstream: one table,
 * by tag, each with its reason and with our own rule, by which what is expected
 * of such a case is worked out anew. */
#pragma once

#include <jansson.h>

typedef enum Section {
        SECTION_RESOLVE, SECTION_GATE, SECTION_VARIANT_PARSE, SECTION_VARIANT_RESOLVE, SECTION_LOCK_HASH,
        SECTION_LOCK_LOOKUP, SECTION_DIGEST_HASH, SECTION_DIGEST_VALIDATE, SECTION_DIGEST_VERIFY,
        SECTION_DIGEST_PARSE,
} Section;

/* The case with what our rules expect of it: itself, counted, where its tags
 * are in no row of the table. */
json_t *difference_apply(Section section, const json_t *one);
