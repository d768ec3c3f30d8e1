/*
 * What a run is told while it goes on (--control): each command is checked here,
 * passed on to the workers, and answered.
 */
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/command.h"
#include "lib/control.h"
#include "lib/json.h"
#include "client/run_internal.h"

static const char *
phase_name(const struct run *run)
{
	const struct generator_result *sum = &run->result->sum;

	if (sum->close_begin != 0)
		return "closing";
	if (run->result->end.interrupted || sum->query_end != 0)
		return "draining";
	return run->stage == STAGE_OPENING ? "opening" : "running";
}

/* Refuses what is to change a run that has not begun, or is over. */
static bool
is_running(struct run *run, struct control_request *request)
{
	const struct program *program = &run->config->plan->asked;
	uint64_t now = clock_now();

	(void)run_add_up(run);
	if (run->stage == STAGE_OPENING) {
		control_refuse(request,
		    "the connections are still being opened: wait until "
		    "'count' says that the phase is running");
		return false;
	}
	if (run->result->end.interrupted ||
	    (now > run->go_at &&
		now - run->go_at >= program_duration(program))) {
		control_refuse(request, "the run is over");
		return false;
	}
	return true;
}

/* The moment at which all workers do it, as an offset from the start. */
static uint64_t
soon(const struct run *run, uint64_t *when)
{
	*when = clock_now() + run_lead(run);
	if (*when < run->go_at)
		*when = run->go_at;
	return *when - run->go_at;
}

/*
 * The rate.
 */

static void
change_rate(struct run *run, double rate)
{
	uint64_t when, at = soon(run, &when), bits;

	memcpy(&bits, &rate, sizeof(bits));
	plan_rate(run->config->plan, at, rate);
	workers_tell(run->workers, WORKER_RATE, bits);
	workers_tell(run->workers, WORKER_CHANGE, when);
}

static void
on_rate(struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;
	json_t *fields;

	if (!is_running(run, request))
		return;
	if (run->config->generator->pool.life.every > 0) {
		control_refuse(request,
		    "--every says how many queries there "
		    "are: change the connections");
		return;
	}
	change_rate(run, value.rate);
	fields = json_object();
	json_put(fields, "rate", json_real(value.rate));
	control_answer(request, fields);
}

static void
on_pause(struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;
	uint64_t when, at;

	(void)value;
	if (!is_running(run, request))
		return;
	at = soon(run, &when);
	plan_pause(run->config->plan, at);
	workers_tell(run->workers, WORKER_PAUSE, when);
	control_answer(request, NULL);
}

static void
on_resume(struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;
	uint64_t when, at;

	(void)value;
	if (!is_running(run, request))
		return;
	at = soon(run, &when);
	plan_resume(run->config->plan, at);
	workers_tell(run->workers, WORKER_RESUME, when);
	control_answer(request, NULL);
}

/*
 * Connections.
 */

/* Each of so many connections has its queries, where they take turns. */
static void
keep_every(struct run *run)
{
	uint64_t every = run->config->generator->pool.life.every;

	if (every > 0)
		change_rate(run, (double)run->wanted / clock_to_seconds(every));
}

static void
answer_wanted(struct run *run, struct control_request *request)
{
	json_t *fields = json_object();

	json_put_count(fields, "connections", run->wanted);
	control_answer(request, fields);
	keep_every(run);
}

static bool
has_capacity(
    const struct run *run, struct control_request *request, uint64_t wanted)
{
	uint64_t most = (uint64_t)run->config->generator->pool.capacity *
	    run->config->workers;

	if (wanted <= most)
		return true;
	control_refuse(request,
	    "at most %" PRIu64 " connections: %" PRIu32
	    " for each worker, as it may have descriptors",
	    most, run->config->generator->pool.capacity);
	return false;
}

static void
on_connections(
    struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;

	if (!is_running(run, request) ||
	    !has_capacity(run, request, value.count))
		return;
	run->wanted = value.count;
	workers_tell(run->workers, WORKER_HOLD, value.count);
	answer_wanted(run, request);
}

/* What is held now may be less than was wanted: some may have ended for good. */
static void
tell_shares(struct run *run, enum worker_verb verb, uint64_t count)
{
	unsigned int i, workers = run->config->workers;

	for (i = 0; i < workers; i++)
		workers_tell_one(
		    run->workers, i, verb, worker_share(count, i, workers));
}

static void
on_open(struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;

	if (!is_running(run, request) ||
	    !has_capacity(run, request, run->wanted + value.count))
		return;
	run->wanted += value.count;
	tell_shares(run, WORKER_OPEN, value.count);
	answer_wanted(run, request);
}

static void
on_stop(struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;

	if (!is_running(run, request))
		return;
	if (value.count > run->wanted) {
		control_refuse(request,
		    "there are only %" PRIu64 " connections", run->wanted);
		return;
	}
	run->wanted -= value.count;
	tell_shares(run, WORKER_CLOSE, value.count);
	answer_wanted(run, request);
}

/*
 * Questions, and the end.
 */

static void
on_count(struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;
	const struct stats *stats = &run_add_up(run)->stats;
	json_t *fields = json_object();

	(void)value;
	json_put_count(fields, "open", stats_open(stats));
	json_put_count(fields, "pending", stats_pending(stats));
	json_put_count(fields, "wanted", run->wanted);
	json_put(fields, "phase", json_string(phase_name(run)));
	control_answer(request, fields);
}

static void
on_stats(struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;
	json_t *fields =
	    report_stats(run->config->report, run_add_up(run), clock_now());

	(void)value;
	json_put(fields, "phase", json_string(phase_name(run)));
	control_answer(request, fields);
}

static void
on_quit(struct control_request *request, union command_value value, void *arg)
{
	struct run *run = arg;

	(void)value;
	control_answer(request, NULL);
	run_interrupt(run);
}

static const struct command table[] = {
    {"rate", COMMAND_RATE, on_rate},
    {"connections", COMMAND_COUNT, on_connections},
    {"open", COMMAND_COUNT, on_open},
    {"stop", COMMAND_COUNT, on_stop},
    {"count", COMMAND_NONE, on_count},
    {"stats", COMMAND_NONE, on_stats},
    {"pause", COMMAND_NONE, on_pause},
    {"resume", COMMAND_NONE, on_resume},
    {"quit", COMMAND_NONE, on_quit},
    {NULL, COMMAND_NONE, NULL},
};

static void
on_line(struct control_request *request, const char *line, void *arg)
{
	command_run(table, request, line, arg);
}

bool
run_commands_begin(struct run *run)
{
	char why[CONTROL_WHY];

	if (run->config->control == NULL)
		return true;
	run->control = control_new(workers_base(run->workers),
	    run->config->control, on_line, run, why);
	if (run->control == NULL)
		warnx("--control %s: %s", run->config->control, why);
	return run->control != NULL;
}

void
run_commands_end(struct run *run)
{
	if (run->control != NULL)
		control_free(run->control);
}
