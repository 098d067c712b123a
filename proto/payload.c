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

/* A list or map that is not at its end. Only a map uses the arrays, and only
 * as far as n_keys. */
typedef struct Level {
        uint32_t left; /* values, or pairs of a map, still to come */
        bool is_map;
        uint32_t n_keys;
        uint64_t prints[LIMIT_KEYS];
        const uint8_t *keys[LIMIT_KEYS];
        uint16_t sizes[LIMIT_KEYS];
} Level;

typedef struct Walk {
        const uint8_t *p;
        const uint8_t *end;
        size_t n_items;
        size_t n_levels;
        Level levels[LIMIT_DEPTH];
} Walk;

INLINE uint64_t load_8(const uint8_t *p)
{
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        return word;
}

static uint32_t load_big_endian(const uint8_t *p, unsigned n)
{
        uint32_t number = 0;

        for (unsigned i = 0; i < n; i++)
                number = number << 8 | p[i];
        return number;
}

/* The first min(n, 8) bytes, zeros behind them; `room` bytes can be read. */
INLINE uint64_t load_front(const uint8_t *p, size_t n, size_t room)
{
        uint64_t word = 0;

        if (likely(room >= 8))
                return n >= 8 ? load_8(p) : load_8(p) & ((UINT64_C(1) << 8 * n) - 1);
        memcpy(&word, p, n < 8 ? n : 8);
        return word;
}

/* Passes over a string of n bytes; tells its front and its last bytes, so that
 * a key needs no second look. */
INLINE PayloadAnswer walk_text(Walk *walk, size_t n, uint64_t *ret_front, uint64_t *ret_back)
{
        const uint8_t *p = walk->p;
        size_t room = (size_t)(walk->end - p);
        uint64_t front, back;

        if (unlikely(n > room))
                return PAYLOAD_E_TRUNCATED;
        front = load_front(p, n, room);
        back = n > 8 ? load_8(p + n - 8) : 0;
        walk->p = p + n;
        *ret_front = front;
        *ret_back = back;
        if (likely(n <= 16 && !((front | back) & HIGH_BITS)))
                return PAYLOAD_OK;
        return text_is_utf8((Text){ (const char *)p, n }) ? PAYLOAD_OK : PAYLOAD_E_UTF8;
}

static PayloadAnswer walk_skip(Walk *walk, size_t n)
{
        if (n > (size_t)(walk->end - walk->p))
                return PAYLOAD_E_TRUNCATED;
        walk->p += n;
        return PAYLOAD_OK;
}

/* A number of n bytes behind the type byte. */
static PayloadAnswer walk_size(Walk *walk, unsigned n, uint32_t *ret_size)
{
        if (n > (size_t)(walk->end - walk->p))
                return PAYLOAD_E_TRUNCATED;
        *ret_size = load_big_endian(walk->p, n);
        walk->p += n;
        return PAYLOAD_OK;
}

INLINE PayloadAnswer walk_open(Walk *walk, uint32_t n, bool is_map)
{
        size_t room = (size_t)(walk->end - walk->p);
        Level *level;

        if (unlikely(n > (is_map ? room / 2 : room)))
                return PAYLOAD_E_COUNT;
        if (unlikely(is_map && n > LIMIT_KEYS))
                return PAYLOAD_E_KEYS;
        walk->n_items += is_map ? 2 * (size_t)n : n;
        if (unlikely(walk->n_items > LIMIT_ITEMS))
                return PAYLOAD_E_ITEMS;
        if (unlikely(walk->n_levels == LIMIT_DEPTH))
                return PAYLOAD_E_DEPTH;
        level = &walk->levels[walk->n_levels++];
        level->left = n;
        level->is_map = is_map;
        level->n_keys = 0;
        return PAYLOAD_OK;
}

static PayloadAnswer walk_long_container(Walk *walk, unsigned n_size, bool is_map)
{
        uint32_t n = 0;
        PayloadAnswer answer = walk_size(walk, n_size, &n);

        return answer ? answer : walk_open(walk, n, is_map);
}

static PayloadAnswer walk_long_text(Walk *walk, unsigned n_size)
{
        uint64_t front, back;
        uint32_t n = 0;
        PayloadAnswer answer = walk_size(walk, n_size, &n);

        return answer ? answer : walk_text(walk, n, &front, &back);
}

static PayloadAnswer walk_binary(Walk *walk, unsigned n_size)
{
        uint32_t n = 0;
        PayloadAnswer answer = walk_size(walk, n_size, &n);

        return answer ? answer : walk_skip(walk, n);
}

/* The type bytes 0xc0 to 0xdf. */
static PayloadAnswer walk_long(Walk *walk, uint8_t type)
{
        switch (type) {
        case 0xc0: case 0xc2: case 0xc3: /* nil, false, true */
                return PAYLOAD_OK;
        case 0xc4: case 0xc5: case 0xc6:
                return walk_binary(walk, 1u << (type - 0xc4));
        case 0xca: case 0xcb: /* reals */
                return walk_skip(walk, 4u << (type - 0xca));
        case 0xcc: case 0xcd: case 0xce: case 0xcf:
                return walk_skip(walk, 1u << (type - 0xcc));
        case 0xd0: case 0xd1: case 0xd2: case 0xd3:
                return walk_skip(walk, 1u << (type - 0xd0));
        case 0xd9: case 0xda: case 0xdb:
                return walk_long_text(walk, 1u << (type - 0xd9));
        case 0xdc: case 0xdd:
                return walk_long_container(walk, 2u << (type - 0xdc), false);
        case 0xde: case 0xdf:
                return walk_long_container(walk, 2u << (type - 0xde), true);
        default: /* ext, and 0xc1, which has no meaning */
                return PAYLOAD_E_TYPE;
        }
}

INLINE PayloadAnswer walk_value(Walk *walk)
{
        uint64_t front, back;
        uint8_t type;

        if (unlikely(walk->p == walk->end))
                return PAYLOAD_E_TRUNCATED;
        type = *walk->p++;
        if (type < 0x80 || type >= 0xe0)
                return PAYLOAD_OK;
        if ((type & 0xe0) == 0xa0)
                return walk_text(walk, type & 0x1f, &front, &back);
        if (type < 0xa0)
                return walk_open(walk, type & 0x0f, type < 0x90);
        return walk_long(walk, type);
}

/* Strings only; *ret_size is left alone for anything else. */
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

static bool key_stands_already(const Level *level, uint64_t print, const uint8_t *key, size_t size)
{
        for (uint32_t i = 0; i < level->n_keys; i++)
                if (level->prints[i] == print && level->sizes[i] == size && !memcmp(level->keys[i], key, size))
                        return true;
        return false;
}

INLINE PayloadAnswer walk_key(Walk *walk, Level *level)
{
        uint64_t front, back, print;
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
        if (unlikely(key_stands_already(level, print, walk->p - size, size)))
                return PAYLOAD_E_KEY;
        level->prints[level->n_keys] = print;
        level->keys[level->n_keys] = walk->p - size;
        level->sizes[level->n_keys++] = (uint16_t)size;
        return PAYLOAD_OK;
}

PayloadAnswer payload_check(const uint8_t *bytes, size_t size)
{
        Walk walk;
        PayloadAnswer answer;

        walk.p = bytes;
        walk.end = bytes + size;
        walk.n_items = 1;
        walk.n_levels = 0;
        answer = walk_value(&walk);
        while (likely(!answer) && walk.n_levels) {
                Level *level = &walk.levels[walk.n_levels - 1];

                if (!level->left) {
                        walk.n_levels--;
                        continue;
                }
                level->left--;
                if (level->is_map)
                        answer = walk_key(&walk, level);
                if (likely(!answer))
                        answer = walk_value(&walk);
        }
        if (answer)
                return answer;
        return walk.p == walk.end ? PAYLOAD_OK : PAYLOAD_E_TRAILING;
}

const char *payload_explain(PayloadAnswer answer)
{
        switch (answer) {
        case PAYLOAD_OK:
                return "The payload is well-formed.";
        case PAYLOAD_E_TRUNCATED:
                return "The message ends inside a value; send it whole.";
        case PAYLOAD_E_TRAILING:
                return "Bytes follow the message; send one message in each frame.";
        case PAYLOAD_E_DEPTH:
                return "Lists and maps are nested too deeply; at most 8 may stand inside each other.";
        case PAYLOAD_E_ITEMS:
                return "The message has more than 65,536 values; send it in parts.";
        case PAYLOAD_E_COUNT:
                return "A list or map claims more elements than the message has bytes left.";
        case PAYLOAD_E_UTF8:
                return "A string is not UTF-8; send bytes as bin.";
        case PAYLOAD_E_KEYS:
                return "A map has more than 128 keys.";
        case PAYLOAD_E_KEY:
                return "A key of a map is no string, is longer than 256 bytes, or stands twice.";
        case PAYLOAD_E_TYPE:
                return "The message holds an ext value or the byte 0xc1; protocol 1 has neither.";
        }
        return "The payload is faulty.";
}

_Static_assert(LIMIT_DEPTH == 8 && LIMIT_ITEMS == 65536 && LIMIT_KEYS == 128 && LIMIT_KEY == 256,
               "payload_explain names these limits");
