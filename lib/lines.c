#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/lines.h"
#include "lib/nonblock.h"

/* Whether all of the line was taken. */
static bool
write_line(const struct nonblock *out, const char *line, size_t length)
{
	ssize_t n;

	do
		n = nonblock_write(out, line, length);
	while (n == -1 && errno == EINTR);
	return n == (ssize_t)length;
}

static bool __attribute__((format(printf, 2, 0)))
say(const char *after, const char *format, va_list ap)
{
	char line[LINES_SIZE];
	struct nonblock out;
	size_t used;
	bool taken;

	snprintf(line, sizeof(line), "%s: ", program_invocation_short_name);
	used = strlen(line);
	vsnprintf(line + used, sizeof(line) - used, format, ap);
	used = strlen(line);
	snprintf(line + used, sizeof(line) - used, "%s", after);
	used = strlen(line);
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	nonblock_begin(&out, STDERR_FILENO);
	taken = write_line(&out, line, used);
	nonblock_end(&out);
	return taken;
}

bool
lines_say(const char *format, ...)
{
	va_list ap;
	bool taken;

	va_start(ap, format);
	taken = say("", format, ap);
	va_end(ap);
	return taken;
}

bool
lines_say_errno(int error, const char *format, ...)
{
	char after[LINES_SIZE / 4];
	va_list ap;
	bool taken;

	snprintf(after, sizeof(after), ": %s", strerror(error));
	va_start(ap, format);
	taken = say(after, format, ap);
	va_end(ap);
	return taken;
}

FILE *
lines_begin(struct lines *l)
{
	*l = (struct lines){0};
	l->stream = open_memstream(&l->text, &l->length);
	return l->stream;
}

uint64_t
lines_end(struct lines *l)
{
	struct nonblock out;
	const char *line, *end;
	uint64_t left_out = 0;
	size_t length;

	if (l->stream == NULL)
		return 1;
	if (fclose(l->stream) != 0 || l->text == NULL) {
		free(l->text);
		return 1;
	}
	nonblock_begin(&out, STDERR_FILENO);
	for (line = l->text; line < l->text + l->length; line += length) {
		end = strchr(line, '\n');
		length = end == NULL ? strlen(line) : (size_t)(end + 1 - line);
		left_out += !write_line(&out, line, length);
	}
	nonblock_end(&out);
	free(l->text);
	return left_out;
}
