/*
 * What TCP_INFO says of a connection that does not answer: from given values,
 * and from the kernel itself.
 */
#include "tests/unit/support.h"

#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <unistd.h>

#include "client/suspect.h"
#include "lib/sockdiag_peer.h"

#define ESTABLISHED 1
#define FIN_WAIT1   4
#define CLOSED	    7
#define LISTENING   10

/* The other end of a connection, where it is on this host. */
static const struct sockdiag_peer
    handshaking = {.established = false},
    waiting = {.established = true, .unread = 30},
    deaf = {.established = true, .accepted = true, .unread = 30},
    behind = {.established = true, .accepted = true, .unread = 10},
    reader = {.established = true, .accepted = true};
/* What the kernels know of a connection that does not answer, and what it says. */
static const struct {
	uint8_t tcp_state;
	uint32_t unacked;
	uint64_t acked; /* 1: the SYN */
	uint32_t segments_in; /* 1: the SYN-ACK */
	const struct sockdiag_peer *peer;
	size_t length;
	struct suspicion was;
	struct suspicion is;
} silences[] = {
    /* the query is on its way for ever */
    {ESTABLISHED, 1, 1, 1, NULL, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_UNACKED, EVIDENCE_NONE}},
    {ESTABLISHED, 9, 1, 1, NULL, sizeof(struct tcp_info),
	{SUSPECT_QUEUED, EVIDENCE_READ}, {SUSPECT_UNACKED, EVIDENCE_NONE}},
    /* it does not leave this host */
    {ESTABLISHED, 0, 1, 1, NULL, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_UNACKED, EVIDENCE_NONE}},
    {ESTABLISHED, 0, 1, 1, &reader, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_UNACKED, EVIDENCE_DATA_LOST}},
    /* and the SYN-ACK comes again */
    {ESTABLISHED, 1, 1, 2, NULL, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_UNACKED, EVIDENCE_HANDSHAKE_OPEN}},
    /* the other end is on this host */
    {ESTABLISHED, 1, 1, 1, &handshaking, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_UNACKED, EVIDENCE_HANDSHAKE_OPEN}},
    {ESTABLISHED, 1, 1, 1, &reader, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_UNACKED, EVIDENCE_DATA_LOST}},
    /* that end has been forgotten since */
    {ESTABLISHED, 1, 1, 1, NULL, sizeof(struct tcp_info),
	{SUSPECT_UNACKED, EVIDENCE_HANDSHAKE_OPEN},
	{SUSPECT_UNACKED, EVIDENCE_HANDSHAKE_OPEN}},
    /* the other kernel has all of it */
    {ESTABLISHED, 0, 31, 2, NULL, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_QUEUED, EVIDENCE_NONE}},
    {ESTABLISHED, 0, 31, 2, NULL, sizeof(struct tcp_info),
	{SUSPECT_UNACKED, EVIDENCE_DATA_LOST}, {SUSPECT_QUEUED, EVIDENCE_NONE}},
    {ESTABLISHED, 0, 31, 2, &waiting, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_QUEUED, EVIDENCE_IN_ACCEPT_QUEUE}},
    {ESTABLISHED, 0, 31, 2, &deaf, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_QUEUED, EVIDENCE_NOT_READ}},
    {ESTABLISHED, 0, 31, 2, &behind, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_QUEUED, EVIDENCE_READ}},
    {ESTABLISHED, 0, 31, 2, &reader, sizeof(struct tcp_info),
	{SUSPECT_QUEUED, EVIDENCE_IN_ACCEPT_QUEUE},
	{SUSPECT_QUEUED, EVIDENCE_READ}},
    /* its buffer is full, or a packet has been lost */
    {ESTABLISHED, 3, 60001, 9, NULL, sizeof(struct tcp_info), {0, 0},
	{SUSPECT_QUEUED, EVIDENCE_NONE}},
    /* closed by the peer: what it was before holds */
    {CLOSED, 0, 1, 1, NULL, sizeof(struct tcp_info),
	{SUSPECT_UNACKED, EVIDENCE_DATA_LOST},
	{SUSPECT_UNACKED, EVIDENCE_DATA_LOST}},
    {CLOSED, 0, 31, 2, NULL, sizeof(struct tcp_info), {0, 0}, {0, 0}},
    {FIN_WAIT1, 1, 1, 1, NULL, sizeof(struct tcp_info),
	{SUSPECT_QUEUED, EVIDENCE_READ}, {SUSPECT_QUEUED, EVIDENCE_READ}},
    /* a kernel that does not tell what was acknowledged */
    {ESTABLISHED, 1, 0, 9, NULL, offsetof(struct tcp_info, tcpi_bytes_acked),
	{0, 0}, {SUSPECT_UNACKED, EVIDENCE_NONE}},
    {ESTABLISHED, 0, 0, 9, &deaf, offsetof(struct tcp_info, tcpi_bytes_acked),
	{0, 0}, {SUSPECT_QUEUED, EVIDENCE_NONE}},
    {ESTABLISHED, 1, 1, 1, NULL, 4, {0, 0}, {0, 0}},
};

static void
from_given_values(void **state)
{
	struct tcp_info info;
	struct suspicion is;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(silences); i++) {
		memset(&info, 0, sizeof(info));
		info.tcpi_state = silences[i].tcp_state;
		info.tcpi_unacked = silences[i].unacked;
		info.tcpi_bytes_acked = silences[i].acked;
		info.tcpi_segs_in = silences[i].segments_in;
		is = suspect_classify(&info, silences[i].length,
		    silences[i].peer, silences[i].was);
		assert_int_equal(is.is, silences[i].is.is);
		assert_int_equal(is.evidence, silences[i].is.evidence);
	}
}

static int
listen_here(struct sockaddr_in *in)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof(*in);

	*in = (struct sockaddr_in){.sin_family = AF_INET};
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)in, length), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)in, &length), 0);
	return fd;
}

/* Lets in nothing but a SYN: the last ACK is dropped, as by a full queue. */
static void
drop_acks(int listener)
{
	struct sock_filter ops[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags */
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x10, 0, 1), /* ACK */
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, 0xffff),
	};
	const struct sock_fprog filter = {LENGTH(ops), ops};

	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER,
			     &filter, sizeof(filter)),
	    0);
}

static int
connect_and_ask(const struct sockaddr_in *in)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)in, sizeof(*in)), 0);
	assert_int_equal(send(fd, "query", 5, 0), 5);
	return fd;
}

static bool
is_now(int fd, int ask_peer_by, enum suspect suspect,
    enum suspect_evidence evidence)
{
	const struct suspicion was = {SUSPECT_UNVERIFIED, EVIDENCE_NONE};
	struct suspicion now = suspect_ask(fd, ask_peer_by, was);

	return now.is == suspect && now.evidence == evidence;
}

/* Waits for the kernels: what is sent is acknowledged at once, or soon. */
static void
becomes(int fd, int ask_peer_by, enum suspect suspect,
    enum suspect_evidence evidence)
{
	while (!is_now(fd, ask_peer_by, suspect, evidence))
		usleep(1000);
}

static void
in_the_accept_queue_accepted_and_read(void **state)
{
	struct sockaddr_in in;
	int listener = listen_here(&in), fd = connect_and_ask(&in);
	int ask = sockdiag_peer_open(), accepted;
	char byte;

	(void)state;
	assert_int_not_equal(ask, -1);
	becomes(fd, -1, SUSPECT_QUEUED, EVIDENCE_NONE);
	becomes(fd, ask, SUSPECT_QUEUED, EVIDENCE_IN_ACCEPT_QUEUE);
	accepted = accept(listener, NULL, NULL);
	assert_int_not_equal(accepted, -1);
	assert_true(is_now(fd, ask, SUSPECT_QUEUED, EVIDENCE_NOT_READ));
	assert_int_equal(read(accepted, &byte, 1), 1);
	assert_true(is_now(fd, ask, SUSPECT_QUEUED, EVIDENCE_READ));
	close(accepted);
	close(ask);
	close(fd);
	close(listener);
}

static void
last_ack_dropped_and_let_in_later(void **state)
{
	struct sockaddr_in in;
	int listener = listen_here(&in), ask = sockdiag_peer_open(), fd,
	    off = 0;

	(void)state;
	drop_acks(listener);
	fd = connect_and_ask(&in);
	assert_true(is_now(fd, -1, SUSPECT_UNACKED, EVIDENCE_NONE));
	assert_true(is_now(fd, ask, SUSPECT_UNACKED, EVIDENCE_HANDSHAKE_OPEN));
	/* the SYN-ACK comes again: the other end need not be asked */
	becomes(fd, -1, SUSPECT_UNACKED, EVIDENCE_HANDSHAKE_OPEN);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_DETACH_FILTER,
			     &off, sizeof(off)),
	    0);
	/* the query is sent again, and is the last ACK, too */
	becomes(fd, ask, SUSPECT_QUEUED, EVIDENCE_IN_ACCEPT_QUEUE);
	close(ask);
	close(fd);
	close(listener);
}

static void
no_socket(void **state)
{
	const struct suspicion was = {SUSPECT_UNACKED, EVIDENCE_DATA_LOST};
	struct suspicion now = suspect_ask(-1, -1, was);

	(void)state;
	assert_int_equal(now.is, was.is);
	assert_int_equal(now.evidence, was.evidence);
}

/* A message of the kernel's that is cut anywhere, and that of a listener. */
static void
messages_about_the_other_end(void **state)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_msg m;
	} message = {
	    .head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_len = sizeof(message)},
	    .m = {.idiag_state = ESTABLISHED,
		.idiag_inode = 1,
		.idiag_rqueue = 7},
	};
	struct sockdiag_peer peer;
	size_t length;

	(void)state;
	for (length = 0; length < sizeof(message); length++)
		assert_false(sockdiag_peer_parse(&message, length, &peer));
	assert_true(sockdiag_peer_parse(&message, length, &peer));
	assert_true(peer.established && peer.accepted && peer.unread == 7);
	message.m.idiag_state = LISTENING;
	assert_false(sockdiag_peer_parse(&message, length, &peer));
	message.head.nlmsg_type = NLMSG_ERROR;
	assert_false(sockdiag_peer_parse(&message, length, &peer));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(from_given_values),
	    cmocka_unit_test(in_the_accept_queue_accepted_and_read),
	    cmocka_unit_test(last_ack_dropped_and_let_in_later),
	    cmocka_unit_test(no_socket),
	    cmocka_unit_test(messages_about_the_other_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
