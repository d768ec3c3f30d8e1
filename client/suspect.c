#include <sys/socket.h>

#include <linux/tcp.h>
#include <netinet/in.h>

#include "client/suspect.h"

/* The SYN itself counts as one byte. */
#define BYTES_OF_SYN 1

#define HAS(field, length)                              \
	((length) >= offsetof(struct tcp_info, field) + \
		sizeof(((struct tcp_info *)NULL)->field))

/* include/net/tcp_states.h */
#define STATE_ESTABLISHED 1

enum suspect
suspect_classify(const struct tcp_info *info, size_t length, enum suspect was)
{
	if (!HAS(tcpi_unacked, length) || info->tcpi_state != STATE_ESTABLISHED)
		return was;
	if (info->tcpi_unacked == 0)
		return SUSPECT_QUEUED;
	/* a peer that stopped reading has acknowledged what came before */
	if (HAS(tcpi_bytes_acked, length))
		return info->tcpi_bytes_acked > BYTES_OF_SYN ? SUSPECT_QUEUED :
							       SUSPECT_UNACKED;
	return SUSPECT_UNACKED;
}

enum suspect
suspect_ask(int fd, enum suspect was)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == -1)
		return was;
	return suspect_classify(&info, length, was);
}
