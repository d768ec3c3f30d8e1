#include <inttypes.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/findings.h"
#include "lib/json.h"
#include "lib/number.h"
#include "lib/version.h"
#include "server/report.h"

/* An interval of no time has no rate. */
static struct number_text
per_second(uint64_t later, uint64_t earlier, double seconds, int decimals)
{
	return number_text(number_rate(later - earlier, seconds), decimals);
}

void
server_report_begin(struct server_report *r)
{
	netstat_read(&r->kernel, "/proc");
	gauges_read(&r->gauges.begin, "/proc");
	r->gauges.most = r->gauges.begin;
}

void
server_report_watch(struct server_report *r)
{
	struct gauges now;

	gauges_read(&now, "/proc");
	gauges_raise(&r->gauges.most, &now);
}

#define ERRNOS 134 /* Linux errnos end at 133 */

void
server_report_finish(struct server_report *r, const struct counts *c)
{
	struct netstat end;
	uint64_t by_errno[ERRNOS] = {0};
	char first_bytes[FIRST_BYTES_TEXT];
	struct diagnosis_source source = {
	    .view = DIAGNOSIS_FROM_SERVER,
	    .delta = &r->kernel,
	    .gauges = &r->gauges.most,
	    .by_errno = by_errno,
	    .errnos = ERRNOS,
	    .seen = {[DIAGNOSIS_KILLED] = r->workers_died - r->workers_killed,
		[DIAGNOSIS_WRONG_QUERY] = c->wrong_query},
	    .drops = r->drops.looked ? &r->drops : NULL,
	    .first_bytes = r->first_bytes.length == 0 ?
		NULL :
		first_bytes_format(&r->first_bytes, first_bytes),
	};

	netstat_read(&end, "/proc");
	netstat_subtract(&end, &r->kernel);
	r->kernel = end;
	gauges_read(&r->gauges.end, "/proc");
	if (r->full > 0 && r->full < ERRNOS)
		by_errno[r->full] = c->accept_pauses;
	if (r->unwatched > 0 && r->unwatched < ERRNOS)
		by_errno[r->unwatched] += c->closed_unwatched;
	r->finding_count = diagnosis_find(&source, r->findings);
}

void
server_report_peak(struct server_report *r, const struct counts *now)
{
	uint64_t open = counts_open(now);

	/* copies of counts that change can be too high or below 0 */
	if (r->workers == 1 || open > now->peak)
		open = now->peak;
	if (open > r->peak_seen)
		r->peak_seen = open;
}

void
server_report_queues(
    struct server_report *r, const struct sockdiag_queues *queues)
{
	if (r->closing || queues->listeners == 0)
		return;
	sockdiag_drops_look(&r->drops, queues);
	r->queues = *queues;
	r->queues_known = true;
	if (queues->fullest > r->queue_peak)
		r->queue_peak = queues->fullest;
}

/* "3 of 128", or of several "5 (most in one 3 of 128)" */
static void
print_queues(const struct server_report *r, FILE *out)
{
	const struct sockdiag_queues *q = &r->queues;

	if (!r->queues_known)
		fputs("unknown", out);
	else if (q->listeners == 1)
		fprintf(out, "%" PRIu64 " of %" PRIu64, q->queued, q->limit);
	else
		fprintf(out,
		    "%" PRIu64 " (most in one %" PRIu64 " of %" PRIu64 ")",
		    q->queued, q->fullest, q->limit);
}

void
server_report_line(const struct server_report *r, const struct counts *now,
    const struct counts *before, double seconds, FILE *out)
{
	fprintf(out,
	    "open %" PRIu64 ", accepted %s/s, messages %s/s, "
	    "answered %s/s, in %s bytes/s, out %s bytes/s, accept queue ",
	    counts_open_all(now),
	    per_second(now->accepted, before->accepted, seconds, 0).text,
	    per_second(now->messages, before->messages, seconds, 0).text,
	    per_second(
		now->messages_answered, before->messages_answered, seconds, 0)
		.text,
	    per_second(now->bytes_in, before->bytes_in, seconds, 0).text,
	    per_second(now->bytes_out, before->bytes_out, seconds, 0).text);
	print_queues(r, out);
	fputc('\n', out);
	fflush(out);
}

/* What the options ask for beyond a plain echo. */
static void
print_service(const struct service *s, FILE *out)
{
	fprintf(out, "service      %s", service_mode_name(s->mode));
	if (s->delay > 0)
		fprintf(out, ", delay %g s", clock_to_seconds(s->delay));
	if (s->stall > 0)
		fprintf(out, ", stalls for %g s in every %g s",
		    clock_to_seconds(s->stall),
		    clock_to_seconds(s->stall_every));
	if (s->drop > 0)
		fprintf(out, ", drops %g %%", 100 * s->drop);
	if (s->close_after > 0)
		fprintf(out, ", closes after %" PRIu64, s->close_after);
	if (s->idle_timeout > 0)
		fprintf(out, ", idle timeout %g s",
		    clock_to_seconds(s->idle_timeout));
	fputc('\n', out);
}

/* What can only be where an option asks for it. */
static void
print_ends(const struct counts *c, FILE *out)
{
	if (c->closed_idle + c->closed_after > 0)
		fprintf(out,
		    ", idle %" PRIu64 ", after the last answer %" PRIu64,
		    c->closed_idle, c->closed_after);
	if (c->closed_unwatched > 0)
		fprintf(
		    out, ", not to be watched %" PRIu64, c->closed_unwatched);
	if (c->closed_by_control > 0)
		fprintf(out, ", by control %" PRIu64, c->closed_by_control);
	if (c->closed_worker_died > 0)
		fprintf(out, ", worker died %" PRIu64, c->closed_worker_died);
}

static void
print_messages(const struct server_report *r, const struct counts *c, FILE *out)
{
	char first_bytes[FIRST_BYTES_TEXT];

	fprintf(out,
	    "             messages answered %" PRIu64 ", dropped %" PRIu64
	    ", unanswerable %" PRIu64 ", swallowed %" PRIu64
	    ", discarded %" PRIu64 "\n",
	    c->messages_answered, c->messages_dropped, c->messages_unanswerable,
	    c->messages_swallowed, c->messages_discarded);
	if (c->wrong_query > 0)
		fprintf(out,
		    "             %" PRIu64 " connections: bytes came that are "
		    "no DNS query (first bytes: %s): wrong port or protocol?\n",
		    c->wrong_query,
		    first_bytes_format(&r->first_bytes, first_bytes));
	if (c->bytes_made + c->bytes_consumed > 0)
		fprintf(out,
		    "             bytes consumed %" PRIu64 ", made %" PRIu64
		    "\n",
		    c->bytes_consumed, c->bytes_made);
	if (c->read_pauses > 0)
		fprintf(out,
		    "             a connection was not read from, as too much "
		    "waited, %" PRIu64 " times\n",
		    c->read_pauses);
}

static void
print_connections(const struct server_report *r, const struct counts *c,
    double seconds, FILE *out)
{
	fprintf(out, "connections  open %" PRIu64 ", peak %" PRIu64,
	    counts_open_all(c), r->peak_seen);
	if (r->peak_seen < c->peak)
		fprintf(out, " to %" PRIu64, c->peak);
	fprintf(out,
	    ", accepted %" PRIu64 "\n"
	    "             accepts/s: mean %s, most in a second %" PRIu64 "\n"
	    "             closed by peer %" PRIu64 ", reset by peer %" PRIu64
	    ", by error %" PRIu64 ", locally %" PRIu64,
	    c->accepted, per_second(c->accepted, 0, seconds, 1).text,
	    r->peak_accepts, c->closed_by_peer, c->reset_by_peer,
	    c->closed_by_error, c->closed_locally);
	print_ends(c, out);
	fprintf(out, "\n             accept queue ");
	print_queues(r, out);
	fprintf(out, ", most seen in one %" PRIu64, r->queue_peak);
	if (r->drops.known)
		fprintf(out, ", dropped %" PRIu64, r->drops.count);
}

/* What did not go smoothly; nothing where all did. */
static void
print_troubles(const struct counts *c, FILE *out)
{
	if (c->handed_over > 0)
		fprintf(out,
		    "             handed over to a worker with room %" PRIu64
		    "\n",
		    c->handed_over);
	if (c->accept_pauses > 0)
		fprintf(out,
		    "             accepting was paused %" PRIu64 " times\n",
		    c->accept_pauses);
	if (c->lines_left_out > 0)
		fprintf(out,
		    "             lines on standard error that were left out, "
		    "as it was not read or not written: %" PRIu64 "\n",
		    c->lines_left_out);
}

void
server_report_text(const struct server_report *r, const struct counts *c,
    uint64_t now, FILE *out)
{
	double seconds = clock_to_seconds(now - r->begun);

	fprintf(out, "tcpserver %s: %s, backlog %u, ", TCPSCALER_VERSION,
	    r->address, r->backlog);
	if (r->workers > 1)
		fprintf(out, "%u workers, ", r->workers);
	fprintf(out, "up %.1f s\n", seconds);
	if (!service_is_plain(r->service))
		print_service(r->service, out);
	print_connections(r, c, seconds, out);
	fprintf(out,
	    "\ntraffic      messages %" PRIu64 ", bytes in %" PRIu64
	    ", out %" PRIu64 ", discarded %" PRIu64 "\n",
	    c->messages, c->bytes_in, c->bytes_out, c->bytes_discarded);
	if (!service_is_plain(r->service) || c->messages_discarded > 0)
		print_messages(r, c, out);
	print_troubles(c, out);
	findings_print_all(r->findings, r->finding_count, out);
	fflush(out);
}

static json_t *
ports_json(const struct listener *l)
{
	json_t *ranges = json_array(), *range;
	size_t first, last;

	for (first = 0; first < l->count; first = last + 1) {
		last = listener_range(l, first);
		range = json_array();
		json_push(range, json_integer(l->ports[first]));
		json_push(range, json_integer(l->ports[last]));
		json_push(ranges, range);
	}
	return ranges;
}

/* Seconds; null: not asked for. */
static json_t *
seconds_json(uint64_t ns)
{
	return ns == 0 ? json_null() : json_real(clock_to_seconds(ns));
}

static json_t *
service_json(const struct service *s)
{
	json_t *o = json_object();

	json_put(o, "mode", json_string(service_mode_name(s->mode)));
	json_put(o, "delay_s", seconds_json(s->delay));
	json_put(o, "stall_s", seconds_json(s->stall));
	json_put(o, "stall_every_s", seconds_json(s->stall_every));
	json_put(o, "drop", json_real(s->drop));
	json_put(o, "seed", json_integer((json_int_t)s->seed));
	json_put(o, "close_after",
	    s->close_after == 0 ? json_null() :
				  json_integer((json_int_t)s->close_after));
	json_put(o, "idle_timeout_s", seconds_json(s->idle_timeout));
	return o;
}

static json_t *
config_json(const struct server_report *r)
{
	json_t *o = json_object();

	json_put(o, "address", json_string(r->address));
	json_put(o, "port", json_integer(r->listener->ports[0]));
	json_put(o, "ports", ports_json(r->listener));
	json_put(o, "workers", json_integer(r->workers));
	json_put(o, "backlog", json_integer(r->backlog));
	json_put(o, "max_connections",
	    r->max_connections == 0 ?
		json_null() :
		json_integer((json_int_t)r->max_connections));
	json_put(o, "service", service_json(r->service));
	return o;
}

/* null where the kernel does not tell. */
static json_t *
queues_json(const struct server_report *r)
{
	const struct sockdiag_queues *q = &r->queues;
	json_t *o = json_object();
	const struct {
		const char *name;
		uint64_t value;
	} now[] = {{"listeners", q->listeners}, {"queued", q->queued},
	    {"fullest", q->fullest}, {"limit", q->limit}};
	size_t i;

	for (i = 0; i < sizeof(now) / sizeof(now[0]); i++)
		json_put(o, now[i].name,
		    r->queues_known ? json_integer((json_int_t)now[i].value) :
				      json_null());
	json_put_count(o, "peak", r->queue_peak);
	json_put(o, "dropped",
	    r->drops.known ? json_integer((json_int_t)r->drops.count) :
			     json_null());
	return o;
}

#define PUT_COUNT(name) json_put_count(counts, #name, c->name);

json_t *
server_report_counts(
    const struct server_report *r, const struct counts *c, uint64_t now)
{
	json_t *o = json_object(), *counts = json_object();

	json_put(o, "duration_s", json_real(clock_to_seconds(now - r->begun)));
	json_put_count(counts, "open", counts_open_all(c));
	COUNTS_LIST(PUT_COUNT)
	json_put_count(counts, "peak", r->peak_seen);
	json_put_count(counts, "peak_at_most", c->peak);
	json_put(counts, "peak_accepts_per_second",
	    json_integer((json_int_t)r->peak_accepts));
	json_put(o, "counts", counts);
	json_put(o, "first_bytes", first_bytes_json(&r->first_bytes));
	json_put(o, "accept_queue", queues_json(r));
	json_put(o, "workers_died", json_integer(r->workers_died));
	return o;
}

void
server_report_json(const struct server_report *r, const struct counts *c,
    uint64_t now, FILE *out)
{
	json_t *o = server_report_counts(r, c, now);

	json_put(o, "version", json_string(TCPSCALER_VERSION));
	json_put(o, "command", json_command(r->argc, r->argv));
	json_put(o, "config", config_json(r));
	json_put(o, "kernel", findings_kernel_json(&r->kernel, &r->gauges));
	json_put(o, "findings", findings_json(r->findings, r->finding_count));
	json_write(o, out);
}
