/* The rules that names must keep, in one place. Each returns 0, or 1 with
 * FAULT_INVALID_NAME (FAULT_BAD_REQUEST never) and a sentence naming the rule.
 * All refuse NUL, control characters and what is not UTF-8. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/text.h"
#include "proto/fault.h"

int name_check_layer(Text name, Fault *fault);      /* at most 256 bytes; "" is a layer like any other, as upstream has it */
int name_check_repository(Text name, Fault *fault); /* the Hub's rule for org/name */
int name_check_revision(Text name, Fault *fault);   /* what git and a cache folder can hold: no "..", no leading "/" or "-"… */
int name_check_version(int64_t version, Fault *fault); /* at least 0 */
int name_check_path(Text path, Fault *fault);       /* absolute, at most 4,095 bytes, no ".." component */
int name_check_variant(Text name, Fault *fault);    /* a folder's name */
int name_check_used(Text name, Fault *fault);       /* a repository of the Hub, or local:NAME, whose NAME is a folder's */
int name_check_reason(Text reason, Fault *fault);   /* one line for people, at most 256 bytes */
int name_check_word(Text word, const char *what, Fault *fault); /* printable, at most 64 bytes */

/* 40 lower-case hex digits. */
bool name_is_commit(Text text);

/* What a file or folder can be called in the folder that it lies in. */
bool name_is_file(Text text);
