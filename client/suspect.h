/*
 * What an open connection that does not answer is: the kernel of this host knows
 * whether the other one has ever acknowledged anything on it.
 *
 * Where the accept queue is full, Linux drops the last ACK of the handshake. The
 * client is connected then and the server does not know it: all that is sent is
 * sent again, and nothing is ever acknowledged. What lies in the accept queue is
 * acknowledged, and so is what a program has accepted that does not read: from
 * here those two look the same.
 */
#ifndef CLIENT_SUSPECT_H
#define CLIENT_SUSPECT_H

#include <stddef.h>

enum suspect {
	SUSPECT_UNVERIFIED, /* nothing speaks for it or against it */
	SUSPECT_UNACKED, /* the other kernel has not taken the connection */
	SUSPECT_QUEUED, /* it has; no program answers */
	SUSPECT_WRONG_ANSWER, /* bytes came, but no answer to a query */
	SUSPECT_VERIFIED, /* it has answered: no suspect any more */
};

struct tcp_info;

/*
 * Of a connection that was asked and has not answered; info is what the kernel
 * wrote, length bytes. was: what it was before, and still is once it has been
 * closed, when the kernel has forgotten.
 */
enum suspect suspect_classify(
    const struct tcp_info *info, size_t length, enum suspect was);

/* The same for a socket: one system call. */
enum suspect suspect_ask(int fd, enum suspect was);

#endif
