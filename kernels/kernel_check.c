#include "kernels/kernel_check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernels/tree.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/name.h"

typedef enum Phase { PHASE_OPEN, PHASE_LIST, PHASE_METADATA, PHASE_HASH, PHASE_DONE } Phase;

struct KernelCheck {
        Phase phase;
        char *path;
        char *variant;
        Ownership ownership;
        KernelReceipt receipt;
        bool has_receipt;
        bool hashed;
        int fd;
        Tree *tree;
        Metadata *metadata;
        DigestWork *work;
        Progress progress;
};

int kernel_check_new(const char *path, Text variant, uid_t owner, const KernelReceipt *receipt, KernelCheck **ret_check)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = alloc_zeroed(1, sizeof(*check));

        if (!check)
                return error_trace(-ENOMEM);
        check->fd = -1;
        check->ownership = OWNERSHIP_OF(owner);
        check->path = alloc_text(path, strlen(path));
        check->variant = alloc_text(variant.data, variant.size);
        if (!check->path || !check->variant)
                return error_trace(-ENOMEM);
        if (receipt) {
                check->receipt = *receipt;
                check->has_receipt = true;
        }
        *ret_check = STEAL(check);
        return 0;
}

KernelCheck *kernel_check_free(KernelCheck *check)
{
        if (check) {
                (void)digest_work_free(check->work);
                (void)tree_free(check->tree);
                (void)metadata_free(check->metadata);
                fd_closep(&check->fd);
                alloc_free(check->path);
                alloc_free(check->variant);
                alloc_free(check);
        }
        return NULL;
}

/* --- phases --- */

static int open_folder(KernelCheck *check, Fault *fault)
{
        CLEANUP_FD int repository = -1, build = -1, folder = -1;
        struct stat stat;
        int r;

        if (!name_is_file(text_of(check->variant)))
                return fault_set(fault, FAULT_INVALID_NAME, "\"%s\" is not the name of a variant folder", check->variant);
        r = ownership_open(&check->ownership, AT_FDCWD, check->path, &repository, &stat, fault);
        if (!r)
                r = ownership_open_whole(&check->ownership, repository, "build", &build, &stat, fault);
        if (!r)
                r = ownership_open_whole(&check->ownership, build, check->variant, &folder, &stat, fault);
        if (r)
                return error_trace(r);
        /* A description of its own: the flock on it must be no other lease's. */
        check->fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (check->fd < 0 && (errno == EACCES || errno == ENOTDIR))
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s/build/%s: %s", check->path, check->variant,
                                 errno == EACCES ? "the daemon may not list it" : "is no folder");
        if (check->fd < 0)
                return error_trace(-errno);
        check->phase = PHASE_LIST;
        return error_trace(tree_new(check->fd, &check->ownership, &check->tree));
}

static const TreeFile *find_metadata(const KernelCheck *check)
{
        size_t n;
        const TreeFile *files = tree_files(check->tree, &n);

        for (size_t i = 0; i < n; i++)
                if (text_equal(files[i].path, TEXT("metadata.json")))
                        return &files[i];
        return NULL;
}

static int parse_metadata(KernelCheck *check, const TreeFile *file, char *bytes, Fault *fault)
{
        CLEANUP_FD int fd = -1;
        size_t n_read = 0;
        int r = tree_open(check->tree, file, &fd, fault);

        while (!r && n_read < (size_t)file->stat.st_size) {
                ssize_t n = read(fd, bytes + n_read, (size_t)file->stat.st_size - n_read);

                if (n <= 0)
                        return fault_set(fault, FAULT_CORRUPT, "metadata.json cannot be read");
                n_read += (size_t)n;
        }
        if (!r)
                r = metadata_parse((Text){ bytes, n_read }, &check->metadata, fault);
        return error_trace(r);
}

static int read_metadata(KernelCheck *check, Fault *fault)
{
        const TreeFile *file = find_metadata(check);
        CLEANUP_ALLOC char *bytes = NULL;

        if (!file)
                return 0;
        if (file->stat.st_size < 0 || (uint64_t)file->stat.st_size > LIMIT_METADATA)
                return fault_set(fault, FAULT_CORRUPT, "metadata.json is larger than %u bytes", LIMIT_METADATA);
        bytes = alloc_bytes((size_t)file->stat.st_size);
        if (!bytes)
                return error_trace(-ENOMEM);
        return parse_metadata(check, file, bytes, fault);
}

/* Over every file, those behind links and outside the digest too. */
static int take_fingerprint(KernelCheck *check, KernelReceipt *ret_receipt)
{
        CLEANUP(hash_freep) Hash *hash = NULL;
        uint8_t bytes[HASH_MAX];
        size_t n, size;
        const TreeFile *files = tree_files(check->tree, &n);
        int r = hash_new(HASH_SHA256, &hash);

        for (size_t i = 0; !r && i < n; i++) {
                const struct stat *stat = &files[i].stat;
                const int64_t facts[] = {
                        (int64_t)stat->st_dev,         (int64_t)stat->st_ino,       stat->st_size,
                        stat->st_mtim.tv_sec,          stat->st_mtim.tv_nsec,       stat->st_ctim.tv_sec,
                        stat->st_ctim.tv_nsec,         (int64_t)files[i].path.size,
                };

                r = hash_update(hash, facts, sizeof(facts));
                if (!r)
                        r = hash_update(hash, files[i].path.data, files[i].path.size);
        }
        if (!r)
                r = hash_finish(hash, bytes, &size);
        if (r < 0)
                return error_trace(r);
        memcpy(ret_receipt->fingerprint, bytes, sizeof(ret_receipt->fingerprint));
        return 0;
}

/* Reads metadata.json and decides whether there is anything to hash. */
static int prepare(KernelCheck *check, Fault *fault)
{
        KernelReceipt now;
        bool unchanged;
        int r = read_metadata(check, fault);

        if (!r)
                r = take_fingerprint(check, &now);
        if (r)
                return error_trace(r);
        unchanged = check->has_receipt && memcmp(&now, &check->receipt, sizeof(now)) == 0;
        check->receipt = now;
        check->phase = PHASE_DONE;
        if (unchanged || !check->metadata || !check->metadata->digest)
                return 0;
        check->phase = PHASE_HASH;
        r = digest_work_new(check->tree, check->metadata->digest->algorithm, &check->work);
        if (!r)
                digest_work_progress(check->work, &check->progress);
        return error_trace(r);
}

static int compare(KernelCheck *check, Fault *fault)
{
        CLEANUP(digest_freep) Digest *actual = digest_work_take(check->work);
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        DigestViolation *violations;
        size_t n;
        int r = digest_compare(check->metadata->digest, actual, &arena, &violations, &n);

        if (!r)
                r = digest_violations_to_fault(violations, n, fault);
        if (r)
                return error_trace(r);
        check->hashed = true;
        check->phase = PHASE_DONE;
        return 0;
}

static int hash_some(KernelCheck *check, size_t max_bytes, Fault *fault)
{
        int r = digest_work_step(check->work, max_bytes, fault);

        digest_work_progress(check->work, &check->progress);
        return r == STEP_DONE ? compare(check, fault) : r;
}

int kernel_check_step(KernelCheck *check, size_t max_bytes, Fault *fault)
{
        int r;

        switch (check->phase) {
        case PHASE_OPEN:
                r = open_folder(check, fault);
                break;
        case PHASE_LIST:
                r = tree_step(check->tree, fault);
                if (r == STEP_DONE)
                        check->phase = PHASE_METADATA;
                break;
        case PHASE_METADATA:
                r = prepare(check, fault);
                break;
        case PHASE_HASH:
                r = hash_some(check, max_bytes, fault);
                break;
        default:
                return STEP_DONE;
        }
        if (r != 0)
                return error_trace(r);
        return check->phase == PHASE_DONE ? STEP_DONE : STEP_MORE;
}

/* --- what came out --- */

void kernel_check_progress(const KernelCheck *check, Progress *ret_progress)
{
        *ret_progress = check->progress;
}

int kernel_check_take_fd(KernelCheck *check)
{
        return STEAL_FD(check->fd);
}

Metadata *kernel_check_take_metadata(KernelCheck *check)
{
        return STEAL(check->metadata);
}

KernelReceipt kernel_check_receipt(const KernelCheck *check)
{
        return check->receipt;
}

bool kernel_check_hashed(const KernelCheck *check)
{
        return check->hashed;
}

int kernel_check_receipt_of(const char *path, Text variant, size_t n_files, KernelReceipt *ret_receipt, Fault *fault)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = NULL;
        size_t n;
        int r = kernel_check_new(path, variant, 0, NULL, &check);

        if (r < 0)
                return r;
        check->ownership = OWNERSHIP_ANY;
        do
                r = kernel_check_step(check, 0, fault);
        while (r == STEP_MORE && check->phase < PHASE_METADATA);
        if (r != STEP_MORE)
                return r == STEP_FAULT ? 1 : error_trace(r);
        (void)tree_files(check->tree, &n);
        return n == n_files ? take_fingerprint(check, ret_receipt) : KERNEL_CHECK_OTHERS;
}
