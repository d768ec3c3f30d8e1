#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/addr_list.h"
#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/output.h"
#include "lib/parse.h"
#include "lib/status.h"
#include "lib/version.h"
#include "server/options.h"

#define PORT_DEFAULT "4242"
#define SEED_DEFAULT 42

/* What --check looks for where -n does not say, the default of tcpclient. */
#define CHECK_OPENS 1000

enum {
	OPT_JSON = 256,
	OPT_MAX_CONNECTIONS,
	OPT_CONTROL,
	OPT_CHECK,
	OPT_FORCE,
	OPT_MODE,
	OPT_DELAY,
	OPT_STALL,
	OPT_DROP,
	OPT_CLOSE_AFTER,
	OPT_IDLE_TIMEOUT,
};

static const char usage_text[] =
    "usage: tcpserver [options] [PORT|RANGE|LIST]...\n"
    "  PORT                   to listen on (4242); 0: any that is free;\n"
    "                         several: 7000-7199, 53,853; ADDRESS:PORT is\n"
    "                         -b ADDRESS\n"
    "  -w, --workers N|auto   processes that share the connections (1); auto:\n"
    "                         one for each processor, more if it takes more\n"
    "                         for --max-connections\n"
    "  -b, --bind ADDR        address to listen on (::, and IPv4 too)\n"
    "  -B, --backlog N        of the listening socket (all the kernel allows)\n"
    "  --max-connections N    serve no more than N at once, over all workers\n"
    "  --mode MODE            echo (what is received), dns (answer queries),\n"
    "                         sink (swallow), ping (say Pong to Ping)\n"
    "  --delay TIME           answer each message that long after it came\n"
    "  --stall ON/EVERY       do nothing for ON in every EVERY: 1s/5s\n"
    "  --drop P               swallow that share of the messages: 0.1 or 10%\n"
    "  -s, --seed N           of which are dropped (42)\n"
    "  --close-after N        close a connection after N answers\n"
    "  --idle-timeout TIME    close it when nothing has come for that long\n"
    "  -i, --report TIME      print a line that often\n"
    "  --json[=FILE]          counts at the end as JSON, on stdout or to FILE\n"
    "  --control PATH         take commands on a Unix socket while it serves: count,\n"
    "                         stats, close N, pause-accept, resume-accept, quit\n"
    "  --check[=sysctl]       do not serve: the limits of this host, what is needed,\n"
    "                         and how to mend it; =sysctl: NAME VALUE lines\n"
    "  -n RATE, -r RATE       with --check: new connections (1000) and queries (0)\n"
    "                         per second to look for; -n 0: all at once\n"
    "  --force                serve even where --max-connections is impossible\n"
    "  -v                     a line for each connection\n"
    "  -h, -V                 this help, version\n"
    "SIGUSR1 prints the counts; SIGINT and SIGTERM end the server and print\n"
    "the summary.\n";

static void
set_workers(struct server_options *o, const char *arg)
{
	if (strcmp(arg, "auto") == 0)
		o->workers = 0;
	else if (parse_count(arg, 1, LIMITS_WORKERS_MOST, &o->workers) != NULL)
		errx(STATUS_USAGE,
		    "-w %s: neither auto nor a whole number from 1 to %d", arg,
		    LIMITS_WORKERS_MOST);
}

static void
set_check(struct server_options *o, const char *arg)
{
	o->check = true;
	o->sysctls = arg != NULL && strcmp(arg, "sysctl") == 0;
	if (arg != NULL && !o->sysctls)
		errx(STATUS_USAGE, "--check=%s: not sysctl", arg);
}

/* What is done about the limits of this host. */
static void
set_check_option(struct server_options *o, int option, const char *arg)
{
	switch (option) {
	case 'n':
		parse_must(parse_rate(arg, &o->opens), "-n", arg);
		o->have_rates = true;
		break;
	case 'r':
		parse_must(parse_rate(arg, &o->queries), "-r", arg);
		o->have_rates = true;
		break;
	case OPT_CHECK:
		set_check(o, arg);
		break;
	case OPT_FORCE:
		o->force = true;
		break;
	case 'h':
		output_answer(usage_text);
	case 'V':
		output_answer("tcpserver " TCPSCALER_VERSION "\n");
	default: /* getopt has said what is wrong */
		errx(STATUS_USAGE, "tcpserver -h shows the options");
	}
}

/* What is done with messages and connections. */
static void
set_service_option(struct server_options *o, int option, const char *arg)
{
	struct service *service = &o->service;

	switch (option) {
	case 's':
		parse_count_must(arg, 0, LLONG_MAX, &service->seed, "-s");
		break;
	case OPT_MODE:
		parse_must(
		    service_parse_mode(arg, &service->mode), "--mode", arg);
		break;
	case OPT_DELAY:
		parse_must(
		    parse_duration(arg, &service->delay), "--delay", arg);
		break;
	case OPT_STALL:
		parse_must(service_parse_stall(arg, service), "--stall", arg);
		break;
	case OPT_DROP:
		parse_must(parse_share(arg, &service->drop), "--drop", arg);
		break;
	case OPT_CLOSE_AFTER:
		parse_count_must(
		    arg, 1, LLONG_MAX, &service->close_after, "--close-after");
		break;
	case OPT_IDLE_TIMEOUT:
		parse_must(parse_duration(arg, &service->idle_timeout),
		    "--idle-timeout", arg);
		if (service->idle_timeout < CLOCK_NS_PER_MS)
			errx(STATUS_USAGE,
			    "--idle-timeout must be at least 1ms");
		break;
	default:
		set_check_option(o, option, arg);
	}
}

static void
set_option(struct server_options *o, int option)
{
	const char *arg = optarg;

	switch (option) {
	case 'b':
		o->bind = arg;
		break;
	case 'B':
		parse_count_must(arg, 1, INT_MAX, &o->backlog, "-B");
		break;
	case 'i':
		parse_must(parse_duration(arg, &o->report_every), "-i", arg);
		if (o->report_every < 10 * CLOCK_NS_PER_MS)
			errx(STATUS_USAGE, "-i must be at least 10ms");
		break;
	case 'w':
		set_workers(o, arg);
		break;
	case OPT_MAX_CONNECTIONS:
		parse_count_must(
		    arg, 1, INT_MAX, &o->max_connections, "--max-connections");
		break;
	case OPT_JSON:
		o->json = arg == NULL ? "-" : arg;
		break;
	case OPT_CONTROL:
		o->control = arg;
		break;
	case 'v':
		o->verbose++;
		break;
	default:
		set_service_option(o, option, arg);
	}
}

/* What follows is a list of ports, an address, or an option. */
static void
check_next(int option, const char *next)
{
	const char *name = option == OPT_JSON ? "--json" : "--check";

	parse_no_file(name, next);
	if (next[strspn(next, "0123456789,-")] != '\0' && next[0] != '-' &&
	    strchr(next, ':') == NULL)
		errx(STATUS_USAGE,
		    "%s %s: what belongs to %s goes behind a =: %s=%s", name,
		    next, name, name, next);
}

/* tcpclient takes it as an IPv6 address whose last part is no port. */
static bool
lacks_brackets(const char *text)
{
	return *text != '[' && strchr(text, ':') != strrchr(text, ':');
}

/* PORTS, or ADDRESS:PORTS, which is -b ADDRESS. */
static void
read_operand(struct server_options *o, char *text)
{
	char *colon = strrchr(text, ':');

	if (lacks_brackets(text))
		errx(STATUS_USAGE,
		    "%s: an IPv6 address goes in brackets before a port, such "
		    "as [::1]:53; without a port it belongs to -b",
		    text);
	if (colon != NULL) {
		*colon = '\0';
		if (*text == '[' && colon[-1] == ']') {
			colon[-1] = '\0';
			text++;
		}
		if (o->bind != NULL && strcmp(o->bind, text) != 0)
			errx(STATUS_USAGE,
			    "%s and %s: the server listens on one address, or "
			    "without any on all",
			    o->bind, text);
		o->bind = text;
		text = colon + 1;
	}
	parse_must(port_list_parse(text, 0, &o->ports), "PORT", text);
}

/* An address and no name, which has none of these. */
static void
check_literal(const char *host)
{
	struct addr_list list = {0};
	const char *why = addr_list_parse(host, &list);

	if (why == NULL && list.count > 1)
		why = "the server listens on one address, or without any on "
		      "all";
	if (why != NULL)
		errx(STATUS_USAGE, "%s: %s", host, why);
	addr_list_free(&list);
}

/* Those that no host could have. */
static void
check_address(const char *host)
{
	char interfaces[ADDR_INTERFACES];
	const char *colon = strchr(host, ':');

	if (*host == '[')
		errx(STATUS_USAGE,
		    "%s: -b is an address without brackets, such as ::1", host);
	if (colon != NULL && strchr(colon + 1, ':') == NULL)
		errx(STATUS_USAGE,
		    "%s: -b is an address without a port; ports come behind "
		    "the options",
		    host);
	if (strpbrk(host, ":%,/") != NULL)
		check_literal(host);
	if (addr_is_odd(host))
		errx(STATUS_USAGE, "%s: " ADDR_ODD_TEXT, host);
	if (!addr_lacks_interface(host))
		return;
	addr_interfaces(interfaces);
	errx(STATUS_USAGE,
	    "%s: a link-local address needs its interface, as in %s%%eth0; "
	    "this host has %s",
	    host, host, interfaces);
}

void
server_options_read(struct server_options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"bind", required_argument, NULL, 'b'},
	    {"backlog", required_argument, NULL, 'B'},
	    {"workers", required_argument, NULL, 'w'},
	    {"report", required_argument, NULL, 'i'},
	    {"max-connections", required_argument, NULL, OPT_MAX_CONNECTIONS},
	    {"mode", required_argument, NULL, OPT_MODE},
	    {"delay", required_argument, NULL, OPT_DELAY},
	    {"stall", required_argument, NULL, OPT_STALL},
	    {"drop", required_argument, NULL, OPT_DROP},
	    {"seed", required_argument, NULL, 's'},
	    {"close-after", required_argument, NULL, OPT_CLOSE_AFTER},
	    {"idle-timeout", required_argument, NULL, OPT_IDLE_TIMEOUT},
	    {"json", optional_argument, NULL, OPT_JSON},
	    {"control", required_argument, NULL, OPT_CONTROL},
	    {"check", optional_argument, NULL, OPT_CHECK},
	    {"force", no_argument, NULL, OPT_FORCE},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	const char *why;
	int option;

	memset(o, 0, sizeof(*o));
	o->workers = 1;
	o->opens = CHECK_OPENS;
	o->service.seed = SEED_DEFAULT;
	while ((option = getopt_long(argc, argv, "b:B:w:i:n:r:s:vhV",
		    long_options, NULL)) != -1) {
		set_option(o, option);
		if ((option == OPT_JSON || option == OPT_CHECK) &&
		    optarg == NULL && optind < argc)
			check_next(option, argv[optind]);
	}
	if (o->have_rates && !o->check)
		errx(STATUS_USAGE, "-n and -r belong to --check");
	why = service_check(&o->service);
	if (why != NULL)
		errx(STATUS_USAGE, "%s", why);
	for (; optind < argc; optind++)
		read_operand(o, argv[optind]);
	if (o->bind != NULL)
		check_address(o->bind);
	if (o->ports.count == 0)
		port_list_parse(PORT_DEFAULT, 0, &o->ports);
}
