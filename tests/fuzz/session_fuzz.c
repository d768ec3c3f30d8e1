/*
 * server/session: what a client sends on a connection, in every mode, cut
 * anywhere, while it reads or does not. The accounts close, what is answered does
 * not depend on the cuts, and an echo returns exactly what it got.
 *
 * Input: two bytes of options, then operations: a byte that says which, and for
 * one that sends, a byte of length and so many bytes.
 */
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/counts.h"
#include "server/service.h"
#include "server/session.h"
#include "tests/fuzz/fuzz.h"

#define ROOM	   (1 << 20)
#define TURNS_MOST 100000
#define SMALL	   2048 /* bytes of a socket's buffer: the kernel makes it 4,608 */

/* A worker with one connection, and the other end of it. */
struct side {
	struct counts counts;
	struct sessions *sessions;
	struct first_bytes first_bytes;
	int peer;
	size_t sent;
	size_t heard;
	uint8_t answers[ROOM];
};

static struct event_base *base;

static void
on_closed(void *arg)
{
	(void)arg;
}

static void
side_begin(struct side *s, const struct service *service, bool small)
{
	struct sessions_config config = {
	    .base = base,
	    .service = service,
	    .counts = &s->counts,
	    .first_bytes = &s->first_bytes,
	    .workers = 1,
	    .closed = on_closed,
	};
	int ends[2], size = SMALL, i;

	memset(&s->counts, 0, sizeof(s->counts));
	s->sent = s->heard = 0;
	s->sessions = sessions_new(&config);
	FUZZ_CHECK(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	for (i = 0; small && i < 2; i++)
		(void)setsockopt(
		    ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	s->peer = ends[0];
	s->counts.accepted = 1;
	sessions_add(ends[1], s->sessions);
}

static void
side_turn(void)
{
	FUZZ_CHECK(event_base_loop(base, EVLOOP_NONBLOCK) != -1);
}

/* Takes what has come back, at most so much; false: the end has come. */
static bool
side_hear(struct side *s, size_t most)
{
	ssize_t n;

	if (most > ROOM - s->heard)
		most = ROOM - s->heard;
	n = recv(s->peer, s->answers + s->heard, most, 0);
	if (n > 0)
		s->heard += (size_t)n;
	return n > 0 || (n == -1 && errno == EAGAIN);
}

static void
side_send(struct side *s, const uint8_t *data, size_t length)
{
	unsigned int turns = 0;
	ssize_t n;

	while (length > 0 && turns++ < TURNS_MOST) {
		n = send(s->peer, data, length, MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN)
			return;
		if (n > 0) {
			data += n;
			length -= (size_t)n;
			s->sent += (size_t)n;
		} else {
			side_turn();
			(void)side_hear(s, ROOM);
		}
	}
}

/* All answers are taken, both ends are closed, and the accounts are looked at. */
static void
side_end(struct side *s)
{
	unsigned int turns = 0;

	(void)shutdown(s->peer, SHUT_WR);
	do
		side_turn();
	while (side_hear(s, ROOM) && turns++ < TURNS_MOST);
	close(s->peer);
	side_turn();
	while (sessions_close_oldest(s->sessions, &s->counts.closed_locally))
		;
	FUZZ_CHECK(counts_check(&s->counts, stderr) == 0);
	FUZZ_CHECK(s->counts.bytes_in <= s->sent);
	FUZZ_CHECK(s->counts.bytes_out >= s->heard);
	sessions_free(s->sessions);
}

/* Gives all bytes to be sent, in one piece, to stream; returns how many. */
static size_t
side_drive(struct side *s, struct fuzz_input in, uint8_t *stream, bool *closed)
{
	size_t length, all = 0;

	while (in.left > 0)
		switch (fuzz_byte(&in) % 8) {
		case 0:
		case 1:
		case 2:
		case 3:
			length = 1 + (size_t)fuzz_byte(&in);
			if (length > in.left)
				length = in.left;
			side_send(s, in.at, length);
			if (length > 0)
				memcpy(stream + all, in.at, length);
			all += length;
			in.at += length;
			in.left -= length;
			break;
		case 4:
			(void)side_hear(s, 1 + (size_t)fuzz_byte(&in));
			break;
		case 5:
			*closed |= fuzz_byte(&in) == 255 &&
			    sessions_close_oldest(
				s->sessions, &s->counts.closed_by_control);
			break;
		default:
			side_turn();
			break;
		}
	return all;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const double drops[] = {0, 0, 0.5, 1};
	static struct side pieces, whole;
	struct fuzz_input in = {data, size};
	unsigned int options = fuzz_byte(&in), more = fuzz_byte(&in);
	struct service service = {
	    .mode = (enum service_mode)(options & 3),
	    .delay = options & 4 ? 1000 : 0,
	    .drop = drops[options >> 3 & 3],
	    .close_after = options >> 5 & 3,
	    .idle_timeout = more & 1 ? UINT64_C(3600000000000) : 0,
	    .seed = more >> 4,
	};
	uint8_t *stream = malloc(size + 1);
	bool closed = false;
	size_t length;

	FUZZ_CHECK(stream != NULL);
	if (base == NULL)
		base = event_base_new();
	if (service_check(&service) == NULL) {
		side_begin(&pieces, &service, more & 2);
		length = side_drive(&pieces, in, stream, &closed);
		side_end(&pieces);
		side_begin(&whole, &service, false);
		side_send(&whole, stream, length);
		side_end(&whole);
		if (service_is_plain(&service) && !closed) {
			FUZZ_CHECK(pieces.heard == length);
			FUZZ_CHECK(memcmp(pieces.answers, stream, length) == 0);
		}
		if (!closed) {
			FUZZ_CHECK(pieces.heard == whole.heard);
			FUZZ_CHECK(memcmp(pieces.answers, whole.answers,
				       whole.heard) == 0);
			FUZZ_CHECK(
			    pieces.counts.messages == whole.counts.messages);
		}
	}
	free(stream);
	return 0;
}
