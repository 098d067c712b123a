#include "tests/conformance/model.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/case.h"

/* What each mode that can be asked for looks for, in order. */
static const char *const chains[][6] = {
        { "inference", "inference|torch_compile", "training", "training|torch_compile", "fallback" },
        { "inference|torch_compile", "training|torch_compile", "fallback" },
        { "training", "training|torch_compile", "fallback" },
        { "training|torch_compile", "fallback" },
};

static const char *const devices[] = { "cpu", "cuda", "mps", "neuron", "npu", "rocm", "tpu", "xpu" };

static bool is_device(const char *name)
{
        for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
                if (strcmp(name, devices[i]) == 0)
                        return true;
        return false;
}

static bool has_ranges(const char *device)
{
        return strcmp(device, "cuda") == 0 || strcmp(device, "rocm") == 0;
}

static int64_t lowest(const json_t *entry)
{
        const json_t *value = json_object_get(entry, "min_capability");

        return json_is_integer(value) ? json_integer_value(value) : 0;
}

static int64_t highest(const json_t *entry)
{
        const json_t *value = json_object_get(entry, "max_capability");

        return json_is_integer(value) ? json_integer_value(value) : INT64_MAX;
}

static bool same_place(const json_t *a, const json_t *b)
{
        return json_equal(json_object_get(a, "layer"), json_object_get(b, "layer")) &&
               json_equal(json_object_get(a, "device"), json_object_get(b, "device")) &&
               lowest(a) == lowest(b) && highest(a) == highest(b);
}

/* The same layer, device and range again replaces the whole table of modes. */
static void add_entry(json_t *mapping, json_t *entry)
{
        for (size_t i = 0; i < json_array_size(mapping); i++)
                if (same_place(json_array_get(mapping, i), entry)) {
                        json_array_set(mapping, i, entry);
                        return;
                }
        json_array_append(mapping, entry);
}

static json_t *extended(const json_t *mapping, const json_t *step)
{
        json_t *made = json_is_true(json_object_get(step, "inherit")) ? json_copy((json_t *)mapping) : json_array();
        const json_t *entries = json_object_get(step, "entries");

        for (size_t i = 0; i < json_array_size(entries); i++)
                add_entry(made, json_array_get(entries, i));
        return made;
}

/* Narrower first, then the higher minimum; never by subtraction that overflows. */
static bool is_better(const json_t *entry, const json_t *best)
{
        uint64_t width = (uint64_t)highest(entry) - (uint64_t)lowest(entry);
        uint64_t best_width = best ? (uint64_t)highest(best) - (uint64_t)lowest(best) : UINT64_MAX;

        return !best || width < best_width || (width == best_width && lowest(entry) > lowest(best));
}

static json_t *fails(const char *error)
{
        return json_pack("{s:s}", "error", error);
}

static json_t *pick_mode(const json_t *entry, const char *const *chain)
{
        const json_t *label = NULL;

        for (; *chain; chain++) {
                label = json_object_get(json_object_get(entry, "modes"), *chain);
                if (label)
                        return json_pack("{s:O,s:s}", "repo", label, "mode", *chain);
        }
        return fails("no_mode");
}

static json_t *answer(const json_t *mapping, const json_t *query)
{
        const char *const *chain = NULL;
        const char *device = case_text(query, "device");
        int64_t capability = json_integer_value(json_object_get(query, "capability"));
        const json_t *best = NULL;
        bool layer_known = false, device_known = false;

        for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++)
                if (strcmp(chains[i][0], case_text(query, "mode")) == 0)
                        chain = chains[i];
        if (!chain)
                return fails("invalid_mode");
        if (!is_device(device))
                return fails("invalid_device");

        for (size_t i = 0; i < json_array_size(mapping); i++) {
                const json_t *entry = json_array_get(mapping, i);

                if (!json_equal(json_object_get(entry, "layer"), json_object_get(query, "layer")))
                        continue;
                layer_known = true;
                if (strcmp(case_text(entry, "device"), device) != 0)
                        continue;
                device_known = true;
                if (has_ranges(device) && (capability < lowest(entry) || capability > highest(entry)))
                        continue;
                if (is_better(entry, best))
                        best = entry;
        }
        if (best)
                return pick_mode(best, chain);
        return fails(device_known ? "no_capability" : layer_known ? "no_device" : "no_mapping");
}

static void model_step(json_t *scopes, json_t *step)
{
        size_t top = json_array_size(scopes) - 1;
        const json_t *mapping = json_array_get(scopes, top);
        const char *op = case_text(step, "op");

        if (strcmp(op, "query") == 0) {
                json_object_set_new(step, "expect", answer(mapping, step));
        } else if (strcmp(op, "pop_scope") == 0) {
                if (top > 0)
                        json_array_remove(scopes, top);
        } else if (!json_object_get(json_object_get(step, "expect"), "error")) {
                if (strcmp(op, "push_scope") == 0)
                        json_array_append_new(scopes, extended(mapping, step));
                else
                        json_array_set_new(scopes, top, extended(mapping, step));
        }
}

json_t *model_resolve(const json_t *one)
{
        json_t *ours = json_deep_copy(one);
        json_t *steps = json_object_get(ours, "steps");
        json_t *scopes = json_pack("[[]]");

        for (size_t i = 0; i < json_array_size(steps); i++)
                model_step(scopes, json_array_get(steps, i));
        json_decref(scopes);
        return ours;
}
