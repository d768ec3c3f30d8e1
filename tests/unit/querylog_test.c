#include "tests/unit/support.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "client/querylog.h"
#include "lib/clock.h"

#define STREAM 7

/* A file without a name, and a log that writes to it. */
struct fixture {
	FILE *file;
	struct querylog *log;
};

static int
fixture_make(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	if (x == NULL || (x->file = tmpfile()) == NULL)
		return -1;
	x->log = querylog_new(fileno(x->file), STREAM);
	*state = x;
	return 0;
}

static int
fixture_free(void **state)
{
	struct fixture *x = *state;

	querylog_free(x->log);
	fclose(x->file);
	free(x);
	return 0;
}

/* The file's next row without its end; false at the end of the file. */
static bool
next_row(FILE *file, char row[256])
{
	size_t length;

	if (fgets(row, 256, file) == NULL)
		return false;
	length = strlen(row);
	assert_true(length > 0 && row[length - 1] == '\n');
	row[length - 1] = '\0';
	return true;
}

static size_t
columns(const char *row)
{
	size_t count = 1;

	while ((row = strchr(row, ',')) != NULL) {
		row++;
		count++;
	}
	return count;
}

/*
 * Splits a row: its type, its time in nanoseconds, and all behind that. The
 * time has to have nine decimals.
 */
static const char *
split(const char *row, char *type, uint64_t *when)
{
	const char *point = strchr(row, '.');
	char *end;

	assert_int_equal(columns(row), 7);
	*type = row[0];
	assert_int_equal(row[1], ',');
	assert_non_null(point);
	*when = strtoull(row + 2, &end, 10) * CLOCK_NS_PER_SEC;
	assert_ptr_equal(end, point);
	*when += strtoull(point + 1, &end, 10);
	assert_int_equal(end - (point + 1), 9);
	assert_int_equal(*end, ',');
	return end + 1;
}

/* Expects the file's next row to be this. Returns its time. */
static uint64_t
expect_row(struct fixture *x, char type, const char *rest)
{
	char row[256], is;
	uint64_t when;

	assert_true(next_row(x->file, row));
	assert_string_equal(split(row, &is, &when), rest);
	assert_int_equal(is, type);
	return when;
}

static void
expect_end(struct fixture *x)
{
	char row[256];

	assert_false(next_row(x->file, row));
}

static void
flush(struct fixture *x)
{
	querylog_flush(x->log);
	assert_int_equal(querylog_error(x->log), 0);
	/* the log moved on in the file that both are in */
	rewind(x->file);
}

static void
header(void **state)
{
	(void)state;
	assert_string_equal(QUERYLOG_HEADER,
	    "type,timestamp,connection_id,query_id,poisson_id,"
	    "poisson_interval_us,rtt_us\n");
}

static void
sent_rows(void **state)
{
	static const struct {
		double gap;
		const char *text;
	} gaps[] = {{0, "0.000"}, {1, "0.001"}, {999, "0.999"}, {1000, "1.000"},
	    {1234567, "1234.567"}, {1000000.9, "1000.000"},
	    {12e9 + 34, "12000000.034"}, {-0.0, "0.000"}};
	struct fixture *x = *state;
	char expected[100];
	size_t i;

	for (i = 0; i < LENGTH(gaps); i++)
		querylog_sent(x->log, clock_now(), 12, 345, gaps[i].gap);
	querylog_sent(x->log, clock_now(), 0, 0, 0);
	querylog_sent(x->log, clock_now(), UINT32_MAX, 65535, 0);
	flush(x);
	for (i = 0; i < LENGTH(gaps); i++) {
		snprintf(
		    expected, sizeof(expected), "12,345,7,%s,", gaps[i].text);
		expect_row(x, 'Q', expected);
	}
	expect_row(x, 'Q', "0,0,7,0.000,");
	expect_row(x, 'Q', "4294967295,65535,7,0.000,");
	expect_end(x);
}

static void
event_rows(void **state)
{
	static const struct {
		enum querylog_type type;
		char letter;
	} types[] = {{QUERYLOG_ANSWERED, 'A'}, {QUERYLOG_TIMED_OUT, 'T'},
	    {QUERYLOG_LOST, 'L'}, {QUERYLOG_SKIPPED, 'S'}, {QUERYLOG_LATE, 'D'},
	    {QUERYLOG_UNMATCHED, 'U'}, {QUERYLOG_MALFORMED, 'M'},
	    {QUERYLOG_OPENED, 'O'}, {QUERYLOG_FAILED, 'F'},
	    {QUERYLOG_CLOSED, 'C'}};
	static const struct {
		uint64_t connection;
		uint64_t id;
		uint64_t rtt;
		const char *text;
	} values[] = {
	    {12, 345, 6789000, "12,345,,,6789"},
	    {0, 0, 0, "0,0,,,0"},
	    {UINT32_MAX, 65535, UINT64_C(31536000000000000),
		"4294967295,65535,,,31536000000000"},
	    /* whole microseconds, as in the original */
	    {1, 2, 999, "1,2,,,0"},
	    {1, 2, 1999, "1,2,,,1"},
	    {12, 345, QUERYLOG_NONE, "12,345,,,"},
	    {12, QUERYLOG_NONE, 6789000, "12,,,,6789"},
	    {12, QUERYLOG_NONE, QUERYLOG_NONE, "12,,,,"},
	    {QUERYLOG_NONE, 345, QUERYLOG_NONE, ",345,,,"},
	    {QUERYLOG_NONE, QUERYLOG_NONE, QUERYLOG_NONE, ",,,,"},
	};
	struct fixture *x = *state;
	size_t t, v;

	for (t = 0; t < LENGTH(types); t++)
		for (v = 0; v < LENGTH(values); v++)
			querylog_event(x->log, types[t].type, clock_now(),
			    values[v].connection, values[v].id, values[v].rtt);
	flush(x);
	for (t = 0; t < LENGTH(types); t++)
		for (v = 0; v < LENGTH(values); v++)
			expect_row(x, types[t].letter, values[v].text);
	expect_end(x);
}

/*
 * Monotonic times become times of day by an offset that was read at some time
 * in between these here.
 */
static void
timestamps_are_wall_clock(void **state)
{
	struct fixture *x = *state;
	uint64_t wall[2], monotonic[2], when;
	struct querylog *log;

	wall[0] = clock_wall();
	monotonic[0] = clock_now();
	log = querylog_new(fileno(x->file), STREAM);
	monotonic[1] = clock_now();
	wall[1] = clock_wall();
	querylog_sent(log, monotonic[1], 1, 2, 3);
	querylog_flush(log);
	querylog_free(log);
	rewind(x->file);
	when = expect_row(x, 'Q', "1,2,7,0.003,");
	assert_true(when >= wall[0]);
	assert_true(when <= wall[1] + (monotonic[1] - monotonic[0]));
}

static void
timestamps_to_the_nanosecond(void **state)
{
	struct fixture *x = *state;
	const uint64_t begin = clock_now();
	uint64_t offset, to_full, before;
	size_t i;
	/* around a full second, where digits carry and zeros lead */
	static const int64_t steps[] = {-1000, -1, 0, 1, 9, 10, 99999999,
	    100000000, 999999999, 1000000000, 86400000000000};

	querylog_event(
	    x->log, QUERYLOG_CLOSED, begin, 1, QUERYLOG_NONE, QUERYLOG_NONE);
	flush(x);
	before = expect_row(x, 'C', "1,,,,");
	expect_end(x);
	offset = before - begin;
	to_full = CLOCK_NS_PER_SEC - before % CLOCK_NS_PER_SEC;
	for (i = 0; i < LENGTH(steps); i++)
		querylog_sent(
		    x->log, begin + to_full + (uint64_t)steps[i], 1, 2, 3);
	flush(x);
	assert_int_equal(expect_row(x, 'C', "1,,,,"), before);
	for (i = 0; i < LENGTH(steps); i++)
		assert_int_equal(expect_row(x, 'Q', "1,2,7,0.003,"),
		    begin + to_full + (uint64_t)steps[i] + offset);
	expect_end(x);
}

/* Expects what is new in the file to end with a row's end. */
static void
expect_whole_rows(int fd, off_t *size)
{
	struct stat st;
	char last;

	assert_int_equal(fstat(fd, &st), 0);
	if (st.st_size == *size)
		return;
	*size = st.st_size;
	assert_int_equal(pread(fd, &last, 1, *size - 1), 1);
	assert_int_equal(last, '\n');
}

/* Many times what is buffered, and all of it arrives, in order, row by row. */
static void
many_rows(void **state)
{
	const uint32_t count = 150000;
	struct fixture *x = *state;
	char row[256], type, rest[64];
	off_t size = 0;
	uint64_t when, before = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (i % 3 == 2)
			querylog_event(x->log, QUERYLOG_ANSWERED, clock_now(),
			    i, i % 65536, i);
		else
			querylog_sent(
			    x->log, clock_now(), i, (uint16_t)(i % 65536), i);
		if (i % 16 == 0)
			expect_whole_rows(fileno(x->file), &size);
	}
	assert_true(size > 0);
	flush(x);
	for (i = 0; next_row(x->file, row); i++) {
		if (i % 3 == 2)
			snprintf(rest, sizeof(rest), "%u,%u,,,%u", i, i % 65536,
			    i / 1000);
		else
			snprintf(rest, sizeof(rest), "%u,%u,7,%u.%03u,", i,
			    i % 65536, i / 1000, i % 1000);
		assert_string_equal(split(row, &type, &when), rest);
		assert_int_equal(type, i % 3 == 2 ? 'A' : 'Q');
		assert_true(when >= before);
		before = when;
	}
	assert_int_equal(i, count);
}

static void
longest_rows(void **state)
{
	const uint64_t most = QUERYLOG_NONE - 1;
	struct fixture *x = *state;
	char row[256];
	int i, count = 0;

	for (i = 0; i < 100; i++) {
		querylog_event(x->log, QUERYLOG_OPENED, most, most, most, most);
		querylog_sent(x->log, most, UINT32_MAX, UINT16_MAX, 1e19);
	}
	flush(x);
	while (next_row(x->file, row)) {
		assert_int_equal(columns(row), 7);
		count++;
	}
	assert_int_equal(count, 200);
}

/* A row of whatever length beyond the shortest. */
static void
put_row(struct querylog *log, unsigned int more)
{
	uint64_t rtt = CLOCK_NS_PER_US;

	while (more-- > 0)
		rtt *= 10;
	querylog_event(log, QUERYLOG_OPENED, clock_now(), 1, 1, rtt);
}

/*
 * The longest rows, until the buffer must have been full, from every position:
 * for a sanitizer to see whether one goes beyond the end.
 */
static void
last_bytes_of_the_buffer(void **state)
{
	const uint64_t most = QUERYLOG_NONE - 1;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct querylog *log = querylog_new(fd, UINT_MAX);
	unsigned int position, row, i;

	(void)state;
	for (position = 0; position < 100; position++) {
		for (row = 0; row < 10; row++)
			put_row(log, (position + row) / 10);
		for (i = 0; i < 4000; i++)
			querylog_event(
			    log, QUERYLOG_OPENED, most, most, most, most);
		querylog_flush(log);
	}
	assert_int_equal(querylog_error(log), 0);
	querylog_free(log);
	close(fd);
}

static void
flush_without_rows(void **state)
{
	struct fixture *x = *state;

	flush(x);
	expect_end(x);
	querylog_sent(x->log, clock_now(), 1, 2, 3);
	flush(x);
	flush(x);
	expect_row(x, 'Q', "1,2,7,0.003,");
	expect_end(x);
}

/* Writes to a descriptor that takes nothing, many times what is buffered. */
static void
expect_error(int fd, int error)
{
	struct querylog *log = querylog_new(fd, STREAM);
	int i;

	querylog_flush(log);
	assert_int_equal(querylog_error(log), 0);
	querylog_sent(log, clock_now(), 1, 2, 3);
	assert_int_equal(querylog_error(log), 0);
	querylog_flush(log);
	assert_int_equal(querylog_error(log), error);
	for (i = 0; i < 50000; i++)
		querylog_sent(log, clock_now(), 1, 2, 3);
	querylog_flush(log);
	assert_int_equal(querylog_error(log), error);
	querylog_free(log);
}

static void
write_errors(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];
	void (*before)(int);

	(void)state;
	assert_int_not_equal(fd, -1);
	expect_error(fd, ENOSPC);
	close(fd);
	expect_error(-1, EBADF);

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	before = signal(SIGPIPE, SIG_IGN);
	expect_error(ends[1], EPIPE);
	signal(SIGPIPE, before);
	close(ends[1]);
}

/*
 * Through a pipe: the writers are processes of their own, for a pipe that is
 * full stops whoever writes to it.
 */

#define PIPE_ROWS 30000

/* Of each writer, known by its stream. */
struct progress {
	uint32_t rows[2];
};

static pid_t
writer(const int ends[2], unsigned int stream)
{
	struct querylog *log;
	pid_t pid = fork();
	uint32_t i;

	assert_int_not_equal(pid, -1);
	if (pid > 0)
		return pid;
	close(ends[0]);
	log = querylog_new(ends[1], stream);
	for (i = 0; i < PIPE_ROWS; i++)
		querylog_sent(log, clock_now(), i, (uint16_t)i, i);
	querylog_flush(log);
	i = querylog_error(log) != 0;
	querylog_free(log);
	_exit((int)i);
}

static void
expect_success(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* False if it is not a row that a writer wrote, or not its next one. */
static bool
is_next_row(const char *row, struct progress *p)
{
	unsigned long seconds, nanoseconds;
	unsigned int connection, id, stream, us, ns, expected;
	int used = -1;

	if (sscanf(row, "Q,%lu.%9lu,%u,%u,%u,%u.%3u,%n", &seconds, &nanoseconds,
		&connection, &id, &stream, &us, &ns, &used) != 7 ||
	    used != (int)strlen(row) || stream > 1)
		return false;
	/* after one that is missing, the next is right again */
	expected = p->rows[stream];
	p->rows[stream] = connection + 1;
	return connection == expected && id == connection % 65536 &&
	    us * 1000 + ns == connection;
}

/* Reads to the end of the pipe; the number of rows that are not as written. */
static unsigned int
read_rows(int fd, struct progress *p)
{
	FILE *file = fdopen(fd, "r");
	unsigned int wrong = 0;
	char row[512];

	assert_non_null(file);
	memset(p, 0, sizeof(*p));
	while (fgets(row, sizeof(row), file) != NULL) {
		row[strcspn(row, "\n")] = '\0';
		wrong += !is_next_row(row, p);
	}
	fclose(file);
	return wrong;
}

/* One that does not block waits until there is room again. */
static void
through_a_pipe(void **state)
{
	static const int flags[] = {0, O_NONBLOCK};
	struct progress p;
	int ends[2];
	pid_t pid;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(flags); i++) {
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		assert_int_not_equal(fcntl(ends[1], F_SETFL, flags[i]), -1);
		pid = writer(ends, 1);
		close(ends[1]);
		assert_int_equal(read_rows(ends[0], &p), 0);
		expect_success(pid);
		assert_int_equal(p.rows[1], PIPE_ROWS);
	}
}

/* All workers write to the same output, and none into another one's row. */
static void
two_writers_one_pipe(void **state)
{
	unsigned int wrong;
	struct progress p;
	int ends[2];
	pid_t pids[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pids[0] = writer(ends, 0);
	pids[1] = writer(ends, 1);
	close(ends[1]);
	wrong = read_rows(ends[0], &p);
	expect_success(pids[0]);
	expect_success(pids[1]);
	assert_int_equal(wrong, 0);
	assert_int_equal(p.rows[0], PIPE_ROWS);
	assert_int_equal(p.rows[1], PIPE_ROWS);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(header),
	    TEST(sent_rows),
	    TEST(event_rows),
	    TEST(timestamps_are_wall_clock),
	    TEST(timestamps_to_the_nanosecond),
	    TEST(many_rows),
	    TEST(longest_rows),
	    cmocka_unit_test(last_bytes_of_the_buffer),
	    TEST(flush_without_rows),
	    cmocka_unit_test(write_errors),
	    cmocka_unit_test(through_a_pipe),
	    cmocka_unit_test(two_writers_one_pipe),
	};
#undef TEST

	return cmocka_run_group_tests_name("querylog", tests, NULL, NULL);
}
