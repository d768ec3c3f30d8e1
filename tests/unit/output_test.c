/* What an output does while its reader reads nothing. */
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/output.h"
#include "tests/unit/support.h"

#define LINES 5000 /* of 40 bytes: more than a pipe and the buffer take */

/* A pipe as an output, its name /dev/fd/N, and its other end. */
static struct output *
open_pipe(int *reader, char name[32])
{
	struct output *o;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	snprintf(name, 32, "/dev/fd/%d", ends[1]);
	o = output_open(name);
	close(ends[1]);
	*reader = ends[0];
	return o;
}

static void
write_lines(struct output *o)
{
	int i;

	for (i = 0; i < LINES; i++) {
		fprintf(output_stream(o), "%06d %032d\n", i, 0);
		fflush(output_stream(o));
	}
}

/* Reads all in a child, which counts whole lines, and exits with 1 if one is cut or
 * out of order; the count comes over the pipe that is returned. */
static int
start_reader(int reader, pid_t *pid)
{
	int counts[2], last = -1, number, zeros;
	uint32_t count = 0;
	char line[80];
	FILE *in;

	assert_int_equal(pipe(counts), 0);
	*pid = fork();
	if (*pid != 0) {
		close(counts[1]);
		close(reader);
		return counts[0];
	}
	/* nothing of the output may be open here, or its end would not come */
	dup2(reader, 100);
	dup2(counts[1], 101);
	for (number = STDERR_FILENO + 1; number < 100; number++)
		close(number);
	in = fdopen(100, "r");
	while (fgets(line, sizeof(line), in) != NULL) {
		if (strlen(line) != 40 ||
		    sscanf(line, "%6d %d\n", &number, &zeros) != 2 ||
		    number <= last)
			_exit(1);
		last = number;
		count++;
	}
	(void)!write(101, &count, sizeof(count));
	_exit(0);
}

static uint32_t
lines_read(int counts, pid_t pid)
{
	uint32_t count = 0;
	int status;

	assert_int_equal(read(counts, &count, sizeof(count)), sizeof(count));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(counts);
	return count;
}

/* Ends the output, and returns what was said on standard error. */
static bool
end_and_hear(struct output *o, char said[200])
{
	int before = dup(STDERR_FILENO), ends[2];
	ssize_t n;
	bool written;

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	written = output_end(o);
	dup2(before, STDERR_FILENO);
	n = read(ends[0], said, 199);
	said[n < 0 ? 0 : n] = '\0';
	close(before);
	close(ends[0]);
	close(ends[1]);
	return written;
}

static void
while_it_runs_whole_lines_are_left_out_and_counted(void **state)
{
	char name[32], said[200], *text;
	struct output *o;
	int reader, counts, left_out;
	uint32_t read;
	pid_t pid;

	(void)state;
	o = open_pipe(&reader, name);
	output_keep_running(o, true);
	write_lines(o); /* and does not block */
	counts = start_reader(reader, &pid);
	assert_false(end_and_hear(o, said));
	read = lines_read(counts, pid);
	text = strstr(said, name);
	assert_non_null(text);
	assert_int_equal(
	    sscanf(text + strlen(name),
		": it was not read in time, and %d lines", &left_out),
	    1);
	assert_true(left_out > 0);
	assert_int_equal(read + (uint32_t)left_out, LINES);
}

static void
at_the_end_all_lines_wait_for_the_reader(void **state)
{
	char name[32], said[200];
	struct output *o;
	int reader, counts;
	pid_t pid;

	(void)state;
	o = open_pipe(&reader, name);
	write_lines(o);
	counts = start_reader(reader, &pid);
	assert_true(end_and_hear(o, said));
	assert_string_equal(said, "");
	assert_int_equal(lines_read(counts, pid), LINES);
}

static void
a_reader_that_has_gone_is_an_error(void **state)
{
	char name[32], said[200];
	struct output *o;
	int reader;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	o = open_pipe(&reader, name);
	write_lines(o);
	close(reader);
	assert_false(end_and_hear(o, said));
	assert_non_null(strstr(said, "Broken pipe"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		while_it_runs_whole_lines_are_left_out_and_counted),
	    cmocka_unit_test(at_the_end_all_lines_wait_for_the_reader),
	    cmocka_unit_test(a_reader_that_has_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
