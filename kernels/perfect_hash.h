/* Gives each of some hashes a slot of its own: for each bucket a seed is
 * searched that leads all its hashes to free slots, full buckets first. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* How large tables for n hashes should be: a power of two of buckets with two
 * to four hashes each, and one slot in nine free, so that the last seeds are
 * found soon. */
uint32_t perfect_hash_n_buckets(size_t n);
uint32_t perfect_hash_n_slots(size_t n);

/* Fills seeds (n_buckets) and slots (n). 0; 1: there is no such table, as when
 * two hashes are equal: hash with another key; -ENOMEM. */
int perfect_hash_make(const uint64_t *hashes, size_t n, uint16_t *seeds, uint32_t n_buckets, uint32_t *slots,
                      uint32_t n_slots);
