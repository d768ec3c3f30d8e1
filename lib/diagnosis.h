/*
 * Which limit a run has met: what the kernel counted, what it holds, and how
 * connections failed, mapped to findings by one table.
 *
 * Counters are those of this host or network namespace, for any program in it.
 * They tell of the server only where it is here as well, which is why who looks
 * says what it knows of that.
 */
#ifndef LIB_DIAGNOSIS_H
#define LIB_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/gauges.h"
#include "lib/limits.h"
#include "lib/netstat.h"
#include "lib/sockdiag.h"

enum diagnosis_view {
	DIAGNOSIS_FROM_CLIENT, /* every server is on another host */
	DIAGNOSIS_FROM_BOTH, /* and the server is on this host, too */
	DIAGNOSIS_FROM_SOME, /* some servers are, or nobody knows */
	DIAGNOSIS_FROM_SERVER,
};

/* What the program itself has counted. */
enum diagnosis_seen {
	DIAGNOSIS_RESET_BY_PEER, /* connections */
	DIAGNOSIS_CLOSED_BY_PEER, /* connections, before the client did */
	DIAGNOSIS_NOT_SERVED, /* connections: surely in the accept queue */
	DIAGNOSIS_WRONG_ANSWER, /* connections: bytes came, but no answer */
	DIAGNOSIS_CUT_OFF, /* connections: an answer began, and no more came */
	DIAGNOSIS_MALFORMED, /* messages */
	DIAGNOSIS_WRONG_QUERY, /* connections: bytes came, but no query */
	DIAGNOSIS_OUT_OF_IDS, /* connections: unanswered queries hold all */
	DIAGNOSIS_GIVEN_UP, /* open connections: ended by ETIMEDOUT or the like */
	DIAGNOSIS_KILLED, /* processes of this program, by SIGKILL or so */
	DIAGNOSIS_SEEN
};

#define DIAGNOSIS_PLACES     400
#define DIAGNOSIS_WHERE_SEEN 200

enum diagnosis_bytes {
	DIAGNOSIS_BYTES_OTHER,
	DIAGNOSIS_BYTES_DNS, /* a message, but no answer to a query */
	DIAGNOSIS_BYTES_CUT_OFF, /* the beginning of one */
};

struct diagnosis_source {
	enum diagnosis_view view;
	const struct netstat *delta;
	const struct gauges *gauges; /* while it ran, the most */
	const uint64_t *by_errno; /* failed connects, or accepts */
	size_t errnos;
	uint64_t seen[DIAGNOSIS_SEEN];
	/* connects refused by targets at which others were opened */
	uint64_t refused_beside;
	bool never_answered; /* queries were sent, and no connection answered */
	const char *first_bytes; /* that were no answer; NULL: none */
	enum diagnosis_bytes first_bytes_are;
	struct limits_ways ways; /* of a client; ports 0: unknown */
	bool resets; /* it closes with a RST */
	/* sockets to its targets whose close the other side has not answered:
	 * with an ACK (FIN_WAIT1), with a FIN of its own (FIN_WAIT2) */
	uint64_t fin_wait1;
	uint64_t fin_wait2;
	uint64_t connections; /* asked for */
	/* what the listening sockets of this server, or of the targets on this
	 * host, have dropped themselves; NULL: that is not known */
	const struct sockdiag_drops *drops;
	/*
	 * At which targets and from which sources, for people: of an errno, or of DIAGNOSIS_WHERE_SEEN
	 * and an enum diagnosis_seen. False: there is nothing to say. NULL: that
	 * is not known.
	 */
	bool (*where)(const void *arg, int cause, uint64_t count,
	    char text[DIAGNOSIS_PLACES]);
	const void *where_arg;
};

#define DIAGNOSIS_TEXT 720

struct diagnosis_finding {
	const char *limit; /* the same string for the same finding */
	const char *side; /* client, server, client and server, path, or
			   * cannot tell: then evidence says why */
	unsigned int explains; /* effects that it accounts for */
	uint64_t ends; /* of connections, that it accounts for at most */
	bool of_kernel; /* a limit of this host's kernel */
	bool of_listener; /* that is of the server's listening socket */
	char symptom[DIAGNOSIS_TEXT]; /* begins with its number */
	char fix[DIAGNOSIS_TEXT];
	char evidence[DIAGNOSIS_TEXT]; /* "": none but the symptom */
};

#define DIAGNOSIS_MOST 40 /* more findings than there can be */

/*
 * Stores what the source points to, the most precise first, and returns how
 * many. What one finding accounts for is named in its evidence and is no
 * finding of its own. A healthy run has none. No fix asks for a setting that the
 * gauges say this host has already.
 */
size_t diagnosis_find(const struct diagnosis_source *,
    struct diagnosis_finding out[DIAGNOSIS_MOST]);

#endif
