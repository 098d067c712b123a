#include "client/kernelsctl/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static void print_usage(FILE *file)
{
        fprintf(file, "Usage: kernelsctl VERB [OPTION…]\n\nAsks kernelsd which kernel implements a layer, and shows "
                      "what it does.\n\n");
        for (size_t i = 0; i < n_commands; i++)
                fprintf(file, "  %-16s %s\n", command_table[i].verb, command_table[i].summary);
        fprintf(file, "\n  --help           after a verb: what it takes\n  --version        as the verb\n\n"
                      "The socket: --socket, KERNELSD_SOCKET, the user's daemon, the host's. See kernelsctl(1).\n");
}

static void print_help(const Command *command)
{
        printf("Usage: kernelsctl %s %s\n\n%s\n\n", command->verb, command->words, command->text);
        for (size_t i = 0; i < _OPTION_MAX; i++) {
                const Option *option = &option_table[i];
                char left[40];

                if (!(command->options & UINT64_C(1) << i))
                        continue;
                (void)snprintf(left, sizeof(left), "--%s%s%s", option->name, option->argument ? "=" : "",
                               option->argument ? option->argument : "");
                printf("  %-22s %s\n", left, option->meaning);
        }
}

static int refuse(const char *what, const char *which, const char *verb)
{
        fprintf(stderr, "kernelsctl: %s%s%s; see `kernelsctl %s%s--help`\n", what, which ? " " : "",
                which ? which : "", verb, *verb ? " " : "");
        return EXIT_USAGE;
}

/* Finds the verb at the front of the words; *ret_n says how many it took. */
static const Command *command_find(char **words, size_t n_words, size_t *ret_n)
{
        for (size_t i = 0; i < n_commands; i++) {
                const char *verb = command_table[i].verb;
                const char *second = strchr(verb, ' ');
                size_t n = second ? (size_t)(second - verb) : strlen(verb);

                if (!n_words || strlen(words[0]) != n || strncmp(words[0], verb, n) != 0)
                        continue;
                if (second && (n_words < 2 || strcmp(words[1], second + 1) != 0))
                        continue;
                *ret_n = second ? 2 : 1;
                return &command_table[i];
        }
        return NULL;
}

static OptionNumber option_find(const char *name, size_t size)
{
        for (size_t i = 0; i < _OPTION_MAX; i++)
                if (strlen(option_table[i].name) == size && memcmp(option_table[i].name, name, size) == 0)
                        return (OptionNumber)i;
        return _OPTION_MAX;
}

/* Takes one "--name[=value]", or "-n value"; *position moves over a value of its own. */
static int option_take(char **argv, int argc, int *position, Arguments *arguments)
{
        const char *name = strcmp(argv[*position], "-n") == 0 ? option_table[OPTION_NUMBER].name : argv[*position] + 2;
        const char *equals = strchr(name, '=');
        OptionNumber number = option_find(name, equals ? (size_t)(equals - name) : strlen(name));

        if (number == _OPTION_MAX)
                return refuse("no option", argv[*position], "");
        if (!option_table[number].argument) {
                if (equals)
                        return refuse("no value goes with", argv[*position], "");
                arguments->values[number] = "";
                return 0;
        }
        if (!equals && *position + 1 >= argc)
                return refuse("a value is missing after", argv[*position], "");
        arguments->values[number] = equals ? equals + 1 : argv[++*position];
        return 0;
}

/* Sorts argv into options, words and what follows "--"; words are gathered at
 * the front of argv itself. */
static int arguments_parse(int argc, char **argv, Arguments *ret)
{
        ret->words = argv;
        for (int i = 1; i < argc; i++) {
                int r = 0;

                if (strcmp(argv[i], "--") == 0) {
                        ret->command = argv + i + 1;
                        break;
                }
                if (strcmp(argv[i], "-h") == 0)
                        ret->values[OPTION_HELP] = "";
                else if (strncmp(argv[i], "--", 2) == 0 || strcmp(argv[i], "-n") == 0)
                        r = option_take(argv, argc, &i, ret);
                else if (argv[i][0] == '-' && argv[i][1])
                        r = refuse("no option", argv[i], "");
                else
                        ret->words[ret->n_words++] = argv[i];
                if (r)
                        return r;
        }
        return 0;
}

static int arguments_check(const Command *command, const Arguments *arguments)
{
        for (size_t i = 0; i < _OPTION_MAX; i++)
                if (arguments->values[i] && !(command->options & UINT64_C(1) << i))
                        return refuse("this verb does not take --", option_table[i].name, command->verb);
        if (arguments->n_words < command->min_words)
                return refuse("missing:", command->words, command->verb);
        if (arguments->n_words > command->max_words)
                return refuse("too much:", arguments->words[command->max_words], command->verb);
        if (arguments->command && (!command->takes_command || !arguments->command[0]))
                return refuse("no command goes after `--` here", NULL, command->verb);
        return 0;
}

int command_run(int argc, char **argv)
{
        Arguments arguments = { 0 };
        const Command *command;
        size_t n_verb;
        int r;

        if (argc == 2 && strcmp(argv[1], "--version") == 0)
                argv[1] += 2;
        r = arguments_parse(argc, argv, &arguments);
        if (r)
                return r;
        command = command_find(arguments.words, arguments.n_words, &n_verb);
        if (!command) {
                if (!arguments.n_words && arguments_have(&arguments, OPTION_HELP)) {
                        print_usage(stdout);
                        return 0;
                }
                if (arguments.n_words)
                        return refuse("no verb", arguments.words[0], "");
                print_usage(stderr);
                return EXIT_USAGE;
        }
        arguments.words += n_verb;
        arguments.n_words -= n_verb;
        if (arguments_have(&arguments, OPTION_HELP)) {
                print_help(command);
                return 0;
        }
        r = arguments_check(command, &arguments);
        return r ? r : command->run(&arguments);
}

/* In roff a hyphen of an option is written as a minus, and all is ASCII. */
static void print_roff(const char *text)
{
        for (; *text; text++) {
                if (*text == '-')
                        fputs("\\-", stdout);
                else if (*text == '\\')
                        fputs("\\e", stdout);
                else if (strncmp(text, "…", strlen("…")) == 0) {
                        fputs("...", stdout);
                        text += strlen("…") - 1;
                } else
                        putchar(*text);
        }
}

static void print_manual_options(const Command *command)
{
        uint64_t options = command->options & ~OPTION_BIT(HELP);

        if (options)
                fputs(".br\nOptions:", stdout);
        for (size_t i = 0; i < _OPTION_MAX; i++) {
                if (!(options & UINT64_C(1) << i))
                        continue;
                fputs(" \\fB\\-\\-", stdout);
                print_roff(option_table[i].name);
                fputs("\\fR", stdout);
        }
        if (options)
                putchar('\n');
}

void command_print_manual(void)
{
        puts(".SH VERBS");
        for (size_t i = 0; i < n_commands; i++) {
                printf(".TP\n\\fB%s\\fR ", command_table[i].verb);
                print_roff(command_table[i].words);
                putchar('\n');
                print_roff(command_table[i].text);
                putchar('\n');
                print_manual_options(&command_table[i]);
        }
        puts(".SH OPTIONS");
        for (size_t i = 0; i < _OPTION_MAX; i++) {
                fputs(".TP\n\\fB\\-\\-", stdout);
                print_roff(option_table[i].name);
                printf("\\fR%s%s%s\n", option_table[i].argument ? "=\\fI" : "",
                       option_table[i].argument ? option_table[i].argument : "",
                       option_table[i].argument ? "\\fR" : "");
                print_roff(option_table[i].meaning);
                putchar('\n');
        }
}
