#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "client/conn_internal.h"
#include "client/window.h"

struct conn *
conn_array_new(const struct conn_env *env, uint32_t count)
{
	struct conn *array = calloc(count, sizeof(*array));
	uint32_t i;

	if (array == NULL)
		err(1, "no memory for %u connections", count);
	for (i = 0; i < count; i++) {
		array[i].env = env;
		array[i].id = i;
	}
	return array;
}

void
conn_array_free(struct conn *array)
{
	free(array);
}

struct conn *
conn_at(struct conn *array, uint32_t index)
{
	return &array[index];
}

struct conn *
conn_of_expiry(void *node)
{
	return (struct conn *)(void *)((char *)node -
	    offsetof(struct conn, expiry));
}

uint32_t
conn_id(const struct conn *c)
{
	return c->id;
}

bool
conn_is_idle(const struct conn *c)
{
	return c->state == CONN_IDLE;
}

bool
conn_is_open(const struct conn *c)
{
	return c->state == CONN_OPEN;
}

uint32_t
conn_unanswered(const struct conn *c)
{
	return inflight_expired(&c->inflight);
}

bool
conn_is_verified(const struct conn *c)
{
	return c->proof == SUSPECT_VERIFIED;
}

void
conn_reset(struct conn *c)
{
	if (c->state != CONN_ENDED)
		return;
	c->state = CONN_IDLE;
	c->send_error = 0;
	c->unread_since = 0;
	c->proof = SUSPECT_UNVERIFIED;
	c->evidence = EVIDENCE_NONE;
	c->leaves = CONN_NOT_ENDED;
	c->blocked = c->partial = c->overdue = c->out_of_ids = false;
}

uint64_t
conn_begun(const struct conn *c)
{
	return c->begun;
}

/*
 * Whether there is somebody at the other end.
 */

static uint64_t *
evidence_counter(struct stats_counters *n, uint8_t evidence)
{
	uint64_t *const counters[] = {
	    [EVIDENCE_HANDSHAKE_OPEN] = &n->evidence_handshake_open,
	    [EVIDENCE_DATA_LOST] = &n->evidence_data_lost,
	    [EVIDENCE_IN_ACCEPT_QUEUE] = &n->evidence_in_accept_queue,
	    [EVIDENCE_NOT_READ] = &n->evidence_not_read,
	    [EVIDENCE_READ] = &n->evidence_read,
	    [EVIDENCE_CUT_OFF] = &n->evidence_cut_off,
	};

	return counters[evidence];
}

static void
set_evidence(struct conn *c, enum suspect_evidence evidence)
{
	struct stats_counters *n = &c->env->stats->n;

	if (c->evidence == evidence)
		return;
	if (c->evidence != EVIDENCE_NONE)
		--*evidence_counter(n, c->evidence);
	if (evidence != EVIDENCE_NONE)
		++*evidence_counter(n, (uint8_t)evidence);
	c->evidence = (uint8_t)evidence;
}

/* As what it is counted at its target and source; 0: it is not. */
static uint32_t
cause_of(const struct conn *c)
{
	static const uint32_t causes[] = {
	    [SUSPECT_UNVERIFIED] = 0,
	    [SUSPECT_UNACKED] = TALLY_UNACKED,
	    [SUSPECT_QUEUED] = TALLY_QUEUED,
	    [SUSPECT_WRONG_ANSWER] = TALLY_WRONG_ANSWER,
	    [SUSPECT_VERIFIED] = 0,
	};

	return c->evidence == EVIDENCE_CUT_OFF ? TALLY_CUT_OFF :
						 causes[c->proof];
}

/* Down before up: a worker that dies in between has one unverified too many. */
static void
set_suspicion(
    struct conn *c, enum suspect proof, enum suspect_evidence evidence)
{
	struct stats *stats = c->env->stats;
	struct stats_counters *n = &stats->n;
	uint64_t *counter[] = {
	    [SUSPECT_UNVERIFIED] = &n->unverified,
	    [SUSPECT_UNACKED] = &n->suspect_unacked,
	    [SUSPECT_QUEUED] = &n->suspect_queued,
	    [SUSPECT_WRONG_ANSWER] = &n->wrong_answer,
	    [SUSPECT_VERIFIED] = &n->verified,
	};

	if (cause_of(c) != 0)
		tally_remove(&stats->tally, cause_of(c), &c->way);
	if (c->proof != proof) {
		--*counter[c->proof];
		++*counter[proof];
		c->proof = (uint8_t)proof;
	}
	set_evidence(c, evidence);
	if (cause_of(c) != 0)
		tally_add(&stats->tally, cause_of(c), &c->way);
}

void
conn_set_proof(struct conn *c, enum suspect proof)
{
	if (c->proof != proof)
		set_suspicion(c, proof, EVIDENCE_NONE);
}

void
conn_note_cut_off(struct conn *c)
{
	if (c->proof != SUSPECT_VERIFIED && c->proof != SUSPECT_WRONG_ANSWER)
		set_suspicion(c, SUSPECT_WRONG_ANSWER, EVIDENCE_CUT_OFF);
}

/* It has been asked, and there was no answer in time. */
void
conn_suspect(struct conn *c, bool ask_peer)
{
	const struct suspicion was = {
	    (enum suspect)c->proof, (enum suspect_evidence)c->evidence};
	struct suspicion now;

	if (c->proof == SUSPECT_VERIFIED || c->proof == SUSPECT_WRONG_ANSWER)
		return;
	now = suspect_ask(c->fd, ask_peer ? c->env->ask_peer_by : -1, was);
	if (c->proof != now.is || c->evidence != now.evidence)
		set_suspicion(c, now.is, now.evidence);
}

/*
 * Ends.
 */

static void
release(struct conn *c)
{
	if (c->partial)
		c->env->stats->n.bytes_of_no_answer +=
		    evbuffer_get_length(bufferevent_get_input(c->bev));
	/* this also gives its read event back to it */
	bufferevent_setfd(c->bev, -1);
	bufferevent_free(c->bev);
	close(c->fd);
	c->bev = NULL;
	c->state = CONN_ENDED;
}

static void
lose_in_flight(struct conn *c, uint64_t now, uint64_t *counter)
{
	struct inflight_query query;

	while (inflight_clear(&c->inflight, c->env->inflight, &query)) {
		if (conn_is_probe(c, &query))
			c->env->stats->n.probe_lost++;
		else if (conn_is_unmeasured(c, query.due))
			c->env->stats->n.warmup_lost++;
		else
			++*counter;
		conn_log(c, QUERYLOG_LOST, now, query.id, QUERYLOG_NONE);
	}
}

/* Nothing to be done where it fails: it is closed all the same. */
void
conn_reset_on_close(int fd)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

/* What is counted when it ends that way: the connection, and what it loses. */
static void
counters_of(struct stats_counters *n, enum conn_end end, uint64_t **closed,
    uint64_t **lost)
{
	*lost = &n->lost_stopped;
	switch (end) {
	case CONN_PEER_FIN:
		*closed = &n->closed_by_peer;
		*lost = &n->lost_peer_fin;
		break;
	case CONN_PEER_RST:
		*closed = &n->reset_by_peer;
		*lost = &n->lost_peer_rst;
		break;
	case CONN_ON_TIMEOUT:
		*closed = &n->closed_on_timeout;
		*lost = &n->lost_on_timeout;
		break;
	case CONN_DRAINED:
		*closed = &n->closed_locally;
		*lost = &n->lost_drain_over;
		break;
	case CONN_LOCAL:
		*closed = &n->closed_locally;
		break;
	case CONN_CHURNED:
		*closed = &n->closed_churned;
		break;
	case CONN_USED_UP:
		*closed = &n->closed_used_up;
		break;
	case CONN_ON_REQUEST:
		*closed = &n->closed_on_request;
		break;
	default:
		*closed = &n->closed_by_error;
		*lost = &n->lost_error;
		break;
	}
}

static bool
is_from_here(enum conn_end end)
{
	return end >= CONN_LOCAL;
}

void
conn_close(struct conn *c, enum conn_end end)
{
	struct stats *stats = c->env->stats;
	uint64_t now = clock_now(), *closed, *lost;

	if (c->state != CONN_OPEN && c->state != CONN_BROKEN)
		return;
	counters_of(&stats->n, end, &closed, &lost);
	if (is_from_here(end) && c->env->reset)
		conn_reset_on_close(c->fd);
	conn_judge_input(c, !is_from_here(end));
	if (c->proof != SUSPECT_UNVERIFIED)
		/* it may have got further since; but a server that was full
		 * may have accepted it as others were closed */
		conn_suspect(c, c->proof == SUSPECT_UNACKED);
	lose_in_flight(c, now, lost);
	if (end == CONN_CHURNED || end == CONN_USED_UP)
		histogram_add(&stats->lifetime, now - c->begun);
	++*closed;
	if (end == CONN_ERROR)
		stats_count_end(stats, c->send_error);
	if (end == CONN_ERROR && stats_is_given_up(c->send_error))
		tally_add(&stats->tally, TALLY_GIVEN_UP, &c->way);
	if (end == CONN_PEER_FIN || end == CONN_PEER_RST)
		tally_add(&stats->tally,
		    end == CONN_PEER_FIN ? TALLY_PEER_FIN : TALLY_PEER_RST,
		    &c->way);
	conn_log(c, QUERYLOG_CLOSED, now, QUERYLOG_NONE, QUERYLOG_NONE);
	release(c);
	c->env->on_ended(c, end, c->env->arg);
}

void
conn_leave_if_done(struct conn *c)
{
	if (c->leaves != CONN_NOT_ENDED && inflight_waiting(&c->inflight) == 0)
		conn_close(c, (enum conn_end)c->leaves);
}

void
conn_leave(struct conn *c, enum conn_end end)
{
	if (c->state != CONN_OPEN || c->leaves != CONN_NOT_ENDED)
		return;
	c->leaves = (uint8_t)end;
	conn_leave_if_done(c);
}

enum conn_end
conn_leaves(const struct conn *c)
{
	return (enum conn_end)c->leaves;
}

uint32_t
conn_reserve(struct conn *c)
{
	return --c->queries_left;
}

static void
fail(struct conn *c, int error)
{
	stats_count_failure(c->env->stats, error);
	if (error > 0 && error < STATS_ERRNOS && error != EADDRNOTAVAIL)
		tally_add(&c->env->stats->tally, (uint32_t)error, &c->way);
	conn_log(c, QUERYLOG_FAILED, clock_now(), QUERYLOG_NONE, QUERYLOG_NONE);
	c->state = CONN_ENDED;
	c->env->on_ended(c, CONN_FAILED, c->env->arg);
}

void
conn_refuse(struct conn *c, int error)
{
	c->env->stats->n.attempted++;
	tally_attempted(&c->env->stats->tally, &c->way);
	fail(c, error);
}

void
conn_fail(struct conn *c, int error)
{
	if (error == ETIMEDOUT)
		window_note(c->env->window, c->begun, clock_now(), true);
	release(c);
	fail(c, error);
}

void
conn_abandon(struct conn *c)
{
	release(c);
	c->env->stats->n.abandoned++;
	c->env->on_ended(c, CONN_ABANDONED, c->env->arg);
}

void
conn_close_for_errno(struct conn *c, int error)
{
	c->send_error = error;
	conn_close(c,
	    error == ECONNRESET || error == EPIPE ? CONN_PEER_RST : CONN_ERROR);
}

void
conn_broken(struct conn *c, int error)
{
	c->send_error = error;
	if (c->state == CONN_OPEN) {
		c->state = CONN_BROKEN;
		c->env->on_unusable(c, c->env->arg);
	}
}

bool
conn_is_end_of_stream(int error)
{
	return error == EPIPE || error == ECONNRESET || error == ETIMEDOUT;
}

/*
 * Timeouts.
 */

void
conn_book_timeout(
    struct conn *c, const struct inflight_query *query, uint64_t now)
{
	struct stats_counters *n = &c->env->stats->n;

	if (conn_is_probe(c, query)) {
		n->probe_timed_out++;
		window_note(c->env->window, c->begun, now, true);
	} else if (conn_is_unmeasured(c, query->due))
		n->warmup_timed_out++;
	else
		n->timed_out++;
	conn_log(c, QUERYLOG_TIMED_OUT, now, query->id, QUERYLOG_NONE);
}

void
conn_expire(struct conn *c, uint64_t seen, uint64_t now)
{
	const struct conn_env *env = c->env;
	struct inflight_query query;
	uint64_t deadline;
	bool any = false;

	while (inflight_expire(&c->inflight, env->inflight, seen, &query)) {
		conn_book_timeout(c, &query, now);
		any = true;
	}
	if (any) {
		conn_judge_input(c, true);
		conn_suspect(c, true);
		if (env->drop)
			conn_close(c, CONN_ON_TIMEOUT);
		conn_leave_if_done(c);
	}
	deadline = inflight_deadline(&c->inflight, env->inflight);
	if (deadline != CLOCK_NEVER)
		wheel_add(env->expiry, &c->expiry, deadline);
}
