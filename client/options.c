#include <sys/socket.h>

#include <bsd/err.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/output.h"
#include "lib/parse.h"
#include "lib/status.h"
#include "lib/version.h"
#include "client/options.h"

#define PORT_DEFAULT "4242"

enum {
	OPT_TIMEOUT = 256,
	OPT_CONNECT_TIMEOUT,
	OPT_JSON,
	OPT_HISTOGRAM,
	OPT_SERIES,
	OPT_PROBE,
	OPT_CLOSE,
	OPT_STDIN,
	OPT_STDIN_RATESLOPE,
	OPT_PROGRAM,
	OPT_ARRIVAL,
	OPT_WARMUP,
	OPT_START_AT,
	OPT_DRAIN,
	OPT_FAIL,
	OPT_FIND_MAX,
	OPT_UNTIL,
	OPT_MERGE,
};

/* Where the rate comes from. */
enum rate_source {
	RATE_CONSTANT,
	RATE_PROGRAM,
	RATE_STDIN,
	RATE_STDIN_SLOPES,
};

/* What makes sense only together with the rest. */
struct draft {
	struct options *o;
	enum rate_source source;
	const char *program;
	double rate;
	uint64_t duration;
	bool have_rate;
	bool have_duration;
	bool have_drain;
};

#define FIND_STEP	 (2 * CLOCK_NS_PER_SEC)
#define FIND_RATE	 1000
#define FIND_RATE_MOST	 1e9
#define FIND_CONNECTIONS 1000

static const char usage_text[] =
    "usage: tcpclient [options] -c CONNECTIONS -r RATE HOST...\n"
    "       tcpclient --merge [output options] FILE.json...\n"
    "  -p PORTS             to connect to (4242): 53, 7000-7199 or 53,853\n"
    "  -c N                 connections\n"
    "  -r RATE              queries per second in all, k and M allowed;\n"
    "                       0: hold the connections only\n"
    "  -n RATE              new connections per second (1000); 0: at once\n"
    "  -t TIME              query for that long (until interrupted)\n"
    "  -s SEED              of the schedule (42)\n"
    "  -w, --workers N      processes (1); auto: as many as it takes\n"
    "  -a, --source LIST    addresses to connect from: A, A-B, A/24, A,B\n"
    "  -4, -6               use IPv4, IPv6 only\n"
    "  --probe              each connection must answer a query once open\n"
    "  --close fin|rst      how connections are closed (fin)\n"
    "  --timeout TIME       wait that long for an answer (5s)\n"
    "  --connect-timeout TIME  and for a connection (5s)\n"
    "Load that changes, instead of -r and -t:\n"
    "  --program PROGRAM    10s@1000,30s@1000..50000: hold, then a ramp\n"
    "  --stdin              a number of lines, and lines DURATION_MS RATE\n"
    "  --stdin-rateslope    the same, but DURATION_MS SLOPE, from -r on\n"
    "  --arrival poisson|uniform  how queries follow one another (poisson)\n"
    "  --warmup TIME        query for that long first, and do not measure it\n"
    "  --start-at EPOCH     begin to query at that time, on many hosts\n"
    "  --drain TIME         wait for answers at the end no longer than that\n"
    "What it is for:\n"
    "  --fail COND          exit 3 if p99>10ms, lost>0, timed_out>0.1%, ...\n"
    "  --find-max rate|connections  raise it, in steps of -t (2s) or longer,\n"
    "  --until COND[,COND]  until such a condition holds\n"
    "Results:\n"
    "  -R                   a CSV row for each query and answer on stdout\n"
    "  -i, --report TIME    print a live line that often\n"
    "  --json[=FILE]        result as JSON, on stdout or to FILE\n"
    "  --series FILE        a CSV row of counts and percentiles each second\n"
    "  --histogram FILE     response times as lo_ns hi_ns count rows\n"
    "  --merge              no run: add up the JSON results of several\n"
    "  -v, -h, -V           verbose, this help, version\n"
    "TIME: 10, 1.5s, 250ms, 5m, 1h.  Exit: 0 ran as asked, 1 could not run,\n"
    "2 bad usage, 3 ran, but not as asked, 70 accounting broken.\n";

static void
must(bool condition, const char *otherwise)
{
	if (!condition)
		errx(STATUS_USAGE, "%s", otherwise);
}

static void
set_family(struct options *o, int family)
{
	if (o->target.family != AF_UNSPEC && o->target.family != family)
		errx(STATUS_USAGE, "-4 and -6 exclude each other");
	o->target.family = family;
}

static void
set_workers(struct options *o, const char *arg)
{
	if (strcmp(arg, "auto") == 0)
		o->load.workers = 0;
	else
		parse_must(
		    parse_count(arg, 1, LIMITS_WORKERS_MOST, &o->load.workers),
		    "-w", arg);
}

static void
set_close(struct options *o, const char *arg)
{
	o->load.reset = strcmp(arg, "rst") == 0;
	if (!o->load.reset && strcmp(arg, "fin") != 0)
		errx(STATUS_USAGE, "--close %s: not fin or rst", arg);
}

static void
set_arrival(struct options *o, const char *arg)
{
	o->load.arrivals =
	    strcmp(arg, "uniform") == 0 ? SCHEDULE_UNIFORM : SCHEDULE_POISSON;
	if (o->load.arrivals == SCHEDULE_POISSON && strcmp(arg, "poisson") != 0)
		errx(STATUS_USAGE, "--arrival %s: not poisson or uniform", arg);
}

static void
set_start_at(struct options *o, const char *arg)
{
	parse_must(parse_epoch(arg, &o->load.start_at), "--start-at", arg);
	if (o->load.start_at <= clock_wall())
		errx(STATUS_USAGE,
		    "--start-at %s: is past; such as --start-at $(($(date "
		    "+%%s) + 60))",
		    arg);
}

static void
set_source(struct draft *d, enum rate_source source)
{
	must(d->source == RATE_CONSTANT || d->source == source,
	    "only one of --program, --stdin and --stdin-rateslope");
	d->source = source;
}

static void
set_fail(struct options_goal *g, const char *arg)
{
	char why[CONDITION_TEXT];

	must(g->fail_count < OPTIONS_CONDITIONS, "--fail: at most 32 of them");
	if (!condition_parse(arg, &g->fail[g->fail_count++], why))
		errx(STATUS_USAGE, "--fail %s: %s", arg, why);
}

static void
set_find_max(struct options_goal *g, const char *arg)
{
	if (strcmp(arg, "rate") == 0)
		g->search.what = SEARCH_RATE;
	else if (strcmp(arg, "connections") == 0)
		g->search.what = SEARCH_CONNECTIONS;
	else
		errx(STATUS_USAGE, "--find-max %s: not rate or connections",
		    arg);
}

static void
set_until(struct options_goal *g, const char *arg)
{
	char why[CONDITION_TEXT];

	if (!condition_parse_list(arg, g->search.until, SEARCH_CONDITIONS,
		&g->search.until_count, why))
		errx(STATUS_USAGE, "--until %s: %s", arg, why);
}

/* What is printed where. */
static void
set_output_option(struct draft *d, int option, const char *arg)
{
	struct options_output *o = &d->o->output;

	switch (option) {
	case 'i':
		parse_must(parse_duration(arg, &o->report_every), "-i", arg);
		if (o->report_every < 10 * CLOCK_NS_PER_MS)
			errx(STATUS_USAGE, "-i must be at least 10ms");
		break;
	case 'R':
		o->log_queries = true;
		break;
	case OPT_JSON:
		o->json = arg == NULL ? "-" : arg;
		break;
	case OPT_HISTOGRAM:
		o->histogram = arg;
		break;
	case OPT_SERIES:
		o->series = arg;
		break;
	case OPT_MERGE:
		d->o->merge.asked = true;
		break;
	case 'v':
		o->verbose++;
		break;
	case 'h':
		output_answer(usage_text);
	case 'V':
		output_answer("tcpclient " TCPSCALER_VERSION "\n");
	default: /* getopt has said what is wrong */
		errx(STATUS_USAGE, "tcpclient -h shows the options");
	}
}

/* How the load changes, when it begins and ends, and what it is for. */
static void
set_program_option(struct draft *d, int option, const char *arg)
{
	struct options_load *o = &d->o->load;

	switch (option) {
	case OPT_STDIN:
		set_source(d, RATE_STDIN);
		break;
	case OPT_STDIN_RATESLOPE:
		set_source(d, RATE_STDIN_SLOPES);
		break;
	case OPT_PROGRAM:
		set_source(d, RATE_PROGRAM);
		d->program = arg;
		break;
	case OPT_ARRIVAL:
		set_arrival(d->o, arg);
		break;
	case OPT_WARMUP:
		parse_must(parse_duration(arg, &o->warmup), "--warmup", arg);
		break;
	case OPT_START_AT:
		set_start_at(d->o, arg);
		break;
	case OPT_DRAIN:
		parse_must(parse_duration(arg, &o->drain), "--drain", arg);
		d->have_drain = true;
		break;
	case OPT_FAIL:
		set_fail(&d->o->goal, arg);
		break;
	case OPT_FIND_MAX:
		set_find_max(&d->o->goal, arg);
		break;
	case OPT_UNTIL:
		set_until(&d->o->goal, arg);
		break;
	default:
		set_output_option(d, option, arg);
	}
}

/* How much load, and how connections are made and ended. */
static void
set_load_option(struct draft *d, int option, const char *arg)
{
	struct options_load *o = &d->o->load;

	switch (option) {
	case 'w':
		set_workers(d->o, arg);
		break;
	case 'c':
		parse_must(
		    parse_count(arg, 1, 10000000, &o->connections), "-c", arg);
		break;
	case 'r':
		parse_must(parse_rate(arg, &d->rate), "-r", arg);
		d->have_rate = true;
		break;
	case 'n':
		parse_must(parse_rate(arg, &o->open_rate), "-n", arg);
		break;
	case 't':
		parse_must(parse_duration(arg, &d->duration), "-t", arg);
		d->have_duration = true;
		break;
	case 's':
		parse_must(parse_count(arg, 0, INT64_MAX, &o->seed), "-s", arg);
		break;
	case OPT_TIMEOUT:
		parse_must(parse_duration(arg, &o->timeout), "--timeout", arg);
		break;
	case OPT_CONNECT_TIMEOUT:
		parse_must(parse_duration(arg, &o->connect_timeout),
		    "--connect-timeout", arg);
		break;
	case OPT_PROBE:
		o->probe = true;
		break;
	case OPT_CLOSE:
		set_close(d->o, arg);
		break;
	default:
		set_program_option(d, option, arg);
	}
}

/* Where it goes. */
static void
set_option(struct draft *d, int option, const char *arg)
{
	struct options_target *o = &d->o->target;

	switch (option) {
	case 'p':
		parse_must(port_list_parse(arg, 1, &o->ports), "-p", arg);
		break;
	case 'a':
		parse_must(addr_list_parse(arg, &o->sources), "-a", arg);
		break;
	case '4':
		set_family(d->o, AF_INET);
		break;
	case '6':
		set_family(d->o, AF_INET6);
		break;
	default:
		set_load_option(d, option, arg);
	}
}

/*
 * Cross-checks, and what follows from several options together.
 */

static void
check_stdout(const struct options *o)
{
	must(o->output.log_queries + output_is_stdout(o->output.json) +
		    output_is_stdout(o->output.histogram) +
		    output_is_stdout(o->output.series) <=
		1,
	    "only one of -R, --json, --series and --histogram can have "
	    "stdout: use --json=FILE");
}

static void
check_options(const struct options *o)
{
	must(o->load.connections > 0,
	    "-c is missing: how many connections, such as -c 1000");
	must(o->load.timeout >= CLOCK_NS_PER_MS,
	    "--timeout must be at least 1ms");
	must(o->load.connect_timeout >= CLOCK_NS_PER_MS,
	    "--connect-timeout must be at least 1ms");
	must(o->load.workers <= o->load.connections,
	    "-w: more workers than connections");
	check_stdout(o);
}

static bool
goes_with_merge(int option)
{
	return option == OPT_MERGE || option == OPT_JSON ||
	    option == OPT_HISTOGRAM || option == OPT_SERIES ||
	    option == OPT_FAIL || option == 'v';
}

/* of_run: there were options that do not go with it. */
static void
check_merge(struct options *o, bool of_run, char **files, int count)
{
	const char *out[] = {
	    o->output.json, o->output.histogram, o->output.series};
	int stdins = 0, i;
	size_t k;

	must(!of_run,
	    "--merge takes only --json, --histogram, --series, --fail and -v");
	must(count > 0,
	    "FILE is missing: tcpclient --merge a.json b.json, results of "
	    "--json");
	for (i = 0; i < count; i++) {
		stdins += strcmp(files[i], "-") == 0;
		for (k = 0; k < sizeof(out) / sizeof(out[0]); k++)
			if (out[k] != NULL && strcmp(out[k], "-") != 0 &&
			    strcmp(out[k], files[i]) == 0)
				errx(STATUS_USAGE,
				    "%s would be read and written: give the "
				    "output another name",
				    files[i]);
	}
	must(stdins <= 1, "only one FILE can be -, standard input");
	check_stdout(o);
	o->merge.files = files;
	o->merge.count = (size_t)count;
}

static void
check_rate(const struct draft *d)
{
	if (d->source == RATE_CONSTANT)
		must(d->have_rate || d->o->goal.search.what != SEARCH_NOTHING,
		    "-r is missing: queries per second, such as -r 10k; 0 for "
		    "none");
	else
		must(!d->have_duration,
		    "-t: the program of rates says how long it takes");
	if (d->source == RATE_STDIN_SLOPES)
		must(d->have_rate,
		    "-r is missing: the rate that --stdin-rateslope starts "
		    "from, such as -r 1000");
	else if (d->source != RATE_CONSTANT)
		must(!d->have_rate, "-r: the program of rates says how many");
	must(!d->have_duration || d->duration > 0, "-t must be more than 0");
}

static void
check_goal(const struct draft *d)
{
	const struct options *o = d->o;

	if (o->goal.search.what == SEARCH_NOTHING) {
		must(o->goal.search.until_count == 0,
		    "--until belongs to --find-max; --fail judges a run");
		return;
	}
	must(o->goal.search.until_count > 0,
	    "--until is missing: what must not be, such as --until "
	    "p99>10ms,timed_out>0");
	must(d->source == RATE_CONSTANT,
	    "--find-max makes the rates itself: no --program, no --stdin");
	must(o->load.warmup == 0 && o->load.start_at == 0 && !d->have_drain &&
		o->goal.fail_count == 0,
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
		must(program_append(&o->program, measured.segments[i].duration,
			 measured.segments[i].begin,
			 measured.segments[i].end) == NULL,
		    "--warmup: longer than 365 days in all");
	program_clear(&measured);
}

static void
make_search(const struct draft *d)
{
	struct search_config *s = &d->o->goal.search;
	struct options_load *o = &d->o->load;

	s->duration = d->have_duration ? d->duration : FIND_STEP;
	s->rate = d->have_rate	   ? d->rate :
	    s->what == SEARCH_RATE ? FIND_RATE :
				     0;
	s->rate_most = FIND_RATE_MOST;
	s->connections = o->connections;
	s->connections_least = o->workers > 0 ? o->workers : 1;
	s->connections_most = o->connections;
	if (s->what != SEARCH_CONNECTIONS)
		return;
	if (s->connections > FIND_CONNECTIONS)
		s->connections = FIND_CONNECTIONS;
	o->probe = true; /* one that never answers is not held */
}

void
options_read(struct options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"report", required_argument, NULL, 'i'},
	    {"timeout", required_argument, NULL, OPT_TIMEOUT},
	    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
	    {"workers", required_argument, NULL, 'w'},
	    {"source", required_argument, NULL, 'a'},
	    {"probe", no_argument, NULL, OPT_PROBE},
	    {"close", required_argument, NULL, OPT_CLOSE},
	    {"stdin", no_argument, NULL, OPT_STDIN},
	    {"stdin-rateslope", no_argument, NULL, OPT_STDIN_RATESLOPE},
	    {"program", required_argument, NULL, OPT_PROGRAM},
	    {"arrival", required_argument, NULL, OPT_ARRIVAL},
	    {"warmup", required_argument, NULL, OPT_WARMUP},
	    {"start-at", required_argument, NULL, OPT_START_AT},
	    {"drain", required_argument, NULL, OPT_DRAIN},
	    {"fail", required_argument, NULL, OPT_FAIL},
	    {"find-max", required_argument, NULL, OPT_FIND_MAX},
	    {"until", required_argument, NULL, OPT_UNTIL},
	    {"json", optional_argument, NULL, OPT_JSON},
	    {"series", required_argument, NULL, OPT_SERIES},
	    {"histogram", required_argument, NULL, OPT_HISTOGRAM},
	    {"merge", no_argument, NULL, OPT_MERGE},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	struct draft draft = {.o = o};
	bool of_run = false;
	int option;

	memset(o, 0, sizeof(*o));
	o->load.workers = 1;
	o->load.open_rate = 1000;
	o->load.drain = CLOCK_NEVER;
	o->load.seed = 42;
	o->load.timeout = o->load.connect_timeout = 5 * CLOCK_NS_PER_SEC;
	o->target.family = AF_UNSPEC;
	while ((option = getopt_long(argc, argv, "p:a:w:c:r:n:t:s:i:46RvhV",
		    long_options, NULL)) != -1) {
		set_option(&draft, option, optarg);
		of_run |= !goes_with_merge(option);
	}
	if (o->merge.asked) {
		check_merge(o, of_run, argv + optind, argc - optind);
		return;
	}
	must(optind < argc, "HOST is missing: tcpclient [options] HOST");
	o->target.hosts = argv + optind;
	o->target.host_count = (size_t)(argc - optind);
	check_options(o);
	check_rate(&draft);
	check_goal(&draft);
	make_program(&draft);
	make_search(&draft);
	if (o->load.drain >= o->load.timeout)
		o->load.drain = CLOCK_NEVER; /* nothing waits for longer */
	if (o->target.ports.count == 0)
		(void)port_list_parse(PORT_DEFAULT, 1, &o->target.ports);
}
