/* Passing descriptors between workers; here one process plays all of them. */
#include "tests/unit/support.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "server/handover.h"

#define WORKERS 3

static int
setup(void **state)
{
	*state = handover_new(WORKERS);
	assert_non_null(*state);
	return 0;
}

static int
teardown(void **state)
{
	handover_free(*state);
	return 0;
}

/* Runs it as worker 1; its status is the failed line, 0 if none did. */
#define FAIL_UNLESS(condition)           \
	do {                             \
		if (!(condition))        \
			_exit(__LINE__); \
	} while (0)

static void
ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
a_descriptor_arrives_open_once(void **state)
{
	struct handover *h = *state;
	int ends[2], fd;
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(handover_send(h, 1, ends[1]), 0);
	assert_int_equal(handover_send(h, 1, ends[1]), 0);
	pid = fork();
	if (pid == 0) {
		handover_join(h, 1);
		FAIL_UNLESS(handover_waiting(h) == 2);
		fd = handover_receive(h);
		FAIL_UNLESS(fd != -1 && handover_waiting(h) == 1);
		FAIL_UNLESS((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		FAIL_UNLESS(write(fd, "x", 1) == 1);
		FAIL_UNLESS(handover_receive(h) != -1);
		FAIL_UNLESS(handover_receive(h) == -1 && errno == EAGAIN);
		_exit(0);
	}
	ends_well(pid);
	assert_int_equal(read(ends[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	close(ends[1]);
	assert_int_equal(read(ends[0], &c, 1), 0);
	close(ends[0]);
}

static void
a_full_inbox_takes_no_more_and_loses_nothing(void **state)
{
	struct handover *h = *state;
	unsigned int sent = 0;

	while (handover_send(h, 1, 0) == 0)
		sent++;
	assert_int_equal(handover_send(h, 1, 0), EAGAIN);
	assert_int_equal(handover_send(h, 2, 0), 0);
	assert_true(sent >= 32);
	handover_join(h, 1);
	assert_int_equal(handover_waiting(h), sent);
	for (; sent > 0; sent--)
		close(handover_receive(h));
	assert_int_equal(handover_receive(h), -1);
}

static void
a_worker_that_is_gone_is_told(void **state)
{
	struct handover *h = *state;

	assert_int_equal(handover_send(h, 1, 0), 0);
	handover_join(h, 0); /* nobody has the end of 1 any more */
	/* what was in it makes the first error another one */
	assert_int_equal(handover_send(h, 1, 0), ECONNRESET);
	assert_int_equal(handover_send(h, 1, 0), EPIPE);
	assert_int_equal(handover_receive(h), -1);
	assert_int_equal(errno, EPIPE); /* the others have gone, too */
}

static void
one_that_finds_no_descriptor_is_told(void **state)
{
	struct handover *h = *state;
	struct rlimit limit, none;

	assert_int_equal(handover_send(h, 1, 0), 0);
	handover_join(h, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(handover_receive(h), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_descriptor_arrives_open_once),
	    TEST(a_full_inbox_takes_no_more_and_loses_nothing),
	    TEST(a_worker_that_is_gone_is_told),
	    TEST(one_that_finds_no_descriptor_is_told),
	};

	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
