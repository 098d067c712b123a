#include "client/kernelize.h"

#include <errno.h>
#include <string.h>

#include "client/answer.h"
#include "client/failure.h"
#include "client/kernel.h"
#include "proto/base/alloc.h"
#include "proto/device.h"
#include "proto/gate.h"

#define KERNELIZE_FLAGS (KD_FRESH | KD_TRUST_REMOTE_CODE | KD_USE_FALLBACK | KD_USE_FALLBACK_ALWAYS)

/* --- what is known of a layer --- */

bool plan_covers(const Plan *plan, int code, kd_gate gate)
{
        bool always = plan->flags & KD_USE_FALLBACK_ALWAYS;
        bool either = always || plan->flags & KD_USE_FALLBACK;

        /* What the daemon had answered before it went is a positive code. */
        if (plan->unreachable && code < 0)
                return either;
        switch (code) {
        case KD_NO_MAPPING:
        case KD_NO_DEVICE:
        case KD_NO_CAPABILITY:
        case KD_NO_MODE:
                return either;
        case -ENOTSUP:
                return gate == KD_GATE_REQUESTED_MODE_UNSUPPORTED && either;
        case KD_BAD_REQUEST: /* mistakes of the program, which no other daemon or day would heal */
        case KD_INVALID_MODE:
        case KD_INVALID_DEVICE:
        case KD_INVALID_RANGE:
        case KD_INVALID_NAME:
        case -EINVAL:
        case -ENOMEM:
                return false;
        default:
                return always;
        }
}

static const PlanName *plan_name(const Plan *plan, size_t i)
{
        return &plan->names[plan->numbers[i]];
}

/* What the kernel states goes before what the layer says. */
static kd_gate plan_judge(const Plan *plan, const kd_layer *layer, const PlanName *name)
{
        return kd_gate_judge(plan->mode, name->answer->mode,
                             name->has_backward >= 0 ? name->has_backward : layer->has_backward,
                             name->can_torch_compile >= 0 ? name->can_torch_compile : layer->can_torch_compile, false);
}

Outcome plan_outcome(const Plan *plan, size_t i)
{
        const PlanName *name = plan_name(plan, i);
        const kd_layer *layer = &plan->layers[i];
        Outcome outcome = { .code = name->why.code };

        if (outcome.code)
                return outcome;
        if (layer->n_arguments >= 0 && name->n_arguments >= 0 && layer->n_arguments != name->n_arguments) {
                outcome.code = -EPROTOTYPE;
                return outcome;
        }
        outcome.gate = plan_judge(plan, layer, name);
        switch (outcome.gate) {
        case KD_GATE_USE_KERNEL:
                outcome.function = name->function;
                break;
        case KD_GATE_REGISTERED_MODE_UNSUPPORTED:
        case KD_GATE_REQUESTED_MODE_UNSUPPORTED:
                outcome.code = -ENOTSUP;
                break;
        default: /* a daemon that goes by another chain of modes */
                outcome.code = KD_NO_MODE;
        }
        return outcome;
}

static const char *answer_place(const kd_answer *answer)
{
        if (answer->repo)
                return answer->repo;
        return answer->path ? answer->path : "a repository without a name";
}

static void describe_kernel(const Plan *plan, const PlanName *name, kd_error *text)
{
        const kd_answer *kernel = kd_kernel_answer(plan->kernels[name->kernel].kernel);
        Fault said;

        (void)fault_set(&said, FAULT_NONE, "%s%s%s, variant %s, registered for %s", answer_place(name->answer),
                        kernel->commit ? " at commit " : "", kernel->commit ? kernel->commit : "",
                        kernel->variant ? kernel->variant : "not named", name->answer->mode);
        (void)failure_as(text, 0, false, "", said.message);
}

static void describe_gate(const Plan *plan, const PlanName *name, kd_gate gate, kd_error *text)
{
        bool registered = gate == KD_GATE_REGISTERED_MODE_UNSUPPORTED;
        Fault said;

        (void)fault_set(&said, FAULT_NONE, "the kernel of %s cannot be used for %s, %s: %s", answer_place(name->answer),
                        registered ? name->answer->mode : plan->mode,
                        registered ? "for which the mapping registers it" : "which is asked for",
                        registered ? "correct the mapping, or the kernel's metadata.json" :
                                     "register one that can, ask for another mode, or allow the original");
        (void)failure_as(text, -ENOTSUP, false, gate_spelling((GateAnswer)gate), said.message);
}

void plan_describe(const Plan *plan, size_t i, const Outcome *outcome, kd_error *ret_text)
{
        const PlanName *name = plan_name(plan, i);

        if (!outcome->code)
                describe_kernel(plan, name, ret_text);
        else if (name->why.code)
                (void)failure_as(ret_text, name->why.code, name->why.retry, name->why.name, name->why.message);
        else if (outcome->code == -ENOTSUP)
                describe_gate(plan, name, outcome->gate, ret_text);
        else if (outcome->code == -EPROTOTYPE)
                (void)failure_set(ret_text, -EPROTOTYPE, "the kernel of %s takes %d arguments, the layer's function %d: "
                                                         "map the layer to one that takes the same",
                                  answer_place(name->answer), name->n_arguments, plan->layers[i].n_arguments);
        else
                (void)failure_refuse(ret_text, FAULT_NO_MODE, "kernelsd answered with a kernel for %s, which does not "
                                                              "serve %s: install the same version of library and daemon",
                                     name->answer->mode ? name->answer->mode : "no mode", plan->mode);
}

/* --- the first phase: nothing is changed --- */

static int kernelize_check(const Plan *plan, kd_error *error)
{
        Device device;
        Fault fault;
        Mode mode;
        int r;

        r = flags_check(plan->flags, KERNELIZE_FLAGS, error);
        if (r)
                return r;
        if (!plan->mode || !plan->device)
                return failure_refuse(error, FAULT_BAD_REQUEST, "layers are kernelized for a mode on a device: name both");
        if (mode_parse_request(text_of(plan->mode), &mode, &fault) || device_parse(text_of(plan->device), &device, &fault))
                return failure_fault(error, &fault);
        for (size_t i = 0; i < plan->n; ++i)
                if (!plan->layers[i].name || !plan->layers[i].forward)
                        return failure_refuse(error, FAULT_BAD_REQUEST, "layer number %zu lacks its name or its "
                                                                        "function: set `name` and `forward`", i);
        return 0;
}

/* The first layer that can have neither its kernel nor, by the flags, its original. */
static int plan_check(const Plan *plan, kd_error *error)
{
        for (size_t i = 0; i < plan->n; ++i) {
                Outcome outcome = plan_outcome(plan, i);
                kd_error text;
                Fault said;

                if (!outcome.code || plan_covers(plan, outcome.code, outcome.gate))
                        continue;
                plan_describe(plan, i, &outcome, &text);
                (void)fault_set(&said, FAULT_NONE, "layer \"%s\": %s", plan->layers[i].name, text.message);
                return failure_as(error, outcome.code, text.retry, text.name, said.message);
        }
        return 0;
}

/* --- the second phase: nothing fails --- */

static void layer_set_reason(kd_layer *layer, const char *before, const char *text)
{
        Fault said;
        Text cut;

        (void)fault_set(&said, FAULT_NONE, "%s%s", before, text);
        cut = text_cut(text_of(said.message), sizeof(layer->reason) - 1);
        memcpy(layer->reason, cut.data, cut.size);
        layer->reason[cut.size] = 0;
}

/* The original in its place; what the layer held is the caller's to free. */
static kd_kernel *layer_restore(kd_layer *layer)
{
        if (layer->original)
                layer->forward = layer->original;
        layer->original = NULL;
        return STEAL(layer->kernel);
}

static void plan_apply(const Plan *plan, kd_kernel **old)
{
        for (size_t i = 0; i < plan->n; ++i) {
                Outcome outcome = plan_outcome(plan, i);
                kd_layer *layer = &plan->layers[i];
                kd_error text;

                plan_describe(plan, i, &outcome, &text);
                old[i] = layer_restore(layer);
                layer->code = outcome.code;
                layer_set_reason(layer, outcome.code ? "the original is kept: " : "", text.message);
                if (outcome.code)
                        continue;
                layer->kernel = kernel_ref(plan->kernels[plan_name(plan, i)->kernel].kernel);
                layer->original = layer->forward;
                layer->forward = outcome.function;
        }
}

int kd_kernelize(kd_client *client, uint32_t view, kd_layer *layers, size_t n, const char *mode, const char *device,
                 int64_t capability, unsigned flags, kd_error *error)
{
        CLEANUP(plan_deinit) Plan plan = { .client = client, .view = view, .layers = layers, .n = n, .mode = mode,
                                           .device = device, .capability = capability, .flags = flags };
        CLEANUP_ALLOC kd_kernel **old = NULL;
        int r;

        r = kernelize_check(&plan, error);
        if (r || !n)
                return r;
        old = alloc_zeroed(n, sizeof(kd_kernel *));
        if (!old)
                return failure_memory(error);
        r = plan_make(&plan, error);
        if (!r)
                r = plan_check(&plan, error);
        if (r)
                return r;
        plan_apply(&plan, old);
        plan_report(&plan);
        for (size_t i = 0; i < n; ++i)
                (void)kd_kernel_free(old[i]);
        return 0;
}

/* The functions first: a library is unloaded when nothing calls it any more. */
void kd_unkernelize(kd_layer *layers, size_t n)
{
        for (size_t i = 0; i < n; ++i) {
                kd_kernel *kernel = layer_restore(&layers[i]);

                layers[i].kernel = kernel;
                layers[i].code = 0;
                layers[i].reason[0] = 0;
        }
        for (size_t i = 0; i < n; ++i)
                layers[i].kernel = kd_kernel_free(layers[i].kernel);
}
