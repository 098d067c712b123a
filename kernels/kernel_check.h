/* Everything that must hold before a variant folder of the host is leased: who
 * may have written it, what metadata.json says, and that its files hash to the
 * digest stated there. In steps; file thread only. */
#pragma once

#include "kernels/metadata.h"
#include "kernels/ownership.h"
#include "kernels/step.h"

/* What every file of a checked folder looked like (device, inode, size, mtime,
 * ctime): while that is so, the digest need not be worked out again. */
typedef struct KernelReceipt {
        uint8_t fingerprint[32];
} KernelReceipt;

typedef struct KernelCheck KernelCheck;

/* Of path/build/variant. `path` is absolute; `owner` the daemon's uid; receipt
 * NULL: of no earlier check. Opens nothing yet. 0, -ENOMEM. */
int kernel_check_new(const char *path, Text variant, uid_t owner, const KernelReceipt *receipt,
                     KernelCheck **ret_check);

/* One step, reading at most max_bytes. STEP_MORE; STEP_DONE; STEP_FAULT:
 * invalid-name, no-repository, untrusted, corrupt, too-large; negative. */
int kernel_check_step(KernelCheck *check, size_t max_bytes, Fault *fault);

void kernel_check_progress(const KernelCheck *check, Progress *ret_progress);

/* After STEP_DONE. The descriptor (O_DIRECTORY | O_RDONLY | O_CLOEXEC) is an
 * open file description of its own; the caller closes it. */
int kernel_check_take_fd(KernelCheck *check);
Metadata *kernel_check_take_metadata(KernelCheck *check); /* NULL: the folder has none */
KernelReceipt kernel_check_receipt(const KernelCheck *check);
bool kernel_check_hashed(const KernelCheck *check);       /* false: the receipt held, or no digest is stated */

enum { KERNEL_CHECK_OTHERS = 2 };

/* Of a folder in which this process has just put n_files in place, file by file
 * as its digest states: what the receipt of a check would be. All at once: nothing
 * is hashed. 0; 1 with a fault; KERNEL_CHECK_OTHERS: other files lie there as
 * well, so that a check must look; negative. */
int kernel_check_receipt_of(const char *path, Text variant, size_t n_files, KernelReceipt *ret_receipt, Fault *fault);

KernelCheck *kernel_check_free(KernelCheck *check);
DEFINE_CLEANUP(KernelCheck *, kernel_check_free)
