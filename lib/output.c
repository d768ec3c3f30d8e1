#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/output.h"

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
	return path != NULL && strcmp(path, "-") == 0;
}

FILE *
output_open(const char *path)
{
	FILE *out = output_is_stdout(path) ? stdout : fopen(path, "we");

	if (out == NULL)
		err(1, "%s", path);
	return out;
}

static const char *
name(const FILE *out, const char *path)
{
	return out == stdout ? "standard output" : path;
}

void
output_flush(FILE *out, const char *path)
{
	if (fflush(out) != 0 || ferror(out) != 0)
		err(1, "%s", name(out, path));
}

void
output_close(FILE *out, const char *path)
{
	output_flush(out, path);
	if (out != stdout && fclose(out) != 0)
		err(1, "%s", path);
}

bool
output_takes_line(int fd)
{
	struct pollfd out = {.fd = fd, .events = POLLOUT};

	return poll(&out, 1, 0) == 1;
}

void
output_answer(const char *text)
{
	fputs(text, stdout);
	output_flush(stdout, "-");
	exit(0);
}
