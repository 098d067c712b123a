/* Every hard limit and every default, each with its origin. "design" is the
 * project's design; what is only a guess says so. */
#pragma once

/* --- frames and payloads (design, section 6) --- */
#define LIMIT_MESSAGE_IN (4u * 1024 * 1024) /* to the daemon: a mapping in parts of a few thousand entries */
#define LIMIT_MESSAGE_OUT (1024u * 1024)    /* from the daemon: 1,024 answers of 600 bytes fit */
#define LIMIT_DEPTH 8                       /* the deepest message, view.create, has 7 */
#define LIMIT_ITEMS 65536                   /* bounds the work that one message can ask for */
#define LIMIT_KEYS 128                      /* of one map: finding a key twice takes quadratic time, since nothing is allocated; guess, the largest map with free keys, a kernel's native layers, has 15 */
#define LIMIT_KEY 256                       /* bytes of a map's key: the longest is a layer's name */
#define LIMIT_DESCRIPTORS 1                 /* acquire sends one directory */
#define LIMIT_QUERIES 1024                  /* in one resolve */
#define LIMIT_ANSWER_MESSAGE 256            /* bytes of an error message inside answers */
#define LIMIT_FAULT_MESSAGE 1024            /* bytes of an error message; guess, a screen line or ten */

/* --- names (design, section 1; Hub rules from facts on the Hub) --- */
#define LIMIT_LAYER 256
#define LIMIT_REPOSITORY 201      /* org/name, each at most 96 (huggingface_hub's repo id rule), and room */
#define LIMIT_REPOSITORY_PART 96
#define LIMIT_REVISION 255        /* becomes a file name under refs/ */
#define LIMIT_VARIANT 255         /* a folder's name: NAME_MAX */
#define LIMIT_MODE 64             /* longer than the longest sum of flags */
#define LIMIT_DEVICE 16
#define LIMIT_WORD 64             /* environment facts, client names, gfx names */
#define LIMIT_PATH 4095           /* PATH_MAX less its NUL */

/* --- local repositories named by clients (design, section 6) --- */
#define LIMIT_LOCAL_VARIANTS 64
#define LIMIT_LOCAL_METADATA (64u * 1024)
#define LIMIT_LOCAL_BYTES (2u * 1024 * 1024) /* of one request */
#define LIMIT_METADATA (512u * 1024)         /* of a kernel that the daemon opens itself */
#define LIMIT_LOCK (1024u * 1024)            /* bytes of a kernels.lock in a message; guess, 100 repositories with 80 variants are 1 MB */
#define LIMIT_VARIANTS 1024                  /* of a repository in the host mapping; guess, the largest public one has 80 */
#define LIMIT_ARCHS 64                       /* in one metadata.json: each choice goes through them, on the loop; guess, the longest public list has 12 */
#define LIMIT_KERNEL_FILES 65536             /* below one variant folder; guess, the largest public one has 1,400 */

/* --- the cache, whose folders a user shares with any program of his --- */
#define LIMIT_CACHE_DEPTH 64                 /* folders above a file: one descriptor each while removing; guess, kernels have 6 */
#define LIMIT_CACHE_LOCKS 256                /* of finished files, held until they are in place; guess, well below 1,024 descriptors */
#define LIMIT_CACHE_ENTRIES 65536            /* repositories, a repository's commits, refs: what a scan keeps of each; guess */
#define LIMIT_CACHE_VARIANTS 65536           /* that a scan keeps in all: 80 MiB; guess, 800 commits of the largest kernel */
#define LIMIT_CACHE_METADATA (128u * 1024 * 1024) /* bytes of all metadata.json that a scan keeps; guess, 30,000 variants of 4 KiB */
#define LIMIT_CACHE_TREES (16u * 1024 * 1024) /* bytes of trees/COMMIT.json; guess, a commit of 80 variants has 1 MB */

/* --- sessions (design, section 6) --- */
#define LIMIT_SESSIONS 4096
#define LIMIT_IN_FLIGHT 64         /* requests of one session */
#define LIMIT_VIEWS 64             /* of one session */
#define LIMIT_RANGES 1024          /* of one (layer, device) in a view: bounds the work of one lookup's first use */
#define LIMIT_HELLO_MS 5000        /* a session that has not said hello by then is closed */
#define LIMIT_PROGRESS_MS 100      /* at most ten progress notifications a second */
#define LIMIT_PROGRESS_IDLE_MS 1000 /* the library's caller hears of a wait at least so often; guess, what a person who pressed ctrl-C waits */
#define LIMIT_QUEUES (256u * 1024 * 1024) /* output of all sessions together */
#define LIMIT_REPORT 1024          /* rows of one report, and that a session keeps; guess, a model has some dozens of layers */
#define LIMIT_PAGE 1000            /* entries of a list in one answer; default and most */

/* --- per domain, defaults; the configuration may set others --- */
#define LIMIT_DOMAIN_SESSIONS 1024
#define LIMIT_DOMAIN_BYTES (64u * 1024 * 1024)
#define LIMIT_DOMAIN_ENTRIES 200000
#define LIMIT_DOMAIN_LEASES 4096
#define LIMIT_DOMAIN_ACQUIRES 4096
#define LIMIT_DOMAIN_FETCHED (64ll * 1024 * 1024 * 1024) /* bytes an hour (design) */

/* --- the Hub and policy --- */
#define LIMIT_URL 1024             /* bytes of hub.endpoint, to which paths of 4,095 are added; guess */
#define LIMIT_TOKEN 4096           /* bytes of the Hub's token: its own have 37, signed ones of other services 2,000 */
#define LIMIT_TRUST_ITEMS 1024     /* of trust.allow, deny and private each: gone through at every acquire, on the loop; guess */

/* --- time --- */
#define LIMIT_FRESH_S 86400        /* the Hub is not asked again sooner: a day, as design says */
#define LIMIT_ACQUIRE_MS 600000    /* deadline of an acquire that names none */
