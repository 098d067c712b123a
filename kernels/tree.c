#include "kernels/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/limits.h"

#define ENTRIES_PER_STEP 256 /* guess: a millisecond or a few */

/* A folder still to be listed, or above one that is. */
typedef struct Folder {
        const struct Folder *parent; /* the way down, to see links that lead back up */
        struct Folder *next;
        Text path;
        bool linked;
        dev_t device;
        ino_t inode;
} Folder;

struct Tree {
        Arena arena;
        Ownership *ownership;
        int fd;
        Folder *pending;
        const Folder *folder; /* the one that `stream` lists */
        DIR *stream;
        size_t n_seen;
        TreeFile *files;
        size_t n_files;
        size_t capacity;
        bool sorted;
};

static int push_folder(Tree *tree, Text path, bool linked, const struct stat *stat)
{
        Folder *folder = arena_zeroed(&tree->arena, 1, sizeof(*folder));

        if (!folder)
                return error_trace(-ENOMEM);
        *folder = (Folder){ .parent = tree->folder, .next = tree->pending, .path = path, .linked = linked,
                            .device = stat->st_dev, .inode = stat->st_ino };
        tree->pending = folder;
        return 0;
}

int tree_new(int folder_fd, Ownership *ownership, Tree **ret_tree)
{
        CLEANUP(tree_freep) Tree *tree = alloc_zeroed(1, sizeof(*tree));
        struct stat stat;
        int r;

        if (!tree)
                return error_trace(-ENOMEM);
        tree->ownership = ownership;
        tree->fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 3);
        if (tree->fd < 0 || fstat(tree->fd, &stat) < 0)
                return error_trace(-errno);
        r = push_folder(tree, TEXT(""), false, &stat);
        if (r < 0)
                return error_trace(r);
        *ret_tree = STEAL(tree);
        return 0;
}

Tree *tree_free(Tree *tree)
{
        if (tree) {
                if (tree->stream)
                        (void)closedir(tree->stream);
                if (tree->fd >= 0)
                        (void)close(tree->fd);
                alloc_free(tree->files);
                arena_deinit(&tree->arena);
                alloc_free(tree);
        }
        return NULL;
}

static int add_file(Tree *tree, Text path, bool linked, const struct stat *stat)
{
        if (tree->n_files == tree->capacity) {
                size_t capacity = tree->capacity ? 2 * tree->capacity : 64;
                TreeFile *files = alloc_resize(tree->files, capacity, sizeof(*files));

                if (!files)
                        return error_trace(-ENOMEM);
                tree->files = files;
                tree->capacity = capacity;
        }
        tree->files[tree->n_files++] = (TreeFile){ .path = path, .linked = linked, .stat = *stat };
        return 0;
}

/* Would listing it lead round in a circle? */
static bool leads_back(const Tree *tree, const struct stat *stat)
{
        for (const Folder *f = tree->folder; f; f = f->parent)
                if (f->device == stat->st_dev && f->inode == stat->st_ino)
                        return true;
        return false;
}

/* What a link leads to. Where nobody asks who owns what, the kernel follows it. */
static int follow(Tree *tree, const char *name, struct stat *ret_stat, Fault *fault)
{
        CLEANUP_FD int fd = -1;

        if (!tree->ownership->any)
                return ownership_open_whole(tree->ownership, dirfd(tree->stream), name, &fd, ret_stat, fault);
        if (fstatat(dirfd(tree->stream), name, ret_stat, 0) < 0)
                return errno == ENOMEM ? error_trace(-ENOMEM) : fault_set(fault, FAULT_NO_REPOSITORY, "%s", strerrordesc_np(errno));
        return 0;
}

/* What a name is after following links, judged. */
static int look_at(Tree *tree, const char *name, Text path, bool *ret_link, struct stat *ret_stat, Fault *fault)
{
        Fault why = FAULT_NULL;
        int r;

        if (fstatat(dirfd(tree->stream), name, ret_stat, AT_SYMLINK_NOFOLLOW) < 0)
                return fault_set(fault, FAULT_CORRUPT, "%s went away while the folder was looked at", path.data);
        *ret_link = S_ISLNK(ret_stat->st_mode);
        if (!*ret_link)
                return ownership_check(tree->ownership, ret_stat, dirfd(tree->stream), name, path.data, fault);
        r = follow(tree, name, ret_stat, &why);
        if (r <= 0)
                return error_trace(r);
        if (why.name == FAULT_UNTRUSTED)
                return fault_set(fault, FAULT_UNTRUSTED, "the link %s: %s", path.data, why.message);
        return fault_set(fault, FAULT_CORRUPT, "the link %s leads nowhere: %s", path.data, why.message);
}

static int take_entry(Tree *tree, const char *name, Fault *fault)
{
        Text above = tree->folder->path;
        struct stat stat;
        Text path;
        bool link = false;
        int r;

        if (++tree->n_seen > LIMIT_KERNEL_FILES)
                return fault_set(fault, FAULT_TOO_LARGE, "the variant has more than %d files; no kernel needs so many",
                                 LIMIT_KERNEL_FILES);
        path = arena_format(&tree->arena, "%.*s%s%s", TEXT_PRINT(above), above.size ? "/" : "", name);
        if (!path.data)
                return error_trace(-ENOMEM);
        r = look_at(tree, name, path, &link, &stat, fault);
        if (r)
                return r;
        link = link || tree->folder->linked;
        if (S_ISREG(stat.st_mode))
                return add_file(tree, path, tree->folder->linked, &stat);
        /* Behind a link to a folder the digest does not look, the ownership rule does. */
        if (S_ISDIR(stat.st_mode) && !(link && tree->ownership->any) && !leads_back(tree, &stat))
                return push_folder(tree, path, link, &stat);
        return 0;
}

/* Opens the next folder, going down from the top again, every step judged. */
static int open_next(Tree *tree, Fault *fault)
{
        CLEANUP_FD int fd = -1, readable = -1;
        struct stat stat;
        int r;

        tree->folder = tree->pending;
        tree->pending = tree->pending->next;
        r = ownership_open_whole(tree->ownership, tree->fd, tree->folder->path.data, &fd, &stat, fault);
        if (r)
                return error_trace(r);
        if (stat.st_ino != tree->folder->inode || stat.st_dev != tree->folder->device)
                return fault_set(fault, FAULT_CORRUPT, "%s changed while it was looked at", tree->folder->path.data);
        readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (readable < 0 && errno == EACCES)
                return fault_set(fault, FAULT_CORRUPT, "%s: the daemon may not list it", tree->folder->path.data);
        if (readable < 0)
                return error_trace(-errno);
        tree->stream = fdopendir(readable);
        if (!tree->stream)
                return error_trace(-errno);
        (void)STEAL_FD(readable);
        return 0;
}

static int by_path(const void *a, const void *b)
{
        return text_compare(((const TreeFile *)a)->path, ((const TreeFile *)b)->path);
}

static int finish(Tree *tree)
{
        if (tree->n_files)
                qsort(tree->files, tree->n_files, sizeof(*tree->files), by_path);
        tree->sorted = true;
        return STEP_DONE;
}

/* The next name of the open folder; NULL at its end. */
static int next_name(Tree *tree, const char **ret_name)
{
        struct dirent *entry;

        do {
                errno = 0;
                entry = readdir(tree->stream);
                if (!entry && errno)
                        return error_trace(-errno);
        } while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
        *ret_name = entry ? entry->d_name : NULL;
        return 0;
}

int tree_step(Tree *tree, Fault *fault)
{
        const char *name;
        int r;

        for (size_t i = 0; i < ENTRIES_PER_STEP; i++) {
                if (!tree->stream) {
                        if (!tree->pending)
                                return finish(tree);
                        r = open_next(tree, fault);
                        if (r)
                                return error_trace(r);
                }
                r = next_name(tree, &name);
                if (!r && name)
                        r = take_entry(tree, name, fault);
                if (r)
                        return error_trace(r);
                if (!name) {
                        (void)closedir(tree->stream);
                        tree->stream = NULL;
                }
        }
        return STEP_MORE;
}

const TreeFile *tree_files(const Tree *tree, size_t *ret_n)
{
        *ret_n = tree->sorted ? tree->n_files : 0;
        return tree->files;
}

bool tree_same(const struct stat *a, const struct stat *b)
{
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
               a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
               a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int tree_open(const Tree *tree, const TreeFile *file, int *ret_fd, Fault *fault)
{
        CLEANUP_FD int fd = -1;
        struct stat stat;
        int r;

        r = ownership_open(tree->ownership, tree->fd, file->path.data, &fd, &stat, fault);
        if (r)
                return error_trace(r);
        if (!S_ISREG(stat.st_mode) || !tree_same(&stat, &file->stat))
                return fault_set(fault, FAULT_CORRUPT, "%s changed while it was being checked; try again",
                                 file->path.data);
        r = ownership_reopen(fd, O_RDONLY | O_NOCTTY, ret_fd);
        if (r == -EACCES)
                return fault_set(fault, FAULT_CORRUPT, "%s: the daemon may not read it", file->path.data);
        return error_trace(r);
}
