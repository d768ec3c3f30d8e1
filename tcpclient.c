/*
 * tcpclient: opens many TCP connections to one target and sends DNS queries on
 * them, open loop, Poisson, at a target rate.
 *
 * Wiring and exit status; the options are in client/options. The way of a query:
 * it becomes due in client/schedule, is grouped with others in client/batch, sent and
 * matched with its answer in client/conn, waits in client/inflight, and ends in
 * a counter and the histograms of client/stats, which client/report prints.
 */
#include <bsd/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/generator.h"
#include "client/hosts.h"
#include "client/options.h"
#include "client/plan.h"
#include "client/preflight.h"
#include "client/querylog.h"
#include "client/report.h"
#include "client/routes.h"
#include "client/run.h"
#include "client/self_connect.h"
#include "client/whereabouts.h"
#include "dns_query.h"
#include "lib/clock.h"
#include "lib/lines.h"
#include "lib/output.h"
#include "lib/signals.h"
#include "lib/status.h"

#define QUERY_NAME "example.com"

/*
 * Preparation.
 */

static void
make_generator_config(const struct options *o, const struct routes *routes,
    struct plan *plan, uint8_t query[DNS_QUERY_MAX],
    struct generator_config *config)
{
	const char *why;
	ssize_t length =
	    dns_query_build(query, DNS_QUERY_MAX, QUERY_NAME, DNS_TYPE_A, &why);

	if (length == -1)
		errx(STATUS_COULD_NOT_RUN, "%s: %s", QUERY_NAME, why);
	memset(config, 0, sizeof(*config));
	config->pool.connections = (uint32_t)o->load.connections;
	if (plan != NULL)
		config->pool.capacity = preflight_capacity();
	config->pool.routes = routes;
	config->pool.query = query;
	config->pool.query_length = (size_t)length;
	config->pool.timeout = o->load.timeout;
	config->pool.connect_timeout = o->load.connect_timeout;
	config->pool.probe = o->load.probe;
	config->pool.reset = o->load.reset;
	config->pool.life = o->life;
	config->pool.seed = o->load.seed;
	config->pool.peers_here =
	    whereabouts_find(routes) != DIAGNOSIS_FROM_CLIENT;
	config->pool.self_possible = self_connect_possible(routes);
	config->open_rate = o->load.open_rate;
	config->program = plan == NULL ? &o->load.program : &plan->now;
	config->plan = plan;
	config->warmup = o->load.warmup;
	config->arrivals = o->load.arrivals;
	config->drain = o->load.drain;
	config->steps = o->goal.search.what != SEARCH_NOTHING;
	config->hold = o->goal.search.connections;
	config->seed = o->load.seed;
	config->log_queries = o->output.log_queries;
}

static uint64_t
measured_time(const struct options_load *o)
{
	uint64_t duration = program_duration(&o->program);

	return duration == CLOCK_NEVER ? CLOCK_NEVER : duration - o->warmup;
}

static double
mean_rate(const struct options_load *o)
{
	uint64_t duration = program_duration(&o->program);

	if (duration == CLOCK_NEVER)
		return program_rate_at(&o->program, o->warmup);
	return program_arrivals(&o->program, o->warmup, duration) /
	    clock_to_seconds(duration - o->warmup);
}

static struct report *
make_report(const struct options *o, int argc, char **argv,
    const char *target_text, const struct limits_ways *ways,
    const struct run_config *run, FILE *series)
{
	struct report_config config = {
	    .argc = argc,
	    .argv = argv,
	    .routes = run->generator->pool.routes,
	    .target = target_text,
	    .ways = *ways,
	    .view = run->view,
	    .workers = (unsigned int)o->load.workers,
	    .connections = (uint32_t)o->load.connections,
	    .open_rate = o->load.open_rate,
	    .query_rate = mean_rate(&o->load),
	    .duration = measured_time(&o->load),
	    .program = run->plan == NULL ? &o->load.program : &run->plan->now,
	    .controlled = run->plan != NULL,
	    .warmup = o->load.warmup,
	    .arrivals = o->load.arrivals,
	    .start_at = o->load.start_at,
	    .drain = o->load.drain,
	    .fail = o->goal.fail,
	    .fail_count = o->goal.fail_count,
	    .max_lateness = o->goal.max_lateness,
	    .search = run->search,
	    .timeout = o->load.timeout,
	    .connect_timeout = o->load.connect_timeout,
	    .seed = o->load.seed,
	    .probe = o->load.probe,
	    .reset = o->load.reset,
	    .life = o->life,
	    .series = series,
	    .keep_buckets = o->output.json != NULL,
	};

	return report_new(&config);
}

/*
 * Output.
 */

struct outputs {
	struct output *summary;
	struct output *json;
	struct output *histogram;
	struct output *series;
};

static void
outputs_open(const struct options *o, struct outputs *out)
{
	const struct options_output *paths = &o->output;
	bool taken = paths->log_queries || output_is_stdout(paths->json) ||
	    output_is_stdout(paths->histogram) ||
	    output_is_stdout(paths->series);
	struct output *rows;

	out->json = output_open(paths->json);
	out->histogram = output_open(paths->histogram);
	out->series = output_open(paths->series);
	out->summary = output_standard(taken ? STDERR_FILENO : STDOUT_FILENO);
	rows = paths->log_queries ? output_standard(STDOUT_FILENO) : NULL;
	output_must_differ((struct output *const[]){out->json, out->histogram,
			       out->series, taken ? rows : out->summary},
	    4);
	if (rows != NULL) {
		fputs(QUERYLOG_HEADER, output_stream(rows));
		if (!output_end(rows))
			exit(STATUS_COULD_NOT_RUN);
	}
}

/* Writes all of them, then reports those that failed. Whether none did. */
static bool
outputs_write(const struct outputs *out, const struct report *report)
{
	struct output *const all[] = {
	    out->json, out->histogram, out->series, out->summary};

	report_summary(report, output_stream(out->summary));
	if (out->json != NULL)
		report_json(report, output_stream(out->json));
	if (out->histogram != NULL)
		report_histogram(report, output_stream(out->histogram));
	return outputs_end(all, sizeof(all) / sizeof(all[0]));
}

static void
say_log_error(int error)
{
	if (error == QUERYLOG_UNREAD)
		(void)lines_say(
		    "standard output: it was not read, and the last "
		    "rows (-R) are lost");
	else
		(void)lines_say_errno(error, "standard output");
}

static int
exit_status(const struct run_result *result, const struct report *report)
{
	if (stats_check(&result->sum.stats, stderr) > 0)
		return STATUS_ACCOUNTING;
	if (result->end.query_log_error != 0) {
		say_log_error(result->end.query_log_error);
		return STATUS_COULD_NOT_RUN;
	}
	if (result->sum.stats.n.opened == 0) {
		(void)lines_say("no connection could be opened");
		return STATUS_COULD_NOT_RUN;
	}
	return report_status(report);
}

static void
clear_live_line(void)
{
	struct lines line;
	FILE *out = lines_begin(&line);

	if (out != NULL)
		fputs("\r\033[K", out);
	(void)lines_end(&line);
}

static uint64_t
live_interval(const struct options *o, bool terminal)
{
	if (o->output.report_every > 0)
		return o->output.report_every;
	return terminal ? CLOCK_NS_PER_SEC : 0;
}

/* Reads before it opens what it writes: a bad file must not cost an old result. */
static int
merge(const struct options *o, int argc, char **argv)
{
	struct report_config config = {
	    .argc = argc,
	    .argv = argv,
	    .fail = o->goal.fail,
	    .fail_count = o->goal.fail_count,
	    .max_lateness = o->goal.max_lateness,
	};
	struct outputs outputs;
	struct report *report =
	    report_merge(&config, o->merge.files, o->merge.count);
	int status;

	outputs_open(o, &outputs);
	if (outputs.series != NULL)
		report_series(report, output_stream(outputs.series));
	status = outputs_write(&outputs, report) ? report_status(report) :
						   STATUS_COULD_NOT_RUN;
	report_free(report);
	return status;
}

/* The exit status. */
static int
finish(const struct outputs *outputs, const struct run_result *result,
    struct report *report)
{
	bool written;
	int status;

	report_finish(report, &result->sum, clock_now(), &result->end);
	written = outputs_write(outputs, report);
	status = exit_status(result, report);
	if (!written && status != STATUS_ACCOUNTING)
		status = STATUS_COULD_NOT_RUN;
	return status;
}

/* All but what it is made of: the generator, the report, the plan. */
static void
make_run_config(const struct options *o, const struct routes *routes,
    const struct outputs *outputs, struct run_config *config)
{
	config->control = o->control;
	config->search = o->goal.search.what == SEARCH_NOTHING ?
	    NULL :
	    search_new(&o->goal.search);
	config->view = whereabouts_find(routes);
	config->start_at = o->load.start_at;
	config->workers = (unsigned int)o->load.workers;
	config->states = outputs->json != NULL || outputs->series != NULL ||
	    o->output.verbose > 0;
	config->say_states = o->output.verbose > 0;
	config->live_terminal = isatty(STDERR_FILENO) == 1;
	config->live_every = live_interval(o, config->live_terminal);
	config->say_limits = config->live_every > 0 || o->output.verbose > 0;
}

/* A run, from its last looks at this host to its results. */
static int
measure(
    const struct options *o, const struct routes *routes, int argc, char **argv)
{
	struct outputs outputs;
	struct limits_ways ways;
	struct generator_config generator;
	struct run_config config = {.plan = NULL};
	struct run_result *result;
	struct plan plan;
	char target_text[ROUTES_FORMAT];
	uint8_t query[DNS_QUERY_MAX];
	int status;

	routes_format(routes, target_text);
	preflight_limits(o, routes);
	preflight_ways(routes, &ways);
	if (o->control != NULL && !run_may_be_told(o->control))
		return STATUS_COULD_NOT_RUN;
	outputs_open(o, &outputs);
	if (outputs.series != NULL)
		output_keep_running(outputs.series, true);
	if (o->control != NULL) {
		plan_init(&plan, &o->load.program);
		config.plan = &plan;
	}
	make_generator_config(o, routes, config.plan, query, &generator);

	config.generator = &generator;
	make_run_config(o, routes, &outputs, &config);
	config.report = make_report(o, argc, argv, target_text, &ways, &config,
	    outputs.series == NULL ? NULL : output_stream(outputs.series));
	result = run_workers(&config);
	if (result == NULL)
		err(STATUS_COULD_NOT_RUN, "cannot start a worker");
	if (config.live_terminal && config.live_every > 0)
		clear_live_line();

	if (result->failed)
		status = STATUS_COULD_NOT_RUN;
	else
		status = finish(&outputs, result, config.report);
	signals_block_end(); /* all is written, and this status is the one */
	report_free(config.report);
	if (config.plan != NULL)
		plan_clear(config.plan);
	search_free(config.search);
	free(result);
	return status;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct routes routes;
	int status;

	signals_begin();
	output_guard();
	options_read(&options, argc, argv);
	if (options.merge.asked)
		return merge(&options, argc, argv);
	hosts_find(&options.target,
	    options.limits.check ? 0 : options.load.connect_timeout, &routes);
	if (options.load.workers == 0)
		options.load.workers =
		    preflight_workers(options.load.connections);
	options.goal.search.connections_least = options.load.workers;
	preflight_sources(&routes, options.load.connections);
	status = options.limits.check ? preflight_show(&options, &routes) :
					measure(&options, &routes, argc, argv);
	program_clear(&options.load.program);
	routes_clear(&routes);
	return status;
}
