/*
 * tcpserver: sends back whatever it receives, or does what --mode says.
 *
 * Wiring, reports, exit status. server/options reads the command line,
 * server/preflight looks at the limits. server/listener opens the sockets,
 * server/intake accepts and server/session serves in worker processes
 * (server/echo), which count in shared memory (server/counts) what this, the
 * parent, prints (server/report).
 */
#include <sys/wait.h>

#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/addr_list.h"
#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/output.h"
#include "lib/port_list.h"
#include "lib/sockdiag.h"
#include "lib/status.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/echo.h"
#include "server/handover.h"
#include "server/listener.h"
#include "server/options.h"
#include "server/preflight.h"
#include "server/report.h"

#define SAMPLE_EVERY CLOCK_NS_PER_SEC
#define PEAK_EVERY   (100 * CLOCK_NS_PER_MS)

/* The server, seen from the parent. */
struct server {
	const struct server_options *options;
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
	    .service = &s->options->service,
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
	const struct server_options *o = s->options;
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
	struct server_options options;
	struct server server;
	uint64_t limit;
	int status;

	output_guard();
	server_options_read(&options, argc, argv);
	limit = limits_raise_descriptors();
	memset(&server, 0, sizeof(server));
	server.options = &options;
	server.count = server_preflight_workers(&options, limit);
	server.report.argc = argc;
	server.report.argv = argv;
	server.report.workers = server.count;
	server.report.max_connections = options.max_connections;
	server.report.service = &options.service;
	if (options.check) {
		status = server_preflight_show(&options, server.count) ?
		    STATUS_AS_ASKED :
		    STATUS_COULD_NOT_RUN;
		port_list_free(&options.ports);
		return status;
	}
	open_outputs(&server);
	server_preflight_descriptors(&options, server.count, limit);
	server_preflight_room(&options, server.count);
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
