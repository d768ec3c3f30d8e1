/*
 * What an open connection that does not answer is: the kernel of this host knows
 * whether the other one has ever acknowledged anything on it.
 *
 * Where the accept queue is full, Linux drops the last ACK of the handshake. The
 * client is connected then and the server does not know it: all that is sent is
 * sent again, and nothing is ever acknowledged. The same is seen where the path
 * drops what is sent. What is in the accept queue is acknowledged, and so is what a
 * program has accepted, whether it reads or not: from another host these look the
 * same. Where the server is on this host, its end of the connection tells.
 */
#ifndef CLIENT_SUSPECT_H
#define CLIENT_SUSPECT_H

#include <stdbool.h>
#include <stddef.h>

enum suspect {
	SUSPECT_UNVERIFIED, /* nothing speaks for it or against it */
	SUSPECT_UNACKED, /* nothing that was sent has been acknowledged */
	SUSPECT_QUEUED, /* the other kernel has it; no program answers */
	SUSPECT_WRONG_ANSWER, /* bytes came, but no answer to a query */
	SUSPECT_VERIFIED, /* it has answered: no suspect any more */
};

/* What else is known of one that is not verified. */
enum suspect_evidence {
	EVIDENCE_NONE,
	/* of SUSPECT_UNACKED: */
	EVIDENCE_HANDSHAKE_OPEN, /* the server has not got the last ACK */
	EVIDENCE_DATA_LOST, /* it has, and what was sent behind it was lost */
	/* of SUSPECT_QUEUED: */
	EVIDENCE_IN_ACCEPT_QUEUE,
	EVIDENCE_NOT_READ, /* accepted; the program has read nothing */
	EVIDENCE_READ, /* the program has read what was sent, at least some */
	/* of SUSPECT_WRONG_ANSWER: */
	EVIDENCE_CUT_OFF, /* an answer began, and its rest did not come */
};

struct suspicion {
	enum suspect is;
	enum suspect_evidence evidence;
};

struct sockdiag_peer;
struct tcp_info;

/*
 * Of a connection that was asked and has not answered; info is what the kernel
 * wrote, length bytes; peer is the other end, NULL if it is not known. was: what the
 * connection was before, and still is once it has been closed, when the kernel has
 * forgotten.
 */
struct suspicion suspect_classify(const struct tcp_info *info, size_t length,
    const struct sockdiag_peer *peer, struct suspicion was);

/*
 * The same for a socket: one system call, and four more where ask_peer_by is a
 * socket of sockdiag_peer_open(); -1: the server is not on this host.
 */
struct suspicion suspect_ask(int fd, int ask_peer_by, struct suspicion was);

#endif
