#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/control.h"
#include "lib/json.h"
#include "client/level.h"
#include "client/run_changes.h"
#include "client/run_internal.h"

/* Workers hear of a change in time, if they are not held up for longer. */
#define LEAD (10 * CLOCK_NS_PER_MS)

#define RATE_MOST 1e9 /* of a program */

/* The moment at which all workers do it, as an offset from the start. */
static uint64_t
soon(const struct run *run, uint64_t *when)
{
	*when = clock_now() + LEAD + run_lead(run);
	if (*when < run->go_at)
		*when = run->go_at;
	return *when - run->go_at;
}

static bool
any_alive(const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->config->workers; i++)
		if (workers_alive(run->workers, i))
			return true;
	return false;
}

/* NULL, or why what is to change the run cannot: it has not begun, or is over. */
static const char *
why_not(struct run *run)
{
	const struct program *program = &run->config->plan->asked;
	uint64_t when, at = soon(run, &when);

	if (run->result->end.interrupted || !any_alive(run))
		return "the run is over";
	if (run->stage == STAGE_OPENING)
		return "the connections are still being opened: wait until "
		       "'count' says that the phase is running";
	if (at >= program_duration(program))
		return "the run is over";
	return NULL;
}

/*
 * A step that refuses its job if it cannot be done any more; so all steps begin.
 */
static bool
is_refused(struct run_jobs *jobs, struct run_job *job, struct run *run)
{
	const char *why = why_not(run);

	if (why == NULL)
		return false;
	control_refuse(job->request, "%s", why);
	run_job_end(jobs, job);
	return true;
}

/* --every: the rate follows from the connections. */
static bool
takes_turns(const struct run *run)
{
	return run->config->generator->pool.life.every > 0;
}

static uint64_t
bits_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/*
 * The rate.
 */

static bool
is_full(struct run_jobs *jobs, struct run_job *job, struct run *run)
{
	if (!plan_is_full(run->config->plan))
		return false;
	control_refuse(job->request,
	    "the rate has changed %d times, which is the most in a run",
	    PLAN_PIECES);
	run_job_end(jobs, job);
	return true;
}

static uint64_t
change_rate(struct run *run, double rate)
{
	uint64_t when, at = soon(run, &when);

	plan_rate(run->config->plan, at, rate);
	workers_tell(run->workers, WORKER_RATE, bits_of(rate));
	workers_tell(run->workers, WORKER_CHANGE, when);
	return at;
}

/* With when it is done, in seconds since the start of the program. */
static json_t *
at_json(uint64_t at)
{
	json_t *fields = json_object();

	json_put(fields, "at_s", json_real(clock_to_seconds(at)));
	return fields;
}

static void
answer_at(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	(void)arg;
	control_answer(job->request, at_json(job->at));
	run_job_end(jobs, job);
}

static void
answer_rate(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	json_t *fields = at_json(job->at);

	(void)arg;
	json_put(fields, "rate", json_real(job->value.rate));
	control_answer(job->request, fields);
	run_job_end(jobs, job);
}

void
run_change_rate(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	struct run *run = arg;

	if (takes_turns(run)) {
		control_refuse(job->request,
		    "--every says how many queries there are: change the "
		    "connections");
		run_job_end(jobs, job);
		return;
	}
	if (is_refused(jobs, job, run) || is_full(jobs, job, run))
		return;
	job->at = change_rate(run, job->value.rate);
	run_job_tally(jobs, job, answer_rate);
}

void
run_change_pause(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	struct run *run = arg;
	uint64_t when;

	if (is_refused(jobs, job, run) || is_full(jobs, job, run))
		return;
	job->at = soon(run, &when);
	plan_pause(run->config->plan, job->at);
	workers_tell(run->workers, WORKER_PAUSE, when);
	run_job_tally(jobs, job, answer_at);
}

void
run_change_resume(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	struct run *run = arg;
	uint64_t when;

	if (is_refused(jobs, job, run))
		return;
	job->at = soon(run, &when);
	plan_resume(run->config->plan, job->at);
	workers_tell(run->workers, WORKER_RESUME, when);
	run_job_tally(jobs, job, answer_at);
}

/*
 * Connections. Some may have ended for good, so the workers are first asked what
 * they hold; what is then wanted of each is exact, whatever ends meanwhile.
 */

/* Of the workers that are left, in their order; how many those are. */
static unsigned int
gather(const struct run *run, unsigned int *index, uint64_t *held)
{
	unsigned int i, n = 0;

	for (i = 0; i < run->config->workers; i++)
		if (run_jobs_held(run->jobs, i, &held[n]))
			index[n++] = i;
	return n;
}

static uint64_t
sum_held(const struct run *run)
{
	uint64_t total = 0, held;
	unsigned int i;

	for (i = 0; i < run->config->workers; i++)
		if (run_jobs_held(run->jobs, i, &held))
			total += held;
	return total;
}

/*
 * The shares of the rate are as the connections are, so that each of these is as
 * likely as any other. Without any, they stay.
 */
static void
tell_share(struct run *run, unsigned int worker,
    const struct turns_share *share, uint64_t when)
{
	workers_tell_one(run->workers, worker, WORKER_TOTAL, share->total);
	workers_tell_one(run->workers, worker, WORKER_RANGE,
	    (uint64_t)share->first << 32 | share->count);
	workers_tell_one(run->workers, worker, WORKER_SHARE, when);
}

static void
tell_wanted(struct run *run, uint64_t total, uint64_t when)
{
	unsigned int workers = run->config->workers, n, i;
	unsigned int *index = calloc(workers, sizeof(*index));
	uint64_t *counts = calloc(workers, sizeof(*counts));
	struct turns_share share = {0, 0, (uint32_t)total};

	if (index == NULL || counts == NULL)
		errx(1, "no memory for %u workers", workers);
	n = gather(run, index, counts);
	level_counts(counts, n, total);
	for (i = 0; i < n; i++) {
		share.first += share.count;
		share.count = (uint32_t)counts[i];
		if (total > 0)
			tell_share(run, index[i], &share, when);
		workers_tell_one(
		    run->workers, index[i], WORKER_WANT, counts[i]);
	}
	free(index);
	free(counts);
}

static void
answer_wanted(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	struct run *run = arg;
	json_t *fields = json_object();

	run->wanted = sum_held(run);
	json_put_count(fields, "connections", run->wanted);
	control_answer(job->request, fields);
	run_job_end(jobs, job);
}

static uint64_t
capacity(const struct run *run)
{
	uint64_t most = 0, held;
	unsigned int i;

	for (i = 0; i < run->config->workers; i++)
		if (run_jobs_held(run->jobs, i, &held))
			most += run->config->generator->pool.capacity;
	return most;
}

/* Each of them has its queries, where they take turns. */
static double
rate_of(const struct run *run, uint64_t connections)
{
	uint64_t every = run->config->generator->pool.life.every;

	return (double)connections / clock_to_seconds(every);
}

/* Refuses what is too many. */
static bool
is_too_much(struct run_jobs *jobs, struct run_job *job, struct run *run,
    uint64_t connections)
{
	uint64_t most = capacity(run);

	if (connections > most)
		control_refuse(job->request,
		    "at most %" PRIu64 " connections: %" PRIu32
		    " for each worker, as it may have descriptors",
		    most, run->config->generator->pool.capacity);
	else if (takes_turns(run) && rate_of(run, connections) > RATE_MOST)
		control_refuse(job->request,
		    "--every: more than 1000M queries per second in all");
	else
		return false;
	run_job_end(jobs, job);
	return true;
}

static void
want(struct run_jobs *jobs, struct run_job *job, struct run *run,
    uint64_t connections)
{
	uint64_t when;

	if (is_refused(jobs, job, run) ||
	    is_too_much(jobs, job, run, connections) ||
	    (takes_turns(run) && is_full(jobs, job, run)))
		return;
	if (takes_turns(run))
		when = run->go_at + change_rate(run, rate_of(run, connections));
	else
		(void)soon(run, &when);
	tell_wanted(run, connections, when);
	run_job_tally(jobs, job, answer_wanted);
}

static void
set_step(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	want(jobs, job, arg, job->value.count);
}

static void
open_step(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	want(jobs, job, arg, sum_held(arg) + job->value.count);
}

static void
stop_step(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	uint64_t held = sum_held(arg);

	if (job->value.count <= held) {
		want(jobs, job, arg, held - job->value.count);
		return;
	}
	control_refuse(
	    job->request, "there are only %" PRIu64 " connections", held);
	run_job_end(jobs, job);
}

static void
ask_held(struct run_jobs *jobs, struct run_job *job, struct run *run,
    run_job_step *then)
{
	if (!is_refused(jobs, job, run))
		run_job_tally(jobs, job, then);
}

void
run_change_connections(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	ask_held(jobs, job, arg, set_step);
}

void
run_change_open(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	ask_held(jobs, job, arg, open_step);
}

void
run_change_stop(struct run_jobs *jobs, struct run_job *job, void *arg)
{
	ask_held(jobs, job, arg, stop_step);
}
