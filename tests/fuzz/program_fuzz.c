/*
 * client/program: programs of rates, as --program and --stdin have them.
 *
 * Input: a byte for which kind, a byte for the first rate, then the text.
 */
#include <sys/mman.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/program.h"
#include "lib/clock.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_SIZE (1 << 20)

static bool
near(double a, double b)
{
	return fabs(a - b) <= 1e-6 + 1e-9 * fabs(a);
}

/* Formatted and read again it is the same. */
static void
check_again(const struct program *p)
{
	static char text[TEXT_SIZE];
	struct program again = {0};
	char why[PROGRAM_ERROR];
	size_t i;

	program_format(p, text, sizeof(text));
	FUZZ_CHECK(program_parse(text, &again, why));
	FUZZ_CHECK(again.count == p->count);
	FUZZ_CHECK(program_duration(&again) == program_duration(p));
	for (i = 0; i < p->count; i++) {
		FUZZ_CHECK(
		    again.segments[i].duration == p->segments[i].duration);
		FUZZ_CHECK(near(again.segments[i].begin, p->segments[i].begin));
		FUZZ_CHECK(near(again.segments[i].end, p->segments[i].end));
	}
	program_clear(&again);
	program_format(p, text, 20);
	FUZZ_CHECK(strlen(text) < 20);
}

/* Arrivals of both halves are those of the whole. */
static void
check_arrivals(struct program *p)
{
	uint64_t end = program_duration(p), half = end / 2, sum = 0;
	double whole = program_arrivals(p, 0, end);
	double parts =
	    program_arrivals(p, 0, half) + program_arrivals(p, half, end);
	struct program part = {0};
	size_t i;

	for (i = 0; i < p->count; i++)
		sum += p->segments[i].duration;
	FUZZ_CHECK(sum == end);
	FUZZ_CHECK(isfinite(whole) && whole >= 0);
	FUZZ_CHECK(near(whole, parts));
	FUZZ_CHECK(program_rate_at(p, half) <= program_peak(p) * (1 + 1e-9));
	FUZZ_CHECK(fabs(whole) <=
	    program_peak(p) * clock_to_seconds(end) * (1 + 1e-9) + 1e-6);
	program_append_part(&part, p, half, CLOCK_NEVER);
	FUZZ_CHECK(program_duration(&part) == end - half);
	program_clear(&part);
	program_cut(p, half);
	FUZZ_CHECK(program_duration(p) == half);
}

static int
descriptor_of(const char *text, size_t length)
{
	int fd = memfd_create("program", MFD_CLOEXEC);

	FUZZ_CHECK(fd != -1);
	FUZZ_CHECK(write(fd, text, length) == (ssize_t)length);
	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	unsigned int kind = fuzz_byte(&in) % 3;
	double start = fuzz_byte(&in) * 1e6;
	struct program p = {0};
	char why[PROGRAM_ERROR] = "";
	char *text = fuzz_text(in.at, in.left);
	bool right;
	int fd;

	if (kind == 0)
		right = program_parse(text, &p, why);
	else {
		fd = descriptor_of((const char *)in.at, in.left);
		right = program_read(fd,
		    kind == 1 ? PROGRAM_RATES : PROGRAM_SLOPES, start, &p, why);
		close(fd);
	}
	if (right) {
		check_again(&p);
		check_arrivals(&p);
	} else {
		FUZZ_CHECK(fuzz_is_message(why));
		FUZZ_CHECK(p.count == 0 && p.segments == NULL);
	}
	program_clear(&p);
	free(text);
	return 0;
}
