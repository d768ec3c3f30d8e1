/*
 * What options must be to each other, and what follows from several together.
 */
#include <sys/stat.h>

#include <bsd/err.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/output.h"
#include "lib/status.h"
#include "client/options_internal.h"

#define PORT_DEFAULT	 "4242"
#define MAX_LATENESS	 CLOCK_NS_PER_MS
#define FIND_STEP	 (2 * CLOCK_NS_PER_SEC)
#define FIND_RATE	 1000
#define FIND_RATE_MOST	 1e9
#define FIND_CONNECTIONS 1000

void
options_must(bool condition, const char *otherwise)
{
	if (!condition)
		errx(STATUS_USAGE, "%s", otherwise);
}

static void
check_stdout(const struct options *o)
{
	options_must(o->output.log_queries + output_is_stdout(o->output.json) +
		    output_is_stdout(o->output.histogram) +
		    output_is_stdout(o->output.series) <=
		1,
	    "only one of -R, --json, --series and --histogram can have "
	    "stdout: use --json=FILE");
}

static void
check_options(const struct options *o)
{
	options_must(o->load.connections > 0,
	    "-c is missing: how many connections, such as -c 1000");
	options_must(o->load.timeout >= CLOCK_NS_PER_MS,
	    "--timeout must be at least 1ms");
	options_must(o->load.connect_timeout >= CLOCK_NS_PER_MS,
	    "--connect-timeout must be at least 1ms");
	options_must(o->load.workers <= o->load.connections,
	    "-w: more workers than connections");
	check_stdout(o);
}

/* Whatever their names; in is "-" for standard input. */
static bool
is_same_file(const char *out, const char *in)
{
	struct stat of_out, of_in;
	int found = strcmp(in, "-") == 0 ? fstat(STDIN_FILENO, &of_in) :
					   stat(in, &of_in);

	if (strcmp(out, in) == 0)
		return true;
	return found == 0 && S_ISREG(of_in.st_mode) &&
	    stat(out, &of_out) == 0 && of_out.st_dev == of_in.st_dev &&
	    of_out.st_ino == of_in.st_ino;
}

void
options_complete_merge(struct draft *d, char **files, int count)
{
	struct options *o = d->o;
	const char *out[] = {
	    o->output.json, o->output.histogram, o->output.series};
	int stdins = 0, i;
	size_t k;

	options_must(!d->of_run,
	    "--merge takes only --json, --histogram, --series, --fail, "
	    "--max-lateness and -v");
	options_must(count > 0,
	    "FILE is missing: tcpclient --merge a.json b.json, results of "
	    "--json");
	for (i = 0; i < count; i++) {
		stdins += strcmp(files[i], "-") == 0;
		for (k = 0; k < sizeof(out) / sizeof(out[0]); k++)
			if (out[k] != NULL && strcmp(out[k], "-") != 0 &&
			    is_same_file(out[k], files[i]))
				errx(STATUS_USAGE,
				    "%s would be read and written: give the "
				    "output another name",
				    out[k]);
	}
	options_must(stdins <= 1, "only one FILE can be -, standard input");
	check_stdout(o);
	o->merge.files = files;
	o->merge.count = (size_t)count;
}

/* Where -r is not needed, for the rate follows from something else. */
static bool
rate_follows(const struct draft *d)
{
	const struct life *l = &d->o->life;

	return d->o->goal.search.what != SEARCH_NOTHING || l->every > 0 ||
	    (l->limited && l->most_queries == 0);
}

static void
check_rate(const struct draft *d)
{
	if (d->source == RATE_CONSTANT)
		options_must(d->have_rate || rate_follows(d),
		    "-r is missing: queries per second, such as -r 10k; 0 for "
		    "none");
	else
		options_must(!d->have_duration,
		    "-t: the program of rates says how long it takes");
	if (d->source == RATE_STDIN_SLOPES)
		options_must(d->have_rate,
		    "-r is missing: the rate that --stdin-rateslope starts "
		    "from, such as -r 1000");
	else if (d->source != RATE_CONSTANT)
		options_must(
		    !d->have_rate, "-r: the program of rates says how many");
	options_must(
	    !d->have_duration || d->duration > 0, "-t must be more than 0");
}

static void
check_goal(const struct draft *d)
{
	const struct options *o = d->o;

	if (o->goal.search.what == SEARCH_NOTHING) {
		options_must(o->goal.search.until_count == 0,
		    "--until belongs to --find-max; --fail judges a run");
		return;
	}
	options_must(o->goal.search.until_count > 0,
	    "--until is missing: what must not be, such as --until "
	    "'p99>10ms,timed_out>0'");
	options_must(d->source == RATE_CONSTANT,
	    "--find-max makes the rates itself: no --program, no --stdin");
	options_must(
	    o->goal.search.what != SEARCH_RATE || !d->have_rate || d->rate > 0,
	    "-r must be more than 0: --find-max rate begins with it");
	options_must(o->control == NULL,
	    "--find-max says what is to be done: no --control");
	options_must(o->load.warmup == 0 && o->load.start_at == 0 &&
		!d->have_drain && o->goal.fail_count == 0,
	    "--find-max goes without --warmup, --start-at, --drain and --fail");
}

static void
read_program(struct draft *d, struct program *program)
{
	char why[PROGRAM_ERROR];

	switch (d->source) {
	case RATE_CONSTANT:
		(void)program_append(program,
		    d->have_duration ? d->duration : CLOCK_NEVER, d->rate,
		    d->rate);
		break;
	case RATE_PROGRAM:
		if (!program_parse(d->program, program, why))
			errx(STATUS_USAGE, "--program: %s", why);
		break;
	case RATE_STDIN:
	case RATE_STDIN_SLOPES:
		if (!program_read(STDIN_FILENO,
			d->source == RATE_STDIN ? PROGRAM_RATES :
						  PROGRAM_SLOPES,
			d->rate, program, why))
			errx(STATUS_USAGE, "standard input: %s", why);
		break;
	}
}

/* The warm-up is at the rate with which the program begins. */
static void
make_program(struct draft *d)
{
	struct options_load *o = &d->o->load;
	struct program measured = {0};
	double rate;
	size_t i;

	read_program(d, &measured);
	rate = measured.segments[0].begin;
	if (o->warmup > 0)
		(void)program_append(&o->program, o->warmup, rate, rate);
	for (i = 0; i < measured.count; i++)
		options_must(
		    program_append(&o->program, measured.segments[i].duration,
			measured.segments[i].begin,
			measured.segments[i].end) == NULL,
		    "--warmup: longer than 365 days in all");
	program_clear(&measured);
}

/* Whether a connect has timed out is looked at now and then, see pool_tick(). */
static uint64_t
longest_connect(const struct options_load *o)
{
	return o->connect_timeout + o->connect_timeout / 100 + CLOCK_NS_PER_MS;
}

/*
 * What takes longer than a timeout is not answered or not opened, and so in no
 * histogram: a limit on the time would let every server pass.
 */
static void
check_within_timeouts(const char *option, const struct condition *list,
    size_t count, const struct options_load *o)
{
	const struct condition *c;

	for (c = list; c < list + count; c++) {
		if (condition_is_on_answers(c) &&
		    condition_needs_time(c, o->timeout))
			errx(STATUS_USAGE,
			    "%s %s: never holds, as a query times out after %g "
			    "s (--timeout): a longer --timeout, or a condition "
			    "on timed_out",
			    option, condition_text(c),
			    clock_to_seconds(o->timeout));
		if (condition_is_on_connects(c) &&
		    condition_needs_time(c, longest_connect(o)))
			errx(STATUS_USAGE,
			    "%s %s: never holds, as a connect times out after "
			    "%g s (--connect-timeout): a longer "
			    "--connect-timeout, or a condition on failed",
			    option, condition_text(c),
			    clock_to_seconds(o->connect_timeout));
	}
}

/*
 * A condition that can never have a value would let every step hold, or none:
 * no step of a search replaces connections, those for a rate open none, and
 * without a rate nothing is sent.
 */
static void
check_until(const struct search_config *s)
{
	const struct condition *c;
	const char *why;
	size_t i;

	for (i = 0; i < s->until_count; i++) {
		c = &s->until[i];
		why = NULL;
		if (condition_need(c) == CONDITION_NEEDS_REPLACED)
			why = "no connection is replaced in a search";
		else if (condition_need(c) == CONDITION_NEEDS_CONNECTS &&
		    s->what == SEARCH_RATE)
			why = "a search for a rate opens all connections "
			      "before its first step";
		else if (condition_need(c) == CONDITION_NEEDS_QUERIES &&
		    s->rate <= 0)
			why = "nothing is sent without a rate (-r)";
		if (why != NULL)
			errx(STATUS_USAGE, "--until %s: never has a value: %s",
			    condition_text(c), why);
	}
}

static void
make_search(const struct draft *d)
{
	struct search_config *s = &d->o->goal.search;
	struct options_load *o = &d->o->load;

	s->max_lateness = d->o->goal.max_lateness;
	s->duration = d->have_duration ? d->duration : FIND_STEP;
	s->rate = d->have_rate	   ? d->rate :
	    s->what == SEARCH_RATE ? FIND_RATE :
				     0;
	s->rate_most = FIND_RATE_MOST;
	s->connections = o->connections;
	s->connections_most = o->connections;
	check_until(s);
	if (s->what != SEARCH_CONNECTIONS)
		return;
	if (s->connections > FIND_CONNECTIONS)
		s->connections = FIND_CONNECTIONS;
	o->probe = true; /* one that never answers is not held */
}

void
options_complete(struct draft *d)
{
	struct options *o = d->o;

	check_options(o);
	check_rate(d);
	check_goal(d);
	options_complete_life(d);
	check_within_timeouts(
	    "--fail", o->goal.fail, o->goal.fail_count, &o->load);
	check_within_timeouts("--until", o->goal.search.until,
	    o->goal.search.until_count, &o->load);
	if (o->goal.max_lateness == CLOCK_NEVER)
		o->goal.max_lateness = MAX_LATENESS;
	make_program(d);
	make_search(d);
	if (o->load.drain >= o->load.timeout)
		o->load.drain = CLOCK_NEVER; /* nothing waits for longer */
	if (o->target.ports.count == 0)
		(void)port_list_parse(PORT_DEFAULT, 1, &o->target.ports);
}
