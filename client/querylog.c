#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/nonblock.h"
#include "lib/signals.h"
#include "client/querylog.h"

#define BUFFER_SIZE (256 * 1024)
#define ROW_MAX	    160 /* every column at its longest */

struct querylog {
	uint64_t write_time;
	uint64_t epoch_offset; /* wall clock - monotonic clock */
	unsigned int stream;
	int error;
	bool is_pipe;
	struct nonblock out;
	size_t used;
	char buffer[BUFFER_SIZE];
};

struct querylog *
querylog_new(int fd, unsigned int stream)
{
	struct querylog *log = calloc(1, sizeof(*log));
	struct stat status;
	uint64_t now, wall;

	if (log == NULL)
		err(1, "no memory for the query log");
	nonblock_begin(&log->out, fd);
	log->stream = stream;
	log->is_pipe = fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
	clock_read_both(&now, &wall);
	log->epoch_offset = wall - now;
	return log;
}

void
querylog_free(struct querylog *log)
{
	nonblock_end(&log->out);
	free(log);
}

/*
 * As many whole rows as one write takes without another process' coming in
 * between: a pipe guarantees that for PIPE_BUF bytes, a file for any number.
 */
static size_t
piece(const struct querylog *log, size_t begin)
{
	size_t length = log->used - begin;
	const char *end;

	if (!log->is_pipe || length <= PIPE_BUF)
		return length;
	end = memrchr(log->buffer + begin, '\n', PIPE_BUF);
	return end == NULL ? PIPE_BUF : (size_t)(end + 1 - log->buffer) - begin;
}

/* Until there is room, or the worker is to give up. */
static void
wait_for_reader(struct querylog *log)
{
	struct pollfd writable = {
	    .fd = nonblock_poll_fd(&log->out), .events = POLLOUT};

	signals_poll(&writable, 1, CLOCK_NEVER);
	if (signals_end_asked())
		log->error = QUERYLOG_UNREAD;
}

void
querylog_flush(struct querylog *log)
{
	uint64_t begun = clock_now();
	size_t done = 0;
	ssize_t n;

	while (done < log->used && log->error == 0) {
		n = nonblock_write(
		    &log->out, log->buffer + done, piece(log, done));
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			wait_for_reader(log);
		else if (errno != EINTR)
			log->error = errno;
	}
	log->used = 0;
	log->write_time += clock_now() - begun;
}

const uint64_t *
querylog_write_time(const struct querylog *log)
{
	return &log->write_time;
}

int
querylog_error(const struct querylog *log)
{
	return log->error;
}

/*
 * By hand: printf would cost more than the query.
 */

static char *
put_number(char *p, uint64_t value)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	memcpy(p, digits + n, sizeof(digits) - n);
	return p + (sizeof(digits) - n);
}

static char *
put_fraction(char *p, uint64_t value, int width)
{
	int i;

	*p = '.';
	for (i = width; i > 0; i--) {
		p[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return p + 1 + width;
}

static char *
put_optional(char *p, uint64_t value)
{
	return value == QUERYLOG_NONE ? p : put_number(p, value);
}

static char *
row_begin(struct querylog *log, char type, uint64_t when)
{
	uint64_t wall = when + log->epoch_offset;
	char *p;

	if (log->used + ROW_MAX > BUFFER_SIZE)
		querylog_flush(log);
	p = log->buffer + log->used;
	*p++ = type;
	*p++ = ',';
	p = put_number(p, wall / CLOCK_NS_PER_SEC);
	p = put_fraction(p, wall % CLOCK_NS_PER_SEC, 9);
	*p++ = ',';
	return p;
}

static void
row_end(struct querylog *log, char *p)
{
	*p++ = '\n';
	log->used = (size_t)(p - log->buffer);
}

void
querylog_sent(struct querylog *log, uint64_t when, uint32_t connection,
    uint16_t id, double gap)
{
	uint64_t ns = (uint64_t)gap;
	char *p = row_begin(log, 'Q', when);

	p = put_number(p, connection);
	*p++ = ',';
	p = put_number(p, id);
	*p++ = ',';
	p = put_number(p, log->stream);
	*p++ = ',';
	p = put_number(p, ns / CLOCK_NS_PER_US);
	p = put_fraction(p, ns % CLOCK_NS_PER_US, 3);
	*p++ = ',';
	row_end(log, p);
}

void
querylog_event(struct querylog *log, enum querylog_type type, uint64_t when,
    uint64_t connection, uint64_t id, uint64_t rtt)
{
	char *p = row_begin(log, (char)type, when);

	p = put_optional(p, connection);
	*p++ = ',';
	p = put_optional(p, id);
	memcpy(p, ",,,", 3);
	p += 3;
	if (rtt != QUERYLOG_NONE)
		p = put_number(p, rtt / CLOCK_NS_PER_US);
	row_end(log, p);
}
