/* Finding what was noted of a commit, among many. */
#pragma once

#include <stdbool.h>

#include "kernels/facts.h"

/* Puts listings, corrupts and completes into the order in which the others find
 * them; once, before. */
void facts_sort(Facts *facts);

/* NULL: there is none. */
const FactListing *facts_listing(const Facts *facts, Text repo, Text commit);

bool facts_was_completed(const Facts *facts, Text repo, Text commit, Text variant);

/* All of the commit, which lie one behind the other. */
const FactCorrupt *facts_corrupts(const Facts *facts, Text repo, Text commit, size_t *ret_n);
