/* --help and the manual page's section, from the table. */
#include <inttypes.h>
#include <string.h>

#include "daemon/option.h"

#define HELP_COLUMN 34
#define HELP_WIDTH 100

/* Breaks at blanks so that no line passes HELP_WIDTH; the cursor is at HELP_COLUMN. */
static void print_wrapped(FILE *out, const char *text)
{
        int column = HELP_COLUMN;

        while (*text) {
                int size = (int)strcspn(text, " ");

                if (column > HELP_COLUMN && column + 1 + size > HELP_WIDTH) {
                        fprintf(out, "\n%*s", HELP_COLUMN, "");
                        column = HELP_COLUMN;
                }
                column += fprintf(out, "%s%.*s", column > HELP_COLUMN ? " " : "", size, text);
                text += size + (text[size] == ' ');
        }
        fprintf(out, "\n");
}

/* What goes without saying: "Default 1024, 1 to 65536." */
static void option_describe_range(const Option *option, char *text, size_t size)
{
        const char *word = option->argument;

        text[0] = 0;
        if (option->kind == OPTION_INTEGER)
                (void)snprintf(text, size, "Default %" PRId64 ", %" PRId64 " to %" PRId64 ".", option->preset,
                               option->minimum, option->maximum);
        if (option->kind == OPTION_WORD) {
                for (int64_t i = 0; i < option->preset; i++)
                        word += strcspn(word, "|") + 1;
                (void)snprintf(text, size, "Default %.*s.", (int)strcspn(word, "|"), word);
        }
        if (option->kind == OPTION_BOOL && option->preset)
                (void)snprintf(text, size, "Default true.");
        if (option_is_list(option))
                (void)snprintf(text, size, "Default none. A list in the files, separated by commas elsewhere.");
}

static void option_print_row(const Option *option, FILE *out)
{
        char flag[OPTION_NAME_SIZE], range[128];
        int column;

        option_flag(option, flag);
        option_describe_range(option, range, sizeof(range));
        column = fprintf(out, "  %s%s%s", flag, *option->argument ? " " : "", option->argument);
        if (column >= HELP_COLUMN) {
                fprintf(out, "\n");
                column = 0;
        }
        fprintf(out, "%*s", HELP_COLUMN - column, "");
        print_wrapped(out, option->help);
        if (*range)
                fprintf(out, "%*s%s\n", HELP_COLUMN, "", range);
}

void option_print_help(FILE *out)
{
        fprintf(out, "kernelsd [OPTION…]\n"
                     "kernelsd --check-config [FILE…]\n"
                     "\n"
                     "Answers, for every process of this host, which kernel implements a layer.\n"
                     "\n"
                     "  --check-config [FILE…]          Check configuration and mapping, or these files, and end.\n"
                     "  --version                       Print the version and end.\n"
                     "  --help                          Print this and end.\n"
                     "\n"
                     "Options. Each is also a key of kernelsd.json, and of the environment: --quota-sessions N is\n"
                     "{\"quota\": {\"sessions\": N}} and KERNELSD_QUOTA_SESSIONS=N. Flags go before the environment,\n"
                     "the environment before the files.\n"
                     "\n");
        for (size_t i = 0; i < option_n(); i++)
                option_print_row(option_at(i), out);
        fprintf(out, "\n"
                     "Exit status: 0 good; 1 failed, or --check-config found faults; 2 wrong usage; 78 faulty\n"
                     "configuration. See kernelsd(8) and kernelsd-mapping(5).\n");
}

/* A hyphen in a manual page is a minus only when escaped. */
static void print_roff(FILE *out, const char *text)
{
        for (; *text; text++) {
                if (*text == '-')
                        fputc('\\', out);
                fputc(*text, out);
        }
}

static void option_print_manual_row(const Option *option, FILE *out)
{
        char flag[OPTION_NAME_SIZE], environment[OPTION_NAME_SIZE], range[128];

        option_flag(option, flag);
        option_environment(option, environment);
        option_describe_range(option, range, sizeof(range));
        fprintf(out, ".TP\n.B ");
        print_roff(out, flag);
        if (*option->argument)
                fprintf(out, " \\fI%s\\fP", option->argument);
        fprintf(out, "\n%s", option->help);
        if (*range)
                fprintf(out, "\n%s", range);
        fprintf(out, "\n.br\n");
        if (option->where == OPTION_FLAG)
                fprintf(out, "No key of the files");
        else
                fprintf(out, "Key \\fB%s\\fP", option->key);
        fprintf(out, ", environment \\fB%s\\fP, %s.\n", environment,
                option->reload == OPTION_LIVE ? "taken over by a reload" : "taken over by a restart only");
}

void option_print_manual(FILE *out)
{
        for (size_t i = 0; i < option_n(); i++)
                option_print_manual_row(option_at(i), out);
}
