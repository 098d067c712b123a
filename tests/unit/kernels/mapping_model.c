#include "tests/unit/kernels/mapping_model.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/fixture.h"

static void model_drop(MappingModel *model, size_t i)
{
        entry_unref(model->entries[i]);
        memmove(&model->entries[i], &model->entries[i + 1], (model->n - i - 1) * sizeof(Entry *));
        model->n--;
}

static bool model_hides(const Entry *newer, const Entry *older)
{
        bool same_range = newer->range.min == older->range.min && newer->range.max == older->range.max;

        if (!text_equal(newer->layer, older->layer))
                return false;
        if (newer->removes && newer->device == DEVICE_NONE)
                return true;
        return newer->device == older->device && (same_range || (newer->removes && !newer->has_bounds));
}

void mapping_model_add(MappingModel *model, Entry *entry)
{
        for (size_t i = model->n; i--;)
                if (model_hides(entry, model->entries[i]))
                        model_drop(model, i);
        if (entry->removes)
                return;
        if (model->n == model->capacity) {
                model->capacity = model->capacity * 2 + 16;
                model->entries = alloc_resize(model->entries, model->capacity, sizeof(Entry *));
                ck_assert_ptr_nonnull(model->entries);
        }
        model->entries[model->n++] = entry_ref(entry);
}

void mapping_model_deinit(MappingModel *model)
{
        while (model->n)
                model_drop(model, model->n - 1);
        alloc_free(model->entries);
        *model = (MappingModel){ 0 };
}

static bool model_better(const Entry *a, const Entry *b)
{
        __int128 width_a = (__int128)a->range.max - a->range.min, width_b = (__int128)b->range.max - b->range.min;

        return width_a < width_b || (width_a == width_b && a->range.min > b->range.min);
}

static ModelAnswer model_mode(const Entry *entry, Mode request)
{
        const Mode *chain;
        size_t n = mode_chain(request, &chain);

        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < entry->n_modes; j++)
                        if (entry->modes[j].mode == chain[i])
                                return (ModelAnswer){ INDEX_FOUND, entry, chain[i] };
        return (ModelAnswer){ .answer = INDEX_NO_MODE };
}

ModelAnswer mapping_model_ask(const MappingModel *model, Text layer, Device device, int64_t capability, Mode request)
{
        ModelAnswer answer = { .answer = INDEX_NO_MAPPING };
        const Entry *best = NULL;

        for (size_t i = 0; i < model->n; i++) {
                const Entry *entry = model->entries[i];

                if (!text_equal(entry->layer, layer))
                        continue;
                if (answer.answer == INDEX_NO_MAPPING)
                        answer.answer = INDEX_NO_DEVICE;
                if (entry->device != device)
                        continue;
                answer.answer = INDEX_NO_CAPABILITY;
                if (device_has_capability(device) && (capability < entry->range.min || capability > entry->range.max))
                        continue;
                if (!best || model_better(entry, best))
                        best = entry;
        }
        return best ? model_mode(best, request) : answer;
}

uint32_t mapping_dice(MappingDice *dice, uint32_t n)
{
        dice->state = dice->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)((dice->state >> 32) % n);
}

static const char *const dice_layers[] = {
        "", "A", "AB", "Norm", "RMSNorm", "SiluAndMul", "SiluAndMulX", "Schön", "RotaryEmbedding16", "layer.norm",
        "A name of forty-eight bytes fits in the record..", "A name of forty-nine bytes does not fit in a record",
        "A long name, which is long enough to be kept in the pool of texts, and then some more of it, and some more",
};

static const int64_t dice_bounds[] = {
        0, 1, 50, 70, 75, 80, 89, 90, 100, 103, 120, 255, 65535, 65536, INT64_MAX - 1, INT64_MAX,
};

Text mapping_dice_layer(MappingDice *dice)
{
        return text_of(dice_layers[mapping_dice(dice, ARRAY_SIZE(dice_layers))]);
}

int64_t mapping_dice_capability(MappingDice *dice)
{
        int64_t bound = dice_bounds[mapping_dice(dice, ARRAY_SIZE(dice_bounds))];

        switch (mapping_dice(dice, 4)) {
        case 0:
                return bound - 1;
        case 1:
                return bound < INT64_MAX ? bound + 1 : bound;
        default:
                return bound;
        }
}

static OptionalInteger dice_bound(MappingDice *dice, size_t first, size_t *ret_number)
{
        *ret_number = first + mapping_dice(dice, (uint32_t)(ARRAY_SIZE(dice_bounds) - first));
        return mapping_dice(dice, 4) ? INTEGER_PRESENT(dice_bounds[*ret_number]) : INTEGER_ABSENT;
}

static size_t dice_modes(MappingDice *dice, EntryMode modes[_MODE_MAX])
{
        size_t n = 0;

        for (Mode mode = 0; mode < _MODE_MAX; mode++) {
                EntryMode *to = &modes[n];

                if (!mode_is_valid(mode) || mapping_dice(dice, 3))
                        continue;
                *to = (EntryMode){ .mode = mode };
                to->reference.layer = mapping_dice(dice, 2) ? TEXT("Other") : TEXT_NULL;
                to->reference.repo = mapping_dice(dice, 2) ? TEXT("org/name") : TEXT("kernels-community/activation");
                to->reference.kind = REFERENCE_VERSION;
                to->reference.version = mapping_dice(dice, 3);
                n++;
        }
        return n;
}

Entry *mapping_dice_entry(MappingDice *dice, bool may_remove, uint16_t source)
{
        static const char *const devices[] = { "cpu", "cuda", "cuda", "cuda", "rocm", "xpu" };
        EntryMode modes[_MODE_MAX];
        EntryDraft draft = { .layer = mapping_dice_layer(dice), .source = source, .modes = modes };
        Entry *entry = NULL;
        Fault fault;
        int r;

        if (mapping_dice(dice, 12))
                draft.device = text_of(devices[mapping_dice(dice, ARRAY_SIZE(devices))]);
        draft.removes = may_remove && !mapping_dice(dice, 8);
        if (draft.device.data && !draft.removes)
                draft.n_modes = dice_modes(dice, modes);
        if (text_equal(draft.device, TEXT("cuda")) || text_equal(draft.device, TEXT("rocm"))) {
                size_t number = 0;

                draft.min = dice_bound(dice, 0, &number);
                draft.max = dice_bound(dice, draft.min.present ? number : 0, &number);
        }
        r = entry_new(&draft, &entry, &fault);
        ck_assert_msg(r == 0, "%s", r > 0 ? fault.message : "memory");
        return entry;
}

Entry *mapping_entry(const char *layer, const char *device, int64_t min, int64_t max, const char *modes, int64_t n)
{
        EntryMode items[_MODE_MAX];
        EntryDraft draft = {
                .layer = text_of(layer), .device = text_of(device), .modes = items,
                .min = min < 0 ? INTEGER_ABSENT : INTEGER_PRESENT(min),
                .max = max < 0 ? INTEGER_ABSENT : INTEGER_PRESENT(max),
        };
        Entry *entry = NULL;
        Fault fault;

        while (modes && *modes) {
                size_t size = strcspn(modes, " ");

                items[draft.n_modes] = (EntryMode){ .reference = { .repo = TEXT("org/name"), .version = n } };
                ck_assert_int_eq(mode_parse((Text){ modes, size }, &items[draft.n_modes++].mode, &fault), 0);
                modes += size + (modes[size] == ' ');
        }
        ck_assert_int_eq(entry_new(&draft, &entry, &fault), 0);
        return entry;
}
