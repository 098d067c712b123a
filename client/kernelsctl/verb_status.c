#include <stdio.h>

#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"

/* Where a fault is: "line 3, column 7", or a JSON pointer. */
static void print_fault(const kd_value *fault)
{
        const char *pointer = field_text(fault, "pointer", NULL);

        printf("             ");
        output_text(COLOUR_BAD, field_text(fault, "file", "?"));
        if (pointer) {
                printf(": ");
                output_text(COLOUR_NONE, pointer);
        } else if (field_number(fault, "line", 0)) {
                printf(":%lld:%lld", field_number(fault, "line", 0), field_number(fault, "column", 0));
        }
        printf(": ");
        output_text(COLOUR_NONE, field_text(fault, "message", ""));
        putchar('\n');
}

static void print_mapping(const kd_value *status)
{
        const kd_value *faults = kd_value_get(status, "mapping_faults");
        bool good = kd_value_as_bool(kd_value_get(status, "mapping_ok"));

        printf("mapping      ");
        output_text(good ? COLOUR_GOOD : COLOUR_BAD, good ? "in force" : "has errors; the last good one is in force");
        printf(", generation %lld, layers %lld, index bytes %lld\n", field_number(status, "generation", 0),
               field_number(status, "layers", 0), field_number(status, "index_bytes", 0));
        for (size_t i = 0; i < kd_value_count(faults); i++)
                print_fault(kd_value_at(faults, i));
}

static void print_state(const kd_value *status)
{
        const char *message = field_text(status, "state_message", NULL);
        bool good = kd_value_as_bool(kd_value_get(status, "state_ok"));

        if (good && !message)
                return;
        printf("stored       ");
        output_text(good ? COLOUR_NONE : COLOUR_BAD, message ? message : "cannot be changed");
        putchar('\n');
}

/* Where kernels come from, and where they are kept. */
static void print_hub(const kd_value *status)
{
        const char *hub = field_text(status, "hub_message", NULL), *cache = field_text(status, "cache_message", NULL);

        printf("hub          ");
        output_text(COLOUR_NONE, field_text(status, "hub", "-"));
        printf("%s; fetches running %lld", kd_value_as_bool(kd_value_get(status, "offline")) ? ", offline" : "",
               field_number(status, "fetches", 0));
        if (hub) {
                printf("\n             ");
                output_text(COLOUR_BAD, hub);
        }
        printf("\ncache        ");
        output_text(COLOUR_NONE, field_text(status, "cache", "none: nothing is fetched"));
        printf("; kernels %lld", field_number(status, "kernels", 0));
        if (cache) {
                printf("\n             ");
                output_text(COLOUR_BAD, cache);
        }
        putchar('\n');
}

static void print_absent(const kd_value *absent)
{
        if (!kd_value_count(absent))
                return;
        printf("kernel lacks");
        for (size_t i = 0; i < kd_value_count(absent); i++) {
                printf("%s ", i ? "," : "");
                output_text(COLOUR_NONE, kd_value_as_string(kd_value_at(absent, i), NULL));
        }
        putchar('\n');
}

static void print_status(const kd_value *status)
{
        char age[32];

        printf("daemon       ");
        output_text(COLOUR_TITLE, field_text(status, "daemon", "?"));
        printf(", uid %lld, %s, up %s\n", field_number(status, "uid", 0),
               kd_value_as_bool(kd_value_get(status, "system")) ? "the host's" : "a user's",
               output_age(field_number(status, "uptime_s", 0), age, sizeof(age)));
        print_mapping(status);
        print_state(status);
        print_hub(status);
        printf("sessions     %lld; views %lld, own entries %lld; turned away %lld\n",
               field_number(status, "sessions", 0), field_number(status, "views", 0), field_number(status, "entries", 0),
               field_number(status, "refused", 0));
        printf("leases       %lld, of them without lock %lld; acquires waiting %lld\n", field_number(status, "leases", 0),
               field_number(status, "leases_unlocked", 0), field_number(status, "acquires", 0));
        printf("requests     handled %lld; bytes queued %lld\n", field_number(status, "requests", 0),
               field_number(status, "queued_bytes", 0));
        print_absent(kd_value_get(status, "absent"));
}

int verb_status(const Arguments *arguments)
{
        kd_client *client OWNED(kd_closep) = NULL;
        kd_value *status OWNED(kd_value_freep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        kd_error error;
        int r = connect_client(arguments, CONNECT_PLAIN, &client, &error);

        if (!r)
                r = kd_call(client, "status", NULL, &status, &error);
        if (r)
                return output_error("status", json, &error);
        if (!json)
                print_status(status);
        else if (output_json("status", status))
                return 1;
        return kd_value_as_bool(kd_value_get(status, "mapping_ok")) &&
                               kd_value_as_bool(kd_value_get(status, "state_ok")) ?
                       0 : 1;
}
