#include <sys/wait.h>

#include <event2/event.h>

#include <err.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/events.h"
#include "lib/lines.h"
#include "lib/signals.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "client/connector.h"
#include "client/local_ports.h"
#include "client/program.h"
#include "client/run_internal.h"
#include "client/states.h"

#define SAMPLE_MARGIN CLOCK_NS_PER_MS

/*
 * A worker that was told to stop and has not after that long gives up its rows of -R,
 * which nobody reads; after twice as long it is killed.
 */
#define STOP_PATIENCE (700 * CLOCK_NS_PER_MS)

/* To count the sockets that keep local ports. */
#define CLOSING_PATIENCE (50 * CLOCK_NS_PER_MS)

/* To count the states of what is left. */
#define STATES_PATIENCE CLOCK_NS_PER_SEC

/* A step of the wall clock before the begin is seen after that long at most. */
#define STEP_LOOK (100 * CLOCK_NS_PER_MS)

/* Less is no step: the clocks are not read at the same moment. */
#define STEP_LEAST CLOCK_NS_PER_MS

#define LEAD_PER_WORKER (200 * CLOCK_NS_PER_US)

static void
count_line(struct run *run, bool taken)
{
	run->result->end.lines_left_out += !taken;
}

/*
 * No later than the run was told to end, and than its last query was due: a worker
 * that was stopped and then killed has done nothing since.
 */
static uint64_t
query_end_of_dead(
    const struct run *run, const struct generator_result *left, uint64_t died)
{
	const struct generator_config *config = run->config->generator;
	uint64_t told = run->result->end.interrupted_at, length = CLOCK_NEVER;

	if (!config->steps)
		length = program_duration(config->program);
	if (told != 0 && died > told)
		died = told;
	return length != CLOCK_NEVER && died > left->clock_begin + length ?
	    left->clock_begin + length :
	    died;
}

/* A dead worker's books are closed for it; query_end: when it died, or 0. */
static void
add_dead(struct generator_result *sum, const struct generator_result *left,
    uint64_t query_end)
{
	struct generator_result *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		err(1, "no memory");
	memcpy(copy, left, sizeof(*copy));
	stats_bury(&copy->stats);
	if (copy->query_end == 0)
		copy->answered_by_end = copy->stats.n.answered;
	if (copy->query_begin != 0 && copy->query_end == 0)
		copy->query_end = query_end;
	generator_result_add(sum, copy);
	free(copy);
}

static void
add_up(struct run *run, bool over)
{
	struct generator_result *sum = &run->result->sum;
	const struct generator_result *worker;
	uint64_t died;
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < run->config->workers; i++) {
		worker = workers_shared(run->workers, i);
		died = run->members[i].died;
		if (died == 0)
			generator_result_add(sum, worker);
		else
			add_dead(sum, worker,
			    over ? query_end_of_dead(run, worker, died) : 0);
	}
}

const struct generator_result *
run_add_up(struct run *run)
{
	add_up(run, false);
	return &run->result->sum;
}

/* All of several workers are to have heard of it before it is time. */
uint64_t
run_lead(const struct run *run)
{
	unsigned int workers = run->config->workers;

	return workers == 1 ? 0 : CLOCK_NS_PER_MS + workers * LEAD_PER_WORKER;
}

/*
 * The kernel counts the stop of each processor on which a worker was ready to run, so
 * that of two workers counts twice.
 */
static double
throttled_share(const struct run *run, uint64_t throttled, double length)
{
	double at_once = fmin(run->config->workers, limits_processors());

	return throttled == CGROUP_UNKNOWN ?
	    NAN :
	    fmin((double)throttled / length / at_once, 1);
}

struct health_usage
run_busiest(const struct run *run)
{
	struct health_usage most = {
	    .ran = NAN, .waited = NAN, .stolen = NAN, .throttled = NAN};
	struct read_delay_causes causes = {0};
	const struct generator_result *r;
	double length, ran, waited, crowd = 0;
	unsigned int i;

	for (i = 0; i < run->config->workers; i++) {
		r = workers_shared(run->workers, i);
		read_delay_causes_add(&causes, &r->causes);
		if (r->clock_begin == 0 || r->query_end <= r->clock_begin)
			continue;
		length = (double)(r->query_end - r->clock_begin);
		ran = (double)r->usage.ran / length;
		waited = (double)r->usage.waited / length;
		crowd += ran;
		if (isnan(most.ran) || ran + waited > most.ran + most.waited)
			most = (struct health_usage){.ran = ran,
			    .waited = waited,
			    .seconds = length / (double)CLOCK_NS_PER_SEC,
			    .stolen = (double)r->usage.stolen / length,
			    .throttled = throttled_share(
				run, r->usage.throttled, length)};
	}
	most.causes = causes;
	most.crowd =
	    run->config->workers == 1 ? 0 : crowd / limits_processors();
	return most;
}

/*
 * Once all workers are ready.
 */

/* At --start-at by the wall clock as it is now. */
static void
tell_begin(struct run *run)
{
	uint64_t now, wall, when, start_at = run->config->start_at;

	clock_read_both(&now, &wall);
	run->wall_ahead = (int64_t)(wall - now);
	when = now + run_lead(run);
	run->result->end.late_start = 0;
	if (start_at > wall && now + (start_at - wall) > when)
		when = now + (start_at - wall);
	else if (start_at != 0 && start_at <= wall)
		run->result->end.late_start = wall - start_at;
	run->go_at = when;
	workers_tell(run->workers, WORKER_GO, when);
}

void
run_go(struct run *run)
{
	tell_begin(run);
	run->stage = STAGE_QUERYING;
	if (run->config->start_at != 0)
		timer_set(run->step_timer, STEP_LOOK);
}

/*
 * Workers wait by the monotonic clock, so a step of the other one moves the begin.
 * Not where some of them may not hear of it before they begin.
 */
static void
on_step_timer(int fd, short what, void *arg)
{
	struct run *run = arg;
	uint64_t now, wall;
	int64_t step;

	(void)fd;
	(void)what;
	clock_read_both(&now, &wall);
	if (now + run_lead(run) >= run->go_at)
		return;
	step = (int64_t)(wall - now) - run->wall_ahead;
	if (step >= (int64_t)STEP_LEAST || -step >= (int64_t)STEP_LEAST) {
		count_line(run,
		    lines_say("the wall clock was stepped by %+.3f s: the "
			      "schedule begins at --start-at by the new time",
			(double)step / (double)CLOCK_NS_PER_SEC));
		tell_begin(run);
	}
	timer_set(run->step_timer, STEP_LOOK);
}

static void
mark_ready(struct run *run, unsigned int index)
{
	unsigned int i;

	if (run->members[index].ready)
		return;
	run->members[index].ready = true;
	for (i = 0; i < run->config->workers; i++)
		if (!run->members[i].ready)
			return;
	if (run->find_max != NULL)
		run_search_on(run);
	else
		run_go(run);
}

static void
on_message(struct workers *workers, unsigned int index,
    const struct worker_message *message, void *arg)
{
	struct run *run = arg;

	switch (message->verb) {
	case WORKER_READY:
		mark_ready(run, index);
		break;
	case WORKER_FAILED:
		if (run->result->end.query_log_error == 0)
			run->result->end.query_log_error = (int)message->value;
		workers_tell(workers, WORKER_STOP, 0);
		break;
	case WORKER_DONE:
		run_commands_done(run, index, message->value);
		break;
	}
}

static void
on_exit_of_worker(
    struct workers *workers, unsigned int index, int status, void *arg)
{
	struct run *run = arg;

	if (WIFEXITED(status) && WEXITSTATUS(status) == EVENTS_WORKER_STATUS) {
		run->result->failed = true;
		workers_tell(workers, WORKER_STOP, 0);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		if (WIFSIGNALED(status))
			count_line(run,
			    worker_say_death(index, WTERMSIG(status),
				run->killing ? 2 * STOP_PATIENCE : 0));
		run->members[index].died = clock_now();
		run->result->end.workers_died++;
	}
	run->members[index].ended = true;
	mark_ready(run, index);
	run_commands_done(run, index, 0);
}

void
run_interrupt(struct run *run)
{
	const struct stats *stats;

	if (run->result->end.interrupted) {
		signals_ask_end(); /* nor is a reader waited for */
		workers_tell(run->workers, WORKER_STOP, 0);
		/* further ones do not put it off */
		timer_start(run->kill_timer, STOP_PATIENCE);
		return;
	}
	run->result->end.interrupted = true;
	run->result->end.interrupted_at = clock_now();
	workers_tell(
	    run->workers, WORKER_DRAIN, run->result->end.interrupted_at);
	stats = &run_add_up(run)->stats;
	if (stats_waiting(stats) > 0)
		count_line(run,
		    lines_say("waiting for answers still due; again to stop at "
			      "once"));
}

static void
on_signal(struct workers *workers, int number, void *arg)
{
	(void)workers;
	if (signals_asks_for_end(number))
		run_interrupt(arg);
}

/*
 * What the kernel of this host knows.
 */

static void
keep_states(struct run *run, const struct sockdiag_states *counted)
{
	struct lines line;

	if (!run->config->say_states) {
		report_states(run->config->report, counted, NULL);
		return;
	}
	report_states(run->config->report, counted, lines_begin(&line));
	run->result->end.lines_left_out += lines_end(&line);
}

/* Of the second that is over. */
static void
take_states(struct run *run)
{
	struct sockdiag_states counted;

	if (run->config->states && states_take(run->states, &counted))
		keep_states(run, &counted);
}

/* The last row: nothing is measured any more. */
static void
take_last_states(struct run *run)
{
	struct sockdiag_states counted;

	if (run->config->states &&
	    states_count(run->states, STATES_PATIENCE, &counted))
		keep_states(run, &counted);
}

/*
 * Which sockets keep local ports because the other side has not answered their
 * close: at the start, and once when a connect() has found no port. The run's
 * own closes at its end must not count.
 */
static void
take_closing(struct run *run)
{
	struct sockdiag_states counted;

	if (states_count(run->states, CLOSING_PATIENCE, &counted))
		report_closing(run->config->report, &counted);
}

/* Before the first connect, which a full queue may drop. */
static void
look_first_at_listeners(struct run *run)
{
	struct sockdiag_queues queues;

	if (states_first_queues(run->config->generator->pool.routes, &queues))
		report_listeners(run->config->report, &queues);
}

void
run_look_at_listeners(struct run *run)
{
	struct sockdiag_queues queues;

	if (states_queues(run->states, &queues))
		report_listeners(run->config->report, &queues);
}

/* Rows begin with the seconds of the wall clock; never before, for a timer. */
static void
set_sample_timer(struct run *run)
{
	/* or the time that the callback has taken would make it too early */
	(void)event_base_update_cache_time(workers_base(run->workers));
	timer_set(run->sample_timer,
	    report_next_second(run->config->report, clock_now()) +
		SAMPLE_MARGIN);
}

static void
on_sample_timer(int fd, short what, void *arg)
{
	struct run *run = arg;
	const struct generator_result *sum = run_add_up(run);
	struct lines lines;

	(void)fd;
	(void)what;
	take_states(run);
	run_look_at_listeners(run);
	report_sample(run->config->report, sum, clock_now());
	report_watch(run->config->report, sum,
	    run->config->say_limits ? lines_begin(&lines) : NULL,
	    run->config->live_terminal);
	if (run->config->say_limits)
		run->result->end.lines_left_out += lines_end(&lines);
	if (run->config->states)
		states_begin(run->states);
	if (sum->close_begin == 0 && !run->closing_taken &&
	    sum->stats.n.failed_errno[EADDRNOTAVAIL] > 0) {
		run->closing_taken = true;
		take_closing(run);
	}
	set_sample_timer(run);
}

static void
on_live_timer(int fd, short what, void *arg)
{
	struct run *run = arg;
	struct lines line;
	FILE *out = lines_begin(&line);

	(void)fd;
	(void)what;
	if (out != NULL)
		report_live(run->config->report, run_add_up(run), clock_now(),
		    out, run->config->live_terminal);
	run->result->end.lines_left_out += lines_end(&line);
}

static void
on_kill_timer(int fd, short what, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)what;
	if (run->gave_up) {
		run->killing = true;
		workers_kill(run->workers);
		return;
	}
	run->gave_up = true;
	workers_break(run->workers);
	timer_set(run->kill_timer, STOP_PATIENCE);
}

static void
loop(struct run *run)
{
	struct event_base *base = workers_base(run->workers);

	run->states = states_new(base, run->config->generator->pool.routes);
	take_closing(run);
	if (run->config->states)
		states_begin(run->states);
	run->sample_timer = timer_new(base, 0, on_sample_timer, run);
	run->live_timer = timer_new(base, EV_PERSIST, on_live_timer, run);
	run->kill_timer = timer_new(base, 0, on_kill_timer, run);
	run->step_timer = timer_new(base, 0, on_step_timer, run);
	set_sample_timer(run);
	if (run->config->live_every > 0)
		timer_set(run->live_timer, run->config->live_every);
	if (!run_commands_begin(run)) {
		run->result->failed = true;
		workers_tell(run->workers, WORKER_STOP, 0);
	}
	workers_loop(run->workers);
	run_commands_end(run);
	event_free(run->sample_timer);
	event_free(run->live_timer);
	event_free(run->kill_timer);
	event_free(run->step_timer);
}

/*
 * A worker's share. Rates are as connections are, so that each connection of the
 * run is as likely as any other.
 */
static void
take_share(
    struct generator_config *share, unsigned int index, unsigned int workers)
{
	uint32_t all = share->pool.connections, count;
	unsigned int before;

	share->pool.workers = workers;
	share->pool.connections = (uint32_t)worker_share(all, index, workers);
	share->share = (struct turns_share){0, share->pool.connections, all};
	for (before = 0; before < index; before++) {
		count = (uint32_t)worker_share(all, before, workers);
		share->share.first += count;
		share->pool.first +=
		    share->pool.capacity > 0 ? share->pool.capacity : count;
	}
	if (share->pool.capacity < share->pool.connections)
		share->pool.capacity = share->pool.connections;
	share->pool.seed += index;
}

static int
run_generator(struct worker *worker, void *arg)
{
	const struct run *run = arg;
	struct generator_config share = *run->config->generator;
	unsigned int index = worker_index(worker);
	struct local_ports ports;

	share.open_begin = run->begun;
	take_share(&share, index, run->config->workers);
	local_ports_read(&ports, connector_probe());
	share.pool.ports = &ports;
	share.pool.first_port =
	    local_ports_start(&ports, index, run->config->workers);
	return generator_run(worker, &share);
}

static void
begin_search(struct run *run)
{
	const struct run_config *config = run->config;
	const struct life *life = &config->generator->pool.life;
	const struct open_asked open = {
	    .rate = config->generator->open_rate,
	    .exchanges = life->limited && life->most_queries == 0,
	};

	if (config->search == NULL)
		return;
	run->find_max = find_max_new(config->search, config->view, &open,
	    open.exchanges || life->churn > 0, report_drops(config->report));
	find_max_begin(run->find_max, &run->result->sum);
}

struct run_result *
run_workers(const struct run_config *config)
{
	struct run run = {.config = config,
	    .wanted = config->generator->pool.connections,
	    .begun = clock_now()};
	struct workers_config workers = {
	    .count = config->workers,
	    .shared_size = sizeof(struct generator_result),
	    .run = run_generator,
	    .on_message = on_message,
	    .on_exit = on_exit_of_worker,
	    .on_signal = on_signal,
	    .arg = &run,
	};

	run.result = calloc(1, sizeof(*run.result));
	run.members = calloc(config->workers, sizeof(*run.members));
	if (run.result == NULL || run.members == NULL)
		err(1, "no memory");
	begin_search(&run);
	look_first_at_listeners(&run);
	run.workers = workers_start(&workers);
	if (run.workers == NULL) {
		free(run.result);
		free(run.members);
		return NULL;
	}
	loop(&run);
	run.result->end.usage = run_busiest(&run);
	add_up(&run, true);
	take_last_states(&run);
	run_look_at_listeners(&run);
	states_free(run.states);
	find_max_free(run.find_max);
	workers_free(run.workers);
	free(run.members);
	return run.result;
}
