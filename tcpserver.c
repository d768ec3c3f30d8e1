/*
 * tcpserver: sends back whatever it receives.
 *
 * Options, wiring, reports, exit status. server/listener opens the sockets,
 * server/intake accepts and server/echo echoes in worker processes, which count
 * in shared memory (server/counts) what this, the parent, prints
 * (server/report).
 */
#include <sys/wait.h>

#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/addr_list.h"
#include "lib/check.h"
#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/output.h"
#include "lib/parse.h"
#include "lib/port_list.h"
#include "lib/sockdiag.h"
#include "lib/status.h"
#include "lib/timer.h"
#include "lib/version.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/echo.h"
#include "server/handover.h"
#include "server/listener.h"
#include "server/report.h"

#define PORT_DEFAULT "4242"
#define SAMPLE_EVERY CLOCK_NS_PER_SEC
#define PEAK_EVERY   (100 * CLOCK_NS_PER_MS)
/* Descriptors of the parent beside those for its ports and workers. */
#define PARENT_DESCRIPTORS 24

enum {
	OPT_JSON = 256,
	OPT_MAX_CONNECTIONS,
	OPT_CHECK,
	OPT_FORCE,
};

/* What --check looks for where --max-connections does not say. */
#define CHECK_CONNECTIONS 65536
#define CHECK_OPENS	  1000 /* a second, the default of tcpclient's -n */

/* What the command line says. */
struct options {
	const char *bind; /* NULL: every address */
	struct port_list ports;
	uint64_t workers; /* 0: auto */
	uint64_t backlog; /* 0: the largest */
	uint64_t max_connections; /* over all workers; 0: no limit */
	uint64_t report_every; /* 0: never */
	const char *json; /* NULL: none; "-": stdout */
	int verbose;
	double opens; /* to check for, a second */
	double queries;
	bool have_rates;
	bool check;
	bool sysctls;
	bool force;
};

/* The server, seen from the parent. */
struct server {
	const struct options *options;
	struct listener listener;
	struct handover *handover; /* NULL: one worker */
	struct server_report report;
	struct sockdiag *diag;
	struct workers *workers;
	struct event *sample_timer;
	struct event *peak_timer;
	struct event *line_timer;
	struct counts sampled; /* as of the last second */
	struct counts shown; /* as of the last line */
	uint64_t shown_at;
	FILE *text_out;
	FILE *json_out;
	struct member *members;
	unsigned int count; /* of workers */
	bool said_listening;
	bool said_full;
	bool failed; /* a worker could not begin, which has been said */
};

/* What the parent knows of a worker. */
struct member {
	bool ready;
	bool died;
};

static const char usage_text[] =
    "usage: tcpserver [options] [PORT|RANGE|LIST]...\n"
    "  PORT                   to listen on (4242); 0: any that is free;\n"
    "                         several: 7000-7199, 53,853\n"
    "  -w, --workers N|auto   processes that share the connections (1); auto:\n"
    "                         one for each processor, more if it takes more\n"
    "                         for --max-connections\n"
    "  -b, --bind ADDR        address to listen on (::, and IPv4 too)\n"
    "  -B, --backlog N        of the listening socket (all the kernel allows)\n"
    "  --max-connections N    serve no more than N at once, over all workers\n"
    "  -i, --report TIME      print a line that often\n"
    "  --json[=FILE]          counts at the end as JSON, on stdout or to FILE\n"
    "  --check[=sysctl]       do not serve: the limits of this host, what is needed,\n"
    "                         and how to mend it; =sysctl: NAME VALUE lines\n"
    "  -n RATE, -r RATE       with --check: new connections (1000) and queries (0)\n"
    "                         per second to look for; -n 0: all at once\n"
    "  --force                serve even where --max-connections is impossible\n"
    "  -v                     a line for each connection\n"
    "  -h, -V                 this help, version\n"
    "SIGUSR1 prints the counts; SIGINT and SIGTERM end the server and print\n"
    "the summary.\n";

/*
 * Options.
 */

static void
set_workers(struct options *o, const char *arg)
{
	if (strcmp(arg, "auto") == 0)
		o->workers = 0;
	else if (parse_count(arg, 1, LIMITS_WORKERS_MOST, &o->workers) != NULL)
		errx(STATUS_USAGE,
		    "-w %s: neither auto nor a whole number from 1 to %d", arg,
		    LIMITS_WORKERS_MOST);
}

static void
set_check(struct options *o, const char *arg)
{
	o->check = true;
	o->sysctls = arg != NULL && strcmp(arg, "sysctl") == 0;
	if (arg != NULL && !o->sysctls)
		errx(STATUS_USAGE, "--check=%s: not sysctl", arg);
}

/* What is done about the limits of this host. */
static void
set_check_option(struct options *o, int option, const char *arg)
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
	case 'w':
		set_workers(o, arg);
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
	default:
		set_check_option(o, option, arg);
	}
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"bind", required_argument, NULL, 'b'},
	    {"backlog", required_argument, NULL, 'B'},
	    {"workers", required_argument, NULL, 'w'},
	    {"report", required_argument, NULL, 'i'},
	    {"max-connections", required_argument, NULL, OPT_MAX_CONNECTIONS},
	    {"json", optional_argument, NULL, OPT_JSON},
	    {"check", optional_argument, NULL, OPT_CHECK},
	    {"force", no_argument, NULL, OPT_FORCE},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	memset(o, 0, sizeof(*o));
	o->workers = 1;
	o->opens = CHECK_OPENS;
	while ((option = getopt_long(
		    argc, argv, "b:B:w:i:n:r:vhV", long_options, NULL)) != -1)
		set_option(o, option);
	if (o->have_rates && !o->check)
		errx(STATUS_USAGE, "-n and -r belong to --check");
	for (; optind < argc; optind++)
		parse_must(port_list_parse(argv[optind], 0, &o->ports), "PORT",
		    argv[optind]);
	if (o->ports.count == 0)
		port_list_parse(PORT_DEFAULT, 0, &o->ports);
}

/*
 * Reports.
 */

static void
add_up(struct server *s, struct counts *sum)
{
	const struct counts_slot *slot;
	struct counts copy;
	uint64_t peak;
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < s->count; i++) {
		slot = workers_shared(s->workers, i);
		copy = slot->counts;
		peak = __atomic_load_n(&slot->queue_peak, __ATOMIC_RELAXED);
		if (peak > s->report.queue_peak)
			s->report.queue_peak = peak;
		if (s->members[i].died)
			counts_bury(&copy);
		counts_merge(sum, &copy);
	}
	server_report_peak(&s->report, sum);
}

/* The parent asks: workers can be too busy, or stuck. */
static void
look_at_queues(struct server *s)
{
	struct sockdiag_queues queues;

	if (s->diag != NULL && sockdiag_queues(s->diag, &queues) == 0)
		server_report_queues(&s->report, &queues);
}

static void
on_peak_timer(int fd, short what, void *arg)
{
	struct counts now;

	(void)fd;
	(void)what;
	add_up(arg, &now);
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
	server_report_watch(&s->report);
	look_at_queues(s);
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
	look_at_queues(s);
	server_report_line(&s->report, &now, &s->shown,
	    clock_to_seconds(at - s->shown_at), stderr);
	s->shown = now;
	s->shown_at = at;
}

/* The listeners are about to be closed, and what waits is refused. */
static void
end(struct server *s)
{
	look_at_queues(s);
	workers_tell(s->workers, WORKER_DRAIN, 0);
}

static void
on_signal(struct workers *workers, int number, void *arg)
{
	struct server *s = arg;
	struct counts now;

	(void)workers;
	if (number == SIGUSR1) {
		add_up(s, &now);
		look_at_queues(s);
		server_report_text(&s->report, &now, clock_now(), s->text_out);
	} else
		end(s);
}

/*
 * Workers.
 */

static void
say_listening(const struct server *s)
{
	fprintf(stderr, "tcpserver: listening on %s, backlog %u",
	    s->report.address, s->report.backlog);
	if (s->count > 1)
		fprintf(stderr, ", %u workers", s->count);
	fputc('\n', stderr);
}

/* Once all that are alive take connections. */
static void
check_ready(struct server *s)
{
	unsigned int i, ready = 0;

	for (i = 0; i < s->count; i++) {
		ready += s->members[i].ready && !s->members[i].died;
		if (!s->members[i].ready && !s->members[i].died)
			return;
	}
	if (ready == 0 || s->said_listening || s->failed)
		return;
	s->said_listening = true;
	listener_close(&s->listener); /* nobody else can bind any more */
	say_listening(s);
}

static void
say_full(struct server *s, int error)
{
	struct counts now;
	const char *why = strerror(error);

	if (s->said_full)
		return;
	s->said_full = true;
	s->report.full =
	    error == 0 && s->options->max_connections == 0 ? EMFILE : error;
	if (error == 0)
		why = s->options->max_connections > 0 ?
		    "--max-connections reached" :
		    "descriptor limit of every worker reached";
	else if (error == EMFILE)
		why = "descriptor limit of this process reached";
	else if (error == ENFILE)
		why = "file limit of this host (fs.file-max) reached";
	add_up(s, &now);
	warnx("%s with %" PRIu64 " connections open: no more are accepted "
	      "until some close (said once)",
	    why, counts_open(&now));
}

static void
fail(struct server *s, unsigned int index, uint64_t value)
{
	const char *host = s->options->bind == NULL ? "::" : s->options->bind;

	if (s->failed)
		return;
	s->failed = true;
	errno = (int)(value & UINT32_MAX);
	if (value >> 32 > 0)
		warn("%s, port %" PRIu64 ": worker %u cannot listen", host,
		    value >> 32, index);
	else
		warnx("worker %u has no descriptor left for a connection: "
		      "raise the hard limit (ulimit -Hn), or fewer ports or "
		      "workers",
		    index);
	workers_tell(s->workers, WORKER_STOP, 0);
}

static void
on_message(struct workers *workers, unsigned int index,
    const struct worker_message *message, void *arg)
{
	struct server *s = arg;

	(void)workers;
	switch (message->verb) {
	case WORKER_READY:
		s->members[index].ready = true;
		check_ready(s);
		break;
	case WORKER_FULL:
		say_full(s, (int)message->value);
		break;
	case WORKER_FAILED:
		fail(s, index, message->value);
		break;
	}
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
	s->members[index].died = true;
	s->report.workers_died++;
	check_ready(s);
}

static int
run_echo(struct worker *worker, void *arg)
{
	struct server *s = arg;
	uint64_t most = s->options->max_connections;
	struct echo_config config = {
	    .listener = &s->listener,
	    .handover = s->handover,
	    .max_connections = most == 0 ?
		UINT64_MAX :
		worker_share(most, worker_index(worker), s->count),
	    .verbose = s->options->verbose > 0,
	};

	return echo_run(worker, &config);
}

static void
start_workers(struct server *s)
{
	struct workers_config config = {
	    .count = s->count,
	    .shared_size = sizeof(struct counts_slot),
	    .run = run_echo,
	    .on_message = on_message,
	    .on_exit = on_exit_of_worker,
	    .on_signal = on_signal,
	    .arg = s,
	};

	s->members = calloc(s->count, sizeof(*s->members));
	if (s->members == NULL)
		err(STATUS_COULD_NOT_RUN, "no memory for %u workers", s->count);
	if (s->count > 1) {
		s->handover = handover_new(s->count);
		if (s->handover == NULL)
			err(STATUS_COULD_NOT_RUN, "no inboxes for %u workers",
			    s->count);
	}
	s->workers = workers_start(&config);
	if (s->workers == NULL)
		err(STATUS_COULD_NOT_RUN, "cannot start %u workers", s->count);
	handover_free(s->handover);
	if (s->count == 1)
		listener_close(&s->listener); /* the worker's now */
}

static void
watch_queues(struct server *s)
{
	const struct listener *l = &s->listener;
	struct addr_list bound = {NULL, 0};

	if (!l->any)
		(void)addr_list_append(&bound, &l->addr);
	s->diag = sockdiag_new(bound.at, bound.count, l->ports, l->count);
	addr_list_free(&bound);
}

static void
serve(struct server *s)
{
	struct event_base *base;

	s->report.begun = s->shown_at = clock_now();
	server_report_begin(&s->report);
	watch_queues(s);
	start_workers(s);
	base = workers_base(s->workers);
	s->sample_timer = timer_new(base, EV_PERSIST, on_sample_timer, s);
	s->peak_timer = timer_new(base, EV_PERSIST, on_peak_timer, s);
	s->line_timer = timer_new(base, EV_PERSIST, on_line_timer, s);
	timer_set(s->sample_timer, SAMPLE_EVERY);
	if (s->count > 1) /* one worker knows its own */
		timer_set(s->peak_timer, PEAK_EVERY);
	if (s->options->report_every > 0)
		timer_set(s->line_timer, s->options->report_every);
	workers_loop(s->workers);
	on_sample_timer(-1, 0, s); /* the last second, which is not whole */
	event_free(s->sample_timer);
	event_free(s->peak_timer);
	event_free(s->line_timer);
}

/*
 * Set-up and end.
 */

static void
open_listener(struct server *s)
{
	const struct options *o = s->options;
	const char *host = o->bind == NULL ? "::" : o->bind;
	struct listener *l = &s->listener;
	const char *why = listener_prepare(
	    l, o->bind, o->ports.at, o->ports.count, (unsigned int)o->backlog);

	if (why != NULL)
		errx(STATUS_COULD_NOT_RUN, "%s: %s", host, why);
	why = listener_open(
	    l, s->count == 1 ? LISTENER_ALONE : LISTENER_PLACEHOLDER);
	if (why != NULL)
		err(STATUS_COULD_NOT_RUN, "%s, port %u: %s", host,
		    listener_port(l), why);
	if (l->fell_back)
		warnx("IPv6 is off on this host: listening on 0.0.0.0 only");
	if (o->backlog > l->backlog)
		warnx("-B %" PRIu64 ": the kernel cut it to %u: sysctl "
		      "net.core.somaxconn=%" PRIu64,
		    o->backlog, l->backlog, o->backlog);
	s->report.address = listener_format(l);
	s->report.listener = l;
	s->report.backlog = l->backlog;
}

/* Descriptors of each of so many workers besides its connections: all ports, and
 * a way into each other's inbox. */
static uint64_t
others_of_each(const struct options *o, uint64_t workers)
{
	return LIMITS_SPARE_DESCRIPTORS + o->ports.count +
	    (workers > 1 ? workers : 0);
}

/* Connections of each. */
static uint64_t
room_of_each(const struct options *o, uint64_t workers, uint64_t limit)
{
	uint64_t others = others_of_each(o, workers);

	return limit > others ? limit - others : 0;
}

/* What -w says; auto: one for each processor, and more while that makes room
 * for --max-connections. */
static unsigned int
choose_workers(const struct options *o, uint64_t limit)
{
	uint64_t n = limits_processors();

	if (o->workers > 0)
		return (unsigned int)o->workers;
	while (n < LIMITS_WORKERS_MOST &&
	    n * room_of_each(o, n, limit) < o->max_connections &&
	    (n + 1) * room_of_each(o, n + 1, limit) >
		n * room_of_each(o, n, limit))
		n++;
	return (unsigned int)n;
}

static void
check_descriptors(const struct server *s, uint64_t limit)
{
	const struct options *o = s->options;
	uint64_t own = o->ports.count + PARENT_DESCRIPTORS +
	    3 * (uint64_t)s->count; /* channels, and inboxes until the fork */

	if (o->verbose > 0)
		warnx("descriptor limit: %" PRIu64, limit);
	if (s->count + o->ports.count > 2 && limit < own)
		errx(STATUS_COULD_NOT_RUN,
		    "%zu port(s) and %u worker(s) need %" PRIu64
		    " descriptors, and this process may have %" PRIu64
		    ": raise the hard limit (ulimit -Hn)",
		    o->ports.count, s->count, own, limit);
}

static void
make_check(const struct server *s, struct check_run *run)
{
	const struct options *o = s->options;

	memset(run, 0, sizeof(*run));
	run->ends = CHECK_SERVER;
	run->here = o->sysctls ? 2 : 1; /* wherever the client will be */
	run->connections =
	    o->max_connections > 0 ? o->max_connections : CHECK_CONNECTIONS;
	run->workers = s->count;
	run->spare = others_of_each(o, s->count);
	run->opens = o->opens;
	run->queries = o->queries;
	run->ipv6 = o->bind == NULL || strchr(o->bind, ':') != NULL;
	run->ports = o->ports.at;
	run->port_count = o->ports.count;
}

static int
show_limits(const struct server *s)
{
	struct check_run run;

	make_check(s, &run);
	return check_show(&run, s->options->sysctls) ? STATUS_AS_ASKED :
						       STATUS_COULD_NOT_RUN;
}

/* Where it is not known how many there will be, there is nothing to look for. */
static void
check_room(const struct server *s)
{
	struct check_run run;

	if (s->options->max_connections == 0)
		return;
	make_check(s, &run);
	if (check_start(&run) == 0)
		return;
	if (!s->options->force)
		errx(STATUS_COULD_NOT_RUN,
		    "--max-connections %" PRIu64 " is not possible here; "
		    "--force serves as many as are",
		    s->options->max_connections);
	warnx("--force: it is tried all the same");
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

	if (s->failed)
		return STATUS_COULD_NOT_RUN;
	add_up(s, &sum);
	counts_settle(&sum, s->report.workers_died > 0);
	server_report_finish(&s->report, &sum);
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
	uint64_t limit;
	int status;

	output_guard();
	read_options(&options, argc, argv);
	limit = limits_raise_descriptors();
	memset(&server, 0, sizeof(server));
	server.options = &options;
	server.count = choose_workers(&options, limit);
	server.report.argc = argc;
	server.report.argv = argv;
	server.report.workers = server.count;
	server.report.max_connections = options.max_connections;
	if (options.check)
		return show_limits(&server);
	open_outputs(&server);
	check_descriptors(&server, limit);
	check_room(&server);
	open_listener(&server);
	serve(&server);
	status = finish(&server);
	workers_free(server.workers);
	sockdiag_free(server.diag);
	listener_free(&server.listener);
	free(server.report.address);
	free(server.members);
	port_list_free(&options.ports);
	return status;
}
