/* kd_kernelize in two phases: a plan is made, which asks, acquires and loads but
 * changes no layer; only where it allows all of them is it carried out. */
#pragma once

#include "client/client.h"
#include "client/text_table.h"

/* Why a name has no kernel; texts lie in what the plan holds. */
typedef struct Why {
        int code; /* 0: it has one */
        bool retry;
        const char *name;
        const char *message;
} Why;

/* One name, whatever the number of layers that have it. */
typedef struct PlanName {
        size_t first;            /* the first of its layers */
        const kd_answer *answer; /* of the resolve; NULL: not asked */
        uint32_t kernel;         /* its number; only where the answer leads to one */
        kd_forward function;
        int n_arguments;         /* these three as the kernel states them, or -1 */
        int has_backward;
        int can_torch_compile;
        Why why;
} PlanName;

typedef struct Plan {
        kd_client *client;
        uint32_t view;
        kd_layer *layers;
        size_t n;
        const char *mode;
        const char *device;
        int64_t capability;
        unsigned flags;
        TextTable table;
        uint32_t *numbers;        /* layer to name */
        PlanName *names;          /* as many as the table has texts */
        kd_query *queries;        /* one for each name */
        kd_answers *answers;
        kd_acquisition *kernels;  /* each once, whatever the number of names */
        size_t n_kernels;
        bool unreachable;         /* there was no daemon to ask */
        Arena texts;
} Plan;

/* What is to be put in place of a layer. */
typedef struct Outcome {
        kd_forward function; /* NULL: the original is kept */
        int code;            /* 0, or for what */
        kd_gate gate;        /* where the code is -ENOTSUP: the one that refuses it */
} Outcome;

/* Fills a plan whose fields down to `flags` are set: 0, or an error that no flag
 * covers. */
int plan_make(Plan *plan, kd_error *error);
void plan_deinit(Plan *plan);

/* Whether a flag keeps the original for this failure. */
bool plan_covers(const Plan *plan, int code, kd_gate gate);

/* What is known of layer number i: the same each time. */
Outcome plan_outcome(const Plan *plan, size_t i);

/* Says it, as an error or, with code 0, as what is put in place. */
void plan_describe(const Plan *plan, size_t i, const Outcome *outcome, kd_error *ret_text);

/* Tells the daemon what became of each name; nobody waits for that. */
void plan_report(const Plan *plan);
