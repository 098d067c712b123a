#include "kernels/cache_listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/limits.h"

struct CacheListing {
        DIR *stream;
};

int cache_listing_new(int at, const char *name, int flags, CacheListing **ret_listing)
{
        CLEANUP(cache_listing_freep) CacheListing *listing = alloc_zeroed(1, sizeof(*listing));
        CLEANUP_FD int fd = -1;

        if (!listing)
                return -ENOMEM;
        fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
        if (fd < 0)
                return -errno;
        listing->stream = fdopendir(fd);
        if (!listing->stream)
                return -errno;
        (void)STEAL_FD(fd);
        *ret_listing = STEAL(listing);
        return 0;
}

int cache_listing_next(CacheListing *listing, Text *ret_name)
{
        struct dirent *entry;

        do {
                errno = 0;
                entry = readdir(listing->stream);
                if (!entry)
                        return -errno;
                *ret_name = text_of(entry->d_name);
        } while (text_equal(*ret_name, TEXT(".")) || text_equal(*ret_name, TEXT("..")));
        return 1;
}

int cache_listing_fd(const CacheListing *listing)
{
        return dirfd(listing->stream);
}

CacheListing *cache_listing_free(CacheListing *listing)
{
        if (listing) {
                if (listing->stream)
                        (void)closedir(listing->stream);
                alloc_free(listing);
        }
        return NULL;
}

/* --- removing --- */

static int remove_entries(int at, const char *name, int depth);

static int remove_at_depth(int at, const char *name, int depth)
{
        int r;

        if (unlinkat(at, name, 0) == 0)
                return 0;
        if (errno != EISDIR)
                return -errno;
        if (depth > LIMIT_CACHE_DEPTH)
                return -ELOOP;
        r = remove_entries(at, name, depth);
        return r < 0 ? r : unlinkat(at, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int remove_entries(int at, const char *name, int depth)
{
        CLEANUP(cache_listing_freep) CacheListing *listing = NULL;
        Text entry;
        int r = cache_listing_new(at, name, O_NOFOLLOW, &listing);

        while (!r) {
                r = cache_listing_next(listing, &entry);
                if (r <= 0)
                        return r;
                r = remove_at_depth(cache_listing_fd(listing), entry.data, depth + 1);
        }
        return r;
}

int cache_listing_remove(int at, const char *name)
{
        return remove_at_depth(at, name, 0);
}
