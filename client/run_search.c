/*
 * The steps of a search: what is told to the workers between one and the next.
 */
#include <stdio.h>
#include <string.h>

#include "lib/lines.h"
#include "client/run_internal.h"

static void
await_all(struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->config->workers; i++)
		run->members[i].ready = run->members[i].ended;
}

static void
run_step(struct run *run, const struct search_load *load)
{
	uint64_t rate;

	run_look_at_listeners(run);
	if (search_config(run->config->search)->what == SEARCH_RATE)
		find_max_begin(run->find_max, run_add_up(run));
	memcpy(&rate, &load->rate, sizeof(rate));
	await_all(run);
	workers_tell(run->workers, WORKER_RATE, rate);
	workers_tell(run->workers, WORKER_LAST, load->duration);
	run_go(run);
}

static void
open_for_step(struct run *run, const struct search_load *load)
{
	run_look_at_listeners(run);
	find_max_begin(run->find_max, run_add_up(run));
	await_all(run);
	run->stage = STAGE_OPENING;
	workers_tell(run->workers, WORKER_HOLD, load->connections);
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

void
run_search_on(struct run *run)
{
	struct health_usage usage = run_busiest(run);
	struct search_load load;

	if (run->result->end.interrupted)
		return;
	if (run->stage == STAGE_QUERYING || all_ended(run)) {
		run_look_at_listeners(run);
		find_max_end(
		    run->find_max, run_add_up(run), &usage, all_ended(run));
		if (run->config->live_every > 0)
			say_step(run);
	}
	if (!search_next(run->config->search, &load) || all_ended(run))
		workers_tell(run->workers, WORKER_DRAIN, 0);
	else if (run->stage == STAGE_QUERYING &&
	    search_config(run->config->search)->what == SEARCH_CONNECTIONS)
		open_for_step(run, &load);
	else
		run_step(run, &load);
}
