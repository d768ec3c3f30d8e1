/*
 * What conn.c, which knows how a connection ends, shares with conn_open.c, which
 * opens it and hears its events, conn_answers.c, which reads, and conn_send.c;
 * nobody else's business.
 */
#ifndef CLIENT_CONN_INTERNAL_H
#define CLIENT_CONN_INTERNAL_H

#include <sys/types.h>

#include "client/conn.h"
#include "client/inflight.h"
#include "client/querylog.h"
#include "client/read_delay.h"
#include "client/stats.h"
#include "client/suspect.h"
#include "client/tally.h"
#include "client/wheel.h"

struct bufferevent;

enum conn_state {
	CONN_IDLE,
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_BROKEN,
	CONN_ENDED,
};

/* 120 bytes; with libevent's bufferevent about 1 KB. */
struct conn {
	struct bufferevent *bev;
	const struct conn_env *env;
	struct inflight inflight;
	struct wheel_node expiry;
	uint64_t begun;
	uint64_t unread_since; /* what a full read has left; 0: nothing */
	int fd;
	uint32_t id;
	int send_error; /* why it is broken, or ended by an error */
	uint32_t queries_left; /* where they are limited */
	struct tally_way way;
	uint8_t state;
	uint8_t leaves; /* enum conn_end, see conn_leaves() */
	uint8_t proof; /* enum suspect */
	uint8_t evidence; /* enum suspect_evidence */
	bool blocked; /* the output buffer may hold something */
	bool partial; /* the input buffer holds the beginning of a message */
	bool overdue; /* a query timed out as its answer came, env->drop */
	bool out_of_ids; /* counted as such */
};

static inline void
conn_log(const struct conn *c, enum querylog_type type, uint64_t when,
    uint64_t id, uint64_t rtt)
{
	if (c->env->log != NULL)
		querylog_event(
		    c->env->log, type, when, c->env->first_id + c->id, id, rtt);
}

static inline bool
conn_is_probe(const struct conn *c, const struct inflight_query *query)
{
	return query->due < c->env->clock_from;
}

/* Probes are, too. */
static inline bool
conn_is_unmeasured(const struct conn *c, uint64_t due)
{
	return due < c->env->measure_from;
}

/*
 * What is known of the other end; counted. And what the kernel knows of it, if it has
 * not answered; ask_peer: the server's end, too, where it is on this host.
 */
void conn_set_proof(struct conn *, enum suspect);
void conn_suspect(struct conn *, bool ask_peer);

/*
 * Bytes came that are no answer to a query, beginning with these. What the input
 * buffer holds is such where it cannot be the beginning of a DNS message, or where
 * the rest of the message is missing: it did not come in time, or the other side has
 * closed.
 */
void conn_note_wrong_answer(struct conn *, const uint8_t *data, size_t length);
void conn_judge_input(struct conn *, bool missing);

/* An answer surely began, and its rest did not come. No effect on one that answered. */
void conn_note_cut_off(struct conn *);

/* A query whose time was out; noticed at now. */
void conn_book_timeout(
    struct conn *, const struct inflight_query *, uint64_t now);

/* Closes it if it is leaving and nothing waits. */
void conn_leave_if_done(struct conn *);

/* Closing is to send a RST. */
void conn_reset_on_close(int fd);

/* A send failed: it can be read still, but not sent on. */
void conn_broken(struct conn *, int error);

/* That the other side has gone: what it sent before is still to be read. */
bool conn_is_end_of_stream(int error);

/* For an error that the socket reported once it was open. */
void conn_close_for_errno(struct conn *, int error);

/*
 * One read of one connection. Answers that may have waited in the socket since the
 * same moment are booked together: most often all of a read.
 */
struct conn_reading {
	uint64_t now;
	uint64_t since; /* what was read did not come before, see read_delay */
	uint64_t from; /* the answers to be booked may have waited since */
	uint64_t answers; /* how many these are */
};

void conn_handle_input(
    struct conn *, const uint8_t *data, size_t length, struct conn_reading *);

/*
 * Straight to the socket while nothing waits in the output buffer: through the
 * buffer a query costs two epoll_ctl and an allocation. Returns the bytes that
 * had to go into the buffer, or -1 if the connection is of no more use.
 */
ssize_t conn_write_out(struct conn *, const uint8_t *data, size_t length);

/* One query, to see that someone answers; no part of the measurement. */
void conn_send_probe(struct conn *, uint64_t now);

#endif
