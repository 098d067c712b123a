/* One pass with a stack of LIMIT_DEPTH levels. The ordinary message is maps
 * with a few short ASCII keys, short strings and small integers; what those
 * take is inlined, the rest is not. */
#include "proto/payload.h"

#include <stdbool.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/limits.h"

#define INLINE static inline __attribute__((always_inline))
#define likely(truth) __builtin_expect(!!(truth), 1)
#define unlikely(truth) __builtin_expect(!!(truth), 0)

#define HIGH_BITS 0x8080808080808080u

/* The keys that a map has had so far. */
typedef struct KeySet {
        uint64_t prints[LIMIT_KEYS];
        const uint8_t *keys[LIMIT_KEYS];
        uint16_t sizes[LIMIT_KEYS];
} KeySet;

/* A list or map that is not at its end. */
typedef struct Level {
        uint32_t left;   /* values, or pairs of a map, still to come */
        bool is_map;
        uint32_t n_keys;
        uint64_t filter; /* a bit for each key's print: most new keys need no comparison */
} Level;

/* Where the check stands. Only functions that are inlined take its address, so
 * that it lives in registers; the rest work on a copy. */
typedef struct Walk {
        const uint8_t *start;
        const uint8_t *p;
        const uint8_t *end;
        Level level; /* the innermost */
        size_t n_items;
        size_t n_levels;
} Walk;

/* The levels outside the innermost, and the keys of all of them. */
typedef struct Stack {
        Level levels[LIMIT_DEPTH];
        KeySet keys[LIMIT_DEPTH + 1];
} Stack;

INLINE uint64_t load_8(const uint8_t *p)
{
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        return word;
}

/* The first min(n, 8) bytes at walk->p, zeros behind them. Near the end the
 * word is read from its back, so that no byte outside is touched. */
INLINE uint64_t load_front(const Walk *walk, size_t n)
{
        size_t room = (size_t)(walk->end - walk->p);
        uint64_t word = 0;

        if (n >= 8)
                return load_8(walk->p);
        if (likely(room >= 8))
                word = load_8(walk->p);
        else if (walk->end - walk->start >= 8 && room)
                word = load_8(walk->end - 8) >> 8 * (8 - room);
        else
                memcpy(&word, walk->p, n);
        return word & ((UINT64_C(1) << 8 * n) - 1);
}

static PayloadAnswer check_utf8(const uint8_t *p, size_t n)
{
        return text_is_utf8((Text){ (const char *)p, n }) ? PAYLOAD_OK : PAYLOAD_E_UTF8;
}

/* Passes over a string of n bytes; tells its front and its last bytes, so that
 * a key needs no second look. */
INLINE PayloadAnswer walk_text(Walk *walk, size_t n, uint64_t *ret_front, uint64_t *ret_back)
{
        const uint8_t *p = walk->p;
        uint64_t front, back;

        if (unlikely(n > (size_t)(walk->end - p)))
                return PAYLOAD_E_TRUNCATED;
        front = load_front(walk, n);
        back = n > 8 ? load_8(p + n - 8) : 0;
        walk->p = p + n;
        *ret_front = front;
        *ret_back = back;
        if (likely(n <= 16 && !((front | back) & HIGH_BITS)))
                return PAYLOAD_OK;
        return check_utf8(p, n);
}

INLINE PayloadAnswer walk_skip(Walk *walk, size_t n)
{
        if (n > (size_t)(walk->end - walk->p))
                return PAYLOAD_E_TRUNCATED;
        walk->p += n;
        return PAYLOAD_OK;
}

/* A number of n bytes behind the type byte. */
INLINE PayloadAnswer walk_size(Walk *walk, unsigned n, uint32_t *ret_size)
{
        uint32_t size = 0;

        if (n > (size_t)(walk->end - walk->p))
                return PAYLOAD_E_TRUNCATED;
        for (unsigned i = 0; i < n; i++)
                size = size << 8 | *walk->p++;
        *ret_size = size;
        return PAYLOAD_OK;
}

INLINE PayloadAnswer walk_open(Walk *walk, Stack *stack, uint32_t n, bool is_map)
{
        size_t room = (size_t)(walk->end - walk->p);

        if (unlikely(n > (is_map ? room / 2 : room)))
                return PAYLOAD_E_COUNT;
        if (unlikely(is_map && n > LIMIT_KEYS))
                return PAYLOAD_E_KEYS;
        walk->n_items += is_map ? 2 * (size_t)n : n;
        if (unlikely(walk->n_items > LIMIT_ITEMS))
                return PAYLOAD_E_ITEMS;
        if (unlikely(walk->n_levels == LIMIT_DEPTH))
                return PAYLOAD_E_DEPTH;
        stack->levels[walk->n_levels++] = walk->level;
        walk->level = (Level){ .left = n, .is_map = is_map };
        return PAYLOAD_OK;
}

/* The type bytes 0xc0 to 0xdf. */
INLINE PayloadAnswer walk_long(Walk *walk, Stack *stack, uint8_t type)
{
        uint64_t front, back;
        uint32_t n = 0;
        PayloadAnswer answer;

        if (type <= 0xc3) /* nil, the byte without meaning, false, true */
                return type == 0xc1 ? PAYLOAD_E_TYPE : PAYLOAD_OK;
        if (type >= 0xca && type <= 0xd3) /* reals, then integers without and with sign */
                return walk_skip(walk, type <= 0xcb ? 4u << (type - 0xca) : 1u << ((type - 0xcc) & 3));
        if (type >= 0xd9 && type <= 0xdb) {
                answer = walk_size(walk, 1u << (type - 0xd9), &n);
                return answer ? answer : walk_text(walk, n, &front, &back);
        }
        if (type >= 0xdc) {
                answer = walk_size(walk, 2u << (type & 1), &n);
                return answer ? answer : walk_open(walk, stack, n, type >= 0xde);
        }
        if (type > 0xc6) /* ext */
                return PAYLOAD_E_TYPE;
        answer = walk_size(walk, 1u << (type - 0xc4), &n);
        return answer ? answer : walk_skip(walk, n);
}

INLINE PayloadAnswer walk_value(Walk *walk, Stack *stack)
{
        uint64_t front, back;
        uint8_t type;

        if (unlikely(walk->p == walk->end))
                return PAYLOAD_E_TRUNCATED;
        type = *walk->p++;
        if ((type & 0xe0) == 0xa0)
                return walk_text(walk, type & 0x1f, &front, &back);
        if (type < 0x80 || type >= 0xe0 || type == 0xc0)
                return PAYLOAD_OK;
        if (type < 0xa0)
                return walk_open(walk, stack, type & 0x0f, type < 0x90);
        return walk_long(walk, stack, type);
}

INLINE PayloadAnswer walk_key_size(Walk *walk, uint32_t *ret_size)
{
        uint8_t type;

        if (unlikely(walk->p == walk->end))
                return PAYLOAD_E_TRUNCATED;
        type = *walk->p++;
        if (likely((type & 0xe0) == 0xa0)) {
                *ret_size = type & 0x1f;
                return PAYLOAD_OK;
        }
        if (type < 0xd9 || type > 0xdb)
                return PAYLOAD_E_KEY;
        return walk_size(walk, 1u << (type - 0xd9), ret_size);
}

static bool key_stands_already(const KeySet *set, uint32_t n_keys, uint64_t print, const uint8_t *key, size_t size)
{
        for (uint32_t i = 0; i < n_keys; i++)
                if (set->prints[i] == print && set->sizes[i] == size && !memcmp(set->keys[i], key, size))
                        return true;
        return false;
}

INLINE PayloadAnswer walk_key(Walk *walk, KeySet *set)
{
        Level *level = &walk->level;
        uint64_t front, back, print, bit;
        uint32_t size = 0;
        PayloadAnswer answer = walk_key_size(walk, &size);

        if (unlikely(answer))
                return answer;
        answer = walk_text(walk, size, &front, &back);
        if (unlikely(answer))
                return answer;
        if (unlikely(size > LIMIT_KEY))
                return PAYLOAD_E_KEY;
        print = front ^ (back << 7 | back >> 57);
        bit = UINT64_C(1) << (print * UINT64_C(0x9e3779b97f4a7c15) >> 58);
        if (unlikely(level->filter & bit) && key_stands_already(set, level->n_keys, print, walk->p - size, size))
                return PAYLOAD_E_KEY;
        level->filter |= bit;
        set->prints[level->n_keys] = print;
        set->keys[level->n_keys] = walk->p - size;
        set->sizes[level->n_keys++] = (uint16_t)size;
        return PAYLOAD_OK;
}

PayloadAnswer payload_check(const uint8_t *bytes, size_t size)
{
        Walk walk = { .start = bytes, .p = bytes, .end = bytes + size, .n_items = 1, .level.left = 1 };
        Stack stack;

        for (;;) {
                while (walk.level.left) {
                        PayloadAnswer answer;

                        walk.level.left--;
                        if (walk.level.is_map) {
                                answer = walk_key(&walk, &stack.keys[walk.n_levels]);
                                if (unlikely(answer))
                                        return answer;
                        }
                        answer = walk_value(&walk, &stack);
                        if (unlikely(answer))
                                return answer;
                }
                if (!walk.n_levels)
                        return walk.p == walk.end ? PAYLOAD_OK : PAYLOAD_E_TRAILING;
                walk.level = stack.levels[--walk.n_levels];
        }
}

const char *payload_explain(PayloadAnswer answer)
{
        switch (answer) {
        case PAYLOAD_OK:
                return "the payload is well-formed";
        case PAYLOAD_E_TRUNCATED:
                return "the message ends inside a value; send it whole";
        case PAYLOAD_E_TRAILING:
                return "bytes follow the message; send one message in each frame";
        case PAYLOAD_E_DEPTH:
                return "lists and maps are nested too deeply; at most 8 may stand inside each other";
        case PAYLOAD_E_ITEMS:
                return "the message has more than 65,536 values; send it in parts";
        case PAYLOAD_E_COUNT:
                return "a list or map claims more elements than the message has bytes left";
        case PAYLOAD_E_UTF8:
                return "a string is not UTF-8; send bytes as bin";
        case PAYLOAD_E_KEYS:
                return "a map has more than 128 keys";
        case PAYLOAD_E_KEY:
                return "a key of a map is no string, is longer than 256 bytes, or stands twice";
        case PAYLOAD_E_TYPE:
                return "the message holds an ext value or the byte 0xc1; protocol 1 has neither";
        }
        return "the payload is faulty";
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load_front shifts as little endian does");
_Static_assert(LIMIT_DEPTH == 8 && LIMIT_ITEMS == 65536 && LIMIT_KEYS == 128 && LIMIT_KEY == 256,
               "payload_explain names these limits");
