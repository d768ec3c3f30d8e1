#include <sys/queue.h>

#include <err.h>
#include <stdlib.h>

#include "lib/worker.h"
#include "client/run_jobs.h"

struct entry {
	struct run_job job; /* first: a job is the entry that it is in */
	TAILQ_ENTRY(entry) link;
};

struct run_jobs {
	struct workers *workers;
	void *arg;
	TAILQ_HEAD(, entry) waiting; /* a client has one at most */
	struct run_job *running;
	unsigned int waiting_for; /* workers */
	bool busy; /* in a step, which may let in the next command */
	struct {
		uint64_t held;
		bool told; /* and has not done it yet */
	} * worker;
};

struct run_jobs *
run_jobs_new(struct workers *workers, void *arg)
{
	struct run_jobs *j = calloc(1, sizeof(*j));

	if (j == NULL)
		errx(1, "no memory for control");
	j->workers = workers;
	j->arg = arg;
	j->worker = calloc(workers_count(workers), sizeof(*j->worker));
	if (j->worker == NULL)
		errx(1, "no memory for control");
	TAILQ_INIT(&j->waiting);
	return j;
}

void
run_jobs_free(struct run_jobs *j)
{
	free(j->worker);
	free(j);
}

static bool
take_next(struct run_jobs *j)
{
	struct entry *e = TAILQ_FIRST(&j->waiting);

	if (e == NULL)
		return false;
	TAILQ_REMOVE(&j->waiting, e, link);
	j->running = &e->job;
	return true;
}

/* As far as it goes without waiting for a worker. */
static void
go_on(struct run_jobs *j)
{
	if (j->busy)
		return;
	j->busy = true;
	while (j->waiting_for == 0 && (j->running != NULL || take_next(j)))
		j->running->step(j, j->running, j->arg);
	j->busy = false;
}

void
run_jobs_add(struct run_jobs *j, struct control_request *request,
    union command_value value, run_job_step *step)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		errx(1, "no memory for a command");
	e->job.request = request;
	e->job.value = value;
	e->job.step = step;
	TAILQ_INSERT_TAIL(&j->waiting, e, link);
	go_on(j);
}

void
run_job_tally(struct run_jobs *j, struct run_job *job, run_job_step *step)
{
	unsigned int i;

	job->step = step;
	for (i = 0; i < workers_count(j->workers); i++) {
		if (!workers_alive(j->workers, i))
			continue;
		j->worker[i].told = true;
		j->waiting_for++;
		workers_tell_one(j->workers, i, WORKER_TALLY, 0);
	}
}

void
run_job_end(struct run_jobs *j, struct run_job *job)
{
	j->running = NULL;
	free(job);
}

void
run_jobs_done(struct run_jobs *j, unsigned int worker, uint64_t value)
{
	if (!j->worker[worker].told)
		return;
	j->worker[worker].told = false;
	j->worker[worker].held = value;
	j->waiting_for--;
	go_on(j);
}

bool
run_jobs_held(const struct run_jobs *j, unsigned int worker, uint64_t *held)
{
	*held = j->worker[worker].held;
	return workers_alive(j->workers, worker);
}
