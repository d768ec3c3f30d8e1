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
	OPT_MERGE,
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
    "  -R                   a CSV row for each query and answer on stdout\n"
    "  -i, --report TIME    print a live line that often\n"
    "  --timeout TIME       wait that long for an answer (5s)\n"
    "  --connect-timeout TIME  and for a connection (5s)\n"
    "  --json[=FILE]        result as JSON, on stdout or to FILE\n"
    "  --series FILE        a CSV row of counts and percentiles each second\n"
    "  --histogram FILE     response times as lo_ns hi_ns count rows\n"
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

/* What is printed where. */
static void
set_output_option(struct options *o, int option, const char *arg)
{
	switch (option) {
	case 'i':
		parse_must(
		    parse_duration(arg, &o->output.report_every), "-i", arg);
		if (o->output.report_every < 10 * CLOCK_NS_PER_MS)
			errx(STATUS_USAGE, "-i must be at least 10ms");
		break;
	case 'R':
		o->output.log_queries = true;
		break;
	case OPT_JSON:
		o->output.json = arg == NULL ? "-" : arg;
		break;
	case OPT_HISTOGRAM:
		o->output.histogram = arg;
		break;
	case OPT_SERIES:
		o->output.series = arg;
		break;
	case OPT_MERGE:
		o->merge.asked = true;
		break;
	case 'v':
		o->output.verbose++;
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
		parse_must(
		    port_list_parse(arg, 1, &o->target.ports), "-p", arg);
		break;
	case 'a':
		parse_must(addr_list_parse(arg, &o->target.sources), "-a", arg);
		break;
	case 'w':
		set_workers(o, arg);
		break;
	case 'c':
		parse_must(parse_count(arg, 1, 10000000, &o->load.connections),
		    "-c", arg);
		break;
	case 'r':
		parse_must(parse_rate(arg, &o->load.query_rate), "-r", arg);
		o->load.have_query_rate = true;
		break;
	case 'n':
		parse_must(parse_rate(arg, &o->load.open_rate), "-n", arg);
		break;
	case 't':
		parse_must(parse_duration(arg, &o->load.duration), "-t", arg);
		break;
	case 's':
		parse_must(
		    parse_count(arg, 0, INT64_MAX, &o->load.seed), "-s", arg);
		break;
	case OPT_TIMEOUT:
		parse_must(
		    parse_duration(arg, &o->load.timeout), "--timeout", arg);
		break;
	case OPT_CONNECT_TIMEOUT:
		parse_must(parse_duration(arg, &o->load.connect_timeout),
		    "--connect-timeout", arg);
		break;
	case '4':
		set_family(o, AF_INET);
		break;
	case '6':
		set_family(o, AF_INET6);
		break;
	case OPT_PROBE:
		o->load.probe = true;
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
	must(o->load.have_query_rate,
	    "-r is missing: queries per second, such as -r 10k; 0 for none");
	must(o->load.timeout >= CLOCK_NS_PER_MS,
	    "--timeout must be at least 1ms");
	must(o->load.connect_timeout >= CLOCK_NS_PER_MS,
	    "--connect-timeout must be at least 1ms");
	must(o->load.workers <= o->load.connections,
	    "-w: more workers than connections");
	must(o->load.duration > 0, "-t must be more than 0");
	check_stdout(o);
}

static bool
goes_with_merge(int option)
{
	return option == OPT_MERGE || option == OPT_JSON ||
	    option == OPT_HISTOGRAM || option == OPT_SERIES || option == 'v';
}

/* of_run: there were options that do not go with it. */
static void
check_merge(struct options *o, bool of_run, char **files, int count)
{
	const char *out[] = {
	    o->output.json, o->output.histogram, o->output.series};
	int stdins = 0, i;
	size_t k;

	must(
	    !of_run, "--merge takes only --json, --histogram, --series and -v");
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
	    {"json", optional_argument, NULL, OPT_JSON},
	    {"series", required_argument, NULL, OPT_SERIES},
	    {"histogram", required_argument, NULL, OPT_HISTOGRAM},
	    {"merge", no_argument, NULL, OPT_MERGE},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	bool of_run = false;
	int option;

	memset(o, 0, sizeof(*o));
	o->load.workers = 1;
	o->load.open_rate = 1000;
	o->load.duration = CLOCK_NEVER;
	o->load.seed = 42;
	o->load.timeout = o->load.connect_timeout = 5 * CLOCK_NS_PER_SEC;
	o->target.family = AF_UNSPEC;
	while ((option = getopt_long(argc, argv, "p:a:w:c:r:n:t:s:i:46RvhV",
		    long_options, NULL)) != -1) {
		set_option(o, option);
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
	if (o->target.ports.count == 0)
		(void)port_list_parse(PORT_DEFAULT, 1, &o->target.ports);
}
