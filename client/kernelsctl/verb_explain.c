#include <stdio.h>
#include <string.h>

#include "client/kernelsctl/answer.h"
#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/query.h"
#include "client/kernelsctl/table.h"

static kd_value *query_to_value(const kd_query *query)
{
        kd_value *map = kd_value_map();

        if (!map)
                return NULL;
        if (field_set_text(map, "layer", query->layer) < 0 || field_set_text(map, "device", query->device) < 0 ||
            field_set_text(map, "mode", query->mode) < 0 || field_set_text(map, "arch", query->arch) < 0 ||
            (query->capability >= 0 && kd_value_set(map, "capability", kd_value_integer(query->capability)) < 0))
                return kd_value_free(map);
        return map;
}

static void print_trace(const kd_value *trace)
{
        static const char *const titles[] = { "STEP", "VERDICT", "CANDIDATE", "WHY", "SOURCE", "AGE" };
        Table *table = table_new(titles, 6);
        char age[32];

        for (size_t i = 0; i < kd_value_count(trace); i++) {
                const kd_value *step = kd_value_at(trace, i);
                const char *verdict = field_text(step, "verdict", "-");
                int64_t age_s = field_number(step, "age_s", -1);

                table_cell(table, COLOUR_NONE, "%s", field_text(step, "step", "-"));
                table_cell(table, strcmp(verdict, "taken") == 0 ? COLOUR_GOOD : COLOUR_BAD, "%s", verdict);
                table_cell(table, COLOUR_NONE, "%s", field_text(step, "candidate", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(step, "reason", "-"));
                table_cell(table, COLOUR_DIM, "%s", field_text(step, "source", "-"));
                table_cell(table, COLOUR_DIM, "%s", age_s < 0 ? "-" : output_age(age_s, age, sizeof(age)));
        }
        table_print(table);
        table_free(table);
}

static void print_answer(const kd_value *answer, const kd_query *query)
{
        char kernel[ANSWER_TEXT];
        const char *variant = field_text(answer, "variant", NULL);

        putchar('\n');
        output_text(COLOUR_NONE, query->layer);
        printf(", %s", query->device);
        if (query->capability >= 0)
                printf(" %lld", (long long)query->capability);
        printf(", %s: ", query->mode);
        output_text(COLOUR_NONE, answer_kernel_of_value(kd_value_get(answer, "reference"), kernel));
        printf("%s", variant ? ", " : "");
        output_text(COLOUR_NONE, variant ? variant : "");
        printf(", found as %s\n", field_text(answer, "mode", "-"));
}

int verb_explain(const Arguments *arguments)
{
        kd_client *client OWNED(kd_closep) = NULL;
        kd_value *params OWNED(kd_value_freep) = kd_value_map();
        kd_value *result OWNED(kd_value_freep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        const kd_value *answer;
        const char *failed;
        kd_query query;
        kd_error error;
        int r = query_from_arguments(arguments, arguments->words[0], &query);

        if (r)
                return r;
        if (!params || kd_value_set(params, "view", kd_value_integer(KD_VIEW_SESSION)) < 0 ||
            kd_value_set(params, "query", query_to_value(&query)) < 0)
                return 1;
        r = connect_client(arguments, CONNECT_PLAIN, &client, &error);
        if (!r)
                r = kd_call(client, "explain", params, &result, &error);
        if (r)
                return output_error("explain", json, &error);
        answer = kd_value_get(result, "answer");
        failed = field_text(answer, "name", NULL);
        if (json) {
                r = output_json("explain", result);
        } else {
                print_trace(kd_value_get(result, "trace"));
                if (!failed)
                        print_answer(answer, &query);
                else
                        fprintf(stderr, "kernelsctl: %s: %s: %s\n", query.layer, failed,
                                field_text(answer, "message", ""));
        }
        return r ? r : failed ? output_status_of_name(failed) : 0;
}
