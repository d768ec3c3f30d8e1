#include <sys/stat.h>

#include <bsd/err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/lines.h"
#include "lib/nonblock.h"
#include "lib/output.h"
#include "lib/signals.h"

#define STATUS_FAILED 1
#define STATUS_BAD    2

/* Bytes that wait for a reader while the program runs: some 30 rows of a series. */
#define WAITING_MOST (64 * 1024)

/* What is not read that long after a signal has asked for the end is lost. */
#define LAST_WAIT (500 * CLOCK_NS_PER_MS)

/* Outputs that end together. */
#define OUTPUTS_MOST 8

struct output {
	FILE *stream;
	const char *name; /* for messages */
	int fd;
	int error; /* errno of the first failure; 0: none */
	bool begun; /* something was written: a file has been emptied */
	struct nonblock quick;
	bool running; /* what a slow reader leaves is bounded, see output.h */
	char *waiting; /* for the reader of a pipe: from done to used */
	size_t size; /* of the memory */
	size_t done;
	size_t whole; /* the end of the whole lines, which may be written */
	size_t used;
	bool leaves_out; /* the rest of this line */
	uint64_t left_out; /* lines */
};

void
output_guard(void)
{
	int fd;

	/* read-only: to write to it is an error (EBADF), as it was before */
	do
		fd = open("/dev/null", O_RDONLY);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

bool
output_is_stdout(const char *path)
{
	static const char *const names[] = {
	    "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
	size_t i;

	for (i = 0; path != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(path, names[i]) == 0)
			return true;
	return false;
}

/*
 * The stream.
 */

/* Standard output may be open for appending (>>), and is not ours to empty. */
static void
begin(struct output *o)
{
	struct stat status;

	if (o->begun)
		return;
	o->begun = true;
	if (!output_is_standard(o) && fstat(o->fd, &status) == 0 &&
	    S_ISREG(status.st_mode) && ftruncate(o->fd, 0) == -1)
		o->error = errno;
}

/*
 * What waits for a reader: a pipe or a terminal takes as much as it has room for,
 * and the rest stays in memory.
 */

/* As many whole lines as nobody else's can come in between. */
static size_t
piece(const struct output *o)
{
	const char *begin = o->waiting + o->done, *end;
	size_t length = o->whole - o->done;

	if (length <= PIPE_BUF)
		return length;
	end = memrchr(begin, '\n', PIPE_BUF);
	return end == NULL ? PIPE_BUF : (size_t)(end + 1 - begin);
}

static size_t
waiting(const struct output *o)
{
	return o->used - o->done;
}

static void
fail(struct output *o, int error)
{
	o->error = error;
	o->used = o->whole = o->done = 0;
}

/* Writes what is taken without waiting. */
static void
push(struct output *o)
{
	ssize_t n;

	while (o->done < o->whole) {
		n = nonblock_write(&o->quick, o->waiting + o->done, piece(o));
		if (n >= 0)
			o->done += (size_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			fail(o, errno);
	}
}

/* Gives back the room of what was written; seldom, as it moves all the rest. */
static void
compact(struct output *o)
{
	if (o->done < o->used / 2)
		return;
	memmove(o->waiting, o->waiting + o->done, waiting(o));
	o->used -= o->done;
	o->whole -= o->done;
	o->done = 0;
}

static bool
reserve(struct output *o, size_t length)
{
	size_t size = o->size == 0 ? WAITING_MOST : o->size;
	char *larger;

	if (o->used > 0)
		compact(o);
	while (size < o->used + length)
		size *= 2;
	if (size == o->size)
		return true;
	larger = realloc(o->waiting, size);
	if (larger == NULL)
		return false;
	o->waiting = larger;
	o->size = size;
	return true;
}

/* Up to and with the end of a line, if it is in data. */
static void
keep_part(struct output *o, const char *data, size_t length)
{
	bool ends = data[length - 1] == '\n';

	if (!o->leaves_out && o->running &&
	    waiting(o) + length > WAITING_MOST) {
		o->used = o->whole; /* no half of a line */
		o->leaves_out = true;
	}
	if (o->leaves_out) {
		o->left_out += ends;
		o->leaves_out = !ends;
		return;
	}
	if (!reserve(o, length)) {
		fail(o, ENOMEM);
		return;
	}
	memcpy(o->waiting + o->used, data, length);
	o->used += length;
	if (ends || !o->running)
		o->whole = o->used;
}

static void
keep(struct output *o, const char *data, size_t length)
{
	const char *end;
	size_t part;

	if (!o->running) {
		keep_part(o, data, length);
		return;
	}
	for (; length > 0 && o->error == 0; data += part, length -= part) {
		end = memchr(data, '\n', length);
		part = end == NULL ? length : (size_t)(end + 1 - data);
		keep_part(o, data, part);
	}
}

static void
write_to_file(struct output *o, const char *data, size_t length)
{
	size_t done = 0;
	ssize_t n;

	while (done < length && o->error == 0) {
		n = write(o->fd, data + done, length - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			o->error = errno;
	}
}

/* For stdio, which loses the errno of a write that fails before the last one. */
static ssize_t
write_some(void *cookie, const char *data, size_t length)
{
	struct output *o = cookie;

	begin(o);
	if (o->error != 0 || length == 0)
		return (ssize_t)length;
	if (!o->quick.can_block) {
		write_to_file(o, data, length);
		return (ssize_t)length;
	}
	push(o);
	if (o->error == 0)
		keep(o, data, length);
	if (o->error == 0)
		push(o);
	return (ssize_t)length; /* the failure is known: stdio need not be */
}

static struct output *
output_new(int fd, const char *name)
{
	struct output *o = calloc(1, sizeof(*o));

	if (o == NULL)
		err(STATUS_FAILED, "%s", name);
	o->fd = fd;
	o->name = name;
	nonblock_begin(&o->quick, fd);
	o->stream =
	    fopencookie(o, "w", (cookie_io_functions_t){.write = write_some});
	if (o->stream == NULL)
		err(STATUS_FAILED, "%s", name);
	return o;
}

struct output *
output_standard(int fd)
{
	return output_new(
	    fd, fd == STDOUT_FILENO ? "standard output" : "standard error");
}

struct output *
output_open(const char *path)
{
	int fd;

	if (path == NULL)
		return NULL;
	if (output_is_stdout(path))
		return output_standard(STDOUT_FILENO);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd == -1)
		err(STATUS_FAILED, "%s", path);
	return output_new(fd, path);
}

static bool
is_same_file(const struct output *a, const struct output *b)
{
	struct stat of_a, of_b;

	return fstat(a->fd, &of_a) == 0 && fstat(b->fd, &of_b) == 0 &&
	    S_ISREG(of_a.st_mode) && of_a.st_dev == of_b.st_dev &&
	    of_a.st_ino == of_b.st_ino;
}

void
output_must_differ(struct output *const *outputs, size_t count)
{
	size_t i, k;

	for (i = 0; i < count; i++)
		for (k = i + 1; k < count; k++)
			if (outputs[i] != NULL && outputs[k] != NULL &&
			    is_same_file(outputs[i], outputs[k]))
				errx(STATUS_BAD,
				    "%s and %s are the same file: give each "
				    "output a file of its own",
				    outputs[i]->name, outputs[k]->name);
}

FILE *
output_stream(struct output *o)
{
	return o->stream;
}

bool
output_is_standard(const struct output *o)
{
	return o->fd <= STDERR_FILENO;
}

static void
flush(struct output *o)
{
	if (fflush(o->stream) != 0 && o->error == 0)
		fail(o, errno);
}

void
output_push(struct output *o)
{
	push(o);
}

void
output_keep_running(struct output *o, bool running)
{
	flush(o);
	o->running = running;
	if (!running)
		o->whole = o->used;
}

/*
 * The end.
 */

static void
finish_writing(struct output *o)
{
	flush(o);
	begin(o);
	o->whole = o->used;
	if (!output_is_standard(o) && !o->quick.can_block &&
	    close(o->fd) == -1 && o->error == 0)
		o->error = errno;
}

/* One turn: false if no reader has anything left to read, or the time is over. */
static bool
serve_readers(struct output *const *outputs, size_t count, uint64_t until)
{
	struct pollfd ready[OUTPUTS_MOST];
	nfds_t slow = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (outputs[i] == NULL || waiting(outputs[i]) == 0)
			continue;
		push(outputs[i]);
		if (waiting(outputs[i]) > 0)
			ready[slow++] = (struct pollfd){
			    .fd = nonblock_poll_fd(&outputs[i]->quick),
			    .events = POLLOUT};
	}
	if (slow == 0 || clock_now() >= until)
		return false;
	signals_poll(ready, slow, until);
	return true;
}

/* All at once, so that one that is not read does not keep another one waiting. */
static void
wait_for_readers(struct output *const *outputs, size_t count)
{
	struct signals_saved saved;
	uint64_t until = CLOCK_NEVER;

	signals_note_end(&saved);
	do {
		if (until == CLOCK_NEVER && signals_end_asked())
			until = clock_now() + LAST_WAIT;
	} while (serve_readers(outputs, count, until));
	signals_restore(&saved);
}

/* Whether all was written; if not, says so. */
static bool
say_end(const struct output *o)
{
	if (o->error != 0)
		lines_say_errno(o->error, "%s", o->name);
	if (waiting(o) > 0)
		lines_say("%s: it was not read, and the last %zu bytes are "
			  "lost",
		    o->name, waiting(o));
	if (o->left_out > 0)
		lines_say("%s: it was not read in time, and %" PRIu64
			  " line%s were left out",
		    o->name, o->left_out, o->left_out == 1 ? "" : "s");
	return o->error == 0 && waiting(o) == 0 && o->left_out == 0;
}

static void
output_free(struct output *o)
{
	if (!output_is_standard(o) && o->quick.can_block)
		close(o->fd);
	nonblock_end(&o->quick);
	fclose(o->stream);
	free(o->waiting);
	free(o);
}

bool
outputs_end(struct output *const *outputs, size_t count)
{
	bool written = true;
	size_t i;

	for (i = 0; i < count; i++)
		if (outputs[i] != NULL)
			finish_writing(outputs[i]);
	wait_for_readers(outputs, count);
	for (i = 0; i < count; i++) {
		if (outputs[i] == NULL)
			continue;
		written = say_end(outputs[i]) && written;
		output_free(outputs[i]);
	}
	return written;
}

bool
output_end(struct output *o)
{
	return outputs_end(&o, 1);
}

void
output_flush_stdout(void)
{
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		err(STATUS_FAILED, "standard output");
}

bool
output_takes_line(int fd)
{
	struct pollfd out = {.fd = fd, .events = POLLOUT};

	return poll(&out, 1, 0) == 1;
}

bool
output_is_ready(const struct output *o)
{
	return waiting(o) == 0 && output_takes_line(o->fd);
}

void
output_answer(const char *text)
{
	struct output *o = output_standard(STDOUT_FILENO);

	fputs(text, output_stream(o));
	exit(output_end(o) ? 0 : STATUS_FAILED);
}
