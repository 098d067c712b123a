#include "kernels/arch.h"

#include "kernels/environment.h"

typedef enum Suffix { SUFFIX_NONE, SUFFIX_EXACT, SUFFIX_FAMILY, SUFFIX_PTX } Suffix;

/* "9.0a" to 9.0 and its suffix; false: not of that form. */
static bool cuda_arch_parse(Text arch, Version2 *ret_version, Suffix *ret_suffix)
{
        Suffix suffix = SUFFIX_NONE;
        Text ptx = TEXT("+PTX");

        if (arch.size > ptx.size && text_ends_with(arch, ptx)) {
                suffix = SUFFIX_PTX;
                arch.size -= ptx.size;
        } else if (arch.size && (arch.data[arch.size - 1] == 'a' || arch.data[arch.size - 1] == 'f')) {
                suffix = arch.data[arch.size - 1] == 'a' ? SUFFIX_EXACT : SUFFIX_FAMILY;
                arch.size--;
        }
        if (!version2_parse(arch, ret_version) || ret_version->minor > 9)
                return false;
        *ret_suffix = suffix;
        return true;
}

static bool cuda_arch_runs(Version2 arch, Suffix suffix, int64_t major, int64_t minor)
{
        switch (suffix) {
        case SUFFIX_EXACT:
                return arch.major == major && arch.minor == minor;
        case SUFFIX_PTX:
                return major > arch.major || (major == arch.major && minor >= arch.minor);
        default:
                return arch.major == major && minor >= arch.minor;
        }
}

static ArchVerdict judge_cuda(const TextList *archs, int64_t capability)
{
        ArchVerdict verdict = ARCH_REFUSED;

        for (size_t i = 0; i < archs->n; i++) {
                Version2 arch;
                Suffix suffix;

                if (!cuda_arch_parse(archs->items[i], &arch, &suffix))
                        verdict = ARCH_UNKNOWN;
                else if (cuda_arch_runs(arch, suffix, capability / 10, capability % 10))
                        return ARCH_OK;
        }
        return verdict;
}

/* "gfx90a", or "gfx90a:xnack-" where the driver tells features too. Generic
 * targets ("gfx9-4-generic") run on more than their name says. */
static ArchVerdict judge_rocm(const TextList *archs, Text gfx)
{
        const char *colon = gfx.size ? memchr(gfx.data, ':', gfx.size) : NULL;
        Text plain = { gfx.data, colon ? (size_t)(colon - gfx.data) : gfx.size };
        ArchVerdict verdict = ARCH_REFUSED;

        for (size_t i = 0; i < archs->n; i++) {
                Text arch = archs->items[i];

                if (text_equal(arch, gfx) || text_equal(arch, plain))
                        return ARCH_OK;
                if (!text_starts_with(arch, TEXT("gfx")) || memchr(arch.data, '-', arch.size))
                        verdict = ARCH_UNKNOWN;
        }
        return verdict;
}

ArchVerdict arch_judge(const TextList *archs, Device device, OptionalInteger capability, Text gfx)
{
        if (!archs)
                return ARCH_UNKNOWN;
        if (device == DEVICE_CUDA && capability.present)
                return judge_cuda(archs, capability.value);
        if (device == DEVICE_ROCM && gfx.data)
                return judge_rocm(archs, gfx);
        return ARCH_UNKNOWN;
}

const char *arch_explain_unknown(const TextList *archs, Device device, OptionalInteger capability, Text gfx)
{
        if (device != DEVICE_CUDA && device != DEVICE_ROCM)
                return "not judged: this device type has no archs";
        if (!archs)
                return "not judged: no metadata.json states archs";
        if (device == DEVICE_CUDA && !capability.present)
                return "not judged: the query names no capability";
        if (device == DEVICE_ROCM && !gfx.data)
                return "not judged: the query names no gfx";
        return "not judged: metadata.json states archs of a form that is not known here";
}
