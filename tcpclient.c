/*
 * tcpclient: opens many TCP connections to one target and sends DNS queries on
 * them, open loop, Poisson, at a target rate.
 *
 * Options, cross-checks, wiring, exit status. The way of a query: it becomes
 * due in client/schedule, is grouped with others in client/batch, sent and
 * matched with its answer in client/conn, waits in client/inflight, and ends in
 * a counter and the histograms of client/stats, which client/report prints.
 */
#include <sys/socket.h>
#include <bsd/err.h>

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/generator.h"
#include "client/preflight.h"
#include "client/querylog.h"
#include "client/report.h"
#include "client/routes.h"
#include "client/run.h"
#include "dns_query.h"
#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/output.h"
#include "lib/parse.h"
#include "lib/status.h"
#include "lib/version.h"

#define QUERY_NAME   "example.com"
#define PORT_DEFAULT "4242"

enum {
	OPT_TIMEOUT = 256,
	OPT_CONNECT_TIMEOUT,
	OPT_JSON,
	OPT_HISTOGRAM,
	OPT_PROBE,
	OPT_CLOSE,
};

/* What the command line says. */
struct options {
	char **hosts;
	size_t host_count;
	struct port_list ports;
	struct addr_list sources;
	uint64_t connections;
	uint64_t workers; /* 0: as many as it takes */
	double query_rate;
	double open_rate;
	uint64_t duration;
	uint64_t seed;
	uint64_t timeout;
	uint64_t connect_timeout;
	uint64_t report_every; /* 0: only where stderr is a terminal */
	const char *json; /* NULL: none; "-": stdout */
	const char *histogram;
	int family;
	int verbose;
	bool log_queries;
	bool probe;
	bool reset; /* close with a RST */
	bool have_query_rate;
};

static const char usage_text[] =
    "usage: tcpclient [options] -c CONNECTIONS -r RATE HOST...\n"
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
    "  -R                   a CSV row for each query and answer on stdout\n"
    "  -i, --report TIME    print a live line that often\n"
    "  --timeout TIME       wait that long for an answer (5s)\n"
    "  --connect-timeout TIME  and for a connection (5s)\n"
    "  --json[=FILE]        result as JSON, on stdout or to FILE\n"
    "  --histogram FILE     response times as lo_ns hi_ns count rows\n"
    "  -v, -h, -V           verbose, this help, version\n"
    "TIME: 10, 1.5s, 250ms, 5m, 1h.  Exit: 0 ran as asked, 1 could not run,\n"
    "2 bad usage, 3 ran, but not as asked, 70 accounting broken.\n";

/*
 * Options.
 */

static void
set_family(struct options *o, int family)
{
	if (o->family != AF_UNSPEC && o->family != family)
		errx(STATUS_USAGE, "-4 and -6 exclude each other");
	o->family = family;
}

static void
set_workers(struct options *o, const char *arg)
{
	if (strcmp(arg, "auto") == 0)
		o->workers = 0;
	else
		parse_must(
		    parse_count(arg, 1, LIMITS_WORKERS_MOST, &o->workers), "-w",
		    arg);
}

static void
set_close(struct options *o, const char *arg)
{
	o->reset = strcmp(arg, "rst") == 0;
	if (!o->reset && strcmp(arg, "fin") != 0)
		errx(STATUS_USAGE, "--close %s: not fin or rst", arg);
}

/* What is printed where. */
static void
set_output_option(struct options *o, int option, const char *arg)
{
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

/* What the load is, and where it goes. */
static void
set_option(struct options *o, int option)
{
	const char *arg = optarg;

	switch (option) {
	case 'p':
		parse_must(port_list_parse(arg, 1, &o->ports), "-p", arg);
		break;
	case 'a':
		parse_must(addr_list_parse(arg, &o->sources), "-a", arg);
		break;
	case 'w':
		set_workers(o, arg);
		break;
	case 'c':
		parse_must(
		    parse_count(arg, 1, 10000000, &o->connections), "-c", arg);
		break;
	case 'r':
		parse_must(parse_rate(arg, &o->query_rate), "-r", arg);
		o->have_query_rate = true;
		break;
	case 'n':
		parse_must(parse_rate(arg, &o->open_rate), "-n", arg);
		break;
	case 't':
		parse_must(parse_duration(arg, &o->duration), "-t", arg);
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
	case '4':
		set_family(o, AF_INET);
		break;
	case '6':
		set_family(o, AF_INET6);
		break;
	case OPT_PROBE:
		o->probe = true;
		break;
	case OPT_CLOSE:
		set_close(o, arg);
		break;
	default:
		set_output_option(o, option, arg);
	}
}

static void
must(bool condition, const char *otherwise)
{
	if (!condition)
		errx(STATUS_USAGE, "%s", otherwise);
}

static void
check_options(const struct options *o)
{
	must(o->connections > 0,
	    "-c is missing: how many connections, such as -c 1000");
	must(o->have_query_rate,
	    "-r is missing: queries per second, such as -r 10k; 0 for none");
	must(o->timeout >= CLOCK_NS_PER_MS, "--timeout must be at least 1ms");
	must(o->connect_timeout >= CLOCK_NS_PER_MS,
	    "--connect-timeout must be at least 1ms");
	must(o->workers <= o->connections, "-w: more workers than connections");
	must(o->duration > 0, "-t must be more than 0");
	must(o->log_queries + output_is_stdout(o->json) +
		    output_is_stdout(o->histogram) <=
		1,
	    "only one of -R, --json and --histogram can have stdout: use "
	    "--json=FILE");
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"report", required_argument, NULL, 'i'},
	    {"timeout", required_argument, NULL, OPT_TIMEOUT},
	    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
	    {"workers", required_argument, NULL, 'w'},
	    {"source", required_argument, NULL, 'a'},
	    {"probe", no_argument, NULL, OPT_PROBE},
	    {"close", required_argument, NULL, OPT_CLOSE},
	    {"json", optional_argument, NULL, OPT_JSON},
	    {"histogram", required_argument, NULL, OPT_HISTOGRAM},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	memset(o, 0, sizeof(*o));
	o->workers = 1;
	o->open_rate = 1000;
	o->duration = CLOCK_NEVER;
	o->seed = 42;
	o->timeout = o->connect_timeout = 5 * CLOCK_NS_PER_SEC;
	o->family = AF_UNSPEC;
	while ((option = getopt_long(argc, argv, "p:a:w:c:r:n:t:s:i:46RvhV",
		    long_options, NULL)) != -1)
		set_option(o, option);
	must(optind < argc, "HOST is missing: tcpclient [options] HOST");
	o->hosts = argv + optind;
	o->host_count = (size_t)(argc - optind);
	check_options(o);
	if (o->ports.count == 0)
		(void)port_list_parse(PORT_DEFAULT, 1, &o->ports);
}

/*
 * Preparation.
 */

/* A name stands for one address: the first that accepts a connection. */
static void
add_name(const struct options *o, const char *name, struct addr_list *hosts)
{
	struct addr found[ADDR_MOST];
	size_t count;
	const char *why =
	    addr_resolve(name, o->ports.at[0], o->family, found, &count);

	if (why == NULL)
		why = addr_list_append(
		    hosts, addr_choose(found, count, o->connect_timeout));
	if (why != NULL)
		errx(STATUS_COULD_NOT_RUN, "%s: %s", name, why);
}

/* Whether it can only have been meant as an address, a range or a prefix. */
static bool
is_numeric(const char *text)
{
	return strpbrk(text, ":/") != NULL ||
	    (strchr(text, '-') != NULL &&
		text[strspn(text, "0123456789.-")] == '\0');
}

/* Addresses, ranges and prefixes as for -a, or names, with commas between. */
static void
add_hosts(const struct options *o, const char *text, struct addr_list *hosts)
{
	char *copy = strdup(text), *rest = copy, *item;
	const char *why;

	if (copy == NULL)
		err(STATUS_COULD_NOT_RUN, "no memory");
	while ((item = strsep(&rest, ",")) != NULL) {
		if (*item == '\0')
			errx(STATUS_USAGE,
			    "HOST %s: nothing between two commas or at an end",
			    text);
		why = addr_list_parse(item, hosts);
		if (why != NULL && is_numeric(item))
			errx(STATUS_USAGE, "%s: %s", item, why);
		if (why != NULL)
			add_name(o, item, hosts);
	}
	free(copy);
}

/* The family that all are of; AF_UNSPEC: of both. */
static int
family_of(const struct addr_list *list)
{
	size_t i;

	for (i = 1; i < list->count; i++)
		if (list->at[i].family != list->at[0].family)
			return AF_UNSPEC;
	return list->at[0].family;
}

static void
check_families(const struct options *o, const struct routes *routes)
{
	int hosts = family_of(&routes->hosts);

	if (routes->sources.count > 0 &&
	    (hosts == AF_UNSPEC || family_of(&routes->sources) != hosts))
		errx(STATUS_USAGE, "-a and HOST must all be IPv4, or all IPv6");
	if (o->family != AF_UNSPEC && hosts != o->family)
		errx(STATUS_USAGE, "-%c: HOST is an address of the other kind",
		    o->family == AF_INET ? '4' : '6');
}

static void
find_routes(struct options *o, struct routes *routes)
{
	size_t i;

	memset(routes, 0, sizeof(*routes));
	routes->ports = o->ports;
	routes->sources = o->sources;
	/* names are resolved to what the sources can reach */
	if (o->family == AF_UNSPEC && o->sources.count > 0)
		o->family = family_of(&o->sources);
	for (i = 0; i < o->host_count; i++)
		add_hosts(o, o->hosts[i], &routes->hosts);
	check_families(o, routes);
}

static void
make_generator_config(const struct options *o, const struct routes *routes,
    uint8_t query[DNS_QUERY_MAX], struct generator_config *config)
{
	const char *why;
	ssize_t length =
	    dns_query_build(query, DNS_QUERY_MAX, QUERY_NAME, DNS_TYPE_A, &why);

	if (length == -1)
		errx(STATUS_COULD_NOT_RUN, "%s: %s", QUERY_NAME, why);
	memset(config, 0, sizeof(*config));
	config->pool.connections = (uint32_t)o->connections;
	config->pool.routes = routes;
	config->pool.query = query;
	config->pool.query_length = (size_t)length;
	config->pool.timeout = o->timeout;
	config->pool.connect_timeout = o->connect_timeout;
	config->pool.probe = o->probe;
	config->pool.reset = o->reset;
	config->open_rate = o->open_rate;
	config->query_rate = o->query_rate;
	config->duration = o->duration;
	config->seed = o->seed;
	config->log_queries = o->log_queries;
}

static struct report *
make_report(const struct options *o, int argc, char **argv,
    const char *target_text, const struct limits_ways *ways)
{
	struct report_config config = {
	    .argc = argc,
	    .argv = argv,
	    .target = target_text,
	    .ways = *ways,
	    .workers = (unsigned int)o->workers,
	    .connections = (uint32_t)o->connections,
	    .open_rate = o->open_rate,
	    .query_rate = o->query_rate,
	    .duration = o->duration,
	    .timeout = o->timeout,
	    .connect_timeout = o->connect_timeout,
	    .seed = o->seed,
	    .probe = o->probe,
	    .reset = o->reset,
	};

	return report_new(&config);
}

/*
 * Output.
 */

struct outputs {
	FILE *summary;
	FILE *json;
	FILE *histogram;
};

static void
outputs_open(const struct options *o, struct outputs *out)
{
	memset(out, 0, sizeof(*out));
	if (o->json != NULL)
		out->json = output_open(o->json);
	if (o->histogram != NULL)
		out->histogram = output_open(o->histogram);
	out->summary =
	    o->log_queries || out->json == stdout || out->histogram == stdout ?
	    stderr :
	    stdout;
	if (o->log_queries) {
		fputs(QUERYLOG_HEADER, stdout);
		output_flush(stdout, "-");
	}
}

static void
outputs_write(const struct options *o, const struct outputs *out,
    const struct report *report)
{
	report_summary(report, out->summary);
	if (out->summary == stdout)
		output_flush(stdout, "-");
	if (out->json != NULL) {
		report_json(report, out->json);
		output_close(out->json, o->json);
	}
	if (out->histogram != NULL) {
		report_histogram(report, out->histogram);
		output_close(out->histogram, o->histogram);
	}
}

static int
exit_status(const struct run_result *result, const struct report *report)
{
	if (stats_check(&result->sum.stats, stderr) > 0)
		return STATUS_ACCOUNTING;
	if (result->failure != 0) {
		warnc(result->failure, "standard output");
		return STATUS_COULD_NOT_RUN;
	}
	if (result->sum.stats.n.opened == 0) {
		warnx("no connection could be opened");
		return STATUS_COULD_NOT_RUN;
	}
	return report_is_valid(report) ? STATUS_AS_ASKED : STATUS_NOT_AS_ASKED;
}

static uint64_t
live_interval(const struct options *o, bool terminal)
{
	if (o->report_every > 0)
		return o->report_every;
	return terminal ? CLOCK_NS_PER_SEC : 0;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct outputs outputs;
	struct routes routes;
	struct limits_ways ways;
	struct generator_config generator;
	struct run_config config;
	struct run_result *result;
	char target_text[ROUTES_FORMAT];
	uint8_t query[DNS_QUERY_MAX];
	int status;

	output_guard();
	read_options(&options, argc, argv);
	find_routes(&options, &routes);
	routes_format(&routes, target_text);
	if (options.workers == 0)
		options.workers = preflight_workers(options.connections);
	preflight_descriptors(options.connections,
	    (unsigned int)options.workers, options.verbose > 0);
	preflight_sources(&routes, options.connections);
	preflight_ports(&routes, options.connections, &ways);
	outputs_open(&options, &outputs);
	make_generator_config(&options, &routes, query, &generator);

	config.generator = &generator;
	config.report = make_report(&options, argc, argv, target_text, &ways);
	config.workers = (unsigned int)options.workers;
	config.live_terminal = isatty(STDERR_FILENO) == 1;
	config.live_every = live_interval(&options, config.live_terminal);
	result = run_workers(&config);
	if (result == NULL)
		err(STATUS_COULD_NOT_RUN, "cannot start a worker");
	if (config.live_terminal && config.live_every > 0)
		fputs("\r\033[K", stderr);

	report_finish(config.report, &result->sum, clock_now(), &result->end);
	outputs_write(&options, &outputs, config.report);
	status = exit_status(result, config.report);
	report_free(config.report);
	routes_clear(&routes);
	free(result);
	return status;
}
