#include "proto/used.h"

#include "proto/device.h"
#include "proto/mode.h"
#include "proto/name.h"

/* Each text ends up on somebody's terminal. */
static int used_check_names(const MsgUsed *used, Fault *fault)
{
        Device device;
        int r = name_check_layer(used->layer, fault);

        if (r == 0 && used->device.data)
                r = device_parse(used->device, &device, fault);
        if (r == 0 && used->repo.data)
                r = name_check_used(used->repo, fault);
        if (r == 0 && used->variant.data)
                r = name_check_variant(used->variant, fault);
        return r == 0 ? name_check_reason(used->reason, fault) : r;
}

static int used_check_commit(const MsgUsed *used, Fault *fault)
{
        if (!used->commit.data)
                return 0;
        if (!name_is_commit(used->commit))
                return fault_set(fault, FAULT_INVALID_NAME, "\"%.*s\" cannot be a commit: it has 40 hex digits in lower case",
                                 TEXT_PRINT(used->commit));
        if (text_starts_with(used->repo, TEXT("local:")))
                return fault_set(fault, FAULT_BAD_REQUEST, "a local repository has no commit: leave it out");
        return 0;
}

int used_check(const MsgUsed *used, MsgUsed *ret_used, Fault *fault)
{
        Mode mode;
        int r = used_check_names(used, fault);

        if (r == 0)
                r = used_check_commit(used, fault);
        if (r == 0 && !used->repo.data && (used->commit.data || used->variant.data))
                r = fault_set(fault, FAULT_BAD_REQUEST, "commit and variant belong to a kernel: name its repo too");
        *ret_used = *used;
        if (r != 0 || !used->mode.data)
                return r;
        r = mode_parse_request(used->mode, &mode, fault);
        if (r == 0)
                ret_used->mode = mode_text(mode);
        return r;
}
