#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/timer.h"
#include "server/session_internal.h"
#include "wire/first_bytes.h"

/*
 * Reading.
 */

/* Nothing is answered any more: --close-after. */
static bool
has_had_all(const struct session *s)
{
	uint64_t most = s->all->service->close_after;

	return most > 0 && s->more->taken >= most;
}

/* Counts what has come behind the last message that is answered. */
static void
skip(struct session *s, const uint8_t *data, size_t length)
{
	struct sessions *all = s->all;
	uint64_t n = answer_count(all->service->mode, &s->in, data, length);

	all->counts->messages += n;
	all->counts->messages_discarded += n;
	all->counts->bytes_discarded += length;
}

/* Bytes came that are no DNS query, beginning with these. */
static void
note_wrong_query(struct session *s, const uint8_t *data, size_t length)
{
	if (!s->more->wrong_query)
		s->all->counts->wrong_query++;
	s->more->wrong_query = true;
	first_bytes_note(s->all->config.first_bytes, data, length);
}

/* What another protocol's first bytes announce as a message may never come. */
static void
judge_partial(struct session *s)
{
	const struct session_more *m = s->more;

	if (s->all->service->mode == SERVICE_DNS && m->partial != NULL &&
	    !m->wrong_query &&
	    !first_bytes_may_be_dns(m->partial, m->partial_length))
		note_wrong_query(s, m->partial, m->partial_length);
}

/* A whole message, which came now. Its answer goes to the output, or waits. */
static void
take(struct session *s, const uint8_t *message, size_t length, uint64_t now)
{
	struct sessions *all = s->all;
	struct counts *counts = all->counts;
	uint8_t *out = all->output + all->output_length;
	size_t made;

	counts->messages++;
	if (answer_lot_drops(&all->lot)) {
		counts->messages_dropped++;
		counts->bytes_discarded += length;
		return;
	}
	made = answer_make(all->service->mode, message, length, out);
	if (all->service->mode != SERVICE_ECHO) {
		counts->bytes_consumed += length;
		counts->bytes_made += made;
	}
	if (answer_is_foreign(all->service->mode, message, length, out, made))
		note_wrong_query(s, message, length);
	if (made == 0) {
		counts->messages_unanswerable++;
		return;
	}
	s->more->taken++;
	if (all->delay != NULL)
		delay_put(all->delay, &s->more->waiting, now, out, made);
	else
		all->output_length += made;
}

/* Takes all whole messages. Returns how many bytes they were. */
static size_t
take_all(struct session *s, const uint8_t *data, size_t length)
{
	struct sessions *all = s->all;
	uint64_t now = all->delay == NULL ? 0 : clock_now();
	size_t used = 0, n;
	bool noise;

	while (!has_had_all(s) &&
	    (n = answer_cut(
		 all->service->mode, data + used, length - used, &noise)) > 0) {
		if (noise)
			all->counts->bytes_discarded += n;
		else
			take(s, data + used, n, now);
		used += n;
	}
	if (!has_had_all(s))
		return used;
	skip(s, data + used, length - used);
	return length;
}

/* Keeps the beginning of a message for when the rest of it comes. */
static void
keep(struct session *s, const uint8_t *data, size_t length)
{
	struct session_more *m = s->more;

	if (length == 0) {
		free(m->partial);
		m->partial = NULL;
	} else {
		m->partial = realloc(m->partial, length);
		if (m->partial == NULL)
			err(1, "no memory for %zu bytes of a message", length);
		memcpy(m->partial, data, length);
	}
	m->partial_length = (uint32_t)length;
}

/* What is received, or 0: there is nothing, or the connection has come to an
 * end, which has been seen to. */
static size_t
receive(struct session *s, int fd, uint8_t *buffer)
{
	ssize_t got = recv(fd, buffer, SESSION_READ_SIZE, 0);

	if (got > 0) {
		s->all->counts->bytes_in += (uint64_t)got;
		return (size_t)got;
	}
	if (got == 0)
		session_end(s);
	else if (errno != EAGAIN && errno != EINTR)
		session_fail(s, errno);
	return 0;
}

void
messages_swallow(struct session *s, int fd)
{
	struct sessions *all = s->all;
	struct counts *counts = all->counts;
	size_t got = receive(s, fd, all->input);
	uint64_t n;

	if (got == 0)
		return;
	if (all->by_message) {
		skip(s, all->input, got);
		return;
	}
	n = frame_count(&s->in, all->input, got);
	counts->messages += n;
	counts->messages_swallowed += n;
	counts->bytes_consumed += got;
}

void
messages_read(struct session *s, int fd)
{
	struct sessions *all = s->all;
	size_t have = s->more->partial_length, got, used;

	if (has_had_all(s)) {
		messages_swallow(s, fd);
		return;
	}
	if (all->delay != NULL && delay_full(all->delay)) {
		all->counts->read_pauses++;
		session_park(s);
		return;
	}
	got = receive(s, fd, all->input + have);
	if (got == 0)
		return;
	if (have > 0)
		memcpy(all->input, s->more->partial, have);
	all->output_length = 0;
	used = take_all(s, all->input, have + got);
	keep(s, all->input + used, have + got - used);
	judge_partial(s);
	if (session_send(s, all->output, all->output_length))
		messages_settle(s);
}

/*
 * What is next.
 */

/* What was due when the peer took nothing. False: the connection is closed. */
static bool
send_deferred(struct session *s)
{
	struct sessions *all = s->all;
	struct delay_owner *own = &s->more->waiting;
	const struct delay_answer *a;
	size_t length;

	while (s->held == NULL && delay_deferred(own) != NULL) {
		length = 0;
		while ((a = delay_deferred(own)) != NULL &&
		    length + a->length <= SESSION_OUTPUT_SIZE) {
			memcpy(all->output + length, a->data, a->length);
			length += a->length;
			delay_take_deferred(all->delay, own);
		}
		if (!session_send(s, all->output, length))
			return false;
	}
	return true;
}

void
messages_settle(struct session *s)
{
	struct sessions *all = s->all;
	struct session_more *m = s->more;

	if (!send_deferred(s))
		return;
	if (s->held == NULL && m->waiting.count == 0) {
		if (m->ended) {
			session_end(s);
			return;
		}
		if (has_had_all(s) && !m->lingering)
			session_linger(s);
	}
	if (all->delay != NULL && delay_owner_full(all->delay, &m->waiting) &&
	    event_pending(&s->event, EV_READ, NULL))
		all->counts->read_pauses++;
	session_await(s);
}

void
messages_discard(struct session *s)
{
	struct counts *counts = s->all->counts;
	struct session_more *m = s->more;

	counts->messages_discarded += m->waiting.count;
	if (s->all->delay != NULL)
		counts->bytes_discarded +=
		    delay_forget(s->all->delay, &m->waiting);
	if (s->all->delay != NULL && delay_roomy(s->all->delay) &&
	    !s->all->frozen)
		sessions_unpark(s->all);
	counts->bytes_discarded += m->partial_length;
	free(m->partial);
}

/*
 * Answers that have waited.
 */

/* All that are due and follow one another on the same connection go out at
 * once; where the peer takes nothing, they stay where they are counted. */
static void
release_some(struct sessions *all, uint64_t now)
{
	const struct delay_answer *a = delay_due(all->delay, now);
	struct session *s = a->owner->arg;
	size_t length = 0;

	if (s->held != NULL) {
		delay_defer(all->delay);
		return;
	}
	while (a != NULL && a->owner->arg == s &&
	    length + a->length <= SESSION_OUTPUT_SIZE) {
		memcpy(all->output + length, a->data, a->length);
		length += a->length;
		delay_take(all->delay);
		a = delay_due(all->delay, now);
	}
	if (session_send(s, all->output, length))
		messages_settle(s);
}

void
messages_release(struct sessions *all)
{
	uint64_t now = clock_now(), next;

	if (all->frozen)
		return;
	while (delay_due(all->delay, now) != NULL)
		release_some(all, now);
	next = delay_next(all->delay);
	if (next != CLOCK_NEVER)
		timer_start(all->release, next > now ? next - now : 0);
	if (delay_roomy(all->delay))
		sessions_unpark(all);
}
