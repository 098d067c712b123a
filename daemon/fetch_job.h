/* One fetch as a job of the file thread: the decisions of kernels/fetch, their
 * calls carried out by daemon/http. A value: the loop reads only its progress
 * while it runs. */
#pragma once

#include <stdatomic.h>

#include "daemon/http.h"
#include "daemon/progress.h"
#include "daemon/worker.h"
#include "kernels/fetch.h"

typedef struct FetchTransfer FetchTransfer;

typedef struct FetchJob {
        Job job; /* job.done is the submitter's */
        Http *http;
        char *token; /* owned; NULL: none */
        const void *group; /* of its requests; set before it is submitted */
        Fetch *fetch;
        FetchTransfer *transfers; /* that run */
        Fault fault;
        bool refused; /* the fault says why */
        bool pauses;  /* another process writes a file of it: to be submitted again in a while */
        bool confirms; /* fetch_confirm is wanted, then it is to be submitted again */
        SharedProgress progress;
} FetchJob;

/* The order becomes the job's, in any case; the token is copied. 0, -ENOMEM. */
int fetch_job_init(FetchJob *job, Http *http, const char *token, FetchOrder *order);

/* Not while it is submitted, nor while it pauses: one that is given up then is
 * submitted and cancelled first, for the file thread to let go of the cache. */
void fetch_job_deinit(FetchJob *job);
