/* Where the Hub answers what: addresses as values. Repositories, revisions,
 * commits and paths must have been checked (proto/name.h, kernels/hub_tree.h):
 * escaping keeps them from ending the address early, not from being "..".
 *
 * The functions that make an address take a trailing '/' off the endpoint; an
 * absent text means that there was no memory. */
#pragma once

#include <stdbool.h>

#include "proto/base/arena.h"
#include "proto/base/text.h"
#include "proto/fault.h"

Text hub_url_refs(Text endpoint, Text repo, Arena *arena);
Text hub_url_revision(Text endpoint, Text repo, Text revision, Arena *arena);

/* The listing of a folder, "" being the root; with `recursive` of all below. */
Text hub_url_tree(Text endpoint, Text repo, Text commit, Text folder, bool recursive, Arena *arena);

Text hub_url_overview(Text endpoint, Text publisher, Arena *arena);
Text hub_url_file(Text endpoint, Text repo, Text commit, Text path, Arena *arena);

/* Same scheme (http or https), host and port. False for whatever is not plainly
 * an absolute address, and for one with a user in it: a token is sent where
 * this says true. */
bool hub_url_same_origin(Text a, Text b);

/* Which repository an address of the API speaks of, whatever its host. */
bool hub_url_repo(Text url, Text *ret_repo);

/* Whether the Hub can be at `url`: http or https, a host, perhaps a port and a
 * path, nothing else. 1 with invalid-name. */
int hub_endpoint_check(Text url, Fault *fault);
