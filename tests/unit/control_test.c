/*
 * Control over a Unix socket, and the table of commands: a real event base and
 * socket; the clients are in the same process and take turns with it.
 */
#include "tests/unit/support.h"

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/command.h"
#include "lib/control.h"

#define PATIENCE (20 * CLOCK_NS_PER_SEC)
#define TEXT	 (4 << 20)
#define BIG	 20000

struct fixture {
	struct event_base *base;
	struct control *control;
	struct control_request *held; /* the last "hold" */
	unsigned int runs;
	char directory[64];
	char path[80];
	char why[CONTROL_WHY];
};

struct client {
	int fd;
	bool ended;
	bool was_reset;
	size_t length;
	char *text; /* what it got, always terminated */
};

/*
 * The program that is controlled.
 */

static void
run_next(struct control_request *request, union command_value value, void *arg)
{
	struct fixture *f = arg;
	json_t *o = json_object();

	(void)value;
	json_object_set_new(o, "n", json_integer(f->runs++));
	control_answer(request, o);
}

static void
run_double(
    struct control_request *request, union command_value value, void *arg)
{
	struct fixture *f = arg;
	json_t *o = json_object();

	f->runs++;
	json_object_set_new(
	    o, "n", json_integer((json_int_t)(2 * value.count)));
	control_answer(request, o);
}

static void
run_half(struct control_request *request, union command_value value, void *arg)
{
	struct fixture *f = arg;
	json_t *o = json_object();

	f->runs++;
	json_object_set_new(o, "rate", json_real(value.rate / 2));
	control_answer(request, o);
}

static void
run_hold(struct control_request *request, union command_value value, void *arg)
{
	struct fixture *f = arg;

	(void)value;
	f->held = request;
}

static void
run_big(struct control_request *request, union command_value value, void *arg)
{
	struct fixture *f = arg;
	char *text = malloc(BIG + 1);
	json_t *o = json_object();

	(void)value;
	f->runs++;
	memset(text, 'x', BIG);
	text[BIG] = '\0';
	json_object_set_new(o, "text", json_string(text));
	control_answer(request, o);
	free(text);
}

static const struct command commands[] = {
    {"next", COMMAND_NONE, run_next},
    {"double", COMMAND_COUNT, run_double},
    {"half", COMMAND_RATE, run_half},
    {"hold", COMMAND_NONE, run_hold},
    {"big", COMMAND_NONE, run_big},
    {NULL, COMMAND_NONE, NULL},
};

static void
run_line(struct control_request *request, const char *line, void *arg)
{
	command_run(commands, request, line, arg);
}

static bool
opens(struct fixture *f)
{
	f->control = control_new(f->base, f->path, run_line, f, f->why);
	return f->control != NULL;
}

static int
setup_alone(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(
	    f->directory, sizeof(f->directory), "/tmp/control_test.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
	f->base = event_base_new();
	assert_non_null(f->base);
	*state = f;
	return 0;
}

static int
setup(void **state)
{
	struct fixture *f;

	setup_alone(state);
	f = *state;
	assert_true(opens(f));
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	if (f->control != NULL)
		control_free(f->control);
	event_base_free(f->base);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

/*
 * Its clients.
 */

static int
connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		close(fd);
		return -1;
	}
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void
client_begin(struct client *c, const struct fixture *f)
{
	memset(c, 0, sizeof(*c));
	c->fd = connect_to(f->path);
	assert_true(c->fd != -1);
	c->text = calloc(1, TEXT);
	assert_non_null(c->text);
}

static void
client_end(struct client *c)
{
	close(c->fd);
	free(c->text);
}

static void
client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->text + c->length, TEXT - 1 - c->length, 0);

	if (n > 0)
		c->length += (size_t)n;
	else if (n == 0)
		c->ended = true;
	else if (errno != EAGAIN)
		c->ended = c->was_reset = true;
}

static void
turn(struct fixture *f)
{
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) != -1);
}

static size_t
count_lines(const struct client *c)
{
	const char *at = c->text;
	size_t n = 0;

	while ((at = strchr(at, '\n')) != NULL) {
		at++;
		n++;
	}
	return n;
}

static void
expect_lines(struct fixture *f, struct client *c, size_t lines)
{
	uint64_t until = clock_now() + PATIENCE;

	while (count_lines(c) < lines && !c->ended && clock_now() < until) {
		turn(f);
		client_read(c);
	}
	assert_int_equal(count_lines(c), lines);
}

static void
expect_end(struct fixture *f, struct client *c)
{
	uint64_t until = clock_now() + PATIENCE;

	while (!c->ended && clock_now() < until) {
		turn(f);
		client_read(c);
	}
	assert_true(c->ended);
	assert_false(c->was_reset);
}

/* Everything, while the program takes its turns. */
static void
send_bytes(struct fixture *f, struct client *c, const char *data, size_t length)
{
	uint64_t until = clock_now() + PATIENCE;
	ssize_t n;

	while (length > 0 && clock_now() < until) {
		n = send(c->fd, data, length, MSG_NOSIGNAL);
		if (n > 0) {
			data += n;
			length -= (size_t)n;
		} else
			assert_int_equal(errno, EAGAIN);
		turn(f);
	}
	assert_int_equal(length, 0);
}

static void
send_text(struct fixture *f, struct client *c, const char *text)
{
	send_bytes(f, c, text, strlen(text));
}

/* One client sends this and its end; what comes back, and the end. */
static void
expect_answers(struct fixture *f, const char *text, const char *answers)
{
	struct client c;

	client_begin(&c, f);
	send_text(f, &c, text);
	shutdown(c.fd, SHUT_WR);
	expect_end(f, &c);
	assert_string_equal(c.text, answers);
	client_end(&c);
}

static void
expect_error(struct fixture *f, const char *text, const char *part)
{
	struct client c;

	client_begin(&c, f);
	send_text(f, &c, text);
	expect_lines(f, &c, 1);
	assert_memory_equal(c.text, "{\"ok\":false,\"error\":\"", 21);
	assert_non_null(strstr(c.text, part));
	client_end(&c);
	assert_int_equal(f->runs, 0);
}

/*
 * Commands.
 */

static void
a_command_is_answered_with_its_value(void **state)
{
	expect_answers(*state, "double 21\n", "{\"ok\":true,\"n\":42}\n");
	expect_answers(
	    *state, "  double\t2k \r\n", "{\"ok\":true,\"n\":4000}\n");
	expect_answers(*state, "half 1.5k\n", "{\"ok\":true,\"rate\":750.0}\n");
	expect_answers(*state, "", "");
}

static void
what_is_no_command_is_refused_and_changes_nothing(void **state)
{
	static const char all[] = ": next, double N, half RATE, hold, big\"}\n";
	char line[128];

	snprintf(line, sizeof(line), "unknown command 'foo'%s", all);
	expect_error(*state, "foo 3\n", line);
	expect_error(*state, "nextx\n", "unknown command 'nextx'");
	expect_error(*state, "nex\n", "unknown command 'nex'");
	snprintf(line, sizeof(line), "no command%s", all);
	expect_error(*state, "\n", line);
	expect_error(*state, " \t\n", line);
	expect_error(*state, "next 1\n", "'1' is too much: next");
	expect_error(*state, "double 1 2\n", "'2' is too much: double N");
	expect_error(
	    *state, "double\n", "double alone is too little: double N");
	expect_error(*state, "double -1\n",
	    "double -1: not a whole number such as 500, 20k or 1M");
	expect_error(*state, "double 3000M\n", "double 3000M: too large");
	expect_error(*state, "half x\n", "half x: not a rate per second");
}

static void
bytes_that_are_not_printable_are_refused(void **state)
{
	struct fixture *f = *state;
	struct client c;

	expect_error(f, "n\303\251xt\n", "printable ASCII");
	expect_error(f, "next\033[2J\n", "printable ASCII");
	client_begin(&c, f);
	send_bytes(f, &c, "next\0\nnext\n", 11);
	expect_lines(f, &c, 2);
	assert_non_null(strstr(c.text, "printable ASCII"));
	assert_non_null(strstr(c.text, "\n{\"ok\":true,\"n\":0}\n"));
	client_end(&c);
}

static void
an_end_of_line_that_is_missing_runs_nothing(void **state)
{
	expect_answers(*state, "double 1\ndouble 1",
	    "{\"ok\":true,\"n\":2}\n{\"ok\":false,\"error\":\"the end of the "
	    "line is missing: what stands in it was not done\"}\n");
}

static void
lines_split_anywhere_are_the_same(void **state)
{
	static const char text[] = "double 21\r\nhalf 3\ndouble 4\n";
	struct fixture *f = *state;
	struct client c;
	size_t first, second;

	for (first = 0; first < sizeof(text) - 1; first++)
		for (second = first; second < sizeof(text) - 1; second++) {
			client_begin(&c, f);
			send_bytes(f, &c, text, first);
			send_bytes(f, &c, text + first, second - first);
			send_text(f, &c, text + second);
			expect_lines(f, &c, 3);
			assert_string_equal(c.text,
			    "{\"ok\":true,\"n\":42}\n"
			    "{\"ok\":true,\"rate\":1.5}\n"
			    "{\"ok\":true,\"n\":8}\n");
			client_end(&c);
		}
}

static void
a_thousand_commands_at_once_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	char *text = calloc(1, 32000), *expected = calloc(1, 32000);
	size_t at = 0, wanted = 0;
	int i;

	for (i = 0; i < 1000; i++) {
		at += (size_t)snprintf(text + at, 32000 - at, "double %d\n", i);
		wanted += (size_t)snprintf(expected + wanted, 32000 - wanted,
		    "{\"ok\":true,\"n\":%d}\n", 2 * i);
	}
	expect_answers(f, text, expected);
	free(text);
	free(expected);
}

static void
a_line_of_4096_bytes_is_taken_and_one_more_ends_it(void **state)
{
	struct fixture *f = *state;
	char *text = calloc(1, CONTROL_LINE + 4);
	struct client c;

	memset(text, ' ', CONTROL_LINE);
	memcpy(text, "double 1", 8);
	memcpy(text + CONTROL_LINE, "\r\n", 3);
	expect_answers(f, text, "{\"ok\":true,\"n\":2}\n");
	memcpy(text + CONTROL_LINE, " \n", 3);
	client_begin(&c, f);
	send_text(f, &c, text);
	expect_end(f, &c);
	assert_string_equal(c.text,
	    "{\"ok\":false,\"error\":\"a line has 4096 bytes at most\"}\n");
	client_end(&c);
	free(text);
	assert_int_equal(f->runs, 1);
}

static void
a_megabyte_without_a_line_gets_the_error_and_no_reset(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(1 << 20);
	struct client c;

	memset(text, 'x', 1 << 20);
	client_begin(&c, f);
	send_bytes(f, &c, text, 1 << 20);
	send_text(f, &c, "\nnext\n");
	expect_end(f, &c);
	assert_string_equal(c.text,
	    "{\"ok\":false,\"error\":\"a line has 4096 bytes at most\"}\n");
	client_end(&c);
	free(text);
	assert_int_equal(f->runs, 0);
}

/*
 * Answers that come later, clients that do not read or are gone.
 */

static void
a_command_that_waits_holds_up_its_own_client_only(void **state)
{
	struct fixture *f = *state;
	struct client c, other;

	client_begin(&c, f);
	client_begin(&other, f);
	send_text(f, &c, "double 1\nhold\ndouble 2\n");
	expect_lines(f, &c, 1);
	send_text(f, &c, "double 3\n");
	shutdown(c.fd, SHUT_WR);
	send_text(f, &other, "double 4\n");
	expect_lines(f, &other, 1);
	assert_non_null(f->held);
	assert_int_equal(f->runs, 2);
	control_answer(f->held, NULL);
	expect_end(f, &c);
	assert_string_equal(c.text,
	    "{\"ok\":true,\"n\":2}\n{\"ok\":true}\n"
	    "{\"ok\":true,\"n\":4}\n{\"ok\":true,\"n\":6}\n");
	client_end(&c);
	client_end(&other);
}

static void
an_answer_to_one_who_is_gone_is_let_go(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_begin(&c, f);
	send_text(f, &c, "hold\nnext\n");
	while (f->held == NULL)
		turn(f);
	client_end(&c);
	turn(f);
	control_refuse(f->held, "too late for %s", "it");
	turn(f);
	expect_answers(f, "double 1\n", "{\"ok\":true,\"n\":2}\n");
}

static void
an_answer_after_the_end_of_all_is_let_go(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_begin(&c, f);
	send_text(f, &c, "hold\n");
	while (f->held == NULL)
		turn(f);
	control_free(f->control);
	f->control = NULL;
	control_answer(f->held, NULL);
	client_read(&c);
	client_read(&c);
	assert_true(c.ended);
	client_end(&c);
}

static void
answers_go_out_before_the_end_of_all(void **state)
{
	struct fixture *f = *state;
	struct client c;

	client_begin(&c, f);
	send_text(f, &c, "hold\n");
	while (f->held == NULL)
		turn(f);
	control_answer(f->held, NULL);
	control_free(f->control);
	f->control = NULL;
	client_read(&c);
	assert_string_equal(c.text, "{\"ok\":true}\n");
	client_end(&c);
}

/* 150 answers are 3 MB; the bound is 64 KB, one answer and two sockets'. */
static void
who_does_not_read_is_not_read_from(void **state)
{
	struct fixture *f = *state;
	struct client c;
	unsigned int before, i;

	client_begin(&c, f);
	for (i = 0; i < 150; i++)
		send_text(f, &c, "big\n");
	for (i = 0; i < 1000; i++)
		turn(f);
	before = f->runs;
	assert_in_range(before, 1, 75);
	for (i = 0; i < 1000; i++)
		turn(f);
	assert_int_equal(f->runs, before);
	expect_lines(f, &c, 150);
	assert_int_equal(f->runs, 150);
	client_end(&c);
}

static void
the_seventeenth_client_is_refused(void **state)
{
	struct fixture *f = *state;
	struct client c[CONTROL_CLIENTS], more;
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		client_begin(&c[i], f);
		send_text(f, &c[i], "double 1\n");
		expect_lines(f, &c[i], 1);
	}
	for (i = 0; i < 100; i++) { /* however often it tries */
		client_begin(&more, f);
		send_text(f, &more, "next\n");
		shutdown(more.fd, SHUT_WR);
		expect_end(f, &more);
		assert_non_null(strstr(more.text, "16 clients are connected"));
		client_end(&more);
	}
	assert_int_equal(f->runs, CONTROL_CLIENTS);
	client_end(&c[3]);
	turn(f);
	expect_answers(f, "double 1\n", "{\"ok\":true,\"n\":2}\n");
	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (i != 3)
			client_end(&c[i]);
}

/* With as many refused ones as served, all still there, the next waits. */
static void
refused_clients_that_stay_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct client c[2 * CONTROL_CLIENTS], next;
	size_t i;

	for (i = 0; i < LENGTH(c); i++) {
		client_begin(&c[i], f);
		if (i < CONTROL_CLIENTS) {
			send_text(f, &c[i], "double 1\n");
			expect_lines(f, &c[i], 1);
		} else
			expect_end(f, &c[i]);
	}
	client_begin(&next, f);
	for (i = 0; i < 100; i++)
		turn(f);
	client_read(&next);
	assert_int_equal(next.length, 0);
	client_end(&c[LENGTH(c) - 1]);
	expect_end(f, &next);
	assert_non_null(strstr(next.text, "16 clients are connected"));
	client_end(&next);
	for (i = 0; i < LENGTH(c) - 1; i++)
		client_end(&c[i]);
}

/*
 * The path.
 */

static void
only_the_user_may_connect(void **state)
{
	struct fixture *f = *state;
	struct stat there;
	mode_t before = umask(0);

	assert_true(opens(f));
	assert_int_equal(umask(before), 0); /* is put back */
	assert_int_equal(lstat(f->path, &there), 0);
	assert_true(S_ISSOCK(there.st_mode));
	assert_int_equal(there.st_mode & 07777, 0600);
}

static void
a_dead_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_false(opens(f));
	assert_string_equal(f->why, "another program listens there");
	close(fd);
	assert_true(opens(f));
	expect_answers(f, "double 1\n", "{\"ok\":true,\"n\":2}\n");
}

static void
a_socket_that_is_used_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct control *first = f->control;

	assert_false(opens(f));
	assert_string_equal(f->why, "another program listens there");
	f->control = first;
	expect_answers(f, "double 1\n", "{\"ok\":true,\"n\":2}\n");
}

static void
a_datagram_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_false(opens(f));
	assert_string_equal(f->why, "exists and is not a stream socket");
	close(fd);
	assert_int_equal(unlink(f->path), 0);
}

static void
expect_in_the_way(struct fixture *f, const char *why)
{
	struct stat before, after;

	assert_int_equal(lstat(f->path, &before), 0);
	assert_false(opens(f));
	assert_string_equal(f->why, why);
	assert_int_equal(lstat(f->path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mode, after.st_mode);
	assert_int_equal(remove(f->path), 0);
}

static void
what_is_no_socket_is_left_alone(void **state)
{
	static const char why[] = "exists and is not a socket";
	struct fixture *f = *state;
	int fd = open(f->path, O_CREAT | O_WRONLY, 0600);

	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	expect_in_the_way(f, why);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	expect_in_the_way(f, why);
	assert_int_equal(mkdir(f->path, 0700), 0);
	expect_in_the_way(f, why);
	assert_int_equal(symlink("nowhere", f->path), 0);
	expect_in_the_way(f, why);
}

static void
a_path_that_cannot_be_is_said(void **state)
{
	struct fixture *f = *state, g = *f;

	memset(g.path, '/', sizeof(g.path));
	g.path[0] = '\0';
	assert_false(opens(&g));
	assert_string_equal(g.why, "a path is needed");
	snprintf(g.path, sizeof(g.path), "%s/no/socket", f->directory);
	assert_false(opens(&g));
	assert_string_equal(
	    g.why, "cannot open its directory: No such file or directory");
}

/* Others may read the directory, and whoever can open it can lock it. */
static void
a_lock_on_the_directory_keeps_nobody_out(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->directory, O_RDONLY | O_DIRECTORY);

	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_true(opens(f));
	close(fd);
}

static void
expect_no_lock(struct fixture *f, const char *lock, const char *error)
{
	char why[CONTROL_WHY];

	assert_false(opens(f));
	snprintf(why, sizeof(why), "cannot lock %s: %s", lock, error);
	assert_string_equal(f->why, why);
	assert_int_equal(remove(lock), 0);
	assert_int_equal(access(f->path, F_OK), -1);
}

/* What stands where the lock file goes is not followed, and not taken for one. */
static void
a_lock_file_of_others_is_said(void **state)
{
	struct fixture *f = *state;
	char lock[sizeof(f->path) + 8];
	int fd;

	snprintf(lock, sizeof(lock), "%s.lock", f->path);
	assert_int_equal(symlink(f->directory, lock), 0);
	expect_no_lock(f, lock, "Too many levels of symbolic links");
	assert_int_equal(mkfifo(lock, 0666), 0);
	expect_no_lock(f, lock, "Operation not permitted");
	fd = open(lock, O_CREAT | O_RDWR, 0666);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	expect_no_lock(f, lock, "Resource temporarily unavailable");
	close(fd);
	assert_true(opens(f));
	assert_int_equal(access(lock, F_OK), -1);
}

static void
leave_dead_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

#define CONTENDERS 6

/*
 * A process that opens the path when begin is closed elsewhere. Ends at once if it
 * is refused (status 1), else when end is closed (status 0).
 */
static void
contender_run(const char *path, const int begin[2], const int end[2])
{
	struct control_socket s;
	char why[CONTROL_WHY], byte;

	close(begin[1]);
	close(end[1]);
	if (read(begin[0], &byte, 1) != 0)
		_exit(2);
	if (control_socket_open(&s, path, why) == -1)
		_exit(
		    strcmp(why, "another program listens there") == 0 ? 1 : 3);
	_exit(read(end[0], &byte, 1) == 0 ? 0 : 2);
}

static int
next_status(void)
{
	int status;

	assert_int_not_equal(wait(&status), -1);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
contend(const char *path)
{
	int begin[2], end[2], i;
	pid_t pid;

	assert_int_equal(pipe(begin), 0);
	assert_int_equal(pipe(end), 0);
	for (i = 0; i < CONTENDERS; i++) {
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0)
			contender_run(path, begin, end);
	}
	close(begin[0]);
	close(begin[1]);
	for (i = 1; i < CONTENDERS; i++)
		assert_int_equal(next_status(), 1);
	close(end[0]);
	close(end[1]);
	assert_int_equal(next_status(), 0);
}

static void
of_many_programs_at_once_one_gets_the_path(void **state)
{
	struct fixture *f = *state;
	int round;

	for (round = 0; round < 10; round++) {
		leave_dead_socket(f->path);
		contend(f->path);
		assert_int_equal(unlink(f->path), 0);
	}
}

static void
a_path_has_107_bytes_at_most(void **state)
{
	struct fixture *f = *state;
	char path[120];
	int length;

	length = snprintf(path, sizeof(path), "%s/", f->directory);
	memset(path + length, 'x', sizeof(path) - (size_t)length);
	path[108] = '\0';
	assert_null(control_new(f->base, path, run_line, f, f->why));
	assert_string_equal(
	    f->why, "too long: 108 bytes, and a socket's path has 107 at most");
	path[107] = '\0';
	f->control = control_new(f->base, path, run_line, f, f->why);
	assert_non_null(f->control);
	assert_int_equal(access(path, F_OK), 0);
	control_free(f->control);
	f->control = NULL;
	assert_int_equal(access(path, F_OK), -1);
}

static void
what_has_taken_its_place_is_not_removed(void **state)
{
	struct fixture *f = *state;
	struct stat there;

	assert_int_equal(unlink(f->path), 0);
	close(open(f->path, O_CREAT | O_WRONLY, 0600));
	control_free(f->control);
	f->control = NULL;
	assert_int_equal(lstat(f->path, &there), 0);
	assert_true(S_ISREG(there.st_mode));
	assert_int_equal(unlink(f->path), 0);
}

#define WITH_SETUP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define ALONE(test)	 cmocka_unit_test_setup_teardown(test, setup_alone, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_SETUP(a_command_is_answered_with_its_value),
	    WITH_SETUP(what_is_no_command_is_refused_and_changes_nothing),
	    WITH_SETUP(bytes_that_are_not_printable_are_refused),
	    WITH_SETUP(an_end_of_line_that_is_missing_runs_nothing),
	    WITH_SETUP(lines_split_anywhere_are_the_same),
	    WITH_SETUP(a_thousand_commands_at_once_are_answered_in_order),
	    WITH_SETUP(a_line_of_4096_bytes_is_taken_and_one_more_ends_it),
	    WITH_SETUP(a_megabyte_without_a_line_gets_the_error_and_no_reset),
	    WITH_SETUP(a_command_that_waits_holds_up_its_own_client_only),
	    WITH_SETUP(an_answer_to_one_who_is_gone_is_let_go),
	    WITH_SETUP(an_answer_after_the_end_of_all_is_let_go),
	    WITH_SETUP(answers_go_out_before_the_end_of_all),
	    WITH_SETUP(who_does_not_read_is_not_read_from),
	    WITH_SETUP(the_seventeenth_client_is_refused),
	    WITH_SETUP(refused_clients_that_stay_are_bounded),
	    ALONE(only_the_user_may_connect),
	    ALONE(a_dead_socket_is_replaced),
	    WITH_SETUP(a_socket_that_is_used_is_left_alone),
	    ALONE(a_datagram_socket_is_left_alone),
	    ALONE(what_is_no_socket_is_left_alone),
	    ALONE(a_path_that_cannot_be_is_said),
	    ALONE(a_lock_on_the_directory_keeps_nobody_out),
	    ALONE(a_lock_file_of_others_is_said),
	    ALONE(of_many_programs_at_once_one_gets_the_path),
	    ALONE(a_path_has_107_bytes_at_most),
	    WITH_SETUP(what_has_taken_its_place_is_not_removed),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
