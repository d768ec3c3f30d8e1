/*
 * What the verdict says of connections that were opened and did not answer: only
 * what is known from here, and else everything that it may be.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/report_internal.h"

#define PLACES_TEXT (DIAGNOSIS_PLACES + 4)

/* A sentence of clauses, each of which is of some of the connections. */
struct sentence {
	char text[REPORT_LINE_SIZE];
	size_t used;
	uint64_t connections; /* that it is of */
};

static void __attribute__((format(printf, 2, 3)))
append(struct sentence *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	s->used += (size_t)vsnprintf(
	    s->text + s->used, sizeof(s->text) - s->used, format, ap);
	va_end(ap);
	if (s->used >= sizeof(s->text))
		s->used = sizeof(s->text) - 1;
}

/* all is said where it is of all connections, else "3 of them" and some. */
static void
append_clause(
    struct sentence *s, uint64_t count, const char *all, const char *some)
{
	if (count == 0)
		return;
	append(s, s->text[s->used - 1] == ':' ? " " : "; ");
	if (count >= s->connections)
		append(s, "%s", all);
	else
		append(s, "%" PRIu64 " of them %s", count, some);
}

/* " (of 192.0.2.1:53: all 10)", or nothing. */
static const char *
places(const struct report *r, enum tally_cause cause, uint64_t total,
    char text[PLACES_TEXT])
{
	char at[DIAGNOSIS_PLACES];

	text[0] = '\0';
	if (report_places(r, &r->total.stats.tally, cause, total, at))
		snprintf(text, PLACES_TEXT, " (%s)", at);
	return text;
}

static void
begin(const struct report *r, struct sentence *s, enum tally_cause cause,
    uint64_t count, const char *what)
{
	char at[PLACES_TEXT];

	s->used = 0;
	s->connections = count;
	append(s, "%" PRIu64 " connections%s%s:", count,
	    places(r, cause, count, at), what);
}

static void
judge_wrong_answers(struct report *r)
{
	const struct stats *stats = &r->total.stats;
	uint64_t wrong = stats_wrong_bytes(&stats->n);
	/* then they say nothing of the others */
	bool is_of_cut =
	    stats->first_bytes.cut && stats->n.evidence_cut_off > 0;
	char first[FIRST_BYTES_TEXT];
	struct sentence s;

	if (wrong == 0)
		return;
	begin(r, &s, TALLY_WRONG_ANSWER, wrong, "");
	append(&s, " bytes came that are no DNS answer");
	if (!is_of_cut)
		append(&s, " (first bytes: %s)",
		    first_bytes_format(&stats->first_bytes, first));
	append(&s, "%s",
	    first_bytes_are_dns(&stats->first_bytes) ?
		"; look at what the server sends: tcpdump -X" :
		": wrong port or protocol?");
	report_lines_add(&r->reasons, s.text);
}

static void
judge_cut_off(struct report *r)
{
	const struct stats *stats = &r->total.stats;
	uint64_t count = stats->n.evidence_cut_off;
	char first[FIRST_BYTES_TEXT];
	struct sentence s;

	if (count == 0)
		return;
	begin(r, &s, TALLY_CUT_OFF, count, "");
	append(&s, " an answer began, and its rest did not come");
	if (stats->first_bytes.cut)
		append(&s, " (first bytes: %s)",
		    first_bytes_format(&stats->first_bytes, first));
	append(&s, "; look at the server");
	report_lines_add(&r->reasons, s.text);
}

void
report_judge_wrong_answers(struct report *r)
{
	judge_wrong_answers(r);
	judge_cut_off(r);
}

#define BACKLOG                                                            \
	"; larger backlog and net.core.somaxconn in the server, or lower " \
	"-n"
#define LOOK "(there: nstat -az TcpExtListenOverflows)"

/* Not where the server is surely on another host: this one's counter is others'. */
static bool
queue_overflowed_here(const struct report *r)
{
	return r->config.view != DIAGNOSIS_FROM_CLIENT &&
	    r->kernel.readable[NETSTAT_TcpExt_ListenOverflows] &&
	    r->kernel.value[NETSTAT_TcpExt_ListenOverflows] > 0;
}

/*
 * Nothing that was sent has been acknowledged. A full accept queue is named alone
 * only where this host counted that one was full.
 */
static void
judge_unacked(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	uint64_t lost = n->evidence_data_lost,
		 again = n->evidence_handshake_open;
	uint64_t all = n->suspect_unacked, rest;
	struct sentence s;

	if (all == 0)
		return;
	begin(r, &s, TALLY_UNACKED, all,
	    ": nothing that was sent on them was acknowledged");
	rest = all > lost ? all - lost : 0;
	if (queue_overflowed_here(r))
		append_clause(&s, rest,
		    "their last ACK was dropped by a full accept queue" BACKLOG,
		    "lost their last ACK to a full accept queue" BACKLOG);
	else {
		append_clause(&s, again,
		    "the server has not got their last ACK: a full accept "
		    "queue dropped it " LOOK ", or the way there",
		    "lack their last ACK at the server: a full accept queue "
		    "dropped it " LOOK ", or the way there");
		append_clause(&s, rest > again ? rest - again : 0,
		    "a full accept queue of the server dropped their last ACK " LOOK
		    ", or what is sent is dropped on the way (a packet "
		    "filter), or the host is gone",
		    "may be dropped by a full accept queue " LOOK
		    " or on the way (a packet filter), or the host is gone");
	}
	append_clause(&s, lost,
	    "the server, on this host, has the connections and not what was "
	    "sent on them: look for a packet filter (nft list ruleset, "
	    "iptables -nvL)",
	    "the server, on this host, has, and not what was sent on them: "
	    "look for a packet filter (nft list ruleset, iptables -nvL)");
	report_lines_add(&r->reasons, s.text);
}

/* Acknowledged, and not answered. Only the server's end of it tells why. */
static void
judge_queued(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	uint64_t waiting = n->evidence_in_accept_queue,
		 unread = n->evidence_not_read, read = n->evidence_read;
	uint64_t known = waiting + unread + read, all = n->suspect_queued;
	struct sentence s;

	if (all == 0)
		return;
	begin(r, &s, TALLY_QUEUED, all,
	    " were accepted by the server's kernel and never answered");
	append_clause(&s, waiting,
	    "they wait in its accept queue: the program is stuck, too slow in "
	    "accepting, or at a limit",
	    "wait in its accept queue: the program is stuck, too slow in "
	    "accepting, or at a limit");
	append_clause(&s, unread,
	    "the program has accepted them and read nothing: it is stuck, or "
	    "too slow",
	    "the program has accepted and read nothing: it is stuck, or too "
	    "slow");
	append_clause(&s, read,
	    "the program has read what was sent, and answers later than "
	    "--timeout or not at all, or a packet filter drops its answers",
	    "the program has read, and answers later than --timeout or not "
	    "at all, or a packet filter drops its answers");
	append_clause(&s, all > known ? all - known : 0,
	    "they wait in its accept queue, or the program is stuck, or it "
	    "answers later than --timeout or not at all (there: ss -ltn, "
	    "Recv-Q), or a packet filter drops its answers",
	    "wait in its accept queue, or the program is stuck, or it answers "
	    "later than --timeout or not at all (there: ss -ltn, Recv-Q), or "
	    "a packet filter drops its answers");
	append(&s, "; look at the server");
	report_lines_add(&r->reasons, s.text);
}

/* What does not answer may be no connection to the other side. */
void
report_judge_suspects(struct report *r)
{
	judge_unacked(r);
	judge_queued(r);
}
