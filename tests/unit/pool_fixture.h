/*
 * A pool of eight, over loopback, and the other ends of its connections: the test's
 * own, accepted in the order in which the connections were begun.
 */
#ifndef TESTS_UNIT_POOL_FIXTURE_H
#define TESTS_UNIT_POOL_FIXTURE_H

#include "tests/unit/support.h"

#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "client/pool.h"
#include "client/routes.h"
#include "client/schedule.h"
#include "client/stats.h"
#include "dns_query.h"
#include "lib/clock.h"

#define CONNECTIONS 8
#define LONG	    (100 * CLOCK_NS_PER_SEC)

/* A pool, all that it needs, and the other ends of its connections. */
struct fixture {
	struct stats stats;
	struct addr address;
	struct routes routes;
	struct event_base *base;
	struct pool *pool;
	uint8_t query[DNS_QUERY_MAX];
	size_t query_length;
	int listener;
	int peers[CONNECTIONS]; /* -1: none */
};

static inline void
ignore_progress(uint64_t now, void *arg)
{
	(void)now;
	(void)arg;
}

/* On this address, whose port may be 0: then it is one that is free. */
static inline int
listen_on(struct addr *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address->sa,
			     sizeof(struct sockaddr_in)),
	    0);
	assert_int_equal(listen(fd, 2 * CONNECTIONS), 0);
	address->length = sizeof(address->sa);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&address->sa, &address->length),
	    0);
	return fd;
}

static inline void
route_to(struct fixture *f)
{
	const struct sockaddr_in *in =
	    (const struct sockaddr_in *)&f->address.sa;
	char port[8];

	snprintf(port, sizeof(port), "%u", ntohs(in->sin_port));
	assert_null(addr_list_append(&f->routes.hosts, &f->address, 0));
	assert_null(port_list_parse(port, 1, &f->routes.ports));
}

/* Of config, what the fixture has no opinion on; a timeout of 0 is LONG. */
static inline struct fixture *
fixture_with(struct pool_config config)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_in in = {.sin_family = AF_INET};
	const char *why;
	size_t i;

	assert_non_null(f);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(&f->address.sa, &in, sizeof(in));
	f->listener = listen_on(&f->address);
	route_to(f);
	for (i = 0; i < CONNECTIONS; i++)
		f->peers[i] = -1;
	f->query_length = (size_t)dns_query_build(
	    f->query, sizeof(f->query), "example.com", DNS_TYPE_A, &why);
	config.connections = config.capacity = CONNECTIONS;
	config.workers = 1;
	if (config.timeout == 0)
		config.timeout = LONG;
	config.connect_timeout = LONG;
	config.routes = &f->routes;
	config.query = f->query;
	config.query_length = f->query_length;
	f->base = event_base_new();
	f->pool =
	    pool_new(&config, f->base, &f->stats, NULL, ignore_progress, NULL);
	return f;
}

static inline struct fixture *
fixture_new(bool probe)
{
	return fixture_with((struct pool_config){.probe = probe});
}

static inline void
peer_close(struct fixture *f, size_t i)
{
	if (f->peers[i] != -1)
		close(f->peers[i]);
	f->peers[i] = -1;
}

/* Closes all of it; the books must be closed then. */
static inline void
fixture_free(struct fixture *f)
{
	size_t i;

	pool_abandon(f->pool);
	pool_close(f->pool, false);
	assert_int_equal(pool_usable(f->pool), 0);
	assert_int_equal(stats_check(&f->stats, stderr), 0);
	pool_free(f->pool);
	event_base_free(f->base);
	routes_clear(&f->routes);
	for (i = 0; i < CONNECTIONS; i++)
		peer_close(f, i);
	if (f->listener != -1)
		close(f->listener);
	free(f);
}

/* Begins to open as many as are to be opened. Returns how many. */
static inline unsigned int
begin_all(struct fixture *f)
{
	unsigned int begun = 0;

	for (; pool_may_open(f->pool); begun++)
		pool_open_next(f->pool);
	assert_int_equal(pool_unopened(f->pool), 0);
	return begun;
}

/* Those that were begun are open then; those without a peer get one, in order. */
static inline void
await_opened(struct fixture *f, unsigned int begun)
{
	size_t i;

	while (stats_pending(&f->stats) > 0)
		event_base_loop(f->base, EVLOOP_ONCE);
	for (i = 0; begun > 0; i++) {
		assert_true(i < CONNECTIONS);
		if (f->peers[i] != -1)
			continue;
		f->peers[i] = accept(f->listener, NULL, NULL);
		assert_int_not_equal(f->peers[i], -1);
		begun--;
	}
}

static inline void
open_all(struct fixture *f)
{
	await_opened(f, begin_all(f));
}

static inline void
expect_held(struct fixture *f, uint32_t unopened, uint32_t usable)
{
	assert_int_equal(pool_unopened(f->pool), unopened);
	assert_int_equal(pool_may_open(f->pool), unopened > 0);
	assert_int_equal(pool_usable(f->pool), usable);
	assert_int_equal(stats_open(&f->stats), usable);
}

/* Those from first on have been closed; they have no peer any more. */
static inline void
expect_closed_from(struct fixture *f, size_t first)
{
	char byte;
	size_t i;

	for (i = 0; i < CONNECTIONS; i++) {
		if (f->peers[i] == -1)
			continue;
		if (i < first) {
			assert_int_equal(
			    recv(f->peers[i], &byte, 1, MSG_DONTWAIT), -1);
			assert_int_equal(errno, EAGAIN);
			continue;
		}
		assert_int_equal(recv(f->peers[i], &byte, 1, 0), 0);
		peer_close(f, i);
	}
}

#endif
