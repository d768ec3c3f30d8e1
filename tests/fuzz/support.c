/*
 * What fuzz.h says. The functions that end a program or allocate memory are
 * wrapped by the linker (--wrap in the Makefile), so that code under test can be
 * ended in the middle without ending the process, and without a leak.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define BUCKETS	   4096
#define FILES_MOST 16

/* Memory that the code under test has allocated. */
struct block {
	struct block *next;
	void *memory;
};

/* The one run that goes on; a target runs one at a time. */
static struct {
	bool active;
	jmp_buf end;
	int status;
	char message[1024];
	struct block *blocks[BUCKETS];
	FILE *files[FILES_MOST];
	char **stream_text; /* of open_memstream() */
	FILE *stream;
	const char *proc;
} seam;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_reallocarray(void *, size_t, size_t);
char *__real_strdup(const char *);
void __real_free(void *);
FILE *__real_fopen(const char *, const char *);
int __real_fclose(FILE *);
FILE *__real_open_memstream(char **, size_t *);
void __real_exit(int) __attribute__((noreturn));

void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_reallocarray(void *, size_t, size_t);
char *__wrap_strdup(const char *);
void __wrap_free(void *);
FILE *__wrap_fopen(const char *, const char *);
int __wrap_fclose(FILE *);
FILE *__wrap_open_memstream(char **, size_t *);
void __wrap_exit(int) __attribute__((noreturn));
void __wrap_err(int, const char *, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
void __wrap_errx(int, const char *, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
void __wrap_warn(const char *, ...) __attribute__((format(printf, 1, 2)));
void __wrap_warnx(const char *, ...) __attribute__((format(printf, 1, 2)));

/*
 * Memory.
 */

static struct block **
bucket_of(const void *memory)
{
	return &seam.blocks[((uintptr_t)memory >> 4) % BUCKETS];
}

static void *
track(void *memory)
{
	struct block *b;

	if (!seam.active || memory == NULL)
		return memory;
	b = __real_malloc(sizeof(*b));
	if (b == NULL)
		abort();
	b->memory = memory;
	b->next = *bucket_of(memory);
	*bucket_of(memory) = b;
	return memory;
}

static void
untrack(const void *memory)
{
	struct block **at = bucket_of(memory), *found;

	if (!seam.active || memory == NULL)
		return;
	while (*at != NULL && (*at)->memory != memory)
		at = &(*at)->next;
	found = *at;
	if (found == NULL)
		return;
	*at = found->next;
	__real_free(found);
}

/* Forgets what is tracked, and frees the memory too where the run has ended. */
static void
forget(bool with_memory)
{
	struct block *b;
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		while ((b = seam.blocks[i]) != NULL) {
			seam.blocks[i] = b->next;
			if (with_memory)
				__real_free(b->memory);
			__real_free(b);
		}
	for (i = 0; i < FILES_MOST; i++) {
		if (with_memory && seam.files[i] != NULL)
			__real_fclose(seam.files[i]);
		seam.files[i] = NULL;
	}
}

void *
__wrap_malloc(size_t size)
{
	return track(__real_malloc(size));
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return track(__real_calloc(count, size));
}

void *
__wrap_realloc(void *memory, size_t size)
{
	untrack(memory);
	return track(__real_realloc(memory, size));
}

void *
__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	untrack(memory);
	return track(__real_reallocarray(memory, count, size));
}

char *
__wrap_strdup(const char *text)
{
	return track(__real_strdup(text));
}

void
__wrap_free(void *memory)
{
	untrack(memory);
	__real_free(memory);
}

/*
 * Files.
 */

FILE *
__wrap_fopen(const char *path, const char *mode)
{
	static const char proc[] = "/proc/";
	char moved[4608];
	FILE *file;
	size_t i;

	if (seam.proc != NULL && strncmp(path, proc, strlen(proc)) == 0) {
		snprintf(moved, sizeof(moved), "%s/%s", seam.proc,
		    path + strlen(proc));
		path = moved;
	}
	file = __real_fopen(path, mode);
	for (i = 0; seam.active && file != NULL && i < FILES_MOST; i++)
		if (seam.files[i] == NULL) {
			seam.files[i] = file;
			break;
		}
	return file;
}

int
__wrap_fclose(FILE *file)
{
	size_t i;
	int status;

	for (i = 0; i < FILES_MOST; i++)
		if (seam.files[i] == file)
			seam.files[i] = NULL;
	status = __real_fclose(file);
	if (seam.stream != NULL && file == seam.stream) {
		track(*seam.stream_text);
		seam.stream = NULL;
	}
	return status;
}

FILE *
__wrap_open_memstream(char **text, size_t *size)
{
	FILE *file = __real_open_memstream(text, size);

	if (seam.active) {
		seam.stream = file;
		seam.stream_text = text;
	}
	return file;
}

/*
 * The end of a program.
 */

static void __attribute__((noreturn)) end(int status)
{
	if (!seam.active) {
		fprintf(
		    stderr, "ended with status %d: %s\n", status, seam.message);
		abort();
	}
	seam.status = status;
	longjmp(seam.end, 1);
}

void
__wrap_exit(int status)
{
	/* libFuzzer and replay.c end the process themselves */
	if (!seam.active)
		__real_exit(status);
	seam.message[0] = '\0';
	end(status);
}

static void __attribute__((format(printf, 1, 0)))
format_message(const char *format, va_list ap)
{
	vsnprintf(seam.message, sizeof(seam.message), format, ap);
}

void
__wrap_err(int status, const char *format, ...)
{
	int error = errno;
	size_t length;
	va_list ap;

	va_start(ap, format);
	format_message(format, ap);
	va_end(ap);
	length = strlen(seam.message);
	snprintf(seam.message + length, sizeof(seam.message) - length, ": %s",
	    strerror(error));
	end(status);
}

void
__wrap_errx(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	format_message(format, ap);
	va_end(ap);
	end(status);
}

/* Warnings are formatted, for that is where they could go wrong, and dropped. */
void
__wrap_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	format_message(format, ap);
	va_end(ap);
}

void
__wrap_warnx(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	format_message(format, ap);
	va_end(ap);
}

int
fuzz_run(void (*run)(void *arg), void *arg)
{
	static bool jansson_is_wrapped;

	if (!jansson_is_wrapped)
		json_set_alloc_funcs(__wrap_malloc, __wrap_free);
	jansson_is_wrapped = true;
	seam.status = FUZZ_RETURNED;
	seam.stream = NULL;
	seam.active = true;
	if (setjmp(seam.end) == 0)
		run(arg);
	seam.active = false;
	forget(seam.status != FUZZ_RETURNED);
	return seam.status;
}

const char *
fuzz_message(void)
{
	return seam.message;
}

void
fuzz_proc(const char *root)
{
	seam.proc = root;
}

/*
 * Input.
 */

void
fuzz_broken(const char *file, int line, const char *property)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, property);
	abort();
}

uint8_t
fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

uint8_t *
fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size);

	if (copy == NULL && size > 0)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

char *
fuzz_text(const uint8_t *data, size_t size)
{
	size_t length = size == 0 ? 0 : strnlen((const char *)data, size);
	char *text = malloc(length + 1);

	if (text == NULL)
		abort();
	if (length > 0)
		memcpy(text, data, length);
	text[length] = '\0';
	return text;
}

bool
fuzz_is_message(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/*
 * The process.
 */

static char directory[64];

static int
remove_entry(
    const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	return remove(path);
}

static void
remove_directory(void)
{
	(void)nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
fuzz_directory(void)
{
	if (directory[0] != '\0')
		return directory;
	strcpy(directory, "/tmp/tcpscaler-fuzz.XXXXXX");
	if (mkdtemp(directory) == NULL)
		err(1, "%s", directory);
	atexit(remove_directory);
	return directory;
}

void
fuzz_silence(void)
{
	static bool silent;
	int in, out;

	if (silent)
		return;
	silent = true;
	in = open("/dev/null", O_RDONLY);
	out = open("/dev/null", O_WRONLY);
	if (in == -1 || out == -1 || dup2(in, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1)
		abort();
	close(in);
	close(out);
}
