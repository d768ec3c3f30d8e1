/*
 * Opening, and what is heard of a connection.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/events.h"
#include "client/conn_internal.h"
#include "client/connector.h"
#include "client/routes.h"
#include "client/self_connect.h"
#include "client/window.h"

/*
 * Events.
 */

static void
end_of_stream(struct conn *c, int error)
{
	if (error != 0)
		conn_close_for_errno(c, error);
	else if (c->send_error != 0)
		conn_close_for_errno(c, c->send_error);
	else
		conn_close(c, CONN_PEER_FIN);
}

/*
 * What this read has not come before. One that fills the buffer may leave some of
 * what it was reported for, which then has waited for longer than what the next
 * wait reports.
 */
static uint64_t
read_since(struct conn *c, size_t length, uint64_t now)
{
	const struct conn_env *env = c->env;
	uint64_t since = now;

	if (env->delay != NULL)
		since = read_delay_since(env->delay);
	if (c->unread_since != 0 && c->unread_since < since)
		since = c->unread_since;
	c->unread_since = length == CONN_INPUT_SIZE ? since : 0;
	return since;
}

static void
on_readable(int fd, short what, void *arg)
{
	struct conn *c = arg;
	const struct conn_env *env = c->env;
	ssize_t n = recv(fd, env->input, CONN_INPUT_SIZE, MSG_DONTWAIT);
	int error = errno;
	uint64_t now = clock_now();
	struct conn_reading reading = {.now = now};

	(void)what;
	if (n > 0) {
		reading.since = reading.from = read_since(c, (size_t)n, now);
		conn_handle_input(c, env->input, (size_t)n, &reading);
		if (c->overdue)
			conn_close(c, CONN_ON_TIMEOUT);
		if (c->leaves != CONN_NOT_ENDED)
			conn_leave_if_done(c);
	} else if (n == 0)
		end_of_stream(c, 0);
	else if (error != EAGAIN && error != EINTR)
		end_of_stream(c, error);
	env->on_progress(now, env->arg);
}

/* Connects that took less are not looked at: the kernel's clock is coarse. */
#define SEEN_LATE (10 * CLOCK_NS_PER_MS)

static bool
tcp_info(int fd, struct tcp_info *info)
{
	socklen_t length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0;
}

/*
 * For how long the handshake has been complete by now, unseen by this program:
 * since the last acknowledgment came, in milliseconds. What the peer has sent
 * since makes it less. The handshake itself has taken a round trip at least.
 */
static uint64_t
unseen_for(const struct conn *c, uint64_t now)
{
	struct tcp_info info;
	uint64_t took = now - c->begun, unseen, round_trip;

	if (took < SEEN_LATE || !tcp_info(c->fd, &info))
		return 0;
	unseen = info.tcpi_last_ack_recv * CLOCK_NS_PER_MS;
	round_trip = info.tcpi_rtt * CLOCK_NS_PER_US;
	if (unseen + round_trip <= took)
		return unseen;
	return round_trip < took ? took - round_trip : 0;
}

static void
opened(struct conn *c, uint64_t seen)
{
	const struct conn_env *env = c->env;
	struct stats *stats = env->stats;
	uint64_t unseen = unseen_for(c, seen), now = seen - unseen;

	stats->n.opened_late += unseen >= SEEN_LATE;
	c->state = CONN_OPEN;
	c->queries_left = env->most_queries;
	histogram_add(&stats->connect, now - c->begun);
	stats->n.opened++;
	tally_opened(&stats->tally, &c->way);
	stats->n.unverified++;
	if (stats_open(stats) > stats->n.peak)
		stats->n.peak = stats_open(stats);
	conn_log(c, QUERYLOG_OPENED, now, QUERYLOG_NONE, now - c->begun);
	if (!events_change(&c->bev->ev_read, EV_READ, on_readable)) {
		conn_close_for_errno(c, errno);
		return;
	}
	env->on_usable(c, env->arg);
	if (env->probe)
		conn_send_probe(c, seen);
	else
		window_note(env->window, c->begun, now, false);
	if (env->leave_at_once) {
		env->on_unusable(c, env->arg);
		conn_leave(c, CONN_USED_UP);
	}
}

static int
socket_error(int fd)
{
	socklen_t length = sizeof(int);
	int error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1 ?
	    errno :
	    error;
}

static void
connected(struct conn *c, uint64_t now, int error)
{
	const struct conn_env *env = c->env;

	if (error == 0 && env->self_possible && self_connect_is(c->fd)) {
		/* or its port would be in TIME_WAIT when a server is started */
		conn_reset_on_close(c->fd);
		error = SELF_CONNECT_ERRNO;
	}
	if (error != 0)
		conn_fail(c, error);
	else
		opened(c, now);
}

/* A failure makes a socket readable too: then it is asked, and only then. */
static void
on_connected(int fd, short what, void *arg)
{
	struct conn *c = arg;
	const struct conn_env *env = c->env;
	uint64_t now = clock_now();

	connected(c, now, what & EV_READ ? socket_error(fd) : 0);
	env->on_progress(now, env->arg);
}

/*
 * Only what is still waiting for an answer to its SYN has had none: this program
 * may have been too late to look.
 */
void
conn_time_out(struct conn *c)
{
	struct tcp_info info;

	if (!tcp_info(c->fd, &info) || info.tcpi_state == TCP_SYN_SENT ||
	    info.tcpi_state == TCP_SYN_RECV)
		conn_fail(c, ETIMEDOUT);
	else
		connected(c, clock_now(), socket_error(c->fd));
}

/* The output buffer could not be written. */
static void
on_write_error(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;
	const struct conn_env *env = c->env;
	int error = EVUTIL_SOCKET_ERROR();

	(void)bev;
	(void)what;
	if (conn_is_end_of_stream(error))
		conn_broken(c, error);
	else
		end_of_stream(c, error);
	env->on_progress(clock_now(), env->arg);
}

/* The output buffer is empty again. */
static void
on_drained(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	c->blocked = false;
}

/*
 * Opening.
 */

/*
 * The bufferevent's read event, but our callback: its own reads through an ioctl
 * and an allocation, 4 KB at most, and asks for an error where there is none.
 * False, with errno: the kernel does not watch the socket.
 */
static bool
watch_connect(struct conn *c)
{
	struct event *event = &c->bev->ev_read;

	return event_assign(event, c->env->base, c->fd,
		   EV_READ | EV_WRITE | EV_PERSIST, on_connected, c) == 0 &&
	    event_add(event, NULL) == 0;
}

int
conn_open(struct conn *c, const struct route *route,
    const struct connector *connector)
{
	const struct conn_env *env = c->env;
	uint64_t begun;
	int error;

	c->way.place[TALLY_TARGET] = route->target_number;
	c->way.place[TALLY_SOURCE] = route->source_number;
	c->fd = connector_open(route, connector, &begun);
	error = c->fd == -1 ? errno : 0;
	if (error != EAGAIN)
		c->begun = begun;
	if (error != 0)
		return error;
	env->stats->n.attempted++;
	tally_attempted(&env->stats->tally, &c->way);
	c->state = CONN_CONNECTING;
	c->bev = bufferevent_socket_new(env->base, c->fd, 0);
	if (c->bev == NULL)
		err(1, "no memory for connection %u", c->id);
	bufferevent_setcb(c->bev, NULL, on_drained, on_write_error, c);
	if (!watch_connect(c))
		conn_fail(c, errno);
	return 0;
}
