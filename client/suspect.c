#include <sys/socket.h>

#include <linux/tcp.h>
#include <netinet/in.h>

#include "client/suspect.h"
#include "lib/sockdiag_peer.h"

/* The SYN itself counts as one byte. */
#define BYTES_OF_SYN 1

/* The SYN-ACK of the handshake. */
#define SEGMENTS_OF_HANDSHAKE 1

#define HAS(field, length)                              \
	((length) >= offsetof(struct tcp_info, field) + \
		sizeof(((struct tcp_info *)NULL)->field))

/* include/net/tcp_states.h */
#define STATE_ESTABLISHED 1

static enum suspect
classify(const struct tcp_info *info, size_t length)
{
	/*
	 * A peer that stopped reading has acknowledged what came before. What this
	 * host's own filter drops on its way out is not sent for the kernel, and
	 * waits for no acknowledgement.
	 */
	if (HAS(tcpi_bytes_acked, length))
		return info->tcpi_bytes_acked > BYTES_OF_SYN ? SUSPECT_QUEUED :
							       SUSPECT_UNACKED;
	return info->tcpi_unacked == 0 ? SUSPECT_QUEUED : SUSPECT_UNACKED;
}

/*
 * A server that lacks the last ACK sends its SYN-ACK again, after 1 s for the first
 * time. Nothing else comes on a connection that has acknowledged nothing.
 */
static enum suspect_evidence
evidence_of_unacked(const struct tcp_info *info, size_t length,
    const struct sockdiag_peer *peer)
{
	if (peer != NULL)
		return peer->established ? EVIDENCE_DATA_LOST :
					   EVIDENCE_HANDSHAKE_OPEN;
	if (HAS(tcpi_data_segs_in, length) && info->tcpi_data_segs_in == 0 &&
	    info->tcpi_segs_in > SEGMENTS_OF_HANDSHAKE)
		return EVIDENCE_HANDSHAKE_OPEN;
	return EVIDENCE_NONE;
}

static enum suspect_evidence
evidence_of_queued(const struct tcp_info *info, size_t length,
    const struct sockdiag_peer *peer)
{
	if (peer == NULL || !peer->established)
		return EVIDENCE_NONE;
	if (!peer->accepted)
		return EVIDENCE_IN_ACCEPT_QUEUE;
	if (peer->unread == 0)
		return EVIDENCE_READ;
	if (!HAS(tcpi_bytes_acked, length))
		return EVIDENCE_NONE;
	return peer->unread + BYTES_OF_SYN < info->tcpi_bytes_acked ?
	    EVIDENCE_READ :
	    EVIDENCE_NOT_READ;
}

struct suspicion
suspect_classify(const struct tcp_info *info, size_t length,
    const struct sockdiag_peer *peer, struct suspicion was)
{
	struct suspicion now;

	if (!HAS(tcpi_unacked, length) || info->tcpi_state != STATE_ESTABLISHED)
		return was;
	now.is = classify(info, length);
	now.evidence = now.is == SUSPECT_UNACKED ?
	    evidence_of_unacked(info, length, peer) :
	    evidence_of_queued(info, length, peer);
	/* the server forgets a handshake after a minute */
	if (now.evidence == EVIDENCE_NONE && now.is == was.is)
		now.evidence = was.evidence;
	return now;
}

struct suspicion
suspect_ask(int fd, int ask_peer_by, struct suspicion was)
{
	struct tcp_info info;
	struct sockdiag_peer peer;
	socklen_t length = sizeof(info);
	bool known = sockdiag_peer_find(ask_peer_by, fd, &peer);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == -1)
		return was;
	return suspect_classify(&info, length, known ? &peer : NULL, was);
}
