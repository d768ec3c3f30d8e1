/*
 * lib/control and lib/command: commands over the control socket, cut anywhere.
 * Each line has one answer, a JSON object, in order.
 *
 * Input: how many cuts there are, a byte for the length of each piece, then the
 * lines; what is left behind the last cut comes in one piece.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/event.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/control.h"
#include "lib/json.h"
#include "tests/fuzz/fuzz.h"

#define CUTS_MOST  32
#define TURNS_MOST 100000
#define ROOM	   (4 << 20)

/* The program that is controlled. */
struct program {
	struct event_base *base;
	struct control *control;
	uint64_t lines;
	uint64_t runs;
	struct control_request *later;
	struct sockaddr_un address;
};

static void
run_count(struct control_request *request, union command_value value, void *arg)
{
	struct program *p = arg;
	json_t *o = json_object();

	FUZZ_CHECK(value.count <= INT32_MAX);
	p->runs++;
	json_put_count(o, "n", value.count);
	control_answer(request, o);
}

static void
run_rate(struct control_request *request, union command_value value, void *arg)
{
	struct program *p = arg;

	FUZZ_CHECK(value.rate >= 0 && value.rate <= 1e9);
	p->runs++;
	control_answer(request, NULL);
}

/* Answered in the next turn, as what workers do is. */
static void
run_later(struct control_request *request, union command_value value, void *arg)
{
	struct program *p = arg;

	(void)value;
	FUZZ_CHECK(p->later == NULL); /* one at a time */
	p->runs++;
	p->later = request;
}

static const struct command commands[] = {
    {"close", COMMAND_COUNT, run_count},
    {"rate", COMMAND_RATE, run_rate},
    {"pause", COMMAND_NONE, run_later},
    {NULL, COMMAND_NONE, NULL},
};

static void
on_line(struct control_request *request, const char *line, void *arg)
{
	struct program *p = arg;

	FUZZ_CHECK(strlen(line) <= CONTROL_LINE);
	p->lines++;
	command_run(commands, request, line, p);
}

static void
program_begin(struct program *p)
{
	char why[CONTROL_WHY];

	p->base = event_base_new();
	p->address.sun_family = AF_UNIX;
	snprintf(p->address.sun_path, sizeof(p->address.sun_path), "%s/control",
	    fuzz_directory());
	p->control = control_new(p->base, p->address.sun_path, on_line, p, why);
	FUZZ_CHECK(p->control != NULL);
}

static void
turn(struct program *p)
{
	struct control_request *request = p->later;

	FUZZ_CHECK(event_base_loop(p->base, EVLOOP_NONBLOCK) != -1);
	if (request == NULL)
		return;
	p->later = NULL;
	control_answer(request, NULL);
}

/* Takes what there is; false: the end. */
static bool
hear(int fd, char *text, size_t *length)
{
	ssize_t n = recv(fd, text + *length, ROOM - *length, MSG_DONTWAIT);

	if (n > 0)
		*length += (size_t)n;
	return n > 0 || (n == -1 && errno == EAGAIN);
}

static void
say(struct program *p, int fd, const uint8_t *data, size_t length, char *text,
    size_t *heard)
{
	unsigned int turns = 0;
	ssize_t n;

	while (length > 0 && turns++ < TURNS_MOST) {
		n = send(fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno != EAGAIN)
			return;
		if (n > 0) {
			data += n;
			length -= (size_t)n;
		}
		turn(p);
		(void)hear(fd, text, heard);
	}
}

/* Returns how many answers there are; each is sound. */
static uint64_t
count_answers(char *text, size_t length)
{
	uint64_t answers = 0;
	char *line, *end;
	json_t *value;

	for (line = text; line < text + length; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + length - line));
		FUZZ_CHECK(end != NULL);
		value = json_loadb(line, (size_t)(end - line), 0, NULL);
		FUZZ_CHECK(value != NULL);
		FUZZ_CHECK(json_is_boolean(json_object_get(value, "ok")));
		if (!json_is_true(json_object_get(value, "ok")))
			FUZZ_CHECK(fuzz_is_message(json_string_value(
			    json_object_get(value, "error"))));
		json_decref(value);
		answers++;
	}
	return answers;
}

/* As many answers as lines, up to one that is too long; the last line's end may
 * be missing. */
static uint64_t
expected_answers(const uint8_t *data, size_t length)
{
	uint64_t answers = 0;
	const uint8_t *end;
	size_t line;

	while (length > 0) {
		answers++;
		end = memchr(data, '\n', length);
		line = end == NULL ? length : (size_t)(end - data);
		if (end == NULL ||
		    line - (line > 0 && data[line - 1] == '\r') > CONTROL_LINE)
			break;
		data += line + 1;
		length -= line + 1;
	}
	return answers;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct program program;
	static char text[ROOM];
	struct program *p = &program;
	struct fuzz_input in = {data, size};
	unsigned int cuts = fuzz_byte(&in) % (CUTS_MOST + 1), turns = 0, i;
	uint8_t lengths[CUTS_MOST];
	size_t heard = 0, step;
	uint64_t expected;
	int fd;

	if (p->base == NULL)
		program_begin(p);
	p->lines = p->runs = 0;
	for (i = 0; i < cuts; i++)
		lengths[i] = fuzz_byte(&in);
	expected = expected_answers(in.at, in.left);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	FUZZ_CHECK(connect(fd, (const struct sockaddr *)&p->address,
		       sizeof(p->address)) == 0);
	for (i = 0; i < cuts && in.left > 0; i++) {
		step = 1 + (size_t)lengths[i];
		if (step > in.left)
			step = in.left;
		say(p, fd, in.at, step, text, &heard);
		in.at += step;
		in.left -= step;
	}
	say(p, fd, in.at, in.left, text, &heard);
	(void)shutdown(fd, SHUT_WR);
	do
		turn(p);
	while (hear(fd, text, &heard) && turns++ < TURNS_MOST);
	close(fd);
	for (i = 0; i < 3; i++)
		turn(p);
	FUZZ_CHECK(turns < TURNS_MOST);
	FUZZ_CHECK(p->later == NULL && p->runs <= p->lines);
	FUZZ_CHECK(count_answers(text, heard) == expected);
	return 0;
}
