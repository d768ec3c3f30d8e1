#include <sys/socket.h>

#include <bsd/err.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/output.h"
#include "lib/parse.h"
#include "lib/status.h"
#include "lib/version.h"
#include "client/options_internal.h"

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
	OPT_CHECK,
	OPT_FORCE,
};

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
    "  --fail COND[,COND]   exit 3 if p99>10ms, lost>0, timed_out>0.1%, ...\n"
    "  --find-max rate|connections  raise it, in steps of -t (2s) or longer,\n"
    "  --until COND[,COND]  until such a condition holds\n"
    "Results:\n"
    "  -R                   a CSV row for each query and answer on stdout\n"
    "  -i, --report TIME    print a live line that often\n"
    "  --json[=FILE]        result as JSON, on stdout or to FILE\n"
    "  --series FILE        a CSV row of counts and percentiles each second\n"
    "  --histogram FILE     response times as lo_ns hi_ns count rows\n"
    "  --check[=sysctl]     no run: the limits of this host, what the run needs,\n"
    "                       and how to mend it; =sysctl: NAME VALUE lines\n"
    "  --force              run even where a limit makes it impossible\n"
    "  --merge              no run: add up the JSON results of several\n"
    "  -v, -h, -V           verbose, this help, version\n"
    "TIME: 10, 1.5s, 250ms, 5m, 1h.  Exit: 0 ran as asked, 1 could not run,\n"
    "2 bad usage, 3 ran, but not as asked, 70 accounting broken.\n";

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
	options_must(d->source == RATE_CONSTANT || d->source == source,
	    "only one of --program, --stdin and --stdin-rateslope");
	d->source = source;
}

static void
set_fail(struct options_goal *g, const char *arg)
{
	char why[CONDITION_TEXT];

	if (!condition_parse_list(
		arg, g->fail, OPTIONS_CONDITIONS, &g->fail_count, why))
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

static void
set_check(struct options_limits *l, const char *arg)
{
	l->check = true;
	l->sysctls = arg != NULL && strcmp(arg, "sysctl") == 0;
	if (arg != NULL && !l->sysctls)
		errx(STATUS_USAGE, "--check=%s: not sysctl", arg);
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

/* Where it goes, and what stands in its way. */
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
	case OPT_CHECK:
		set_check(&d->o->limits, arg);
		break;
	case OPT_FORCE:
		d->o->limits.force = true;
		break;
	default:
		set_load_option(d, option, arg);
	}
}

static bool
goes_with_merge(int option)
{
	return option == OPT_MERGE || option == OPT_JSON ||
	    option == OPT_HISTOGRAM || option == OPT_SERIES ||
	    option == OPT_FAIL || option == 'v';
}

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
    {"check", optional_argument, NULL, OPT_CHECK},
    {"force", no_argument, NULL, OPT_FORCE},
    {"merge", no_argument, NULL, OPT_MERGE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void
set_defaults(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->load.workers = 1;
	o->load.open_rate = 1000;
	o->load.drain = CLOCK_NEVER;
	o->load.seed = 42;
	o->load.timeout = o->load.connect_timeout = 5 * CLOCK_NS_PER_SEC;
	o->target.family = AF_UNSPEC;
}

void
options_read(struct options *o, int argc, char **argv)
{
	struct draft draft = {.o = o};
	int option;

	set_defaults(o);
	while ((option = getopt_long(argc, argv, "p:a:w:c:r:n:t:s:i:46RvhV",
		    long_options, NULL)) != -1) {
		set_option(&draft, option, optarg);
		draft.of_run |= !goes_with_merge(option);
	}
	if (o->merge.asked) {
		options_complete_merge(&draft, argv + optind, argc - optind);
		return;
	}
	options_must(
	    optind < argc, "HOST is missing: tcpclient [options] HOST");
	o->target.hosts = argv + optind;
	o->target.host_count = (size_t)(argc - optind);
	options_complete(&draft);
}
