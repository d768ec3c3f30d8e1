/*
 * Answers: found in what was read, matched with their queries, and booked.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <err.h>

#include "dns_query.h"
#include "client/conn_internal.h"
#include "client/window.h"

static void
book_answer_before(struct conn *c, const struct dns_message *m,
    const struct inflight_query *query, uint64_t now)
{
	struct stats_counters *n = &c->env->stats->n;
	enum querylog_type type = QUERYLOG_ANSWERED;

	if (conn_is_probe(c, query)) {
		n->probe_answered++;
		window_note(c->env->window, c->begun, now, false);
		type = QUERYLOG_PROBE_ANSWERED;
	} else
		n->warmup_answered++;
	conn_log(c, type, now, m->id, now - query->sent);
}

/* It did not come before its query was sent, nor before anything could have. */
static void
book_read_delay(struct stats *stats, struct conn_reading *r, uint64_t sent)
{
	uint64_t from = r->since > sent ? r->since : sent;

	if (from != r->from) {
		histogram_add_many(
		    &stats->read_delay, r->now - r->from, r->answers);
		r->from = from;
		r->answers = 0;
	}
	r->answers++;
}

static void
book_answer(struct conn *c, const struct dns_message *m,
    const struct inflight_query *query, struct conn_reading *r)
{
	struct stats *stats = c->env->stats;
	uint64_t now = r->now;

	if (conn_is_unmeasured(c, query->due)) {
		book_answer_before(c, m, query, now);
		return;
	}
	histogram_add(&stats->response, now - query->due);
	histogram_add(&stats->service, now - query->sent);
	book_read_delay(stats, r, query->sent);
	stats->n.answered++;
	if (dns_message_is_response(m))
		stats->n.rcode[dns_message_rcode(m)]++;
	else
		stats->n.echoed++;
	conn_log(c, QUERYLOG_ANSWERED, now, m->id, now - query->sent);
}

static void
set_wrong_answer(struct conn *c)
{
	if (c->proof != SUSPECT_VERIFIED)
		conn_set_proof(c, SUSPECT_WRONG_ANSWER);
}

void
conn_note_wrong_answer(struct conn *c, const uint8_t *data, size_t length)
{
	first_bytes_note(&c->env->stats->first_bytes, data, length);
	set_wrong_answer(c);
}

/*
 * Another protocol's first bytes are read as a length, and that many bytes may
 * never come: an HTTP answer as 18,516. Or it is DNS, and the server has stopped in
 * the middle of an answer.
 */
void
conn_judge_input(struct conn *c, bool missing)
{
	uint8_t first[FIRST_BYTES_MOST];
	ev_ssize_t length;

	if (!c->partial)
		return;
	length = evbuffer_copyout(
	    bufferevent_get_input(c->bev), first, sizeof(first));
	if (length <= 0)
		return;
	if (!first_bytes_may_be_dns(first, (size_t)length))
		conn_note_wrong_answer(c, first, (size_t)length);
	else if (missing) {
		first_bytes_note_cut(
		    &c->env->stats->first_bytes, first, (size_t)length);
		if (length >= FIRST_BYTES_SURE)
			conn_note_cut_off(c);
		else
			set_wrong_answer(c);
	}
}

/* By ID and, where it is repeated, by question (RFC 7766, 7). */
static void
handle_message(struct conn *c, const struct dns_message *m,
    const uint8_t *framed, bool answers, struct conn_reading *r)
{
	struct stats_counters *n = &c->env->stats->n;
	struct inflight_query query;
	uint64_t now = r->now;
	enum inflight_match found = INFLIGHT_UNKNOWN;

	if (answers)
		found = inflight_take(
		    &c->inflight, c->env->inflight, m->id, r->since, &query);

	/* most often it is verified: no call for that */
	if (found != INFLIGHT_UNKNOWN && c->proof != SUSPECT_VERIFIED)
		conn_set_proof(c, SUSPECT_VERIFIED);
	switch (found) {
	case INFLIGHT_ANSWERED:
		book_answer(c, m, &query, r);
		break;
	case INFLIGHT_EXPIRED:
		conn_book_timeout(c, &query, now);
		c->overdue = c->env->drop;
		/* FALLTHROUGH */
	case INFLIGHT_LATE:
		n->late++;
		conn_log(c, QUERYLOG_LATE, now, m->id, now - query.sent);
		break;
	case INFLIGHT_UNKNOWN:
		n->unmatched++;
		if (c->proof != SUSPECT_VERIFIED)
			conn_note_wrong_answer(c, framed, m->framed_length);
		conn_log(c, QUERYLOG_UNMATCHED, now, m->id, QUERYLOG_NONE);
		break;
	}
}

/*
 * Handles the whole messages among these bytes; returns how many bytes they
 * were. *wanted is the length of the message that is not whole, 0 if unknown.
 */
static size_t
handle_messages(struct conn *c, const uint8_t *data, size_t length,
    struct conn_reading *reading, size_t *wanted)
{
	/* a copy of its own stays in registers: counters may not alias it */
	struct conn_reading r = *reading;
	const struct conn_env *env = c->env;
	struct stats_counters *n = &env->stats->n;
	struct dns_message message;
	enum dns_result result;
	size_t used = 0, malformed = 0;
	bool answers;

	while ((result = dns_answer_read(data + used, length - used, env->query,
		    env->query_length, &message, &answers)) != DNS_INCOMPLETE) {
		n->replies++;
		if (result == DNS_COMPLETE)
			handle_message(c, &message, data + used, answers, &r);
		else {
			n->malformed++;
			tally_add(&env->stats->tally, TALLY_MALFORMED, &c->way);
			malformed += message.framed_length;
			/* with what follows: a length of 0 names nothing */
			conn_note_wrong_answer(c, data + used, length - used);
			conn_log(c, QUERYLOG_MALFORMED, r.now, QUERYLOG_NONE,
			    QUERYLOG_NONE);
		}
		used += message.framed_length;
	}
	n->bytes_of_no_answer += malformed;
	n->bytes_of_answers += used - malformed;
	*wanted = message.framed_length;
	*reading = r;
	return used;
}

/*
 * What the input buffer holds is the beginning of one message. Its bytes are
 * moved together as more of them come, and what follows it is handled there too,
 * so that it is empty again but for the beginning of the next.
 */
static void
handle_buffered(struct conn *c, struct evbuffer *input, struct conn_reading *r)
{
	size_t length, piece, used, wanted;
	unsigned char *data;

	while ((length = evbuffer_get_length(input)) > 0) {
		piece = evbuffer_get_contiguous_space(input);
		data = evbuffer_pullup(input, (ev_ssize_t)piece);
		used = handle_messages(c, data, piece, r, &wanted);
		if (used > 0) {
			evbuffer_drain(input, used);
			continue;
		}
		if (wanted == 0)
			wanted = DNS_PREFIX_LENGTH;
		if (piece >= wanted || length < wanted)
			break;
		if (evbuffer_pullup(input, (ev_ssize_t)wanted) == NULL)
			err(1, "no memory for a message of %zu bytes", wanted);
	}
}

/* What follows the beginning of a message, or is the beginning of one. */
static void
keep_partial(
    struct conn *c, const uint8_t *data, size_t length, struct conn_reading *r)
{
	struct evbuffer *input = bufferevent_get_input(c->bev);

	evbuffer_unfreeze(input, 0);
	if (evbuffer_add(input, data, length) == -1)
		err(1, "no memory for a message");
	if (c->partial)
		handle_buffered(c, input, r);
	c->partial = evbuffer_get_length(input) > 0;
}

/*
 * Messages are read where they lie. Only the beginning of one that is not whole
 * is copied, into the bufferevent's input: less than one message and one read.
 */
void
conn_handle_input(
    struct conn *c, const uint8_t *data, size_t length, struct conn_reading *r)
{
	size_t used = 0, wanted;

	c->env->stats->n.bytes_received += length;
	if (!c->partial)
		used = handle_messages(c, data, length, r, &wanted);
	if (used < length)
		keep_partial(c, data + used, length - used, r);
	histogram_add_many(
	    &c->env->stats->read_delay, r->now - r->from, r->answers);
}
