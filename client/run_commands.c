/*
 * The commands that a run takes while it goes on (--control).
 */
#include <err.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/command.h"
#include "lib/control.h"
#include "lib/control_socket.h"
#include "lib/lines.h"
#include "lib/json.h"
#include "client/run_changes.h"
#include "client/run_internal.h"

static bool
is_over(const struct run *run, uint64_t now)
{
	return run->result->end.interrupted ||
	    (now > run->go_at &&
		now - run->go_at >=
		    program_duration(&run->config->plan->asked));
}

static const char *
phase_name(const struct run *run)
{
	uint64_t now = clock_now();

	if (run->stage == STAGE_OPENING)
		return run->result->end.interrupted ? "draining" : "opening";
	if (is_over(run, now))
		return "draining";
	if (now < run->go_at)
		return "waiting";
	return run->config->plan->paused ? "paused" : "running";
}

/*
 * Changes.
 */

static void
on_rate(struct control_request *request, union command_value value, void *arg)
{
	run_jobs_add(
	    ((struct run *)arg)->jobs, request, value, run_change_rate);
}

static void
on_pause(struct control_request *request, union command_value value, void *arg)
{
	run_jobs_add(
	    ((struct run *)arg)->jobs, request, value, run_change_pause);
}

static void
on_resume(struct control_request *request, union command_value value, void *arg)
{
	run_jobs_add(
	    ((struct run *)arg)->jobs, request, value, run_change_resume);
}

static void
on_connections(
    struct control_request *request, union command_value value, void *arg)
{
	run_jobs_add(
	    ((struct run *)arg)->jobs, request, value, run_change_connections);
}

static void
on_open(struct control_request *request, union command_value value, void *arg)
{
	run_jobs_add(
	    ((struct run *)arg)->jobs, request, value, run_change_open);
}

static void
on_stop(struct control_request *request, union command_value value, void *arg)
{
	run_jobs_add(
	    ((struct run *)arg)->jobs, request, value, run_change_stop);
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
	run->result->end.by_command |= !run->result->end.interrupted;
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
run_may_be_told(const char *path)
{
	struct control_socket socket;
	char why[CONTROL_WHY];

	if (control_socket_open(&socket, path, why) == -1) {
		warnx("--control %s: %s", path, why);
		return false;
	}
	control_socket_close(&socket);
	return true;
}

bool
run_commands_begin(struct run *run)
{
	char why[CONTROL_WHY];

	if (run->config->control == NULL)
		return true;
	run->jobs = run_jobs_new(run->workers, run);
	run->control = control_new(workers_base(run->workers),
	    run->config->control, on_line, run, why);
	if (run->control == NULL)
		(void)lines_say("--control %s: %s", run->config->control, why);
	return run->control != NULL;
}

void
run_commands_done(struct run *run, unsigned int worker, uint64_t value)
{
	if (run->jobs != NULL)
		run_jobs_done(run->jobs, worker, value);
}

void
run_commands_end(struct run *run)
{
	if (run->control != NULL)
		control_free(run->control);
	if (run->jobs != NULL)
		run_jobs_free(run->jobs);
}
