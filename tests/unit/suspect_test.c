/*
 * What TCP_INFO says of a connection that does not answer: from given values,
 * and from the kernel itself.
 */
#include "tests/unit/support.h"

#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <unistd.h>

#include "client/suspect.h"

#define ESTABLISHED 1
#define FIN_WAIT1   4
#define CLOSED	    7

static void
from_given_values(void **state)
{
	static const struct {
		uint8_t tcp_state;
		uint32_t unacked;
		uint64_t acked; /* 1: the SYN */
		size_t length;
		enum suspect was;
		enum suspect is;
	} cases[] = {
	    /* the query is on its way for ever */
	    {ESTABLISHED, 1, 1, sizeof(struct tcp_info), SUSPECT_UNVERIFIED,
		SUSPECT_UNACKED},
	    {ESTABLISHED, 9, 1, sizeof(struct tcp_info), SUSPECT_QUEUED,
		SUSPECT_UNACKED},
	    /* the other kernel has all of it */
	    {ESTABLISHED, 0, 31, sizeof(struct tcp_info), SUSPECT_UNVERIFIED,
		SUSPECT_QUEUED},
	    {ESTABLISHED, 0, 31, sizeof(struct tcp_info), SUSPECT_UNACKED,
		SUSPECT_QUEUED},
	    /* its buffer is full, or a packet has been lost */
	    {ESTABLISHED, 3, 60001, sizeof(struct tcp_info), SUSPECT_UNVERIFIED,
		SUSPECT_QUEUED},
	    /* closed by the peer: what it was before holds */
	    {CLOSED, 0, 1, sizeof(struct tcp_info), SUSPECT_UNACKED,
		SUSPECT_UNACKED},
	    {CLOSED, 0, 31, sizeof(struct tcp_info), SUSPECT_UNVERIFIED,
		SUSPECT_UNVERIFIED},
	    {FIN_WAIT1, 1, 1, sizeof(struct tcp_info), SUSPECT_QUEUED,
		SUSPECT_QUEUED},
	    /* a kernel that does not tell what was acknowledged */
	    {ESTABLISHED, 1, 0, offsetof(struct tcp_info, tcpi_bytes_acked),
		SUSPECT_UNVERIFIED, SUSPECT_UNACKED},
	    {ESTABLISHED, 0, 0, offsetof(struct tcp_info, tcpi_bytes_acked),
		SUSPECT_UNVERIFIED, SUSPECT_QUEUED},
	    {ESTABLISHED, 1, 1, 4, SUSPECT_UNVERIFIED, SUSPECT_UNVERIFIED},
	};
	struct tcp_info info;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		memset(&info, 0, sizeof(info));
		info.tcpi_state = cases[i].tcp_state;
		info.tcpi_unacked = cases[i].unacked;
		info.tcpi_bytes_acked = cases[i].acked;
		assert_int_equal(
		    suspect_classify(&info, cases[i].length, cases[i].was),
		    cases[i].is);
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

static void
in_the_accept_queue(void **state)
{
	struct sockaddr_in in;
	int listener = listen_here(&in), fd = connect_and_ask(&in);

	(void)state;
	/* the acknowledgement comes before send() has returned, or soon */
	while (suspect_ask(fd, SUSPECT_UNVERIFIED) != SUSPECT_QUEUED)
		usleep(1000);
	close(fd);
	close(listener);
}

static void
last_ack_dropped_and_let_in_later(void **state)
{
	struct sockaddr_in in;
	int listener = listen_here(&in), fd, off = 0;

	(void)state;
	drop_acks(listener);
	fd = connect_and_ask(&in);
	assert_int_equal(suspect_ask(fd, SUSPECT_UNVERIFIED), SUSPECT_UNACKED);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_DETACH_FILTER,
			     &off, sizeof(off)),
	    0);
	/* the query is sent again, and is the last ACK, too */
	while (suspect_ask(fd, SUSPECT_UNACKED) != SUSPECT_QUEUED)
		usleep(1000);
	close(fd);
	close(listener);
}

static void
no_socket(void **state)
{
	(void)state;
	assert_int_equal(suspect_ask(-1, SUSPECT_UNACKED), SUSPECT_UNACKED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(from_given_values),
	    cmocka_unit_test(in_the_accept_queue),
	    cmocka_unit_test(last_ack_dropped_and_let_in_later),
	    cmocka_unit_test(no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
