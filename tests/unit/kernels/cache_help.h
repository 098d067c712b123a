/* What the tests of the cache share: files made by hand as the Hub's own client
 * makes them, the same fetched, and what then lies on disk. */
#pragma once

#include "kernels/cache.h"
#include "kernels/cache_blob.h"
#include "kernels/cache_scan.h"
#include "tests/lib/fixture.h"

#define HELP_REPO TEXT("kernels-test/fake-relu")
#define HELP_FOLDER "kernels--kernels-test--fake-relu"
#define HELP_COMMIT_TEXT "cc926a01fe1ea055337fd704881ae6a1fd961f55"
#define HELP_COMMIT TEXT(HELP_COMMIT_TEXT)
#define HELP_VARIANT "torch27-cxx11-cpu-x86_64-linux"

/* Folder of the cache, in the test's own. */
const char *help_root(void);

/* A path below it; a few live at a time. */
const char *help_at(const char *format, ...) __attribute__((format(printf, 1, 2)));

Cache *help_open(bool system);

/* The name that the bytes have: of an LFS file SHA-256, else git's. */
const char *help_etag(const char *bytes, size_t n, bool lfs);

/* Begun, written and ended, or found there and looked at. */
CacheBlob *help_blob(Cache *cache, const char *bytes, size_t n, bool lfs);

/* The whole cache, a line for each as `find -printf '%y %m %s %P -> %l'` has it,
 * in byte order; give back with alloc_free. */
char *help_layout(void);

/* Makes a file with its parents, as a program with the umask 022. */
void help_write(const char *path, const char *bytes, size_t n);

/* As the Hub's client leaves it: a blob with its lock and its link. */
void help_python_file(const char *commit, const char *path, const char *bytes, bool lfs);

/* Whether every link in the snapshots leads to bytes of its blob's name, or nowhere; asserted. */
void help_assert_links(void);

/* No name of something on its way to its place; asserted. */
void help_assert_placed(void);

/* Removes the whole cache. */
void help_clear(void);

/* The one variant of HELP_COMMIT by this name, NULL: not there. */
const CachedVariant *help_find(const Cached *cached, const char *variant);
Cached *help_scan(Cache *cache);
