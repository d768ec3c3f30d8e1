/*
 * Connections of a worker, over socket pairs: every split of a stream, any bytes
 * in any pieces in every mode, and accounts that close whatever came.
 */
#include "tests/unit/support.h"

#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <unistd.h>

#include "lib/clock.h"
#include "server/counts.h"
#include "server/service.h"
#include "server/session.h"

#define ROUNDS	  60
#define PIECES	  40
#define PIECE	  3000
#define SMALL_BUF 2048

/* A worker with one connection, of which the test has the other end. */
struct bench {
	struct event_base *base;
	struct sessions *sessions;
	struct counts counts;
	int peer; /* -1: closed */
	int theirs; /* the other end */
	struct first_bytes first_bytes;
};

static void
on_closed(void *arg)
{
	(void)arg;
}

static void
begin(struct bench *b, const struct service *service)
{
	struct sessions_config config = {
	    .service = service,
	    .workers = 1,
	    .closed = on_closed,
	};
	int ends[2];

	memset(b, 0, sizeof(*b));
	b->base = event_base_new();
	assert_non_null(b->base);
	config.base = b->base;
	config.counts = &b->counts;
	config.first_bytes = &b->first_bytes;
	b->sessions = sessions_new(&config);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	b->peer = ends[0];
	b->theirs = ends[1];
	b->counts.accepted++;
	sessions_add(ends[1], b->sessions);
}

/* Lets it do what it can now. */
static void
turn(struct bench *b)
{
	int i;

	for (i = 0; i < 4; i++)
		event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static void
say(struct bench *b, const uint8_t *data, size_t length)
{
	assert_int_equal(send(b->peer, data, length, MSG_NOSIGNAL), length);
	turn(b);
}

/* All that has come back; -1: the connection is closed and there is nothing. */
static ssize_t
hear(struct bench *b, uint8_t *data, size_t size)
{
	ssize_t n = recv(b->peer, data, size, 0);

	if (n == -1 && errno == EAGAIN)
		return 0;
	return n == 0 ? -1 : n;
}

static void
hang_up(struct bench *b)
{
	if (b->peer != -1)
		close(b->peer);
	b->peer = -1;
}

/* The accounts must close; each connection is one end. */
static void
end(struct bench *b)
{
	hang_up(b);
	turn(b);
	while (sessions_close_oldest(b->sessions, &b->counts.closed_locally))
		;
	assert_int_equal(counts_check(&b->counts, stderr), 0);
	sessions_free(b->sessions);
	event_base_free(b->base);
}

/* A query, a stump, a response, a broken question and a query again. */
static const uint8_t stream[] = {0, 19, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1,
    'x', 0, 0, 1, 0, 1, 0, 3, 1, 2, 3, 0, 17, 0, 2, 0x80, 0, 0, 1, 0, 0, 0, 0,
    0, 0, 0, 0, 1, 0, 1, 0, 17, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0, 1,
    0, 1, 0, 17, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};

static void
every_split_of_a_stream_has_the_same_answers(void **state)
{
	struct service service = {.mode = SERVICE_DNS};
	uint8_t whole[256], parts[256];
	struct bench b;
	ssize_t expected;
	size_t at;

	(void)state;
	begin(&b, &service);
	say(&b, stream, sizeof(stream));
	expected = hear(&b, whole, sizeof(whole));
	assert_int_equal(expected, 21 + 16 + 14 + 19);
	end(&b);
	for (at = 1; at < sizeof(stream); at++) {
		begin(&b, &service);
		say(&b, stream, at);
		say(&b, stream + at, sizeof(stream) - at);
		assert_int_equal(hear(&b, parts, sizeof(parts)), expected);
		assert_memory_equal(parts, whole, (size_t)expected);
		assert_int_equal(b.counts.messages, 5);
		assert_int_equal(b.counts.messages_answered, 3);
		assert_int_equal(b.counts.messages_unanswerable, 2);
		assert_int_equal(b.counts.bytes_consumed, sizeof(stream));
		end(&b);
		assert_int_equal(b.counts.closed_by_peer, 1);
	}
}

static void
a_connection_is_closed_after_its_last_answer(void **state)
{
	static const uint8_t three[] = {0, 1, 'a', 0, 1, 'b', 0, 1, 'c', 0, 9};
	struct service service = {.close_after = 2};
	struct bench b;
	uint8_t answer[16];

	(void)state;
	begin(&b, &service);
	say(&b, three, 3);
	assert_int_equal(hear(&b, answer, sizeof(answer)), 3);
	assert_int_equal(hear(&b, answer, sizeof(answer)), 0);
	say(&b, three + 3, sizeof(three) - 3);
	assert_int_equal(hear(&b, answer, sizeof(answer)), 3);
	assert_int_equal(answer[2], 'b');
	assert_int_equal(hear(&b, answer, sizeof(answer)), -1); /* FIN */
	assert_int_equal(b.counts.closed_after, 0); /* not before ours */
	say(&b, three, 3); /* the message of nine bytes goes on */
	hang_up(&b);
	turn(&b);
	assert_int_equal(b.counts.closed_after, 1);
	assert_int_equal(b.counts.messages, 3);
	assert_int_equal(b.counts.messages_answered, 2);
	assert_int_equal(b.counts.messages_discarded, 1);
	assert_int_equal(b.counts.bytes_discarded, 3 + 2 + 3);
	end(&b);
}

static void
what_waits_for_a_peer_that_is_gone_is_discarded(void **state)
{
	static const uint8_t two[] = {0, 1, 'a', 0, 1, 'b', 0};
	struct service service = {.delay = 3600 * CLOCK_NS_PER_SEC};
	struct bench b;

	(void)state;
	begin(&b, &service);
	say(&b, two, sizeof(two));
	assert_int_equal(b.counts.messages, 2);
	assert_int_equal(shutdown(b.peer, SHUT_WR), 0);
	turn(&b);
	assert_int_equal(b.counts.closed_by_peer, 0); /* they still wait */
	end(&b);
	assert_int_equal(b.counts.messages_discarded, 2);
	assert_int_equal(b.counts.bytes_discarded, sizeof(two));
	assert_int_equal(b.counts.closed_locally, 1);
}

static void
what_waits_goes_out_before_the_end_of_a_half_closed_one(void **state)
{
	static const uint8_t one[] = {0, 1, 'a'};
	struct service service = {.delay = 5 * CLOCK_NS_PER_MS};
	struct bench b;
	uint8_t answer[8];
	int tries;

	(void)state;
	begin(&b, &service);
	say(&b, one, sizeof(one));
	assert_int_equal(shutdown(b.peer, SHUT_WR), 0);
	for (tries = 0; tries < 5000 && b.counts.closed_by_peer == 0; tries++) {
		turn(&b);
		usleep(1000);
	}
	assert_int_equal(hear(&b, answer, sizeof(answer)), 3);
	assert_int_equal(hear(&b, answer, sizeof(answer)), -1);
	assert_int_equal(b.counts.messages_answered, 1);
	end(&b);
}

static void
too_much_that_waits_stops_the_reading(void **state)
{
	static uint8_t piece[60000];
	struct service service = {.delay = 3600 * CLOCK_NS_PER_SEC};
	struct bench b;
	ssize_t n;
	size_t said = 0, turns;

	(void)state;
	for (n = 0; n < (ssize_t)sizeof(piece); n += 6)
		piece[n + 1] = 4;
	begin(&b, &service);
	for (turns = 0; turns < 10000; turns++) {
		n = send(b.peer, piece, sizeof(piece), MSG_NOSIGNAL);
		if (n == -1)
			break;
		said += (size_t)n;
		turn(&b);
	}
	assert_int_equal(errno, EAGAIN);
	assert_true(said < SESSION_WAITING);
	assert_int_equal(b.counts.read_pauses, 1);
	end(&b);
	assert_true(b.counts.messages_discarded > 0);
}

/* What is due while the peer takes nothing comes whole and in order later. */
static void
what_a_peer_did_not_take_comes_in_order(void **state)
{
	static uint8_t sent[40000], got[40000];
	struct service service = {.delay = CLOCK_NS_PER_MS};
	struct bench b;
	int small = SMALL_BUF, tries;
	size_t n, had = 0, done = 0;
	ssize_t more;

	(void)state;
	for (n = 0; n + 4 <= sizeof(sent); n += 4) {
		sent[n + 1] = 2;
		sent[n + 2] = (uint8_t)(n >> 10);
		sent[n + 3] = (uint8_t)(n >> 2);
	}
	begin(&b, &service);
	setsockopt(b.peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(b.theirs, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (tries = 0; tries < 20000 && had < sizeof(got); tries++) {
		if (done < sizeof(sent)) {
			more = send(b.peer, sent + done,
			    sizeof(sent) - done < 1000 ? sizeof(sent) - done :
							 1000,
			    MSG_NOSIGNAL);
			done += more > 0 ? (size_t)more : 0;
		}
		turn(&b);
		usleep(200);
		if (tries < 100)
			continue;
		more = hear(&b, got + had, 700);
		had += more > 0 ? (size_t)more : 0;
	}
	assert_int_equal(had, sizeof(got));
	assert_memory_equal(got, sent, sizeof(sent));
	assert_int_equal(b.counts.messages_answered, sizeof(sent) / 4);
	end(&b);
}

/* A peer that sends anything, and reads now and then, or not at all. */
static void
play(struct bench *b, struct rng *rng, bool reads)
{
	static uint8_t piece[PIECE], answer[4 * PIECE];
	size_t i, length;
	int pieces;

	for (pieces = 0; pieces < PIECES; pieces++) {
		length = 1 + rng_below(rng, PIECE);
		for (i = 0; i < length; i++)
			piece[i] = rng_below(rng, 4) > 0 ?
			    (uint8_t)rng_below(rng, 3) :
			    (uint8_t)rng_next(rng);
		if (rng_below(rng, 2) == 0)
			memcpy(
			    piece, "PingPingPiPing", length < 14 ? length : 14);
		(void)send(b->peer, piece, length, MSG_NOSIGNAL);
		turn(b);
		if (reads && rng_below(rng, 2) == 0)
			(void)hear(b, answer, sizeof(answer));
		turn(b);
	}
}

/* Until one of those that wait has been answered, if any does. */
static void
let_one_be_answered(struct bench *b)
{
	const struct counts *c = &b->counts;
	int tries;

	for (tries = 0; tries < 10000 && c->messages_answered == 0 &&
	     c->messages > c->messages_dropped + c->messages_unanswerable;
	     tries++) {
		usleep(1000);
		turn(b);
	}
}

static void
accounts_close_whatever_comes(void **state)
{
	static const struct service services[] = {
	    {.mode = SERVICE_ECHO},
	    {.mode = SERVICE_SINK},
	    {.mode = SERVICE_PING},
	    {.mode = SERVICE_DNS},
	    {.mode = SERVICE_ECHO, .idle_timeout = CLOCK_NS_PER_SEC},
	    {.mode = SERVICE_ECHO, .drop = 0.3, .seed = 1},
	    {.mode = SERVICE_DNS, .drop = 0.3, .delay = 1000},
	    {.mode = SERVICE_DNS, .close_after = 50, .delay = 100000},
	    {.mode = SERVICE_ECHO, .close_after = 100},
	    {.mode = SERVICE_PING, .drop = 0.5, .delay = 1000000},
	    {.mode = SERVICE_ECHO,
		.delay = 50000,
		.stall = CLOCK_NS_PER_MS,
		.stall_every = 2 * CLOCK_NS_PER_MS},
	};
	struct rng rng = {42};
	struct bench b;
	int small = SMALL_BUF;
	size_t i;
	unsigned int round;
	uint64_t messages, answered;

	(void)state;
	for (i = 0; i < LENGTH(services); i++) {
		messages = answered = 0;
		for (round = 0; round < ROUNDS; round++) {
			begin(&b, &services[i]);
			if (round % 3 == 0)
				setsockopt(b.peer, SOL_SOCKET, SO_RCVBUF,
				    &small, sizeof(small));
			play(&b, &rng, round % 4 != 0);
			if (round == 0 && services[i].mode != SERVICE_SINK)
				let_one_be_answered(&b);
			end(&b);
			messages += b.counts.messages;
			answered += b.counts.messages_answered;
		}
		assert_true(messages > ROUNDS);
		if (services[i].mode != SERVICE_SINK)
			assert_true(answered > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_split_of_a_stream_has_the_same_answers),
	    cmocka_unit_test(a_connection_is_closed_after_its_last_answer),
	    cmocka_unit_test(what_waits_for_a_peer_that_is_gone_is_discarded),
	    cmocka_unit_test(
		what_waits_goes_out_before_the_end_of_a_half_closed_one),
	    cmocka_unit_test(too_much_that_waits_stops_the_reading),
	    cmocka_unit_test(what_a_peer_did_not_take_comes_in_order),
	    cmocka_unit_test(accounts_close_whatever_comes),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
