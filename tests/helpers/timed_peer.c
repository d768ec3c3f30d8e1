/*
 * usage: timed_peer MODE NUMBER...
 *
 * A DNS-over-TCP peer that echoes, at times that arithmetic can predict. Listens
 * on a free port of 127.0.0.1, prints the port, and serves until it is ended. A
 * query is a message with two bytes of length in front.
 *
 * delay MS         each query is answered MS after it was read
 * rate N           one server, one queue: a query takes 1/N s, and what comes
 *                  meanwhile waits
 * stall MS EVERY   echoes at once, but in the middle MS of every period of EVERY
 *                  ms neither reads nor answers; the first one begins with the
 *                  first query
 * cold MS DELAY    what comes in the first MS, from the first query on, is
 *                  answered after DELAY ms, what comes later at once behind it
 *
 * One process, asleep while there is nothing to do. Answers that wait take 64 MiB
 * at most; then it reads no more until there is room. A client that does not
 * take its answers loses its connection.
 */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"

#define DESCRIPTORS  8192
#define EVENTS	     256
#define FRAME_MOST   (2 + 65535)
#define WAITING_MOST ((size_t)64 << 20)

enum mode {
	MODE_DELAY,
	MODE_RATE,
	MODE_STALL,
	MODE_COLD,
};

static const struct {
	const char *name;
	int numbers;
} modes[] = {{"delay", 1}, {"rate", 1}, {"stall", 2}, {"cold", 2}};

struct conn {
	uint8_t *input; /* NULL: not open */
	size_t used;
	unsigned int generation; /* how often the descriptor was closed */
};

struct reply {
	struct reply *next;
	uint64_t due;
	int fd;
	unsigned int generation;
	size_t length;
	uint8_t frame[];
};

struct peer {
	enum mode mode;
	uint64_t number[2]; /* nanoseconds */
	int listener;
	int epoll;
	uint64_t first; /* when the first query was read; 0: none yet */
	uint64_t last_due;
	struct reply *head; /* due in this order */
	struct reply **tail;
	size_t waiting; /* bytes */
	struct conn conns[DESCRIPTORS]; /* by descriptor */
};

/*
 * Times.
 */

/* No answer is due before an older one, so that a queue is enough. */
static uint64_t
due(struct peer *p, uint64_t now)
{
	uint64_t when = now;

	switch (p->mode) {
	case MODE_DELAY:
		when = now + p->number[0];
		break;
	case MODE_RATE:
		when = (p->last_due > now ? p->last_due : now) + p->number[0];
		break;
	case MODE_STALL:
		break;
	case MODE_COLD:
		if (now - p->first < p->number[0])
			when = now + p->number[1];
		else if (p->last_due > now)
			when = p->last_due;
		break;
	}
	return p->last_due = when;
}

/* When the stall ends that is now; 0: it is none. */
static uint64_t
stalled_until(const struct peer *p, uint64_t now)
{
	uint64_t begin = (p->number[1] - p->number[0]) / 2, into;

	if (p->mode != MODE_STALL || p->first == 0)
		return 0;
	into = (now - p->first) % p->number[1];
	return into >= begin && into < begin + p->number[0] ?
	    now + begin + p->number[0] - into :
	    0;
}

/* Until there is something to read, if that is waited for, or it is time. */
static void
wait_for(struct pollfd *readable, uint64_t when)
{
	uint64_t now = clock_now(), left = when > now ? when - now : 0;
	struct timespec timeout = {
	    .tv_sec = (time_t)(left / CLOCK_NS_PER_SEC),
	    .tv_nsec = (long)(left % CLOCK_NS_PER_SEC),
	};

	if (ppoll(readable, readable == NULL ? 0 : 1,
		when == CLOCK_NEVER ? NULL : &timeout, NULL) == -1)
		err(1, "ppoll");
}

static bool
is_full(const struct peer *p)
{
	return p->waiting >= WAITING_MOST;
}

static void
rest(struct peer *p)
{
	struct pollfd readable = {.fd = p->epoll, .events = POLLIN};
	uint64_t until;

	wait_for(is_full(p) ? NULL : &readable,
	    p->head == NULL ? CLOCK_NEVER : p->head->due);
	while ((until = stalled_until(p, clock_now())) != 0)
		wait_for(NULL, until);
}

/*
 * Connections.
 */

static void
watch(struct peer *p, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(1, "epoll_ctl");
}

static void
end_conn(struct peer *p, int fd)
{
	free(p->conns[fd].input);
	p->conns[fd].input = NULL;
	p->conns[fd].used = 0;
	p->conns[fd].generation++;
	close(fd);
}

static void
accept_all(struct peer *p)
{
	int fd, one = 1;

	while ((fd = accept4(p->listener, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		if (fd >= DESCRIPTORS)
			errx(1, "more than %d connections", DESCRIPTORS);
		if (setsockopt(
			fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1)
			err(1, "TCP_NODELAY");
		p->conns[fd].input = malloc(FRAME_MOST);
		if (p->conns[fd].input == NULL)
			err(1, "no memory");
		watch(p, fd);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		err(1, "accept");
}

static void
enqueue(
    struct peer *p, int fd, const uint8_t *frame, size_t length, uint64_t now)
{
	struct reply *r = malloc(sizeof(*r) + length);

	if (r == NULL)
		err(1, "no memory");
	if (p->first == 0)
		p->first = now;
	*r = (struct reply){
	    .due = due(p, now),
	    .fd = fd,
	    .generation = p->conns[fd].generation,
	    .length = length,
	};
	memcpy(r->frame, frame, length);
	*p->tail = r;
	p->tail = &r->next;
	p->waiting += sizeof(*r) + length;
}

/* Every whole message; the rest of one stays for the next time. */
static void
take_messages(struct peer *p, int fd, uint64_t now)
{
	struct conn *c = &p->conns[fd];
	size_t begin = 0, length;

	while (c->used - begin >= 2) {
		length =
		    2 + ((size_t)c->input[begin] << 8 | c->input[begin + 1]);
		if (c->used - begin < length)
			break;
		enqueue(p, fd, c->input + begin, length, now);
		begin += length;
	}
	c->used -= begin;
	memmove(c->input, c->input + begin, c->used);
}

static void
read_from(struct peer *p, int fd)
{
	struct conn *c = &p->conns[fd];
	uint64_t now = clock_now();
	ssize_t n = recv(fd, c->input + c->used, FRAME_MOST - c->used, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_conn(p, fd);
		return;
	}
	c->used += (size_t)n;
	take_messages(p, fd, now);
}

static void
read_all(struct peer *p)
{
	struct epoll_event events[EVENTS];
	int count, i;

	count = epoll_wait(p->epoll, events, EVENTS, 0);
	for (i = 0; i < count && !is_full(p); i++)
		if (events[i].data.fd == p->listener)
			accept_all(p);
		else
			read_from(p, events[i].data.fd);
}

/*
 * Answers.
 */

static struct reply *
dequeue(struct peer *p)
{
	struct reply *r = p->head;

	p->head = r->next;
	if (p->head == NULL)
		p->tail = &p->head;
	p->waiting -= sizeof(*r) + r->length;
	return r;
}

/* What is due on the connection of the first one, as far as it comes together. */
static void
answer_one(struct peer *p, uint64_t now)
{
	static uint8_t output[4 * FRAME_MOST];
	int fd = p->head->fd;
	unsigned int generation = p->head->generation;
	size_t used = 0;
	struct reply *r;

	while (p->head != NULL && p->head->due <= now && p->head->fd == fd &&
	    p->head->generation == generation &&
	    used + p->head->length <= sizeof(output)) {
		r = dequeue(p);
		memcpy(output + used, r->frame, r->length);
		used += r->length;
		free(r);
	}
	if (p->conns[fd].generation != generation)
		return; /* closed meanwhile */
	if (send(fd, output, used, MSG_NOSIGNAL) != (ssize_t)used) {
		warn("a client does not take its answers");
		end_conn(p, fd);
	}
}

static void
answer(struct peer *p)
{
	uint64_t now = clock_now();

	while (p->head != NULL && p->head->due <= now)
		answer_one(p, now);
}

/*
 * Begin.
 */

static void
usage(void)
{
	errx(2,
	    "usage: timed_peer delay MS | rate N | stall MS EVERY_MS | "
	    "cold MS DELAY_MS");
}

static double
number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (*end != '\0' || !(value >= 0 && value <= 1e6))
		usage();
	return value;
}

static void
read_mode(struct peer *p, int argc, char **argv)
{
	int mode, i;

	for (mode = 0; argc > 1 && mode <= MODE_COLD; mode++)
		if (strcmp(argv[1], modes[mode].name) == 0)
			break;
	if (argc < 2 || mode > MODE_COLD || argc != 2 + modes[mode].numbers)
		usage();
	p->mode = (enum mode)mode;
	for (i = 0; i < modes[mode].numbers; i++)
		p->number[i] = (uint64_t)(p->mode == MODE_RATE ?
			(double)CLOCK_NS_PER_SEC / number(argv[2 + i]) :
			(double)CLOCK_NS_PER_MS * number(argv[2 + i]));
	if (p->mode == MODE_STALL &&
	    (p->number[0] == 0 || p->number[0] >= p->number[1]))
		usage();
}

static void
listen_somewhere(struct peer *p)
{
	struct sockaddr_in addr = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(addr);

	p->listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->listener == -1 ||
	    bind(p->listener, (struct sockaddr *)&addr, length) == -1 ||
	    listen(p->listener, 4096) == -1 ||
	    getsockname(p->listener, (struct sockaddr *)&addr, &length) == -1)
		err(1, "listen");
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll == -1)
		err(1, "epoll_create1");
	watch(p, p->listener);
	printf("%u\n", ntohs(addr.sin_port));
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static struct peer peer;

	peer.tail = &peer.head;
	read_mode(&peer, argc, argv);
	if (prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) == -1) /* nanosecond */
		err(1, "PR_SET_TIMERSLACK");
	listen_somewhere(&peer);
	for (;;) {
		rest(&peer);
		read_all(&peer);
		answer(&peer);
	}
}
