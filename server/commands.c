#include <sys/queue.h>

#include <err.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/worker.h"
#include "server/commands.h"
#include "server/counts.h"
#include "server/report.h"
#include "server/watch.h"

/* What workers do. There are no more of them than clients: each waits for its
 * answer before its next. */
struct job {
	TAILQ_ENTRY(job) entry;
	struct control_request *request;
	enum worker_verb verb;
	uint64_t left; /* WORKER_CLOSE: connections still to be closed */
	uint64_t closed;
	uint64_t round; /* of them in this round */
};

struct commands {
	struct commands_config config;
	struct control *control;
	TAILQ_HEAD(, job) jobs; /* that wait for the one that runs */
	struct job *running;
	unsigned int count; /* of workers */
	unsigned int waiting_for; /* of them, to do the one that runs */
	struct {
		uint64_t open;
		uint64_t share; /* of what is to be closed */
		bool told; /* and has not done it yet */
	} * worker;
};

static void run_next(struct commands *);

/*
 * Telling the workers.
 */

static void
tell(struct commands *c, unsigned int index, uint64_t value)
{
	c->worker[index].told = true;
	c->waiting_for++;
	workers_tell_one(c->config.workers, index, c->running->verb, value);
}

static void
tell_all(struct commands *c)
{
	unsigned int i;

	for (i = 0; i < c->count; i++)
		if (workers_alive(c->config.workers, i))
			tell(c, i, 0);
}

/* What each worker has, as far as it can be told while it works; the sum. */
static uint64_t
look_at_open(struct commands *c)
{
	const struct counts_slot *slot;
	struct counts copy;
	uint64_t open, total = 0;
	unsigned int i;

	for (i = 0; i < c->count; i++) {
		slot = workers_shared(c->config.workers, i);
		copy = slot->counts;
		open = counts_open(&copy);
		/* a copy of counts that change can be below 0 */
		if (!workers_alive(c->config.workers, i) || open > INT64_MAX)
			open = 0;
		c->worker[i].open = open;
		total += open;
	}
	return total;
}

/*
 * Of n in proportion to what each has, rounded down; then one more each for the
 * first that have more than that. n <= total, so what is over is less than there
 * are of those.
 */
static void
share_out(struct commands *c, uint64_t n, uint64_t total)
{
	uint64_t over = n;
	unsigned int i;

	for (i = 0; i < c->count; i++) {
		c->worker[i].share =
		    total > 0 ? n * c->worker[i].open / total : 0;
		over -= c->worker[i].share;
	}
	for (i = 0; i < c->count && over > 0; i++)
		if (c->worker[i].share < c->worker[i].open) {
			c->worker[i].share++;
			over--;
		}
}

static void
tell_shares(struct commands *c)
{
	uint64_t total = look_at_open(c), n = c->running->left;
	unsigned int i;

	share_out(c, n < total ? n : total, total);
	for (i = 0; i < c->count; i++)
		if (c->worker[i].share > 0)
			tell(c, i, c->worker[i].share);
}

/*
 * One job.
 */

static void
job_tell(struct commands *c)
{
	c->running->round = 0;
	if (c->running->verb == WORKER_CLOSE)
		tell_shares(c);
	else
		tell_all(c);
}

static void
job_end(struct commands *c)
{
	struct job *job = c->running;
	struct control_request *request = job->request;
	json_t *fields = NULL;

	if (job->verb == WORKER_CLOSE) {
		fields = json_object();
		json_put_count(fields, "closed", job->closed);
	}
	c->running = NULL;
	free(job);
	control_answer(request, fields);
	run_next(c);
}

/*
 * Nobody is waited for. A worker may have had fewer than it was told to close,
 * as peers close, too: what is left is shared out again, as long as that closes
 * any.
 */
static void
job_round(struct commands *c)
{
	struct job *job = c->running;

	job->closed += job->round;
	job->left -= job->round;
	if (job->left > 0 && job->round > 0)
		job_tell(c);
	if (c->waiting_for == 0)
		job_end(c);
}

static void
run_next(struct commands *c)
{
	if (c->running != NULL || TAILQ_EMPTY(&c->jobs))
		return;
	c->running = TAILQ_FIRST(&c->jobs);
	TAILQ_REMOVE(&c->jobs, c->running, entry);
	job_tell(c);
	if (c->waiting_for == 0)
		job_end(c);
}

static void
job_new(struct commands *c, struct control_request *request,
    enum worker_verb verb, uint64_t left)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		errx(1, "no memory for a command");
	job->request = request;
	job->verb = verb;
	job->left = left;
	TAILQ_INSERT_TAIL(&c->jobs, job, entry);
	run_next(c);
}

void
commands_done(struct commands *c, unsigned int index, uint64_t value)
{
	if (!c->worker[index].told)
		return;
	c->worker[index].told = false;
	c->running->round += value;
	if (--c->waiting_for == 0)
		job_round(c);
}

/*
 * The commands.
 */

static void
on_count(struct control_request *request, union command_value value, void *arg)
{
	struct commands *c = arg;
	struct counts now;
	json_t *fields = json_object();

	(void)value;
	watch_add_up(c->config.watch, &now);
	json_put_count(fields, "open", counts_open_all(&now));
	json_put_count(fields, "accepted", now.accepted);
	control_answer(request, fields);
}

static void
on_stats(struct control_request *request, union command_value value, void *arg)
{
	struct commands *c = arg;
	struct counts now;

	(void)value;
	watch_add_up(c->config.watch, &now);
	watch_look_at_queues(c->config.watch);
	control_answer(
	    request, server_report_counts(c->config.report, &now, clock_now()));
}

static void
on_close(struct control_request *request, union command_value value, void *arg)
{
	job_new(arg, request, WORKER_CLOSE, value.count);
}

static void
on_pause(struct control_request *request, union command_value value, void *arg)
{
	(void)value;
	job_new(arg, request, WORKER_PAUSE, 0);
}

static void
on_resume(struct control_request *request, union command_value value, void *arg)
{
	(void)value;
	job_new(arg, request, WORKER_RESUME, 0);
}

static void
on_quit(struct control_request *request, union command_value value, void *arg)
{
	struct commands *c = arg;

	(void)value;
	control_answer(request, NULL);
	c->config.end(c->config.arg);
}

static const struct command table[] = {
    {"count", COMMAND_NONE, on_count},
    {"stats", COMMAND_NONE, on_stats},
    {"close", COMMAND_COUNT, on_close},
    {"pause-accept", COMMAND_NONE, on_pause},
    {"resume-accept", COMMAND_NONE, on_resume},
    {"quit", COMMAND_NONE, on_quit},
    {NULL, COMMAND_NONE, NULL},
};

static void
on_line(struct control_request *request, const char *line, void *arg)
{
	command_run(table, request, line, arg);
}

struct commands *
commands_new(const struct commands_config *config, const char *path,
    char why[CONTROL_WHY])
{
	struct commands *c = calloc(1, sizeof(*c));

	if (c == NULL)
		errx(1, "no memory for control");
	c->config = *config;
	c->count = workers_count(config->workers);
	c->worker = calloc(c->count, sizeof(*c->worker));
	if (c->worker == NULL)
		errx(1, "no memory for %u workers", c->count);
	TAILQ_INIT(&c->jobs);
	c->control =
	    control_new(workers_base(config->workers), path, on_line, c, why);
	if (c->control == NULL) {
		free(c->worker);
		free(c);
		return NULL;
	}
	return c;
}

void
commands_free(struct commands *c)
{
	control_free(c->control);
	free(c->worker);
	free(c);
}
