#include <sys/stat.h>

#include <bsd/err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/output.h"

#define STATUS_FAILED 1
#define STATUS_BAD    2

struct output {
	FILE *stream;
	const char *name; /* for messages */
	int fd;
	int error; /* errno of the first failure; 0: none */
	bool begun; /* something was written: a file has been emptied */
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

/* For stdio, which loses the errno of a write that fails before the last one. */
static ssize_t
write_some(void *cookie, const char *data, size_t length)
{
	struct output *o = cookie;
	struct pollfd writable = {.fd = o->fd, .events = POLLOUT};
	size_t done = 0;
	ssize_t n;

	begin(o);
	while (done < length && o->error == 0) {
		n = write(o->fd, data + done, length - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			poll(&writable, 1, -1);
		else if (errno != EINTR)
			o->error = errno;
	}
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

/*
 * The end.
 */

bool
output_end(struct output *o)
{
	int error;

	if (o == NULL)
		return true;
	fflush(o->stream);
	begin(o);
	if (!output_is_standard(o) && close(o->fd) == -1 && o->error == 0)
		o->error = errno;
	error = o->error;
	if (error != 0)
		warnc(error, "%s", o->name);
	fclose(o->stream);
	free(o);
	return error == 0;
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
	return output_takes_line(o->fd);
}

void
output_answer(const char *text)
{
	struct output *o = output_standard(STDOUT_FILENO);

	fputs(text, output_stream(o));
	exit(output_end(o) ? 0 : STATUS_FAILED);
}
