/*
 * tcpserver: sends back whatever it receives.
 *
 * Options, wiring, reports, exit status. server/listener opens the socket,
 * server/echo accepts and echoes in a worker process, which counts in shared
 * memory (server/counts) what this, the parent, prints (server/report).
 */
#include <sys/wait.h>

#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/output.h"
#include "lib/parse.h"
#include "lib/status.h"
#include "lib/timer.h"
#include "lib/version.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/echo.h"
#include "server/listener.h"
#include "server/report.h"

#define WORKERS	     1
#define SAMPLE_EVERY CLOCK_NS_PER_SEC

enum {
	OPT_JSON = 256,
	OPT_MAX_CONNECTIONS,
};

/* What the command line says. */
struct options {
	const char *bind; /* NULL: every address */
	uint64_t port;
	uint64_t backlog; /* 0: the largest */
	uint64_t max_connections;
	uint64_t report_every; /* 0: never */
	const char *json; /* NULL: none; "-": stdout */
	int verbose;
};

/* The server, seen from the parent. */
struct server {
	const struct options *options;
	struct echo_config echo;
	struct server_report report;
	struct workers *workers;
	struct event *sample_timer;
	struct event *line_timer;
	struct counts sampled; /* as of the last second */
	struct counts shown; /* as of the last line */
	uint64_t shown_at;
	FILE *text_out;
	FILE *json_out;
	bool died[WORKERS];
};

static const char usage_text[] =
    "usage: tcpserver [options] [PORT]\n"
    "  PORT                   to listen on (4242); 0: any that is free\n"
    "  -b, --bind ADDR        address to listen on (::, and IPv4 too)\n"
    "  -B, --backlog N        of the listening socket (all the kernel allows)\n"
    "  --max-connections N    accept no more than N at once\n"
    "  -i, --report TIME      print a line that often\n"
    "  --json[=FILE]          counts at the end as JSON, on stdout or to FILE\n"
    "  -v                     a line for each connection\n"
    "  -h, -V                 this help, version\n"
    "SIGUSR1 prints the counts; SIGINT and SIGTERM end the server and print\n"
    "the summary.\n";

/*
 * Options.
 */

static void
set_option(struct options *o, int option)
{
	const char *arg = optarg;

	switch (option) {
	case 'b':
		o->bind = arg;
		break;
	case 'B':
		parse_must(
		    parse_count(arg, 1, INT_MAX, &o->backlog), "-B", arg);
		break;
	case 'i':
		parse_must(parse_duration(arg, &o->report_every), "-i", arg);
		if (o->report_every < 10 * CLOCK_NS_PER_MS)
			errx(STATUS_USAGE, "-i must be at least 10ms");
		break;
	case OPT_MAX_CONNECTIONS:
		parse_must(parse_count(arg, 1, INT_MAX, &o->max_connections),
		    "--max-connections", arg);
		break;
	case OPT_JSON:
		o->json = arg == NULL ? "-" : arg;
		break;
	case 'v':
		o->verbose++;
		break;
	case 'h':
		output_answer(usage_text);
	case 'V':
		output_answer("tcpserver " TCPSCALER_VERSION "\n");
	default: /* getopt has said what is wrong */
		errx(STATUS_USAGE, "tcpserver -h shows the options");
	}
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"bind", required_argument, NULL, 'b'},
	    {"backlog", required_argument, NULL, 'B'},
	    {"report", required_argument, NULL, 'i'},
	    {"max-connections", required_argument, NULL, OPT_MAX_CONNECTIONS},
	    {"json", optional_argument, NULL, OPT_JSON},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	memset(o, 0, sizeof(*o));
	o->port = 4242;
	while ((option = getopt_long(
		    argc, argv, "b:B:i:vhV", long_options, NULL)) != -1)
		set_option(o, option);
	if (optind < argc)
		parse_must(parse_count(argv[optind], 0, 65535, &o->port),
		    "PORT", argv[optind]);
	if (optind + 1 < argc)
		errx(STATUS_USAGE, "more than one PORT");
}

/*
 * Reports.
 */

static void
add_up(const struct server *s, struct counts *sum)
{
	struct counts copy;
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < WORKERS; i++) {
		memcpy(&copy, workers_shared(s->workers, i), sizeof(copy));
		if (s->died[i])
			counts_bury(&copy);
		counts_merge(sum, &copy);
	}
}

static void
on_sample_timer(int fd, short what, void *arg)
{
	struct server *s = arg;
	struct counts now;

	(void)fd;
	(void)what;
	add_up(s, &now);
	if (now.accepted - s->sampled.accepted > s->report.peak_accepts)
		s->report.peak_accepts = now.accepted - s->sampled.accepted;
	s->sampled = now;
}

static void
on_line_timer(int fd, short what, void *arg)
{
	struct server *s = arg;
	struct counts now;
	uint64_t at = clock_now();

	(void)fd;
	(void)what;
	add_up(s, &now);
	server_report_line(
	    &now, &s->shown, clock_to_seconds(at - s->shown_at), stderr);
	s->shown = now;
	s->shown_at = at;
}

static void
on_signal(struct workers *workers, int number, void *arg)
{
	struct server *s = arg;
	struct counts now;

	if (number == SIGUSR1) {
		add_up(s, &now);
		server_report_text(&s->report, &now, clock_now(), s->text_out);
	} else
		workers_tell(workers, WORKER_DRAIN, 0);
}

/*
 * Workers.
 */

static void
on_message(struct workers *workers, unsigned int index,
    const struct worker_message *message, void *arg)
{
	struct server *s = arg;

	(void)workers;
	(void)index;
	if (message->verb == WORKER_READY)
		fprintf(stderr, "tcpserver: listening on %s, backlog %u\n",
		    s->report.address, s->report.backlog);
}

static void
on_exit_of_worker(
    struct workers *workers, unsigned int index, int status, void *arg)
{
	struct server *s = arg;

	(void)workers;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		warnx("worker %u was ended by signal %d (%s)", index,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	s->died[index] = true;
	s->report.workers_died++;
}

static int
run_echo(struct worker *worker, void *arg)
{
	const struct server *s = arg;

	return echo_run(worker, &s->echo);
}

static void
serve(struct server *s)
{
	struct workers_config config = {
	    .count = WORKERS,
	    .shared_size = sizeof(struct counts),
	    .run = run_echo,
	    .on_message = on_message,
	    .on_exit = on_exit_of_worker,
	    .on_signal = on_signal,
	    .arg = s,
	};
	struct event_base *base;

	s->report.begun = s->shown_at = clock_now();
	s->workers = workers_start(&config);
	if (s->workers == NULL)
		err(STATUS_COULD_NOT_RUN, "cannot start a worker");
	close(s->echo.listen_fd); /* the worker's now */
	base = workers_base(s->workers);
	s->sample_timer = timer_new(base, EV_PERSIST, on_sample_timer, s);
	s->line_timer = timer_new(base, EV_PERSIST, on_line_timer, s);
	timer_set(s->sample_timer, SAMPLE_EVERY);
	if (s->options->report_every > 0)
		timer_set(s->line_timer, s->options->report_every);
	workers_loop(s->workers);
	on_sample_timer(-1, 0, s); /* the last second, which is not whole */
	event_free(s->sample_timer);
	event_free(s->line_timer);
}

/*
 * Set-up and end.
 */

static uint16_t
port_of(const struct addr *a)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (a->sa.ss_family == AF_INET6) {
		memcpy(&in6, &a->sa, sizeof(in6));
		return ntohs(in6.sin6_port);
	}
	memcpy(&in, &a->sa, sizeof(in));
	return ntohs(in.sin_port);
}

static void
open_listener(struct server *s, char address[ADDR_FORMAT])
{
	const struct options *o = s->options;
	struct listener listener;
	const char *why = listener_open(
	    &listener, o->bind, (uint16_t)o->port, (unsigned int)o->backlog);

	if (why != NULL) {
		const char *host = o->bind == NULL ? "::" : o->bind;

		if (errno == 0)
			errx(STATUS_COULD_NOT_RUN, "%s: %s", host, why);
		err(STATUS_COULD_NOT_RUN, "%s, port %" PRIu64 ": %s", host,
		    o->port, why);
	}
	if (listener.fell_back)
		warnx("IPv6 is off on this host: listening on 0.0.0.0 only");
	if (o->backlog > listener.backlog)
		warnx("-B %" PRIu64 ": the kernel cut it to %u: sysctl "
		      "net.core.somaxconn=%" PRIu64,
		    o->backlog, listener.backlog, o->backlog);
	addr_format(&listener.addr, address);
	s->echo.listen_fd = listener.fd;
	s->report.address = address;
	s->report.port = port_of(&listener.addr);
	s->report.backlog = listener.backlog;
}

static void
check_descriptors(const struct options *o)
{
	uint64_t limit = limits_raise_descriptors();
	uint64_t needed = o->max_connections + LIMITS_SPARE_DESCRIPTORS;

	if (o->verbose > 0)
		warnx("descriptor limit: %" PRIu64, limit);
	if (o->max_connections > 0 && limit < needed)
		warnx("--max-connections %" PRIu64 " needs %" PRIu64
		      " descriptors, and this process may have %" PRIu64
		      ": raise the hard limit (ulimit -Hn)",
		    o->max_connections, needed, limit);
}

static void
open_outputs(struct server *s)
{
	const char *json = s->options->json;

	s->text_out = output_is_stdout(json) ? stderr : stdout;
	if (json != NULL)
		s->json_out = output_open(json);
}

static int
finish(struct server *s)
{
	struct counts sum;
	uint64_t now = clock_now();

	add_up(s, &sum);
	server_report_text(&s->report, &sum, now, s->text_out);
	if (s->text_out == stdout)
		output_flush(stdout, "-");
	if (s->json_out != NULL) {
		server_report_json(&s->report, &sum, now, s->json_out);
		output_close(s->json_out, s->options->json);
	}
	if (counts_check(&sum, stderr) > 0)
		return STATUS_ACCOUNTING;
	return s->report.workers_died > 0 ? STATUS_NOT_AS_ASKED :
					    STATUS_AS_ASKED;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct server server;
	char address[ADDR_FORMAT];
	int status;

	output_guard();
	read_options(&options, argc, argv);
	memset(&server, 0, sizeof(server));
	server.options = &options;
	server.report.argc = argc;
	server.report.argv = argv;
	server.report.max_connections = options.max_connections;
	server.echo.max_connections = options.max_connections;
	server.echo.verbose = options.verbose > 0;
	open_outputs(&server);
	check_descriptors(&options);
	open_listener(&server, address);
	serve(&server);
	status = finish(&server);
	workers_free(server.workers);
	return status;
}
