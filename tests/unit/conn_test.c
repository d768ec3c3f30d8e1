/*
 * The connection's bound on what waits unsent: a peer that never reads, and an
 * output_max far below what the program itself would choose.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <event2/event.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/conn.h"
#include "client/inflight.h"
#include "client/routes.h"
#include "client/stats.h"
#include "client/wheel.h"
#include "client/window.h"
#include "dns_query.h"
#include "lib/clock.h"

#define OUTPUT_MAX 4096
#define ROUNDS	   20
#define PER_ROUND  60000

static void
ignore_usable(struct conn *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
ignore_progress(uint64_t now, void *arg)
{
	(void)now;
	(void)arg;
}

/* A listener with small buffers that nobody accepts from, let alone reads. */
static int
listen_deaf(struct addr *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 8), 0);
	address->length = sizeof(address->sa);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&address->sa, &address->length),
	    0);
	return fd;
}

static void
send_round(struct conn *c, struct batch *batch)
{
	uint64_t now = clock_now();
	uint32_t id, first, i;

	for (i = 0; i < PER_ROUND; i++)
		batch_add(batch, 0, now, 0);
	while (batch_take(batch, &id, &first))
		conn_send(c, batch, first);
}

static void
test_output_is_bounded(void **state)
{
	static struct stats stats;
	uint8_t query[DNS_QUERY_MAX];
	struct wheel wheel;
	struct batch batch;
	struct conn_env env;
	struct route route = {.source = {.length = 0}};
	struct window window;
	struct conn *conns;
	const char *why;
	int listener, round;

	(void)state;
	memset(&env, 0, sizeof(env));
	listener = listen_deaf(&route.target);
	window_init(&window, 1, 1);
	wheel_init(&wheel, CLOCK_NS_PER_SEC, clock_now());
	batch_init(&batch, 1);
	env.base = event_base_new();
	env.stats = &stats;
	/* so short that IDs never run out first */
	env.inflight = inflight_pool_new(0, 0);
	env.expiry = &wheel;
	env.window = &window;
	env.query = query;
	env.query_length = (size_t)dns_query_build(
	    query, sizeof(query), "example.com", DNS_TYPE_A, &why);
	env.output_max = OUTPUT_MAX;
	env.on_usable = env.on_unusable = ignore_usable;
	env.on_progress = ignore_progress;
	conns = conn_array_new(&env, 1);

	assert_int_equal(conn_open(conn_at(conns, 0), &route), 0);
	while (stats.n.opened + stats.n.failed == 0)
		event_base_loop(env.base, EVLOOP_ONCE);
	assert_int_equal(stats.n.opened, 1);
	for (round = 0; round < ROUNDS; round++) {
		send_round(conn_at(conns, 0), &batch);
		conn_expire(conn_at(conns, 0), clock_now() + 1);
		conn_expire(conn_at(conns, 0), clock_now() + 1);
		stats.n.scheduled += PER_ROUND;
	}
	/* the socket took some, the buffer a bit more, the rest was skipped */
	assert_true(stats.n.send_blocked > 0);
	assert_true(stats.n.skipped_output_full > 0);
	assert_int_equal(stats.n.skipped_ids_exhausted, 0);
	/* one chunk of 64 KB may lie on top of the bound */
	assert_true(stats.n.send_blocked * env.query_length <=
	    OUTPUT_MAX + 65536 + 2 * env.query_length);
	conn_close(conn_at(conns, 0), CONN_LOCAL);
	stats.n.peak = 1;
	assert_int_equal(stats_check(&stats, stderr), 0);

	conn_array_free(conns);
	inflight_pool_free(env.inflight);
	batch_clear(&batch);
	event_base_free(env.base);
	close(listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_output_is_bounded),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
