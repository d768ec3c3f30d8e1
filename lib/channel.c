#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/timer.h"

#define RETRY_MS 2
#define PATIENCE (CHANNEL_PATIENCE_MS * CLOCK_NS_PER_MS)

struct channel {
	struct event *retry; /* set while something waits, or the end */
	void (*lost)(int error, void *arg);
	void *arg;
	char *waiting; /* messages, the oldest first */
	size_t count;
	size_t size; /* of a message */
	uint64_t failing_since; /* for lack of memory; 0: it does not */
	int fd;
	bool over; /* the other side has gone or is lost: nothing is sent */
	int gone; /* 0, or the errno that says that the other side has gone */
};

static void
give_up(struct channel *c, int error)
{
	c->over = true;
	c->count = 0;
	if (error != EPIPE && error != ECONNRESET) {
		c->lost(error, c->arg);
		return;
	}
	c->gone = error;
	timer_set(c->retry, PATIENCE);
}

/* Whether the errno of a send() may be gone when it is tried again. */
static bool
may_pass(struct channel *c, int error)
{
	uint64_t now = clock_now();

	if (error == EAGAIN || error == EINTR)
		return true;
	if (error != ENOBUFS && error != ENOMEM)
		return false;
	if (c->failing_since == 0)
		c->failing_since = now;
	return now - c->failing_since < PATIENCE;
}

/* Sends what waits, as far as the kernel takes it. */
static void
channel_flush(struct channel *c)
{
	size_t sent = 0;

	while (sent < c->count &&
	    send(c->fd, c->waiting + sent * c->size, c->size,
		MSG_NOSIGNAL | MSG_DONTWAIT) != -1) {
		c->failing_since = 0;
		sent++;
	}
	if (sent < c->count && !may_pass(c, errno)) {
		give_up(c, errno);
		return;
	}
	c->count -= sent;
	memmove(c->waiting, c->waiting + sent * c->size, c->count * c->size);
}

static void
on_retry(int fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd;
	(void)what;
	if (c->gone != 0) {
		c->lost(c->gone, c->arg);
		return;
	}
	channel_flush(c);
	if (c->count > 0)
		timer_set(c->retry, RETRY_MS * CLOCK_NS_PER_MS);
}

struct channel *
channel_new(struct event_base *base, int fd, size_t size,
    void (*lost)(int, void *), void *arg)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (c == NULL)
		err(1, "no memory for a channel");
	c->fd = fd;
	c->size = size;
	c->lost = lost;
	c->arg = arg;
	c->retry = timer_new(base, 0, on_retry, c);
	return c;
}

void
channel_free(struct channel *c)
{
	event_free(c->retry);
	free(c->waiting);
	free(c);
}

void
channel_finish(struct channel *c)
{
	while (c->count > 0) {
		(void)poll(NULL, 0, RETRY_MS);
		channel_flush(c);
	}
}

void
channel_send(struct channel *c, const void *message)
{
	if (c->over)
		return;
	c->waiting = reallocarray(c->waiting, c->count + 1, c->size);
	if (c->waiting == NULL)
		err(1, "no memory for a message");
	memcpy(c->waiting + c->count * c->size, message, c->size);
	c->count++;
	if (c->count > 1)
		return; /* behind what waits for its turn */
	channel_flush(c);
	if (c->count > 0)
		timer_set(c->retry, RETRY_MS * CLOCK_NS_PER_MS);
}
