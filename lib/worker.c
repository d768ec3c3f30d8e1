#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <err.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/events.h"
#include "lib/lines.h"
#include "lib/signals.h"
#include "lib/worker.h"

#define SHARED_ALIGNMENT 4096

static const int heard_signals[] = {
    SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGXCPU, SIGUSR1, SIGCHLD};
#define HEARD_SIGNALS (sizeof(heard_signals) / sizeof(heard_signals[0]))

/* One worker, seen from the parent. */
struct child {
	struct workers *workers;
	struct event *readable;
	unsigned int index;
	pid_t pid; /* 0 once reaped */
	int channel;
	struct channel *out;
};

struct workers {
	struct workers_config config;
	struct event_base *base;
	struct event *signals[HEARD_SIGNALS];
	struct child *children;
	unsigned int alive;
	char *shared;
	size_t slot_size;
};

struct worker {
	struct event_base *base;
	struct event *readable;
	char *slots; /* of all workers */
	size_t slot_size;
	void (*callback)(const struct worker_message *, void *);
	void *arg;
	unsigned int index;
	unsigned int count;
	int channel;
	struct channel *out;
};

/*
 * A message is a datagram of this size: it arrives whole or not at all. False also
 * where there is none yet. *closed: there will be none any more; *error is 0 where
 * the other side has gone (ECONNRESET: with messages unread), or else why.
 */
static bool
message_receive(
    int channel, struct worker_message *message, bool *closed, int *error)
{
	ssize_t n = recv(channel, message, sizeof(*message), MSG_DONTWAIT);

	*error = n == -1 ? errno : 0;
	*closed = n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR);
	if (*error == ECONNRESET)
		*error = 0;
	return n == (ssize_t)sizeof(*message);
}

static void
message_send(struct channel *out, enum worker_verb verb, uint64_t value)
{
	struct worker_message message;

	memset(&message, 0, sizeof(message));
	message.verb = (uint32_t)verb;
	message.value = value;
	channel_send(out, &message);
}

/*
 * The worker's side.
 */

static void
worker_readable(int fd, short what, void *arg)
{
	struct worker *self = arg;
	struct worker_message message;
	bool closed;
	int error;

	(void)what;
	if (message_receive(fd, &message, &closed, &error))
		self->callback(&message, self->arg);
	else if (closed) {
		if (error != 0)
			(void)lines_say_errno(error,
			    "worker %u: messages of its parent cannot be read",
			    self->index);
		_exit(1); /* there is nobody left to report to */
	}
}

/* The parent cannot know what this worker does: it books it as lost. */
static void
parent_lost(int error, void *arg)
{
	struct worker *self = arg;

	(void)lines_say_errno(error,
	    "worker %u: a message to its parent cannot be sent", self->index);
	_exit(1);
}

static void __attribute__((noreturn))
worker_main(struct workers *set, unsigned int index, int channel, pid_t parent)
{
	struct workers_config config = set->config;
	struct worker self;
	unsigned int i;
	int status;

	/* the channel's end does the same, but not to a worker that hangs */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_TIMERSLACK, 1);
	for (i = 0; i < index; i++)
		close(set->children[i].channel);
	/* over its own limit of processor time a worker ends, and is booked */
	for (i = 0; i < HEARD_SIGNALS; i++)
		signal(heard_signals[i],
		    heard_signals[i] == SIGCHLD || heard_signals[i] == SIGXCPU ?
			SIG_DFL :
			SIG_IGN);
	signals_note_break();

	memset(&self, 0, sizeof(self));
	self.index = index;
	self.channel = channel;
	self.count = config.count;
	self.slots = set->shared;
	self.slot_size = set->slot_size;
	self.base = events_base_new(true);
	self.out = channel_new(self.base, channel,
	    sizeof(struct worker_message), parent_lost, &self);
	/* the parent's view of the workers is none of this one's business */
	free(set->children);
	free(set);
	status = config.run(&self, config.arg);
	if (self.readable != NULL)
		event_free(self.readable);
	channel_finish(self.out);
	channel_free(self.out);
	event_base_free(self.base);
	close(channel);
	exit(status);
}

struct event_base *
worker_base(struct worker *self)
{
	return self->base;
}

void *
worker_shared(struct worker *self)
{
	return self->slots + self->index * self->slot_size;
}

unsigned int
worker_index(const struct worker *self)
{
	return self->index;
}

bool
worker_say_death(unsigned int index, int number, uint64_t killed_after)
{
	if (killed_after > 0 && number == SIGKILL)
		return lines_say("worker %u had not ended %.1f s after the "
				 "second signal: it was killed",
		    index, clock_to_seconds(killed_after));
	return lines_say("worker %u was ended by signal %d (%s)", index, number,
	    strsignal(number));
}

uint64_t
worker_share(uint64_t total, unsigned int index, unsigned int count)
{
	return total / count + (index < total % count);
}

unsigned int
worker_count(const struct worker *self)
{
	return self->count;
}

const void *
worker_peer_shared(const struct worker *self, unsigned int index)
{
	return self->slots + index * self->slot_size;
}

void
worker_listen(struct worker *self,
    void (*callback)(const struct worker_message *, void *), void *arg)
{
	self->callback = callback;
	self->arg = arg;
	self->readable = events_start(self->base, self->channel,
	    EV_READ | EV_PERSIST, worker_readable, self, true);
}

void
worker_tell(struct worker *self, enum worker_verb verb, uint64_t value)
{
	message_send(self->out, verb, value);
}

/*
 * The parent's side.
 */

/* One of both does not know of the other any more: it is ended, booked as lost. */
static void
child_lost(int error, void *arg)
{
	struct child *child = arg;

	if (child->pid == 0)
		return;
	(void)lines_say_errno(error,
	    "worker %u is lost: no messages to it or from it", child->index);
	kill(child->pid, SIGKILL);
}

static void
child_drain(struct child *child)
{
	struct workers *set = child->workers;
	struct worker_message message;
	bool closed;
	int error;

	while (message_receive(child->channel, &message, &closed, &error))
		set->config.on_message(
		    set, child->index, &message, set->config.arg);
	if (closed)
		event_del(child->readable);
	if (closed && error != 0)
		child_lost(error, child);
}

static void
child_readable(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	child_drain(arg);
}

/* There is one SIGCHLD for an end: a call that failed would not come again. */
static bool
has_ended(pid_t pid, int *status)
{
	pid_t got;

	do
		got = waitpid(pid, status, WNOHANG);
	while (got == -1 && errno == EINTR);
	return got == pid;
}

static void
reap(struct workers *set)
{
	struct child *child;
	unsigned int i;
	int status;

	for (i = 0; i < set->config.count; i++) {
		child = &set->children[i];
		if (child->pid == 0 || !has_ended(child->pid, &status))
			continue;
		child_drain(child); /* what it said before it ended */
		child->pid = 0;
		set->alive--;
		set->config.on_exit(set, i, status, set->config.arg);
	}
	if (set->alive == 0)
		event_base_loopbreak(set->base);
}

static void
signal_heard(int number, short what, void *arg)
{
	struct workers *set = arg;

	(void)what;
	if (number == SIGCHLD)
		reap(set);
	else
		set->config.on_signal(set, number, set->config.arg);
}

static void
parent_listen(struct workers *set)
{
	struct child *child;
	unsigned int i;

	set->base = events_base_new(false);
	for (i = 0; i < HEARD_SIGNALS; i++)
		if (!signals_is_ignored(heard_signals[i]))
			set->signals[i] = events_start(set->base,
			    heard_signals[i], EV_SIGNAL | EV_PERSIST,
			    signal_heard, set, false);
	for (i = 0; i < set->config.count; i++) {
		child = &set->children[i];
		child->readable = events_start(set->base, child->channel,
		    EV_READ | EV_PERSIST, child_readable, child, false);
		child->out = channel_new(set->base, child->channel,
		    sizeof(struct worker_message), child_lost, child);
	}
}

static bool
fork_worker(struct workers *set, unsigned int index)
{
	struct child *child = &set->children[index];
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return false;
	child->workers = set;
	child->index = index;
	child->channel = pair[0];
	child->pid = fork();
	switch (child->pid) {
	case -1:
		child->pid = 0;
		close(pair[0]);
		close(pair[1]);
		return false;
	case 0:
		close(pair[0]);
		worker_main(set, index, pair[1], parent);
	default:
		close(pair[1]);
		set->alive++;
		return true;
	}
}

/* Signals stay blocked until someone listens, or one that comes early kills. */
static void
block_signals(sigset_t *before)
{
	sigset_t heard;
	size_t i;

	sigemptyset(&heard);
	for (i = 0; i < HEARD_SIGNALS; i++)
		sigaddset(&heard, heard_signals[i]);
	sigprocmask(SIG_BLOCK, &heard, before);
}

struct workers *
workers_start(const struct workers_config *config)
{
	struct workers *set = calloc(1, sizeof(*set));
	sigset_t before;
	unsigned int i;
	int error = 0;

	if (set == NULL)
		return NULL;
	set->config = *config;
	set->slot_size = (config->shared_size + SHARED_ALIGNMENT - 1) /
	    SHARED_ALIGNMENT * SHARED_ALIGNMENT;
	set->children = calloc(config->count, sizeof(*set->children));
	set->shared = mmap(NULL, config->count * set->slot_size,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (set->children == NULL || set->shared == MAP_FAILED)
		err(1, "no memory for %u workers", config->count);

	fflush(NULL); /* or each worker would print it again */
	block_signals(&before);
	for (i = 0; i < config->count && error == 0; i++)
		if (!fork_worker(set, i))
			error = errno;
	if (error != 0) {
		workers_kill(set);
		for (i = 0; i < config->count; i++)
			if (set->children[i].pid > 0)
				waitpid(set->children[i].pid, NULL, 0);
	} else
		parent_listen(set);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		workers_free(set);
		errno = error;
		return NULL;
	}
	return set;
}

struct event_base *
workers_base(struct workers *set)
{
	return set->base;
}

const void *
workers_shared(const struct workers *set, unsigned int index)
{
	return set->shared + index * set->slot_size;
}

unsigned int
workers_count(const struct workers *set)
{
	return set->config.count;
}

bool
workers_alive(const struct workers *set, unsigned int index)
{
	return set->children[index].pid != 0;
}

void
workers_tell_one(struct workers *set, unsigned int index, enum worker_verb verb,
    uint64_t value)
{
	if (workers_alive(set, index))
		message_send(set->children[index].out, verb, value);
}

void
workers_tell(struct workers *set, enum worker_verb verb, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < set->config.count; i++)
		workers_tell_one(set, i, verb, value);
}

static void
signal_all(const struct workers *set, int number)
{
	unsigned int i;

	for (i = 0; i < set->config.count; i++)
		if (set->children[i].pid != 0)
			kill(set->children[i].pid, number);
}

void
workers_break(struct workers *set)
{
	signal_all(set, SIGUSR2);
}

void
workers_kill(struct workers *set)
{
	signal_all(set, SIGKILL);
}

void
workers_loop(struct workers *set)
{
	/* a worker may have ended before anyone listened */
	reap(set);
	while (set->alive > 0)
		if (event_base_dispatch(set->base) == -1)
			errx(1, "libevent: the event loop failed");
}

void
workers_free(struct workers *set)
{
	unsigned int i;

	signals_block_end(); /* from here on nobody hears them */
	for (i = 0; i < HEARD_SIGNALS; i++)
		if (set->signals[i] != NULL)
			event_free(set->signals[i]);
	for (i = 0; i < set->config.count; i++) {
		if (set->children[i].readable != NULL)
			event_free(set->children[i].readable);
		if (set->children[i].out != NULL)
			channel_free(set->children[i].out);
		if (set->children[i].workers != NULL)
			close(set->children[i].channel);
	}
	if (set->base != NULL)
		event_base_free(set->base);
	munmap(set->shared, set->config.count * set->slot_size);
	free(set->children);
	free(set);
}
