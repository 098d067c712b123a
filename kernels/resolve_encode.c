/* The hot way. Answers are written through a bare pointer into room that was
 * made beforehand for the longest form that these texts can take. */
#include <errno.h>

#include "kernels/found.h"

/* Queries under way at once; see INDEX_BATCH. */
#define RESOLVE_BATCH 64

/* Keys, heads and integers of one answer, its texts aside. */
#define ANSWER_ROOM 256

static inline uint8_t *put_bytes(uint8_t *p, const void *bytes, size_t size)
{
        memcpy(p, bytes, size);
        return p + size;
}

static inline uint8_t *put_big_endian(uint8_t *p, uint8_t type, uint64_t value, unsigned n_bytes)
{
        uint64_t swapped = __builtin_bswap64(value << (64 - 8 * n_bytes));

        *p++ = type;
        return put_bytes(p, &swapped, n_bytes);
}

/* Of a literal, the compiler leaves a few stores. */
static inline __attribute__((always_inline)) uint8_t *put_text(uint8_t *p, Text text)
{
        if (text.size < 32)
                *p++ = (uint8_t)(0xa0 | text.size);
        else if (text.size <= UINT8_MAX)
                p = put_big_endian(p, 0xd9, text.size, 1);
        else if (text.size <= UINT16_MAX)
                p = put_big_endian(p, 0xda, text.size, 2);
        else
                p = put_big_endian(p, 0xdb, text.size, 4);
        return put_bytes(p, text.data, text.size);
}

/* Capabilities, versions and numbers: never negative. */
static inline uint8_t *put_natural(uint8_t *p, uint64_t value)
{
        if (value <= 127) {
                *p++ = (uint8_t)value;
                return p;
        }
        if (value <= UINT8_MAX)
                return put_big_endian(p, 0xcc, value, 1);
        if (value <= UINT16_MAX)
                return put_big_endian(p, 0xcd, value, 2);
        if (value <= UINT32_MAX)
                return put_big_endian(p, 0xce, value, 4);
        return put_big_endian(p, 0xcf, value, 8);
}

static inline uint8_t *put_reference(uint8_t *p, const Reference *reference)
{
        switch (reference->kind) {
        case REFERENCE_VERSION:
                *p++ = 0x83;
                p = put_text(put_text(p, TEXT("repo")), reference->repo);
                p = put_natural(put_text(p, TEXT("version")), (uint64_t)reference->version);
                break;
        case REFERENCE_REVISION:
                *p++ = 0x83;
                p = put_text(put_text(p, TEXT("repo")), reference->repo);
                p = put_text(put_text(p, TEXT("revision")), reference->revision);
                break;
        case REFERENCE_LOCKED:
                *p++ = 0x83;
                p = put_text(put_text(p, TEXT("repo")), reference->repo);
                p = put_text(put_text(p, TEXT("locked")), reference->locked);
                break;
        case REFERENCE_PATH:
                *p++ = 0x82;
                p = put_text(put_text(p, TEXT("path")), reference->path);
                break;
        case REFERENCE_LOCAL:
                *p++ = 0x82;
                p = put_natural(put_text(p, TEXT("local")), reference->number);
                break;
        }
        return put_text(put_text(p, TEXT("layer")), reference->layer);
}

static inline size_t answer_room(Text layer, const Found *found)
{
        const Reference *reference = &found->reference;

        return ANSWER_ROOM + layer.size + found->source.size + reference->repo.size + reference->revision.size +
               reference->locked.size + reference->path.size + reference->layer.size + found->redirect.size +
               found->commit.size + found->variant.size;
}

/* What a Hub's reference has beside the others. */
static inline uint8_t *put_hub(uint8_t *p, const Found *found)
{
        if (found->redirect.data)
                p = put_text(put_text(p, TEXT("redirect")), found->redirect);
        if (found->commit.data)
                p = put_text(put_text(p, TEXT("commit")), found->commit);
        if (found->commit_age_s.present)
                p = put_natural(put_text(p, TEXT("commit_age_s")), (uint64_t)found->commit_age_s.value);
        return p;
}

static inline uint8_t *put_answer(uint8_t *p, Text layer, const Found *found)
{
        bool max = found->has_range && found->range.max != CAPABILITY_MAX, chosen = found->repository != NULL;

        *p++ = (uint8_t)(0x80 | (5 + found->has_range + max + (found->redirect.data != NULL) +
                                 (found->commit.data != NULL) + found->commit_age_s.present + 2 * chosen));
        p = put_text(put_text(p, TEXT("layer")), layer);
        p = put_text(put_text(p, TEXT("mode")), mode_text(found->mode));
        p = put_text(put_text(p, TEXT("source")), found->source);
        if (found->has_range)
                p = put_natural(put_text(p, TEXT("min")), (uint64_t)found->range.min);
        if (max)
                p = put_natural(put_text(p, TEXT("max")), (uint64_t)found->range.max);
        p = put_hub(put_reference(put_text(p, TEXT("reference")), &found->reference), found);
        if (chosen) {
                p = put_text(put_text(p, TEXT("variant")), found->variant);
                p = put_text(put_text(p, TEXT("arch")), found->arch == ARCH_OK ? TEXT("ok") : TEXT("unknown"));
        }
        return put_text(put_text(p, TEXT("state")), found->state);
}

static int encode_found(Text layer, const Found *found, Buffer *answers)
{
        size_t room = answer_room(layer, found);
        int r = answers->capacity - answers->size < room ? buffer_reserve(answers, room) : 0;
        uint8_t *from;

        if (r < 0)
                return r;
        from = answers->data + answers->size;
        answers->size += (size_t)(put_answer(from, layer, found) - from);
        return 0;
}

/* {name, message}: the message cut to what an answer may carry. */
static int encode_error(FaultName name, Text message, Buffer *answers)
{
        Text spelling = text_of(fault_spelling(name));
        uint8_t *p;
        int r;

        r = buffer_reserve(answers, ANSWER_ROOM + LIMIT_ANSWER_MESSAGE);
        if (r < 0)
                return r;
        p = answers->data + answers->size;
        *p++ = 0x82;
        p = put_text(put_text(p, TEXT("name")), spelling);
        p = put_text(put_text(p, TEXT("message")), text_cut(message, LIMIT_ANSWER_MESSAGE));
        answers->size = (size_t)(p - answers->data);
        return 0;
}

/* One that the index has answered. */
static int encode_hit(const Asker *asker, const MsgQuery *query, const IndexQuery *asked, const ViewHit *hit,
                      Buffer *answers)
{
        Found found;
        Fault fault;
        Miss miss;
        int r;

        if (hit->answer != INDEX_FOUND || !found_of_hit(asker->host, hit, &found)) {
                miss = miss_of_hit(hit->answer, asked, query->capability);
                return encode_error(miss.name, miss.message, answers);
        }
        r = found_choose(&found, asker, query, asked->device, NULL, &fault);
        if (r > 0)
                return encode_error(fault.name, text_of(fault.message), answers);
        return r < 0 ? r : encode_found(query->layer, &found, answers);
}

/* One that could not be asked: says why. */
static int encode_refused(const MsgQuery *query, Buffer *answers)
{
        IndexQuery ignored;
        Fault fault = FAULT_NULL;

        (void)query_parse(query, &ignored, &fault);
        return encode_error(fault.name, text_of(fault.message), answers);
}

static int resolve_some(const Asker *asker, const MsgQuery *queries, size_t n, Buffer *answers)
{
        IndexQuery asked[RESOLVE_BATCH];
        ViewHit hits[RESOLVE_BATCH];
        uint64_t refused = 0;
        Fault fault;
        int r;

        for (size_t i = 0; i < n; i++)
                if (query_parse(&queries[i], &asked[i], &fault)) {
                        asked[i] = (IndexQuery){ .layer = TEXT("") };
                        refused |= UINT64_C(1) << i;
                }
        r = view_lookup_batch(asker->view, asker->host, asked, n, hits);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                if (hits[i].answer == INDEX_FOUND && !hits[i].entry)
                        index_prefetch(&asker->host->index, hits[i].host.record);
        for (size_t i = 0; !r && i < n; i++)
                r = refused >> i & 1 ? encode_refused(&queries[i], answers) :
                                       encode_hit(asker, &queries[i], &asked[i], &hits[i], answers);
        return r;
}

int resolve_encode(const Asker *asker, const MsgQuery *queries, size_t n, Buffer *answers)
{
        size_t before = answers->size;

        for (size_t i = 0; i < n; i += RESOLVE_BATCH) {
                int r = resolve_some(asker, queries + i, n - i < RESOLVE_BATCH ? n - i : RESOLVE_BATCH, answers);

                if (r < 0) {
                        answers->size = before;
                        return r;
                }
        }
        return 0;
}
