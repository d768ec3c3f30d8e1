/*
 * The steps of a search: what is told to the workers between one and the next.
 */
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/lines.h"
#include "client/run_internal.h"

static void
await_all(struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->config->workers; i++)
		run->members[i].ready = run->members[i].ended;
}

static bool
is_for(const struct run *run, enum search_what what)
{
	return search_config(run->config->search)->what == what;
}

static void
run_step(struct run *run, const struct search_load *load)
{
	uint64_t rate;

	run_look_at_listeners(run);
	if (is_for(run, SEARCH_RATE))
		find_max_begin(run->find_max, run_add_up(run));
	memcpy(&rate, &load->rate, sizeof(rate));
	await_all(run);
	workers_tell(run->workers, WORKER_RATE, rate);
	workers_tell(run->workers, WORKER_LAST, load->duration);
	run_go(run);
}

/*
 * In a search for connections that is part of the step. In one for a rate only those
 * are opened that were closed after the step before, and that is no part of any.
 */
static void
open_for_step(struct run *run, const struct search_load *load)
{
	run_look_at_listeners(run);
	run->stage = STAGE_OPENING;
	await_all(run);
	if (is_for(run, SEARCH_CONNECTIONS)) {
		find_max_begin(run->find_max, run_add_up(run));
		workers_tell(run->workers, WORKER_HOLD, load->connections);
	} else
		workers_tell(run->workers, WORKER_REOPEN, 0);
}

static void
say_step(struct run *run)
{
	struct lines lines;
	FILE *out = lines_begin(&lines);

	if (out != NULL)
		report_step(run->config->report, out);
	run->result->end.lines_left_out += lines_end(&lines);
}

static bool
all_ended(const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->config->workers; i++)
		if (!run->members[i].ended)
			return false;
	return true;
}

static bool
any_died(const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->config->workers; i++)
		if (run->members[i].died != 0)
			return true;
	return false;
}

static bool
log_failed(const struct run *run)
{
	return run->result->end.query_log_error != 0;
}

/*
 * Without one of its workers a step has not had its load, nor would the next one;
 * and a worker that cannot write -R ends by itself.
 */
void
run_search_on(struct run *run)
{
	bool ended = all_ended(run), broken = any_died(run) || log_failed(run);
	struct health_usage usage;
	struct search_load load;

	if (run->result->end.interrupted)
		return;
	if (!broken &&
	    (run->stage == STAGE_QUERYING ||
		(ended && is_for(run, SEARCH_CONNECTIONS)))) {
		run_look_at_listeners(run);
		usage = run_busiest(run);
		find_max_end(run->find_max, run_add_up(run), &usage, ended);
		if (run->config->live_every > 0)
			say_step(run);
	}
	if (!search_next(run->config->search, &load) || ended || broken)
		workers_tell(run->workers, WORKER_DRAIN, clock_now());
	else if (run->stage == STAGE_QUERYING)
		open_for_step(run, &load);
	else
		run_step(run, &load);
}
