/* Where the Hub's own clients keep a user's files and token, by the variables
 * that they read: a user's daemon shares both with them. A variable that is
 * empty counts as not set. */
#pragma once

#include "daemon/places.h"

/* Of a user's daemon: the cache is KERNELS_CACHE, else HF_HUB_CACHE, else
 * HUGGINGFACE_HUB_CACHE, else "hub" in HF_HOME; the token is HF_TOKEN_PATH, else
 * "token" in HF_HOME; HF_HOME is "huggingface" in XDG_CACHE_HOME or ~/.cache
 * unless it is set. One with a config_dir has no such cache, and no token but
 * that of HF_TOKEN_PATH. NULL where none is known. 0, -ENOMEM. */
int hub_places(const PlacesFacts *facts, char **ret_cache, char **ret_token);
