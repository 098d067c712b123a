/* Numbers of kernel interfaces that are newer than the headers of the oldest
 * distribution we build on. They are the kernel's ABI and never change. */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* The first version of struct pidfd_info (linux/pidfd.h, 6.13). */
typedef struct KernelPidfdInfo {
        uint64_t mask;
        uint64_t cgroupid;
        uint32_t pid, tgid, ppid;
        uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
        uint32_t spare;
} KernelPidfdInfo;

#define KERNEL_PIDFD_INFO_CGROUPID (UINT64_C(1) << 2)
#define KERNEL_PIDFD_GET_INFO _IOWR(0xff, 11, KernelPidfdInfo)
