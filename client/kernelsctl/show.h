/* Verbs that ask one thing and show it. */
#pragma once

#include <stdint.h>

#include "client/kernelsctl/connect.h"

typedef struct Show {
        const char *verb;     /* as its schema has it: "cache-list" */
        const char *method;
        const char *rows;     /* key of the rows of a method that gives pages; NULL: it gives none */
        ConnectFor purpose;
        size_t most;          /* rows */
        void (*print)(const kd_value *result);      /* for people */
        int (*status)(const kd_value *result);      /* the exit status; NULL: 0 */
} Show;

/* Connects, calls the method, frees the params and shows the result, which of
 * pages is a map with all rows: the exit status. params NULL: there was no
 * memory for them. */
int show(const Arguments *arguments, const Show *what, kd_value *params);
