/*
 * tcpserver: sends back whatever it receives, or does what --mode says.
 *
 * Wiring, results, exit status. server/options reads the command line,
 * server/preflight looks at the limits, server/listener opens the sockets, and
 * server/serve has worker processes (server/work) serve them: server/intake
 * accepts and server/session serves there, and both count in shared memory
 * (server/counts) what server/report prints.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/limits.h"
#include "lib/lines.h"
#include "lib/output.h"
#include "lib/port_list.h"
#include "lib/signals.h"
#include "lib/status.h"
#include "server/counts.h"
#include "server/listener.h"
#include "server/options.h"
#include "server/preflight.h"
#include "server/report.h"
#include "server/serve.h"

struct server {
	struct server_options options;
	struct listener listener;
	struct server_report report;
	struct output *text;
	struct output *json; /* NULL: none is wanted */
};

static void
open_listener(struct server *s)
{
	const struct server_options *o = &s->options;
	const char *host = o->bind == NULL ? "::" : o->bind;
	struct listener *l = &s->listener;
	const char *why = listener_prepare(
	    l, o->bind, o->ports.at, o->ports.count, (unsigned int)o->backlog);

	if (why != NULL)
		errx(STATUS_COULD_NOT_RUN, "%s: %s", host, why);
	why = listener_open(
	    l, s->report.workers == 1 ? LISTENER_ALONE : LISTENER_PLACEHOLDER);
	if (why != NULL)
		err(STATUS_COULD_NOT_RUN, "%s, port %u: %s", host,
		    listener_port(l), why);
	if (l->fell_back)
		(void)lines_say(
		    "IPv6 is off on this host: listening on 0.0.0.0 only");
	if (o->backlog > l->backlog)
		(void)lines_say("-B %" PRIu64
				": the kernel cut it to %u: sysctl "
				"net.core.somaxconn=%" PRIu64,
		    o->backlog, l->backlog, o->backlog);
	s->report.address = listener_format(l);
	s->report.listener = l;
	s->report.backlog = l->backlog;
}

static void
open_outputs(struct server *s)
{
	const char *path = s->options.json;
	bool taken = output_is_stdout(path);

	s->json = output_open(path);
	s->text = output_standard(taken ? STDERR_FILENO : STDOUT_FILENO);
	output_keep_running(s->text, true);
	output_must_differ(
	    (struct output *const[]){s->json, taken ? NULL : s->text}, 2);
}

/* The exit status. */
static int
finish(struct server *s, const struct counts *sum)
{
	struct server_report *r = &s->report;
	uint64_t now = clock_now();
	bool written;

	output_keep_running(s->text, false);
	server_report_finish(r, sum);
	server_report_text(r, sum, now, output_stream(s->text));
	if (s->json != NULL)
		server_report_json(r, sum, now, output_stream(s->json));
	written = outputs_end((struct output *const[]){s->json, s->text}, 2);
	if (counts_check(sum, stderr) > 0)
		return STATUS_ACCOUNTING;
	if (!written)
		return STATUS_COULD_NOT_RUN;
	return r->workers_died > 0 ? STATUS_NOT_AS_ASKED : STATUS_AS_ASKED;
}

static int
run(struct server *s, uint64_t descriptors)
{
	struct serve_config config = {
	    .options = &s->options,
	    .listener = &s->listener,
	    .report = &s->report,
	};
	struct counts sum;
	int status;

	open_outputs(s);
	server_preflight_descriptors(
	    &s->options, s->report.workers, descriptors);
	server_preflight_room(&s->options, s->report.workers);
	open_listener(s);
	config.text = s->text;
	status = serve(&config, &sum) ? finish(s, &sum) : STATUS_COULD_NOT_RUN;
	signals_block_end(); /* all is written, and this status is the one */
	listener_free(&s->listener);
	free(s->report.address);
	return status;
}

int
main(int argc, char **argv)
{
	struct server server;
	const struct server_options *o = &server.options;
	uint64_t limit;
	int status;

	signals_begin();
	output_guard();
	memset(&server, 0, sizeof(server));
	server_options_read(&server.options, argc, argv);
	limit = limits_raise_descriptors();
	server.report.argc = argc;
	server.report.argv = argv;
	server.report.workers = server_preflight_workers(o, limit);
	server.report.max_connections = o->max_connections;
	server.report.service = &o->service;
	if (!o->check)
		status = run(&server, limit);
	else if (server_preflight_show(o, server.report.workers))
		status = STATUS_AS_ASKED;
	else
		status = STATUS_COULD_NOT_RUN;
	port_list_free(&server.options.ports);
	return status;
}
