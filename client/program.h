/*
 * A rate program: the rate of arrivals as a function of time, piecewise linear,
 * from which a schedule is made. Between two pieces the rate may jump; behind
 * the last one it is 0.
 *
 * Offsets and durations are nanoseconds, rates arrivals per second. No clock of
 * its own: offsets are counted from the program's start, whenever that is.
 */
#ifndef CLIENT_PROGRAM_H
#define CLIENT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For a message: "line 3: 'abc' is not ...". Always printable ASCII. */
#define PROGRAM_ERROR 200

/* One piece: the rate goes linearly from begin to end. */
struct program_segment {
	uint64_t duration; /* > 0; CLOCK_NEVER: for ever, the last one only,
			    * and begin is end */
	double begin; /* 0 .. 1e9 */
	double end; /* 0 .. 1e9 */
};

/* Empty when zeroed. Owns what segments points to; others only read it. */
struct program {
	struct program_segment *segments;
	size_t count;
	size_t room; /* allocated */
	uint64_t duration; /* the sum; CLOCK_NEVER: for ever */
};

/* Frees what the program owns, and leaves it empty. */
void program_clear(struct program *);

/*
 * Appends a piece. Returns NULL, or a constant string with what is wrong; the
 * program is then as it was. Wrong is also what would make it longer than 365
 * days, but for ever it may last. Ends the process where memory runs out.
 */
const char *program_append(
    struct program *, uint64_t duration, double begin, double end);

/* Takes off what it does from the offset on. */
void program_cut(struct program *, uint64_t offset);

/*
 * Appends what another program does from one offset to another; CLOCK_NEVER: to
 * its end. Ends the process where memory runs out.
 */
void program_append_part(struct program *into, const struct program *from,
    uint64_t begin, uint64_t end);

/* CLOCK_NEVER if the last piece lasts for ever, 0 if there is none. */
uint64_t program_duration(const struct program *);

/* The highest rate that it reaches. */
double program_peak(const struct program *);

/* Where two pieces meet, the later one's. */
double program_rate_at(const struct program *, uint64_t offset);

/*
 * The arrivals to be expected from one offset to another: the integral of the
 * rate. To CLOCK_NEVER it may be INFINITY. 0 unless from is before to.
 */
double program_arrivals(const struct program *, uint64_t from, uint64_t to);

/*
 * Reads "10s@1000,30s@1000..50000,10s@0": durations as parse_duration() takes
 * them, but not 0, and behind each a rate as parse_rate() takes it, to hold, or
 * two, for a ramp. Any bytes may be in text.
 *
 * The program must be empty. False if there is something wrong: what, in which
 * item, and what would be right is then in why, and the program stays empty.
 */
bool program_parse(const char *text, struct program *, char why[PROGRAM_ERROR]);

/* What is behind the duration in a line of program_read(). */
enum program_input {
	PROGRAM_RATES, /* a rate to hold, as parse_rate() takes it */
	PROGRAM_SLOPES, /* what the rate changes by per second; with a sign */
};

/*
 * Reads what the original tcpscaler reads: a line with the number of commands,
 * 1 .. 2^32 - 1, and as many lines of a duration and a number, with blanks or
 * tabs between. The duration is whole milliseconds, 0 .. 365 days; a command of
 * 0 ms changes nothing. A slope starts at the rate reached so far, at first at
 * start, 0 .. 1e9; where it reaches 0 the rate stays there.
 *
 * Waits for the lines announced and for nothing more: the writer may keep its
 * end open. But more of them that are there already are an error.
 *
 * The program must be empty. False if there is something wrong: what, in which
 * line, and what would be right is then in why, and the program stays empty.
 * Memory grows with what was read, whatever is announced.
 */
bool program_read(int fd, enum program_input, double start, struct program *,
    char why[PROGRAM_ERROR]);

/*
 * For people, and as program_parse() reads it, rates to the ninth decimal or
 * the twelfth digit. What lasts for ever is "forever@1000", which only people
 * read. When size is too small, it ends with "..." behind the last item that
 * has room; size > 0.
 */
void program_format(const struct program *, char *out, size_t size);

#endif
