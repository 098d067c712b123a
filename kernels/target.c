#include "kernels/target.h"

#include <errno.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

int target_new(const Environment *environment, Device device, OptionalInteger capability, Text gfx, Target **ret_target)
{
        CLEANUP(target_unrefp) Target *target = alloc_zeroed(1, sizeof(*target));
        Fault fault;

        if (!target)
                return error_trace(-ENOMEM);
        target->n_users = 1;
        if (environment_init(&target->environment, &environment->message, false, &fault))
                return error_trace(-EINVAL); /* it was checked when it was made */
        target->environment.present = environment->present;
        target->device = device;
        if (device_has_capability(device))
                target->capability = capability;
        if (gfx.size && gfx.size <= LIMIT_WORD)
                memcpy(target->gfx, gfx.data, gfx.size);
        *ret_target = STEAL(target);
        return 0;
}

Target *target_ref(Target *target)
{
        (void)__atomic_add_fetch(&target->n_users, 1, __ATOMIC_RELAXED);
        return target;
}

Target *target_unref(Target *target)
{
        if (target && !__atomic_sub_fetch(&target->n_users, 1, __ATOMIC_ACQ_REL))
                alloc_free(target);
        return NULL;
}

Text target_gfx(const Target *target)
{
        return target->gfx[0] ? text_of(target->gfx) : TEXT_NULL;
}

static bool environment_is_same(const MsgEnvironment *a, const MsgEnvironment *b)
{
        return text_equal(a->torch, b->torch) && a->cxx11_abi == b->cxx11_abi && text_equal(a->tvm_ffi, b->tvm_ffi) &&
               text_equal(a->backend, b->backend) && text_equal(a->cpu, b->cpu) && text_equal(a->os, b->os) &&
               text_equal(a->python, b->python) && a->free_threaded == b->free_threaded;
}

bool target_is_same(const Target *a, const Target *b)
{
        return a->device == b->device && a->capability.present == b->capability.present &&
               a->capability.value == b->capability.value && text_equal(target_gfx(a), target_gfx(b)) &&
               environment_is_same(&a->environment.message, &b->environment.message);
}

bool target_is_among(Target *const *targets, size_t n, const Target *target)
{
        for (size_t i = 0; i < n; i++)
                if (target_is_same(targets[i], target))
                        return true;
        return false;
}
