/* two-threads SOCKET [ROUNDS]: two threads share one client; each makes a view
 * of its own, they look up in both at once, and while one view goes the other
 * thread goes on: in even rounds the view that was made first goes first, in
 * odd ones the one that was made last. 0 if nobody disturbed anybody. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/kernelsd.h"

#define LOOKUPS 100

static kd_client *client;
static pthread_barrier_t barrier;

typedef struct Side {
        const char *label;
        int number; /* 0 makes its view first */
        int rounds;
        int failed;
} Side;

static void fail(Side *side, const char *what, const kd_error *error)
{
        fprintf(stderr, "%s: %s: %s\n", side->label, what, error->message);
        side->failed = 1;
}

static void look_up(Side *side, uint32_t view)
{
        kd_query query = { .layer = "Layer", .device = "cuda", .capability = 90, .mode = "inference" };
        kd_error error = { 0 };
        kd_answers *answers;

        for (int i = 0; i < LOOKUPS; i++) {
                const kd_answer *answer;

                if (kd_resolve(client, view, &query, 1, 0, &answers, &error) != 0) {
                        fail(side, "resolve", &error);
                        return;
                }
                answer = kd_answers_get(answers, 0);
                if (answer->code || strcmp(answer->reference_layer, side->label) != 0)
                        fail(side, "another's entry was found", &error);
                kd_answers_free(answers);
        }
}

static void one_round(Side *side, int round)
{
        kd_reference reference = { .mode = "fallback", .repo = "test/label", .version = 1, .layer = side->label };
        kd_entry entry = { .layer = "Layer", .device = "cuda", .min_capability = -1, .max_capability = -1,
                           .references = &reference, .n_references = 1 };
        kd_error error = { 0 };
        uint32_t view = 0;

        if (side->number == 1)
                pthread_barrier_wait(&barrier); /* the first one's view is there */
        if (kd_view_create(client, 0, &entry, 1, &view, &error) != 0)
                fail(side, "view", &error);
        if (side->number == 0)
                pthread_barrier_wait(&barrier);

        look_up(side, view);
        pthread_barrier_wait(&barrier); /* both have looked in their views */
        if (side->number != round % 2)
                look_up(side, view); /* while the other's goes */
        if (kd_view_drop(client, view, &error) != 0)
                fail(side, "drop", &error);
        pthread_barrier_wait(&barrier);
}

static void *run(void *data)
{
        Side *side = data;

        for (int i = 0; i < side->rounds; i++)
                one_round(side, i);
        return NULL;
}

int main(int argc, char **argv)
{
        int rounds = argc > 2 ? atoi(argv[2]) : 2;
        Side sides[2] = { { "first", 0, rounds, 0 }, { "second", 1, rounds, 0 } };
        kd_options options = KD_OPTIONS_INIT;
        kd_error error = { 0 };
        pthread_t threads[2];

        options.socket = argc > 1 ? argv[1] : NULL;
        if (kd_connect(&options, &client, &error) != 0) {
                fprintf(stderr, "%s\n", error.message);
                return 1;
        }
        pthread_barrier_init(&barrier, NULL, 2);
        for (int i = 0; i < 2; i++)
                if (pthread_create(&threads[i], NULL, run, &sides[i]) != 0)
                        abort();
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        kd_close(client);
        return sides[0].failed || sides[1].failed;
}
