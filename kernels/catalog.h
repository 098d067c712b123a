/* What this host knows of the Hub and of its own cache: which commit a branch,
 * tag or version is, what a commit has and what of it is here, whom the Hub
 * trusts, and what lately was not there. The loop's; from memory alone.
 *
 * Times are seconds since 1970, as the caller's clock has them. */
#pragma once

#include "kernels/known.h"
#include "kernels/policy.h"
#include "kernels/text_table.h"

/* How long "there is no such thing" is believed (issue: negative answers). */
#define CATALOG_REFUSAL_S 60

/* Refusals kept; guess: more than wrong names of a fleet's configuration. */
#define CATALOG_REFUSALS 1024

typedef struct Catalog Catalog;

/* What a revision of a repository is: a branch, a tag, or a commit itself.
 * Where the Hub redirects the repository, `final` is where to. */
typedef struct Revision {
        TableItem item;    /* repository, revision */
        Text commit;
        Text final_repo;   /* the repository itself where there is no redirect */
        Text final_commit;
        int64_t at_s;      /* when the Hub said so */
        bool asked;        /* by us; false: found in the cache */
        int64_t tried_s;   /* when the Hub was last asked again, whatever came of it */
} Revision;

static inline Text revision_repo(const Revision *revision)
{
        return revision->item.a;
}

static inline Text revision_name(const Revision *revision)
{
        return revision->item.b;
}

static inline bool revision_is_redirected(const Revision *revision)
{
        return !text_equal(revision->item.a, revision->final_repo);
}

/* One that is to be put in; texts are copied. */
typedef struct RevisionFacts {
        Text repo;
        Text revision;
        Text commit;
        Text final_repo;   /* absent: no redirect */
        Text final_commit; /* absent: `commit` */
        int64_t at_s;
        bool asked;
} RevisionFacts;

typedef struct Publisher {
        TableItem item; /* its name, "" */
        bool trusted;
        int64_t at_s;
} Publisher;

int catalog_new(uint64_t key, Catalog **ret_catalog);
Catalog *catalog_free(Catalog *catalog);
DEFINE_CLEANUP(Catalog *, catalog_free)

/* Another one after each change of what resolve could answer. */
uint64_t catalog_generation(const Catalog *catalog);

/* Complete kernels. */
size_t catalog_n_kernels(const Catalog *catalog);

/* NULL: not known. Pointers hold until the next change. */
Revision *catalog_revision(const Catalog *catalog, Text repo, Text revision);
Known *catalog_known(const Catalog *catalog, Text repo, Text commit);
const Publisher *catalog_publisher(const Catalog *catalog, Text name);

/* 0 or -ENOMEM, which changes nothing. */
int catalog_put_revision(Catalog *catalog, const RevisionFacts *facts);
int catalog_put_known(Catalog *catalog, const Known *known); /* merged with what was known */
int catalog_forget_complete(Catalog *catalog, Text repo, Text commit, Text variant); /* its files are not whole */
int catalog_put_publisher(Catalog *catalog, Text name, bool trusted, int64_t at_s);

/* All of them; NULL begins and ends. */
const Publisher *catalog_next_publisher(const Catalog *catalog, const Publisher *publisher);
size_t catalog_n_publishers(const Catalog *catalog);
Revision *catalog_next_revision(const Catalog *catalog, const Revision *revision);

/* The commits in order of repository and commit, in the arena: for pages. 0, -ENOMEM. */
int catalog_list_known(const Catalog *catalog, Arena *arena, Known ***ret_known, size_t *ret_n);

/* Whether the repository's kernels are not to be had anonymously: it is so for all
 * of them, by whatever name they are asked for. 0, -ENOMEM. */
bool catalog_is_private(const Catalog *catalog, Text repo);
int catalog_set_private(Catalog *catalog, Text repo, bool private);

/* What was refused is refused again for a while; best effort. */
void catalog_refuse(Catalog *catalog, Text repo, Text revision, const Fault *fault, int64_t now_s);
const Fault *catalog_refusal(const Catalog *catalog, Text repo, Text revision, int64_t now_s); /* NULL: none */
void catalog_forget_refusal(Catalog *catalog, Text repo, Text revision);

/* What the Hub says of the repository's publisher, as far as it is known. */
TrustFacts catalog_trust_facts(const Catalog *catalog, Text repo, int64_t now_s);
