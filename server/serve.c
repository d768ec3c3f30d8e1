#include <sys/wait.h>

#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/events.h"
#include "lib/lines.h"
#include "lib/output.h"
#include "lib/signals.h"
#include "lib/status.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "server/commands.h"
#include "server/work.h"
#include "server/handover.h"
#include "server/listener.h"
#include "server/options.h"
#include "server/report.h"
#include "server/serve.h"
#include "server/watch.h"

/* A worker that has not ended that long after a second signal is killed. */
#define KILL_AFTER (800 * CLOCK_NS_PER_MS)

/* The server, seen from the parent. */
struct server {
	const struct server_options *options;
	struct listener *listener;
	struct server_report *report;
	struct output *text;
	unsigned int count; /* of workers */
	struct handover *handover; /* NULL: one worker */
	struct workers *workers;
	struct watch *watch;
	struct commands *commands; /* NULL: not to be controlled */
	struct event *kill_timer;
	bool *ready; /* by worker */
	bool ending; /* workers were told to end */
	bool killing; /* workers that had not ended were killed */
	bool said_listening;
	bool said_full;
	bool said_unwatched;
	bool failed; /* a worker could not begin, which has been said */
};

static void
count_line(struct server *s, bool taken)
{
	s->report->lines_left_out += !taken;
}

/* The listeners are about to be closed, and what waits is refused. */
static void
end(void *arg)
{
	struct server *s = arg;

	s->ending = true;
	watch_look_at_queues(s->watch);
	s->report->closing = true;
	workers_tell(s->workers, WORKER_DRAIN, 0);
}

/* A worker may be stuck. More signals do not put its end off. */
static void
end_soon(struct server *s)
{
	signals_ask_end(); /* nor is a reader waited for */
	timer_start(s->kill_timer, KILL_AFTER);
}

static void
on_kill_timer(int fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	s->killing = true;
	workers_kill(s->workers);
}

/* Not into a full pipe: the server would not end before somebody reads. */
static void
say_counts(struct server *s)
{
	struct counts now;

	watch_add_up(s->watch, &now);
	watch_look_at_queues(s->watch);
	if (output_is_ready(s->text))
		server_report_text(
		    s->report, &now, clock_now(), output_stream(s->text));
	else
		count_line(s,
		    lines_say("the counts are not printed: the pipe is full "
			      "that they go to"));
}

static void
on_signal(struct workers *workers, int number, void *arg)
{
	struct server *s = arg;

	(void)workers;
	if (number == SIGUSR1)
		say_counts(s);
	else if (s->ending)
		end_soon(s);
	else
		end(s);
}

/*
 * Workers.
 */

static void
say_listening(struct server *s)
{
	char workers[32] = "";

	if (s->count > 1)
		snprintf(workers, sizeof(workers), ", %u workers", s->count);
	count_line(s,
	    lines_say("listening on %s, backlog %u%s", s->report->address,
		s->report->backlog, workers));
}

/* Once all that are alive take connections. */
static void
check_ready(struct server *s)
{
	unsigned int i, ready = 0;

	for (i = 0; i < s->count; i++) {
		if (watch_is_dead(s->watch, i))
			continue;
		if (!s->ready[i])
			return;
		ready++;
	}
	if (ready == 0 || s->said_listening || s->failed)
		return;
	s->said_listening = true;
	listener_close(s->listener); /* nobody else can bind any more */
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
	s->report->full =
	    error == 0 && s->options->max_connections == 0 ? EMFILE : error;
	if (error == 0)
		why = s->options->max_connections > 0 ?
		    "--max-connections reached" :
		    "descriptor limit of every worker reached";
	else if (error == EMFILE)
		why = "descriptor limit of this process reached";
	else if (error == ENFILE)
		why = "file limit of this host (fs.file-max) reached";
	else if (error == ENOSPC)
		why = "watch limit of this user (fs.epoll.max_user_watches) "
		      "reached";
	watch_add_up(s->watch, &now);
	count_line(s,
	    lines_say("%s with %" PRIu64 " connections open: no more are "
		      "accepted until some close (said once)",
		why, counts_open(&now)));
}

static void
say_unwatched(struct server *s, int error)
{
	if (s->said_unwatched)
		return;
	s->said_unwatched = true;
	s->report->unwatched = error;
	count_line(s,
	    lines_say_errno(error,
		"a connection is closed, its socket cannot be watched%s (said "
		"once)",
		events_limit(error)));
}

static void
fail(struct server *s, unsigned int index, uint64_t value)
{
	const char *host = s->options->bind == NULL ? "::" : s->options->bind;

	if (s->failed)
		return;
	s->failed = true;
	if (value >> 32 > 0)
		(void)lines_say_errno((int)(value & UINT32_MAX),
		    "%s, port %" PRIu64 ": worker %u cannot listen", host,
		    value >> 32, index);
	else
		(void)lines_say("worker %u has no descriptor left for a "
				"connection: raise the hard limit (ulimit "
				"-Hn), or fewer ports or workers",
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
		s->ready[index] = true;
		check_ready(s);
		break;
	case WORKER_FULL:
		say_full(s, (int)message->value);
		break;
	case WORKER_UNWATCHED:
		say_unwatched(s, (int)message->value);
		break;
	case WORKER_DONE:
		commands_done(s->commands, index, message->value);
		break;
	case WORKER_FAILED:
		fail(s, index, message->value);
		break;
	}
}

static void
note_death(struct server *s, unsigned int index, int status)
{
	if (WIFSIGNALED(status))
		count_line(s,
		    worker_say_death(
			index, WTERMSIG(status), s->killing ? KILL_AFTER : 0));
	s->report->workers_killed += s->killing;
	watch_bury(s->watch, index);
	check_ready(s);
}

static void
on_exit_of_worker(
    struct workers *workers, unsigned int index, int status, void *arg)
{
	struct server *s = arg;

	if (WIFEXITED(status) && WEXITSTATUS(status) == EVENTS_WORKER_STATUS) {
		s->failed = true;
		workers_tell(workers, WORKER_STOP, 0);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		note_death(s, index, status);
	if (s->commands != NULL) /* what comes next counts it as it is now */
		commands_done(s->commands, index, 0);
}

static int
run_work(struct worker *worker, void *arg)
{
	struct server *s = arg;
	uint64_t most = s->options->max_connections;
	struct work_config config = {
	    .listener = s->listener,
	    .handover = s->handover,
	    .service = &s->options->service,
	    .max_connections = most == 0 ?
		UINT64_MAX :
		worker_share(most, worker_index(worker), s->count),
	    .verbose = s->options->verbose > 0,
	};

	return work_run(worker, &config);
}

static void
start_workers(struct server *s)
{
	struct workers_config config = {
	    .count = s->count,
	    .shared_size = sizeof(struct counts_slot),
	    .run = run_work,
	    .on_message = on_message,
	    .on_exit = on_exit_of_worker,
	    .on_signal = on_signal,
	    .arg = s,
	};

	s->ready = calloc(s->count, sizeof(*s->ready));
	if (s->ready == NULL)
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
		listener_close(s->listener); /* the worker's now */
}

/* After the fork: the socket is the parent's alone. */
static void
start_commands(struct server *s)
{
	const char *path = s->options->control;
	struct commands_config config = {
	    .workers = s->workers,
	    .report = s->report,
	    .watch = s->watch,
	    .end = end,
	    .arg = s,
	};
	char why[CONTROL_WHY];

	if (path == NULL)
		return;
	s->commands = commands_new(&config, path, why);
	if (s->commands != NULL)
		return;
	(void)lines_say("--control %s: %s", path, why);
	s->failed = true;
	workers_tell(s->workers, WORKER_STOP, 0);
}

static void
let_go(struct server *s)
{
	if (s->commands != NULL)
		commands_free(s->commands);
	watch_free(s->watch);
	event_free(s->kill_timer);
	workers_free(s->workers);
	free(s->ready);
}

bool
serve(const struct serve_config *config, struct counts *sum)
{
	struct server s = {
	    .options = config->options,
	    .listener = config->listener,
	    .report = config->report,
	    .text = config->text,
	    .count = config->report->workers,
	};

	s.report->begun = clock_now();
	server_report_begin(s.report);
	start_workers(&s);
	s.kill_timer = timer_new(workers_base(s.workers), 0, on_kill_timer, &s);
	s.watch =
	    watch_new(s.workers, s.report, s.text, s.options->report_every);
	start_commands(&s);
	workers_loop(s.workers);
	watch_end(s.watch, sum);
	counts_settle(sum, s.report->workers_died > 0);
	let_go(&s);
	if (s.killing) /* blocked by now: ends the wait for readers, too */
		(void)raise(SIGTERM);
	return !s.failed;
}
