#include <stdio.h>
#include <stdlib.h>

#include "client/kernelsctl/answer.h"
#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/query.h"
#include "client/kernelsctl/table.h"

static void answers_freep(kd_answers **answers)
{
        kd_answers_free(*answers);
}

/* The exit status is that of the first layer that has no answer. */
static int answers_status(const kd_answers *answers)
{
        for (size_t i = 0; i < kd_answers_count(answers); i++)
                if (kd_answers_get(answers, i)->code)
                        return kd_exit_status(kd_answers_get(answers, i)->code);
        return 0;
}

static void print_table(const kd_answers *answers, char *const *layers)
{
        static const char *const titles[] = { "LAYER", "MODE", "KERNEL", "VARIANT", "ARCH", "STATE", "SOURCE" };
        Table *table = table_new(titles, 7);
        char kernel[ANSWER_TEXT];

        for (size_t i = 0; i < kd_answers_count(answers); i++) {
                const kd_answer *answer = kd_answers_get(answers, i);

                if (answer->code) {
                        fprintf(stderr, "kernelsctl: %s: %s: %s\n", layers[i], answer->name, answer->message);
                        continue;
                }
                table_cell(table, COLOUR_TITLE, "%s", answer->layer);
                table_cell(table, COLOUR_NONE, "%s", answer->mode);
                table_cell(table, COLOUR_NONE, "%s", answer_kernel(answer, kernel));
                table_cell(table, COLOUR_NONE, "%s", answer->variant ? answer->variant : "-");
                table_cell(table, COLOUR_NONE, "%s", answer->arch ? answer->arch : "-");
                table_cell(table, COLOUR_NONE, "%s", answer->state ? answer->state : "-");
                table_cell(table, COLOUR_DIM, "%s", answer->source ? answer->source : "-");
        }
        table_print(table);
        table_free(table);
}

static int print_json(const kd_answers *answers)
{
        kd_value *map OWNED(kd_value_freep) = kd_value_map();
        kd_value *list = kd_value_list();

        for (size_t i = 0; list && i < kd_answers_count(answers); i++)
                if (kd_value_append(list, answer_to_value(kd_answers_get(answers, i))) < 0)
                        list = kd_value_free(list);
        if (!map || !list ||
            kd_value_set(map, "generation", kd_value_integer((int64_t)kd_answers_generation(answers))) < 0) {
                kd_value_free(list);
                return 1;
        }
        return kd_value_set(map, "answers", list) < 0 ? 1 : output_json("resolve", map);
}

int verb_resolve(const Arguments *arguments)
{
        kd_client *client OWNED(kd_closep) = NULL;
        kd_answers *answers OWNED(answers_freep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        kd_query *queries;
        kd_error error;
        int r;

        queries = calloc(arguments->n_words, sizeof(*queries));
        if (!queries)
                return 1;
        for (size_t i = 0; i < arguments->n_words; i++) {
                r = query_from_arguments(arguments, arguments->words[i], &queries[i]);
                if (r) {
                        free(queries);
                        return r;
                }
        }
        r = connect_client(arguments, CONNECT_PLAIN, &client, &error);
        if (!r)
                r = kd_resolve(client, KD_VIEW_SESSION, queries, arguments->n_words,
                               arguments_have(arguments, OPTION_FRESH) ? KD_FRESH : 0, &answers, &error);
        free(queries);
        if (r)
                return output_error("resolve", json, &error);
        if (!json)
                print_table(answers, arguments->words);
        else if (print_json(answers))
                return 1;
        return answers_status(answers);
}
