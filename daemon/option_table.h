/* Every option of kernelsd, once. From this table come the configuration
 * files' keys, the environment variables, the flags, --help, the options
 * section of kernelsd(8) and the checks of type and range.
 *
 * A key "quota.sessions" is in JSON {"quota": {"sessions": …}}, in the
 * environment KERNELSD_QUOTA_SESSIONS, as a flag --quota-sessions.
 *
 * O(kind, member of Config, key, minimum, maximum, default, reload, argument, help)
 *
 * kind     BOOL, INTEGER, TEXT (an absolute path), URL (http or https, kept
 *          without a slash at its end), WORD (one of an enumeration whose
 *          spellings stand in the argument, "uid|cgroup"; numbers from 0),
 *          PUBLISHERS (a list of `org` and `org/name`) or REPOSITORIES (of
 *          `org/name` alone). Only INTEGER and WORD read minimum and maximum
 * reload   LIVE: a reload takes it over. START: only a restart does
 * where    ANY; FLAG: decides where files are looked for, or says what to do,
 *          and so cannot stand in one (environment and flag only) */
#pragma once

#include "proto/limits.h"

#define OPTION_TABLE(O)                                                                                              \
        O(BOOL, system, "system", 0, 1, 0, START, FLAG, "",                                                          \
          "Serve the whole host: the places, sockets and folders of the system instead of the user's.")              \
        O(TEXT, config_dir, "config_dir", 0, 0, NULL, START, FLAG, "DIR",                                            \
          "Read kernelsd.json, kernelsd.d, mapping.d and environment.d in DIR, and in no other folder.")             \
        O(TEXT, socket, "socket", 0, 0, NULL, START, ANY, "PATH",                                                    \
          "Listen here for clients. A socket that systemd passes goes first.")                                       \
        O(TEXT, admin_socket, "admin_socket", 0, 0, NULL, START, ANY, "PATH",                                        \
          "Listen here for administrators. The user's daemon has no such socket unless this names one.")             \
        O(TEXT, state_dir, "state_dir", 0, 0, NULL, START, ANY, "DIR",                                               \
          "Keep the stored mapping and the pins in DIR. One daemon has it at a time. With config_dir and without "   \
          "this nothing is kept.")                                                                                   \
        O(TEXT, cache_dir, "cache_dir", 0, 0, NULL, START, ANY, "DIR",                                               \
          "Keep the Hub's files in DIR, in the layout of its own clients. With config_dir and without this nothing " \
          "is fetched.")                                                                                             \
        O(URL, hub_endpoint, "hub.endpoint", 0, 0, NULL, START, ANY, "URL",                                          \
          "Where the Hub is. Without this HF_ENDPOINT of the environment says it, else it is "                       \
          "https://huggingface.co.")                                                                                 \
        O(TEXT, hub_ca_file, "hub.ca_file", 0, 0, NULL, START, ANY, "FILE",                                          \
          "Certificates, in PEM, of the authorities that may vouch for the Hub, instead of the system's.")           \
        O(TEXT, hub_token_file, "hub.token_file", 0, 0, NULL, LIVE, ANY, "FILE",                                     \
          "The Hub's token is in FILE, which for the system's daemon nobody but its owner may be able to read.")     \
        O(BOOL, offline, "offline", 0, 1, 0, LIVE, ANY, "",                                                          \
          "Never ask the Hub: what is complete on this host is served, all else fails at once. Without this "        \
          "HF_HUB_OFFLINE, else TRANSFORMERS_OFFLINE of the environment says it.")                                   \
        O(INTEGER, fresh_s, "fresh_s", 0, 31536000, LIMIT_FRESH_S, LIVE, ANY, "S",                                   \
          "An answer of the Hub that is younger is not asked for again.")                                            \
        O(PUBLISHERS, trust_allow, "trust.allow", 0, 0, NULL, LIVE, ANY, "ORG[/NAME],...",                             \
          "Publishers and repositories whose kernels are taken whatever the Hub says of them.")                      \
        O(PUBLISHERS, trust_deny, "trust.deny", 0, 0, NULL, LIVE, ANY, "ORG[/NAME],...",                               \
          "Publishers and repositories whose kernels are never taken, whoever vouches for them.")                    \
        O(REPOSITORIES, trust_private, "trust.private", 0, 0, NULL, LIVE, ANY, "ORG/NAME,...",                         \
          "Repositories that are asked for with the token and served to everybody who reaches this daemon although " \
          "the Hub does not serve them to everybody.")                                                               \
        O(BOOL, trust_hub, "trust.hub", 0, 1, 1, LIVE, ANY, "",                                                      \
          "Publishers that the Hub calls trusted with kernels are trusted.")                                         \
        O(WORD, log_level, "log_level", 0, 4, LOG_LEVEL_INFO, LIVE, ANY, "error|warning|notice|info|debug",          \
          "The least important messages that are written.")                                                          \
        O(INTEGER, hello_ms, "hello_ms", 10, 600000, LIMIT_HELLO_MS, LIVE, ANY, "MS",                                \
          "A session that has not said hello after so many milliseconds is closed.")                                 \
        O(INTEGER, sessions, "sessions", 1, 65536, LIMIT_SESSIONS, LIVE, ANY, "N",                                   \
          "Sessions of all domains together.")                                                                       \
        O(WORD, quota_domain, "quota.domain", 0, 1, QUOTA_DOMAIN_UID, START, ANY, "uid|cgroup",                      \
          "Whose quota a session counts against: that of its uid, or of its uid and cgroup.")                        \
        O(INTEGER, quota_sessions, "quota.sessions", 1, 65536, LIMIT_DOMAIN_SESSIONS, LIVE, ANY, "N",                \
          "Sessions of one domain.")                                                                                 \
        O(INTEGER, quota_bytes, "quota.bytes", 8 * 1024 * 1024, 1099511627776, LIMIT_DOMAIN_BYTES, LIVE, ANY,        \
          "BYTES", "Input and output that the daemon holds for one domain.")                                         \
        O(INTEGER, quota_entries, "quota.entries", 1, 100000000, LIMIT_DOMAIN_ENTRIES, LIVE, ANY, "N",               \
          "Own entries in all views of one domain.")                                                                 \
        O(INTEGER, quota_leases, "quota.leases", 1, 1000000, LIMIT_DOMAIN_LEASES, LIVE, ANY, "N",                    \
          "Leases of one domain's living sessions that were not released.")                                          \
        O(INTEGER, quota_acquires, "quota.acquires", 1, 1000000, LIMIT_DOMAIN_ACQUIRES, LIVE, ANY, "N",              \
          "Waiting acquires of one domain.")                                                                         \
        O(INTEGER, quota_fetched, "quota.fetched", 1, 1125899906842624, LIMIT_DOMAIN_FETCHED, LIVE, ANY, "BYTES",    \
          "Fetched from the Hub for one domain within an hour.")
