/* The files below a variant folder, listed in steps, every one judged by an
 * ownership rule after following links. Never changes the current directory.
 * File thread only. */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "kernels/ownership.h"
#include "kernels/step.h"
#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/fault.h"

typedef struct TreeFile {
        Text path;        /* from the folder, NUL behind it */
        bool linked;      /* reached through a link to a folder: not part of the digest */
        struct stat stat; /* of the file itself, after following links */
} TreeFile;

typedef struct Tree Tree;

/* `folder_fd` is duplicated. The rule is used until tree_free. */
int tree_new(int folder_fd, Ownership *ownership, Tree **ret_tree);

/* Looks at some more. STEP_MORE, STEP_DONE; STEP_FAULT: untrusted, corrupt (a
 * link that leads nowhere), too-large (above LIMIT_KERNEL_FILES); negative. */
int tree_step(Tree *tree, Fault *fault);

/* After STEP_DONE: regular files by path in byte order. */
const TreeFile *tree_files(const Tree *tree, size_t *ret_n);

/* Opens one for reading and judges it again. 1: it is no more what was listed. */
int tree_open(const Tree *tree, const TreeFile *file, int *ret_fd, Fault *fault);

/* Whether a file is still what it was: device, inode, size, mtime, ctime. */
bool tree_same(const struct stat *a, const struct stat *b);

Tree *tree_free(Tree *tree);
DEFINE_CLEANUP(Tree *, tree_free)
