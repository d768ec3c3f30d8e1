#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <string.h>

#include "lib/sockdiag_peer.h"

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 what;
};

int
sockdiag_peer_open(void)
{
	return socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    NETLINK_SOCK_DIAG);
}

/* Writes address and port as sock_diag takes them; false: it is no IP address. */
static bool
put_address(const struct sockaddr_storage *sa, __be32 address[4], __be16 *port)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	if (sa->ss_family == AF_INET) {
		memcpy(address, &v4->sin_addr, sizeof(v4->sin_addr));
		*port = v4->sin_port;
	} else if (sa->ss_family == AF_INET6) {
		memcpy(address, &v6->sin6_addr, sizeof(v6->sin6_addr));
		*port = v6->sin6_port;
	} else
		return false;
	return true;
}

/* What is the source there is the destination here. */
static bool
make_request(int fd, struct request *r)
{
	struct sockaddr_storage here, there;
	socklen_t here_length = sizeof(here), there_length = sizeof(there);
	struct inet_diag_sockid *id = &r->what.id;

	if (getsockname(fd, (struct sockaddr *)&here, &here_length) == -1 ||
	    getpeername(fd, (struct sockaddr *)&there, &there_length) == -1)
		return false;
	*r = (struct request){
	    .head = {.nlmsg_len = sizeof(*r),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST},
	    .what = {.sdiag_family = (uint8_t)there.ss_family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = UINT32_MAX},
	};
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return put_address(&there, id->idiag_src, &id->idiag_sport) &&
	    put_address(&here, id->idiag_dst, &id->idiag_dport);
}

/* The kernel names a listener where there is no such connection. */
bool
sockdiag_peer_parse(
    const void *message, size_t length, struct sockdiag_peer *peer)
{
	struct nlmsghdr head;
	struct inet_diag_msg m;

	if (length < NLMSG_LENGTH(sizeof(m)))
		return false;
	memcpy(&head, message, sizeof(head));
	if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    head.nlmsg_len < NLMSG_LENGTH(sizeof(m)))
		return false;
	memcpy(&m, (const uint8_t *)message + NLMSG_HDRLEN, sizeof(m));
	peer->established = m.idiag_state != TCP_SYN_RECV;
	/* a socket without an inode has no descriptor */
	peer->accepted = peer->established && m.idiag_inode != 0;
	peer->unread = m.idiag_rqueue;
	return m.idiag_state == TCP_SYN_RECV ||
	    m.idiag_state == TCP_ESTABLISHED || m.idiag_state == TCP_CLOSE_WAIT;
}

bool
sockdiag_peer_find(int asked_by, int fd, struct sockdiag_peer *peer)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	uint8_t answer[1024];
	struct request request;
	ssize_t n;

	if (asked_by == -1 || !make_request(fd, &request) ||
	    sendto(asked_by, &request, sizeof(request), 0,
		(const struct sockaddr *)&kernel, sizeof(kernel)) == -1)
		return false;
	n = recv(asked_by, answer, sizeof(answer), MSG_TRUNC);
	return n > 0 &&
	    sockdiag_peer_parse(answer,
		(size_t)n < sizeof(answer) ? (size_t)n : sizeof(answer), peer);
}
