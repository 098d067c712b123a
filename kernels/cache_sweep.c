#include "kernels/cache_sweep.h"

#include <errno.h>
#include <unistd.h>

#include "kernels/cache_disk.h"
#include "kernels/cache_listing.h"
#include "kernels/cache_lock.h"
#include "proto/base/error.h"

/* What a single file or folder does not let happen is no reason to stop. */
static int only_ours(int r)
{
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE ? r : 0;
}

static int sweep_blob(Cache *cache, const char *folder, int blobs_fd, const char *name, Text etag)
{
        CLEANUP_FD int lock_fd = -1;
        int r = 0;

        if (!cache->system)
                r = cache_lock_blob(cache, folder, etag, &lock_fd);
        if (!r)
                (void)unlinkat(blobs_fd, name, 0);
        return only_ours(r);
}

static int sweep_blobs(Cache *cache, const char *folder)
{
        CLEANUP(cache_listing_freep) CacheListing *listing = NULL;
        char path[PATH_MAX];
        Text name, etag;
        int r;

        cache_disk_name(path, "%s/blobs", folder);
        r = cache_listing_new(cache->fd, path, 0, &listing);
        if (r < 0)
                return only_ours(r);
        while (!r && cache_listing_next(listing, &name) > 0)
                if (cache_is_incomplete_blob(name, &etag))
                        r = sweep_blob(cache, folder, cache_listing_fd(listing), name.data, etag);
        return r;
}

/* Of one repository: what is on its way lies at the top. */
static int sweep_repository(Cache *cache, const char *folder)
{
        CLEANUP(cache_listing_freep) CacheListing *listing = NULL;
        Text name;
        int r = cache_listing_new(cache->fd, folder, 0, &listing);

        if (r < 0)
                return only_ours(r);
        while (!r && cache_listing_next(listing, &name) > 0)
                if (cache_is_temporary(name))
                        r = only_ours(cache_listing_remove(cache_listing_fd(listing), name.data));
        return r ? r : sweep_blobs(cache, folder);
}

int cache_sweep(Cache *cache)
{
        CLEANUP(cache_listing_freep) CacheListing *listing = NULL;
        char repo[LIMIT_REPOSITORY + 1];
        Text name;
        int r;

        if (cache->no_flock) /* who else is at work nobody can say */
                return 0;
        r = cache_listing_new(cache->fd, ".", 0, &listing);
        if (r < 0)
                return error_trace(only_ours(r));
        while (!r && cache_listing_next(listing, &name) > 0) {
                if (cache_is_temporary(name))
                        r = only_ours(cache_listing_remove(cache->fd, name.data));
                else if (cache_repo_parse(name, repo))
                        r = sweep_repository(cache, name.data);
        }
        return error_trace(r);
}
