#include <errno.h>
#include <stdio.h>

#include "kernels/repository.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* One choice. Refusals are told twice: to the trace, all of them, and to a
 * line of text for the fault, until that is full. */
typedef struct Choice {
        const Repository *repository;
        VariantTarget target;
        Trace *trace;
        Arena arena;              /* of what is told */
        size_t n;
        Variant *variants;        /* these four in one block each of `arena` */
        size_t *order;
        VariantReason *reasons;
        char told[LIMIT_FAULT_MESSAGE];
        size_t n_told;
        bool told_enough;         /* the line of text is full */
        const Fault *first_fault; /* of the best variant that its metadata rules out */
        bool arch_refused;
} Choice;

static int choice_init(Choice *choice, const Repository *repository)
{
        size_t n = repository->n_variants;

        choice->repository = repository;
        choice->n = n;
        choice->variants = arena_zeroed(&choice->arena, n, sizeof(*choice->variants));
        choice->order = arena_zeroed(&choice->arena, n, sizeof(*choice->order));
        choice->reasons = arena_zeroed(&choice->arena, n, sizeof(*choice->reasons));
        if (!choice->variants || !choice->order || !choice->reasons)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < n; i++)
                if (repository->variants[i].parsed)
                        choice->variants[i] = repository->variants[i].variant;
        return 0;
}

static Text trace_source(Choice *choice)
{
        Text name = choice->repository->name;

        if (text_starts_with(name, TEXT("/")))
                return arena_format(&choice->arena, "path:%.*s", TEXT_PRINT(name));
        return text_starts_with(name, TEXT("local:")) ? TEXT("view") : TEXT("hub");
}

/* Whether a refusal is told to anybody: putting it into words is what costs,
 * and a client may ask a thousand times in one request. */
static bool is_told(const Choice *choice)
{
        return choice->trace || !choice->told_enough;
}

static void tell(Choice *choice, Text folder, Text reason)
{
        size_t room = sizeof(choice->told) - choice->n_told;
        int n = snprintf(choice->told + choice->n_told, room, "%s%.*s %.*s", choice->n_told ? "; " : "",
                         TEXT_PRINT(folder), TEXT_PRINT(reason));

        if (n > 0 && (size_t)n < room)
                choice->n_told += (size_t)n;
        else
                choice->told_enough = true;
        choice->told[choice->n_told] = 0; /* whole refusals only */
}

static void refuse(Choice *choice, const char *step, size_t i, Text reason)
{
        Text folder = choice->repository->variants[i].folder;

        if (!choice->told_enough)
                tell(choice, folder, reason);
        if (choice->trace)
                trace_add(choice->trace, step, folder, false, trace_source(choice), INTEGER_ABSENT, "%.*s",
                          TEXT_PRINT(reason));
}

static void refuse_unfit(Choice *choice)
{
        for (size_t i = 0; i < choice->n && is_told(choice); i++)
                if (choice->reasons[i] != VARIANT_REASON_ACCEPTED)
                        refuse(choice, "variant", i,
                               variant_explain(&choice->variants[i], choice->reasons[i], &choice->target,
                                               &choice->arena));
}

static Text describe_archs(Choice *choice, const Metadata *metadata)
{
        Text text = TEXT("");

        for (size_t i = 0; i < metadata->archs.n && text.size < 200; i++)
                text = arena_format(&choice->arena, "%.*s%s%.*s", TEXT_PRINT(text), i ? ", " : "",
                                    TEXT_PRINT(metadata->archs.items[i]));
        return text;
}

static void refuse_arch(Choice *choice, size_t i, Device device, OptionalInteger capability, Text gfx)
{
        Text archs;

        choice->arch_refused = true;
        if (!is_told(choice))
                return;
        archs = describe_archs(choice, choice->repository->variants[i].metadata);
        if (device == DEVICE_ROCM)
                refuse(choice, "arch", i, arena_format(&choice->arena, "is built for %.*s, the device is %.*s",
                                                       TEXT_PRINT(archs), TEXT_PRINT(gfx)));
        else
                refuse(choice, "arch", i,
                       arena_format(&choice->arena, "is built for %.*s, the device has %lld.%lld", TEXT_PRINT(archs),
                                    (long long)(capability.value / 10), (long long)(capability.value % 10)));
}

static void take(Choice *choice, size_t i, const char *arch_reason)
{
        Text folder = choice->repository->variants[i].folder;

        if (!choice->trace)
                return;
        trace_add(choice->trace, "variant", folder, true, trace_source(choice), INTEGER_ABSENT,
                  "the best of those that fit");
        trace_add(choice->trace, "arch", folder, true, trace_source(choice), INTEGER_ABSENT, "%s", arch_reason);
}

static int refuse_all(Choice *choice, Fault *fault)
{
        const Repository *repository = choice->repository;

        if (choice->arch_refused)
                return fault_set(fault, FAULT_ARCH, "no variant of %.*s was built for the device: %s",
                                 TEXT_PRINT(repository->name), choice->told);
        if (choice->first_fault)
                return fault_set(fault, choice->first_fault->name, "%.*s: %s", TEXT_PRINT(repository->name),
                                 choice->told);
        if (!choice->n)
                return fault_set(fault, FAULT_NO_VARIANT, "%.*s has no build variants", TEXT_PRINT(repository->name));
        return fault_set(fault, FAULT_NO_VARIANT, "no variant of %.*s fits the environment%s: %s",
                         TEXT_PRINT(repository->name),
                         choice->target.environment->present ? "" : " (the session has not said what it runs with)",
                         choice->told);
}

/* The first in order of preference that nothing speaks against. */
static bool choose(Choice *choice, size_t n_fit, Device device, OptionalInteger capability, Text gfx,
                   size_t *ret_variant, ArchVerdict *ret_arch)
{
        for (size_t k = 0; k < n_fit; k++) {
                size_t i = choice->order[k];
                const RepositoryVariant *variant = &choice->repository->variants[i];
                const TextList *archs =
                        variant->metadata && variant->metadata->has_archs ? &variant->metadata->archs : NULL;
                ArchVerdict verdict;

                if (variant->metadata_fault.name != FAULT_NONE) {
                        if (!choice->first_fault)
                                choice->first_fault = &variant->metadata_fault;
                        refuse(choice, "variant", i, text_of(variant->metadata_fault.message));
                        continue;
                }
                verdict = arch_judge(archs, device, capability, gfx);
                if (verdict == ARCH_REFUSED) {
                        refuse_arch(choice, i, device, capability, gfx);
                        continue;
                }
                take(choice, i, verdict == ARCH_OK ? "built for the device" :
                                                     arch_explain_unknown(archs, device, capability, gfx));
                *ret_variant = i;
                *ret_arch = verdict;
                return true;
        }
        return false;
}

static void choice_freep(Choice **choice)
{
        if (*choice) {
                arena_deinit(&(*choice)->arena);
                alloc_free(*choice);
        }
}

int repository_choose(const Repository *repository, const Environment *environment, Device device,
                      OptionalInteger capability, Text gfx, Trace *trace, size_t *ret_variant, ArchVerdict *ret_arch,
                      Fault *fault)
{
        CLEANUP(choice_freep) Choice *choice = alloc_zeroed(1, sizeof(*choice));
        size_t n_fit;
        int r;

        if (!choice)
                return error_trace(-ENOMEM);
        choice->trace = trace;
        choice->target = variant_target(environment, device);
        r = choice_init(choice, repository);
        if (r < 0)
                return error_trace(r);
        n_fit = variant_select(choice->variants, choice->n, &choice->target, choice->order, choice->reasons);
        if (trace)
                refuse_unfit(choice);
        if (choose(choice, n_fit, device, capability, gfx, ret_variant, ret_arch))
                return 0;
        if (!trace)
                refuse_unfit(choice);
        return refuse_all(choice, fault);
}
