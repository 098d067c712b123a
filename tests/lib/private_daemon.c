#include "tests/lib/private_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGUMENTS 16
#define START_TRIES 12000 /* of 10 ms: a sanitized build reads 100,000 layers in that */

int private_daemon_program(int up, char *path, size_t size)
{
        ssize_t n = readlink("/proc/self/exe", path, size - 32);

        if (n < 0)
                return -errno;
        path[n] = 0;
        for (int i = 0; i <= up; i++) {
                char *slash = strrchr(path, '/');

                if (!slash)
                        return -ENOENT;
                *slash = 0;
        }
        strcat(path, "/daemon/kernelsd");
        return 0;
}

int private_daemon_prepare(PrivateDaemon *made)
{
        char path[128];

        *made = PRIVATE_DAEMON_NULL;
        strcpy(made->folder, "/tmp/kernelsd-test-XXXXXX");
        if (!mkdtemp(made->folder)) {
                made->folder[0] = 0;
                return -errno;
        }
        snprintf(made->socket, sizeof(made->socket), "%s/socket", made->folder);
        snprintf(path, sizeof(path), "%s/config", made->folder);
        if (mkdir(path, 0700) < 0)
                return -errno;
        snprintf(path, sizeof(path), "%s/config/mapping.d", made->folder);
        return mkdir(path, 0700) < 0 ? -errno : 0;
}

/* Never returns. */
static void become_daemon(const PrivateDaemon *made, const char *program, int cpu, const char *const *arguments)
{
        static char config_option[] = "--config-dir", socket_option[] = "--socket", state_option[] = "--state-dir";
        char config[128], state[128];
        char *argv[MAX_ARGUMENTS] = { (char *)program, config_option, config, socket_option, (char *)made->socket,
                                      state_option, state };
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        size_t n = 7;
        cpu_set_t set;

        prctl(PR_SET_PDEATHSIG, SIGTERM);
        snprintf(config, sizeof(config), "%s/config", made->folder);
        snprintf(state, sizeof(state), "%s/state", made->folder);
        while (arguments && *arguments && n + 1 < MAX_ARGUMENTS)
                argv[n++] = (char *)*arguments++;
        if (cpu >= 0) {
                CPU_ZERO(&set);
                CPU_SET(cpu, &set);
                (void)sched_setaffinity(0, sizeof(set), &set);
                (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
        }
        dup2(null, STDIN_FILENO);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        unsetenv("LISTEN_FDS");
        unsetenv("NOTIFY_SOCKET");
        unsetenv("JOURNAL_STREAM");
        execv(program, argv);
        fprintf(stderr, "%s: %s\n", program, strerror(errno));
        _exit(127);
}

static int accepts_connections(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

        if (fd < 0)
                return 0;
        strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
        r = connect(fd, (struct sockaddr *)&address, sizeof(address));
        (void)close(fd);
        return r == 0;
}

int private_daemon_start(PrivateDaemon *made, const char *program, int cpu, const char *const *arguments)
{
        made->pid = fork();
        if (made->pid < 0)
                return -errno;
        if (made->pid == 0)
                become_daemon(made, program, cpu, arguments);

        for (int i = 0; i < START_TRIES; i++) {
                if (accepts_connections(made->socket))
                        return 0;
                if (waitpid(made->pid, NULL, WNOHANG) != 0) {
                        made->pid = 0;
                        return -ECHILD;
                }
                (void)poll(NULL, 0, 10);
        }
        return -ETIMEDOUT;
}

int private_daemon_stop(PrivateDaemon *made)
{
        char command[128];
        int status = 0;

        if (made->pid > 0) {
                (void)kill(made->pid, SIGTERM);
                (void)waitpid(made->pid, &status, 0);
        }
        if (made->folder[0]) {
                snprintf(command, sizeof(command), "rm -rf '%s'", made->folder);
                if (system(command) != 0)
                        fprintf(stderr, "could not remove %s\n", made->folder);
        }
        *made = PRIVATE_DAEMON_NULL;
        return status;
}
