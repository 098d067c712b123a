#include "kernels/cache_check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernels/cache_disk.h"
#include "kernels/ownership.h"
#include "proto/base/error.h"

const char *cache_check_network(long type)
{
        /* Those without a name are in no header of Linux; numbers as statfs(2) and their makers give them. */
        static const struct {
                uint32_t type;
                const char *name;
        } kinds[] = {
                { NFS_SUPER_MAGIC, "NFS" },      { SMB_SUPER_MAGIC, "SMB" },   { SMB2_SUPER_MAGIC, "SMB" },
                { CIFS_SUPER_MAGIC, "CIFS" },    { V9FS_MAGIC, "9p" },         { FUSE_SUPER_MAGIC, "FUSE" },
                { AFS_SUPER_MAGIC, "AFS" },      { AFS_FS_MAGIC, "AFS" },      { CEPH_SUPER_MAGIC, "Ceph" },
                { CODA_SUPER_MAGIC, "Coda" },    { NCP_SUPER_MAGIC, "NCP" },   { OCFS2_SUPER_MAGIC, "OCFS2" },
                { 0x0bd00bd0, "Lustre" },        { 0x47504653, "GPFS" },       { 0x19830326, "BeeGFS" },
                { 0x01161970, "GFS2" },          { 0x20030528, "OrangeFS" },   { 0xaad7aaea, "PanFS" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (kinds[i].type == (uint32_t)type)
                        return kinds[i].name;
        return NULL;
}

int cache_check_links(int fd, uint32_t serial)
{
        char name[CACHE_TEMPORARY_MAX];

        cache_temporary_name("probe", serial, name);
        if (symlinkat("nowhere", fd, name) < 0)
                return errno == EEXIST ? 0 : errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS ? 1 : -errno;
        return unlinkat(fd, name, 0) < 0 ? -errno : 0;
}

int cache_check_doubt(Cache *cache, FaultName name, const char *reason, const char *advice, Fault *fault)
{
        size_t size = strlen(cache->warning);

        if (cache->system)
                return fault_set(fault, name, "the cache %s: %s; %s", cache->path, reason, advice);
        (void)snprintf(cache->warning + size, sizeof(cache->warning) - size, "%s%s", size ? "; " : "", reason);
        return 0;
}

static int check_file_system(Cache *cache, Fault *fault)
{
        struct statfs status;
        const char *network;
        char reason[64];

        if (fstatfs(cache->fd, &status) < 0)
                return cache_disk_fault(cache, -errno, "", fault);
        network = cache_check_network((long)status.f_type);
        if (!network)
                return 0;
        (void)snprintf(reason, sizeof(reason), "it is on a network file system (%s)", network);
        return cache_check_doubt(cache, FAULT_INTERNAL, reason, "put it on a file system of this host", fault);
}

static int check_links(Cache *cache, Fault *fault)
{
        int r = cache_check_links(cache->fd, cache->serial++);

        if (r == -ENOSPC || r == -EDQUOT) /* what is there can still be served */
                return 0;
        if (r < 0)
                return cache_disk_fault(cache, r, "", fault);
        return r ? cache_check_doubt(cache, FAULT_INTERNAL,
                                     "its file system has no symbolic links: what is in it is used, nothing can be fetched",
                                     "put it on a file system that has them", fault)
                 : 0;
}

static int check_writers(Cache *cache, uid_t owner, Fault *fault)
{
        Ownership ownership = OWNERSHIP_OF(owner);
        CLEANUP_FD int fd = -1;
        Fault why = FAULT_NULL;
        int r = ownership_open_whole(&ownership, AT_FDCWD, cache->path, &fd, NULL, &why);

        if (r < 0)
                return error_trace(r);
        return r ? cache_check_doubt(cache, FAULT_UNTRUSTED, why.message, "others could change the kernels in it", fault)
                 : 0;
}

int cache_check(Cache *cache, uid_t owner, Fault *fault)
{
        int r = check_file_system(cache, fault);

        if (!r)
                r = check_writers(cache, owner, fault);
        return r ? r : check_links(cache, fault);
}
