#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/session_internal.h"

/*
 * Sending.
 */

/* The smallest power of two that has room for n: what is held grows by doubling,
 * and need not remember how large it is. */
static size_t
room_for(size_t n)
{
	size_t room = 64;

	while (room < n)
		room *= 2;
	return room;
}

/* Keeps what the peer did not take, behind what it has not taken before. */
static void
hold(struct session *s, const uint8_t *data, size_t length)
{
	size_t left = s->held_to - s->held_from;

	if (s->held_from > left) { /* each byte moves once or not at all */
		memcpy(s->held, s->held + s->held_from, left);
		s->held_from = 0;
		s->held_to = (uint32_t)left;
	}
	s->held = realloc(s->held, room_for(s->held_to + length));
	if (s->held == NULL)
		err(1, "no memory for %zu bytes that wait", length);
	memcpy(s->held + s->held_to, data, length);
	s->held_to += (uint32_t)length;
}

/* Bytes sent, or -1 with errno when the connection is closed. */
static ssize_t
send_back(struct session *s, const uint8_t *data, size_t length)
{
	ssize_t n = send(event_get_fd(&s->event), data, length, MSG_NOSIGNAL);

	if (n >= 0) {
		s->all->counts->bytes_out += (uint64_t)n;
		return n;
	}
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool
session_send(struct session *s, const uint8_t *data, size_t length)
{
	struct sessions *all = s->all;
	ssize_t sent = 0;
	size_t done;
	int error;

	if (length == 0)
		return true;
	if (s->held == NULL)
		sent = send_back(s, data, length);
	error = errno;
	done = sent == -1 ? 0 : (size_t)sent;
	all->counts->messages_answered +=
	    answer_count(all->service->mode, &s->out, data, done);
	if (done < length)
		hold(s, data + done, length - done);
	if (sent == -1)
		session_fail(s, error);
	return sent != -1;
}

/* All that was held has been taken, or the connection is over. */
void
session_write(struct session *s)
{
	struct sessions *all = s->all;
	const uint8_t *data = s->held + s->held_from;
	ssize_t sent = send_back(s, data, s->held_to - s->held_from);

	if (sent == -1) {
		session_fail(s, errno);
		return;
	}
	all->counts->messages_answered +=
	    answer_count(all->service->mode, &s->out, data, (size_t)sent);
	s->held_from += (uint32_t)sent;
	if (s->held_from < s->held_to)
		return;
	free(s->held);
	s->held = NULL;
	s->held_from = s->held_to = 0;
	if (all->by_message)
		messages_settle(s);
	else
		session_await(s);
}

/*
 * Echoing, without a look at messages but for their number.
 */

/* Holds what was read and is not sent. */
static void
echo_rest(struct session *s, const uint8_t *data, size_t length, int error)
{
	s->out = s->in;
	s->all->counts->messages += frame_count(&s->in, data, length);
	hold(s, data, length);
	if (error != 0)
		session_fail(s, error);
	else
		session_await(s);
}

void
session_echo(struct session *s, int fd)
{
	struct sessions *all = s->all;
	struct counts *counts = all->counts;
	ssize_t got = recv(fd, all->input, SESSION_READ_SIZE, 0), sent;
	uint64_t messages;
	size_t done;

	if (got == 0) {
		session_end(s);
		return;
	}
	if (got == -1) {
		if (errno != EAGAIN && errno != EINTR)
			session_fail(s, errno);
		return;
	}
	counts->bytes_in += (uint64_t)got;
	sent = send_back(s, all->input, (size_t)got);
	done = sent == -1 ? 0 : (size_t)sent;
	messages = frame_count(&s->in, all->input, done);
	counts->messages += messages;
	counts->messages_answered += messages;
	if (sent < got)
		echo_rest(s, all->input + done, (size_t)got - done,
		    sent == -1 ? errno : 0);
}
