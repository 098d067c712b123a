/* kernel-status.toml, by which a repository says that it has moved. Of TOML it
 * reads what such a file holds: `key = "text"` on one line, comments, and a
 * table, with which its interest ends. What could hide a key from it (texts and
 * arrays over several lines, dotted keys) is refused. */
#pragma once

#include "proto/base/arena.h"
#include "proto/base/text.h"
#include "proto/fault.h"

/* Where to: a repository and a revision ("main" where none is named), both
 * names that may be used. 0; 1 with `corrupt`, naming the line; -ENOMEM. */
int hub_redirect_parse(Text bytes, Arena *arena, Text *ret_repo, Text *ret_revision, Fault *fault);
