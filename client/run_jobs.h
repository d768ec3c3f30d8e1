/*
 * Commands that need the workers, one after the other: what workers are told is
 * known to have been done before the next one begins. So however many commands
 * come, each worker has one under way, and nobody waits for a worker that hangs but
 * the command.
 */
#ifndef CLIENT_RUN_JOBS_H
#define CLIENT_RUN_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/command.h"

struct control_request;
struct workers;
struct run_job;
struct run_jobs;

/*
 * A step of a job. It either ends it, by run_job_end() with its request answered,
 * or goes on, by run_job_tally(), after having told the workers something.
 */
typedef void run_job_step(struct run_jobs *, struct run_job *, void *arg);

struct run_job {
	struct control_request *request;
	union command_value value;
	uint64_t at; /* the step's own */
	run_job_step *step; /* the one that comes next */
};

/* arg goes to the steps. Owned by the caller. Exits on lack of memory. */
struct run_jobs *run_jobs_new(struct workers *, void *arg);

/* None may be left: there is none once the workers have ended. */
void run_jobs_free(struct run_jobs *);

/* Begins the job with this step, now or after those that came before. */
void run_jobs_add(struct run_jobs *, struct control_request *,
    union command_value, run_job_step *);

/* The next step comes once all workers have done what they were told. */
void run_job_tally(struct run_jobs *, struct run_job *, run_job_step *);

/* The request has been answered. */
void run_job_end(struct run_jobs *, struct run_job *);

/* A worker has said WORKER_DONE with this value, or has ended: 0. */
void run_jobs_done(struct run_jobs *, unsigned int worker, uint64_t value);

/* What the worker has said last; of one that has ended, false. */
bool run_jobs_held(
    const struct run_jobs *, unsigned int worker, uint64_t *held);

#endif
