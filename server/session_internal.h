/*
 * A connection, as those share it who have its life (server/session), what it
 * sends (server/session_io), and its messages, where they are looked at one by
 * one (server/messages).
 */
#ifndef SERVER_SESSION_INTERNAL_H
#define SERVER_SESSION_INTERNAL_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/answer.h"
#include "server/counts.h"
#include "server/delay.h"
#include "server/frame.h"
#include "server/patience.h"
#include "server/service.h"
#include "server/session.h"

/* The beginning of a message, and a read behind it; the answers to them. */
#define SESSION_INPUT_SIZE  (ANSWER_MESSAGE_MOST + SESSION_READ_SIZE)
#define SESSION_OUTPUT_SIZE (ANSWER_GROWTH * SESSION_INPUT_SIZE)

/* What only some services need of a connection: 120 bytes. */
struct session_more {
	struct patience_entry patience; /* idle, or lingering */
	LIST_ENTRY(session) parked;
	struct delay_owner waiting;
	uint8_t *partial; /* the beginning of a message; NULL: nothing */
	uint32_t partial_length;
	bool is_parked; /* nothing is waited for until it is unparked */
	bool ended; /* the peer's FIN is here, and answers wait */
	bool lingering; /* the own FIN is sent */
	bool wrong_query; /* counted as such */
	uint64_t taken; /* messages that have been or will be answered */
};

/* A connection: 184 bytes with malloc's own, and those above where needed. */
struct session {
	struct event event;
	TAILQ_ENTRY(session) entry;
	struct sessions *all;
	uint8_t *held; /* what the peer has not taken; NULL: nothing */
	uint32_t held_from;
	uint32_t held_to;
	struct frame in; /* what is read, unless it is read by message */
	struct frame out; /* what is held or, by message, all that is sent */
	struct session_more more[]; /* one, or none */
};

struct sessions {
	struct sessions_config config;
	const struct service *service;
	struct counts *counts;
	TAILQ_HEAD(, session) open; /* the oldest first */
	LIST_HEAD(, session) parked;
	event_callback_fn callback;
	void (*read)(struct session *, int fd);
	struct answer_lot lot;
	struct delay *delay; /* NULL: none */
	struct event *release; /* timer of the first answer that waits */
	struct patience *idle; /* NULL: none */
	struct patience *linger;
	struct event *stall; /* timer of what is next; NULL: none */
	bool frozen;
	bool unparking;
	bool has_more;
	bool by_message;
	uint8_t *input;
	uint8_t *output; /* of messages: what is about to be sent */
	size_t output_length;
};

/*
 * server/session. What closes a connection frees it: the caller must not touch
 * it again.
 */

/* counter: the way in which it ends. */
void session_close(struct session *, uint64_t *counter, const char *why);
void session_fail(struct session *, int error);

/* Waits for what can be done next, which may be nothing. Closes the connection
 * where its socket cannot be watched. */
void session_await(struct session *);

/* Sends a FIN and waits, not for ever, for that of the peer. */
void session_linger(struct session *);

/* Nothing more is read from it or sent on it until all are unparked. */
void session_park(struct session *);
void sessions_unpark(struct sessions *);

/* The end of what the peer sends. */
void session_end(struct session *);

/*
 * server/session_io.
 */

/* Reads and sends back, without a look at messages but for their number. */
void session_echo(struct session *, int fd);

/* Sends what is held. */
void session_write(struct session *);

/* Sends what the peer takes now, and holds the rest behind what is held already.
 * False: it has failed and is closed. */
bool session_send(struct session *, const uint8_t *data, size_t length);

/*
 * server/messages.
 */

/* Reads, and answers or lets wait. */
void messages_read(struct session *, int fd);

/* Reads and counts, for a sink or behind the last message that is answered. */
void messages_swallow(struct session *, int fd);

/* What has been sent, or has come to an end, may be the last of it. */
void messages_settle(struct session *);

/* Books what has not been answered, and frees it. */
void messages_discard(struct session *);

/* Sends what is due, and sets the timer. */
void messages_release(struct sessions *);

#endif
