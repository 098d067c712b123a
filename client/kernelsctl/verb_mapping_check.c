#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/kernelsctl/check_line.h"
#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/output.h"

/* kernelsd checks its own files: the program that lies beside this one, so that
 * the two are of one version; else the one on the path. */
static void exec_daemon(char **argv)
{
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        char *slash;

        if (n > 0) {
                path[n] = 0;
                slash = strrchr(path, '/');
                (void)snprintf(slash + 1, sizeof(path) - (size_t)(slash + 1 - path), "kernelsd");
                (void)execv(path, argv);
        }
        (void)execvp("kernelsd", argv);
        (void)execv(KERNELSD_PROGRAM, argv);
}

/* Becomes kernelsd with the words of the command line; returns the exit status
 * of a shell where it cannot. */
static int run_daemon(const Arguments *arguments)
{
        char **argv = calloc(arguments->n_words + 3, sizeof(*argv));
        static char daemon[] = "kernelsd", check[] = "--check-config";

        if (!argv)
                return 1;
        argv[0] = daemon;
        argv[1] = check;
        for (size_t i = 0; i < arguments->n_words; i++)
                argv[2 + i] = arguments->words[i];
        exec_daemon(argv);
        fprintf(stderr, "kernelsctl: kernelsd cannot be run: %s; install it, or put it on the PATH\n", strerror(errno));
        free(argv);
        return 127;
}

/* Each line of kernelsd's is a fault. 0 or -ENOMEM. */
static int read_faults(FILE *lines, const Arguments *arguments, kd_value *faults)
{
        char *line = NULL;
        size_t capacity = 0;
        int r = 0;

        while (!r && getline(&line, &capacity, lines) >= 0) {
                line[strcspn(line, "\n")] = 0;
                r = kd_value_append(faults, check_line_parse(line, arguments->words, arguments->n_words));
        }
        free(line);
        return r;
}

static int print_json(FILE *lines, const Arguments *arguments, pid_t child)
{
        kd_value *map OWNED(kd_value_freep) = kd_value_map();
        kd_value *faults = kd_value_list();
        int r = map && faults ? read_faults(lines, arguments, faults) : -ENOMEM, status;

        if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 1 || r < 0) {
                kd_value_free(faults);
                return 1;
        }
        if (kd_value_set(map, "ok", kd_value_bool(WEXITSTATUS(status) == 0)) < 0) {
                kd_value_free(faults);
                return 1;
        }
        if (kd_value_set(map, "faults", faults) < 0 || output_json("mapping-check", map))
                return 1;
        return WEXITSTATUS(status);
}

static int check_as_json(const Arguments *arguments)
{
        int ends[2], status;
        FILE *lines;
        pid_t child;

        if (pipe(ends) < 0)
                return 1;
        child = fork();
        if (child == 0) {
                (void)dup2(ends[1], STDOUT_FILENO);
                (void)close(ends[0]);
                (void)close(ends[1]);
                _exit(run_daemon(arguments));
        }
        (void)close(ends[1]);
        lines = child < 0 ? NULL : fdopen(ends[0], "r");
        if (!lines) {
                (void)close(ends[0]);
                return 1;
        }
        status = print_json(lines, arguments, child);
        (void)fclose(lines);
        return status;
}

int verb_mapping_check(const Arguments *arguments)
{
        return arguments_have(arguments, OPTION_JSON) ? check_as_json(arguments) : run_daemon(arguments);
}
