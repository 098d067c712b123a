/* Who is at the other end of a socket: what the kernel noted when he connected. */
#pragma once

#include <sys/types.h>

#include "daemon/kernel_features.h"
#include "proto/base/text.h"

typedef struct Identity {
        pid_t pid;
        uid_t uid;
} Identity;

/* 0; 1: the kernel does not say. */
int identity_read(int fd, Identity *ret_identity);

/* The cgroup of the process that connected, as a text of `storage`: its path,
 * or "#<id>" where only the kernel's number for it is to be had. Held against
 * the process's pidfd, so that a number that was given to another process is
 * not believed. 0; 1: it ended or hides. Reads at most /proc, which is memory. */
#define IDENTITY_CGROUP_MAX 512
int identity_cgroup(int fd, const Identity *identity, const KernelFeatures *features,
                    char storage[IDENTITY_CGROUP_MAX], Text *ret_cgroup);
