/* For tests of who may do what: runs a part of a test as another user. Needs
 * root; a test that is not says so aloud and ends. */
#pragma once

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER_OWNER 61001 /* two users that nobody has */
#define USER_OTHER 61002

#define USERS_OR_SKIP                                                                                     \
        do {                                                                                              \
                if (geteuid() != 0) {                                                                     \
                        (void)fprintf(stderr, "SKIPPED %s: needs root, to act as two users\n", __func__); \
                        return;                                                                           \
                }                                                                                         \
        } while (0)

/* Does `act` as the user, in a process of its own; what it returned. */
static inline int users_run(uid_t uid, int (*act)(const char *path), const char *path)
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
                        _exit(99);
                _exit(act(path));
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
                return 98;
        return WEXITSTATUS(status);
}
