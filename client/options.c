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
#include "client/options_internal.h"

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
		parse_count_must(
		    arg, 1, LIMITS_WORKERS_MOST, &o->load.workers, "-w");
}

static void
set_close(struct options *o, const char *arg)
{
	o->load.reset = strcmp(arg, "rst") == 0;
	if (!o->load.reset && strcmp(arg, "fin") != 0)
		errx(STATUS_USAGE, "--close %s: not fin or rst", arg);
}

static void
set_arrival(struct draft *d, const char *arg)
{
	struct options *o = d->o;

	d->have_arrivals = true;
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
		output_answer(options_usage);
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
		set_arrival(d, arg);
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
	case OPT_MAX_LATENESS:
		parse_must(parse_duration(arg, &d->o->goal.max_lateness),
		    "--max-lateness", arg);
		break;
	case OPT_FIND_MAX:
		set_find_max(&d->o->goal, arg);
		break;
	case OPT_CONTROL:
		d->o->control = arg;
		break;
	case OPT_UNTIL:
		set_until(&d->o->goal, arg);
		break;
	default:
		if (!options_set_life(d, option, arg))
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
		parse_count_must(arg, 1, 10000000, &o->connections, "-c");
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
		parse_count_must(arg, 0, INT64_MAX, &o->seed, "-s");
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
	case OPT_ALL_ADDRESSES:
		o->all_addresses = true;
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
	    option == OPT_FAIL || option == OPT_MAX_LATENESS || option == 'v';
}

static const struct option long_options[] = {
    {"report", required_argument, NULL, 'i'},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
    {"workers", required_argument, NULL, 'w'},
    {"source", required_argument, NULL, 'a'},
    {"all-addresses", no_argument, NULL, OPT_ALL_ADDRESSES},
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
    {"max-lateness", required_argument, NULL, OPT_MAX_LATENESS},
    {"find-max", required_argument, NULL, OPT_FIND_MAX},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"churn", required_argument, NULL, OPT_CHURN},
    {"churn-pick", required_argument, NULL, OPT_CHURN_PICK},
    {"queries-per-connection", required_argument, NULL, OPT_QUERIES_EACH},
    {"reconnect", required_argument, NULL, OPT_RECONNECT},
    {"every", required_argument, NULL, OPT_EVERY},
    {"drop-on-timeout", no_argument, NULL, OPT_DROP},
    {"control", required_argument, NULL, OPT_CONTROL},
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
	o->goal.max_lateness = CLOCK_NEVER;
	o->load.seed = 42;
	o->load.timeout = o->load.connect_timeout = 5 * CLOCK_NS_PER_SEC;
	o->target.family = AF_UNSPEC;
}

/* Results to merge are files, and may follow --json; what is not there is none. */
static void
note_next(struct draft *d, int option, const char *next)
{
	const char *name = option == OPT_JSON ? "--json" : "--check";

	if (optarg != NULL || next == NULL)
		return;
	if (d->o->merge.asked && access(next, F_OK) == 0)
		d->o->target.after_optional = NULL;
	else {
		parse_no_file(name, next);
		d->o->target.after_optional = next;
	}
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
		if (option == OPT_JSON || option == OPT_CHECK)
			note_next(&draft, option, argv[optind]);
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
