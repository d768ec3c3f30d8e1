/*
 * usage: bare_client PORT CONNECTIONS RATE SECONDS
 *
 * The least that an open-loop client on epoll can do: Poisson arrivals, all that
 * are due in a turn grouped by connection, one send each; answers are counted by
 * their bytes. It knows no IDs, no timeouts and no response times; lateness is
 * all that it measures, to the power of two and a sixteenth. The limit of the
 * machine that tcpclient is held against.
 *
 * Prints one line: opened open_s sent answered seconds late_p50_us late_p99_us
 */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS	 4096
#define QUERY	 31
#define CHUNK	 2114 /* queries a send, at most: 64 KB */
#define LINGER	 UINT64_C(1000000000)
#define BUCKETS	 (64 * 16)
#define ARRIVALS (1U << 20) /* a turn, at most */

struct connection {
	int fd;
	uint32_t due; /* queries of this turn */
	uint64_t sent_at;
	uint32_t unsent; /* bytes that the socket did not take */
};

struct arrival {
	uint64_t due;
	uint32_t connection;
};

static struct connection *connections;
static struct arrival arrivals[ARRIVALS];
static uint32_t arrival_count;
static uint32_t *touched;
static uint64_t late[BUCKETS];
static char queries[CHUNK * QUERY], input[65536];
static uint64_t sent, received, random_state = 42;
static uint32_t count, touched_count;

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void
note_late(uint64_t ns)
{
	int e = 63 - __builtin_clzll(ns | 16);

	late[e * 16 + (int)(ns >> (e - 4) & 15)]++;
}

static double
late_us(double q)
{
	uint64_t total = 0, seen = 0;
	int i;

	for (i = 0; i < BUCKETS; i++)
		total += late[i];
	for (i = 0; i < BUCKETS; i++) {
		seen += late[i];
		if ((double)seen >= q * (double)total)
			break;
	}
	return ldexp(16 + i % 16 + 0.5, i / 16 - 4) / 1000;
}

static void
open_all(int ep, int port)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct epoll_event event, events[EVENTS];
	uint32_t begun = 0, opened = 0;
	int n, i, on = 1;

	to.sin6_addr = in6addr_loopback;
	to.sin6_port = htons((uint16_t)port);
	while (opened < count) {
		for (; begun < count && begun - opened < 256; begun++) {
			int fd =
			    socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

			setsockopt(
			    fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			if (fd == -1 ||
			    (connect(fd, (struct sockaddr *)&to, sizeof(to)) ==
				    -1 &&
				errno != EINPROGRESS))
				err(1, "connection %u", begun);
			connections[begun].fd = fd;
			event.events = EPOLLOUT;
			event.data.u32 = begun;
			epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
		}
		n = epoll_wait(ep, events, EVENTS, -1);
		for (i = 0; i < n; i++, opened++) {
			if (events[i].events & EPOLLERR)
				errx(1, "a connect failed");
			event.events = EPOLLIN;
			event.data.u32 = events[i].data.u32;
			epoll_ctl(ep, EPOLL_CTL_MOD,
			    connections[event.data.u32].fd, &event);
		}
	}
}

/* What is unsent ends at a query's end, so its beginning is known too. */
static void
send_unsent(struct connection *c)
{
	size_t begin, length;
	ssize_t n;

	while (c->unsent > 0) {
		begin = (QUERY - c->unsent % QUERY) % QUERY;
		length = sizeof(queries) - begin;
		if (length > c->unsent)
			length = c->unsent;
		n = send(c->fd, queries + begin, length,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return;
		c->unsent -= (uint32_t)n;
	}
}

static void
send_due(void)
{
	uint32_t i, kept = 0;

	for (i = 0; i < touched_count; i++) {
		struct connection *c = &connections[touched[i]];

		c->unsent += c->due * QUERY;
		sent += c->due;
		c->due = 0;
		c->sent_at = now();
		send_unsent(c);
		if (c->unsent > 0)
			touched[kept++] = touched[i];
	}
	touched_count = kept;
	for (i = 0; i < arrival_count; i++)
		note_late(connections[arrivals[i].connection].sent_at -
		    arrivals[i].due);
	arrival_count = 0;
}

static void
take(uint64_t due)
{
	uint32_t k = (uint32_t)((next_random() >> 32) * count >> 32);
	struct connection *c = &connections[k];

	if (c->due++ == 0 && c->unsent == 0)
		touched[touched_count++] = k;
	arrivals[arrival_count].due = due;
	arrivals[arrival_count++].connection = k;
}

static void
read_ready(int ep, uint64_t wait)
{
	struct timespec timeout = {
	    (time_t)(wait / 1000000000), (long)(wait % 1000000000)};
	struct epoll_event events[EVENTS];
	int n = epoll_pwait2(ep, events, EVENTS, &timeout, NULL), i;
	ssize_t got;

	for (i = 0; i < n; i++) {
		got = recv(connections[events[i].data.u32].fd, input,
		    sizeof(input), 0);
		if (got > 0)
			received += (uint64_t)got;
		else if (got == 0 || errno != EAGAIN)
			errx(1, "a connection was closed");
	}
}

static double
gap(double rate)
{
	return -log(((double)(next_random() >> 11) + 1) * 0x1p-53) / rate * 1e9;
}

/* Until all is answered, or, past the end, nothing has come for a second. */
static uint64_t
run(int ep, double rate, uint64_t duration)
{
	uint64_t start = now(), end = start + duration, at = start,
		 done = start, heard = 0, heard_at = start, limit;
	double due = (double)start + gap(rate), offset = due - (double)start;

	for (;;) {
		uint64_t next = start + (uint64_t)offset;

		at = now();
		limit = at < end ? at : end;
		while (next <= limit && at < end + LINGER &&
		    arrival_count < ARRIVALS) {
			take(next);
			offset += gap(rate);
			next = start + (uint64_t)offset;
		}
		send_due();
		if (next <= end)
			done = at;
		if (received != heard) {
			heard = received;
			heard_at = at;
		}
		if (at >= end && (next > end || at >= end + LINGER) &&
		    (received == sent * QUERY || at > heard_at + LINGER))
			break;
		at = now();
		read_ready(ep,
		    touched_count > 0 ? 0 :
			next > end    ? 1000000 :
			next > at     ? next - at :
					0);
	}
	return (done > end ? done : end) - start;
}

int
main(int argc, char **argv)
{
	static const char query[QUERY] =
	    "\0\35\0\0\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1";
	int ep = epoll_create1(0), i;
	uint64_t begun, opened, took;

	if (argc != 5)
		errx(2, "usage: bare_client PORT CONNECTIONS RATE SECONDS");
	prctl(PR_SET_TIMERSLACK, 1);
	count = (uint32_t)atoi(argv[2]);
	connections = calloc(count, sizeof(*connections));
	touched = calloc(count, sizeof(*touched));
	for (i = 0; i < CHUNK; i++)
		memcpy(queries + i * QUERY, query, QUERY);
	begun = now();
	open_all(ep, atoi(argv[1]));
	opened = now();
	took = run(ep, atof(argv[3]), (uint64_t)(atof(argv[4]) * 1e9));
	printf("%u %.6f %llu %llu %.6f %.3f %.3f\n", count,
	    (double)(opened - begun) / 1e9, (unsigned long long)sent,
	    (unsigned long long)(received / QUERY), (double)took / 1e9,
	    late_us(0.5), late_us(0.99));
	return 0;
}
