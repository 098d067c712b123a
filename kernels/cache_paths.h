/* Names in the cache: what is called how, and read back. Pure. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/text.h"
#include "proto/fault.h"
#include "proto/limits.h"

#define CACHE_REPO_MAX 256 /* "kernels--", org, "--", name and a NUL */
#define CACHE_ETAG_MAX 64
#define CACHE_TEMPORARY_MAX 32 /* ".build.0123abcd.incomplete" and a NUL */

/* "org/name" to "kernels--org--name". 0, or 1 with FAULT_INVALID_NAME. */
int cache_repo_folder(Text repo, char ret_folder[CACHE_REPO_MAX], Fault *fault);

/* And back; false: no folder of a kernel repository. */
bool cache_repo_parse(Text folder, char ret_repo[LIMIT_REPOSITORY + 1]);

/* 40 or 64 lower-case hex digits. */
bool cache_is_etag(Text text);

/* "<etag>.<8 hex>.incomplete": false if it is not. */
bool cache_is_incomplete_blob(Text name, Text *ret_etag);

/* ".<kind>.<8 hex>.incomplete", the form of what this program moves into place. */
void cache_temporary_name(const char *kind, uint32_t serial, char ret_name[CACHE_TEMPORARY_MAX]);
bool cache_is_temporary(Text name);

/* "<name>.<8 hex>.tmp", a ref on its way in the Hub's own client. */
bool cache_is_foreign_ref(Text name);

/* A path from a repository's root or a variant's folder: names and single
 * slashes, no "." and "..", at most LIMIT_CACHE_DEPTH names. */
bool cache_is_plain_path(Text path);

/* The first name of a path; the rest is absent if that was all. */
Text cache_path_split(Text path, Text *ret_rest);

/* "build/<variant>/<rest>": false if it is not such a path. */
bool cache_path_variant(Text path, Text *ret_variant, Text *ret_rest);
