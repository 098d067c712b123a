#include "kernels/choice_memo.h"

#include <errno.h>

#include "proto/base/alloc.h"

/* Guess: a model uses two or three local repositories on one device. */
#define MEMO_SLOTS 16

/* Longer gfx names are not remembered; "gfx942:sramecc+" fits. */
#define MEMO_GFX 23

typedef struct MemoSlot {
        Repository *repository; /* counted; NULL: free */
        OptionalInteger capability;
        uint8_t device;
        uint8_t gfx_size;
        char gfx[MEMO_GFX];
        ArchVerdict arch;
        size_t variant;
        Fault *fault;           /* NULL: a variant was chosen */
} MemoSlot;

struct ChoiceMemo {
        MemoSlot slots[MEMO_SLOTS];
};

static void slot_forget(MemoSlot *slot)
{
        repository_unref(slot->repository);
        alloc_free(slot->fault);
        *slot = (MemoSlot){ 0 };
}

void choice_memo_forget(ChoiceMemo **memo)
{
        if (!memo || !*memo)
                return;
        for (size_t i = 0; i < MEMO_SLOTS; i++)
                slot_forget(&(*memo)->slots[i]);
        alloc_free(*memo);
        *memo = NULL;
}

static bool slot_is(const MemoSlot *slot, const MemoSlot *key)
{
        return slot->repository == key->repository && slot->device == key->device &&
               slot->capability.present == key->capability.present &&
               slot->capability.value == key->capability.value && slot->gfx_size == key->gfx_size &&
               memcmp(slot->gfx, key->gfx, key->gfx_size) == 0;
}

static size_t slot_number(const MemoSlot *key)
{
        uint64_t mixed = (uintptr_t)key->repository ^ (uint64_t)key->capability.value << 24 ^
                         (uint64_t)key->device << 56;

        return (size_t)(mixed * UINT64_C(0x9e3779b97f4a7c15) >> 60) % MEMO_SLOTS;
}

/* The place for the key, made on first use; NULL: it is not remembered. */
static MemoSlot *memo_slot(ChoiceMemo **memo, const MemoSlot *key)
{
        if (!memo)
                return NULL;
        if (!*memo)
                *memo = alloc_zeroed(1, sizeof(**memo));
        return *memo ? &(*memo)->slots[slot_number(key)] : NULL;
}

static void slot_remember(MemoSlot *slot, const MemoSlot *key, const Fault *fault)
{
        Fault *copy = NULL;

        if (fault) {
                copy = alloc_bytes(sizeof(*copy));
                if (!copy)
                        return;
                *copy = *fault;
        }
        repository_ref(key->repository);
        slot_forget(slot);
        *slot = *key;
        slot->fault = copy;
}

int choice_memo_choose(ChoiceMemo **memo, Repository *repository, const Environment *environment, Device device,
                       OptionalInteger capability, Text gfx, size_t *ret_variant, ArchVerdict *ret_arch,
                       Fault *fault)
{
        MemoSlot key = { .repository = repository, .capability = capability, .device = (uint8_t)device }, *slot;
        int r;

        if (!capability.present)
                key.capability.value = 0;
        if (gfx.size <= MEMO_GFX && gfx.size) {
                key.gfx_size = (uint8_t)gfx.size;
                memcpy(key.gfx, gfx.data, gfx.size);
        }
        slot = gfx.size <= MEMO_GFX ? memo_slot(memo, &key) : NULL;
        if (slot && slot_is(slot, &key)) {
                *ret_variant = slot->variant;
                *ret_arch = slot->arch;
                if (slot->fault)
                        *fault = *slot->fault;
                return slot->fault ? 1 : 0;
        }
        r = repository_choose(repository, environment, device, capability, gfx, NULL, &key.variant, &key.arch, fault);
        if (r < 0)
                return r;
        if (slot)
                slot_remember(slot, &key, r ? fault : NULL);
        *ret_variant = key.variant;
        *ret_arch = key.arch;
        return r;
}
