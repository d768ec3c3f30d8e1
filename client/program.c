#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "client/program.h"

#define RATE_MAX     1e9
#define DURATION_MAX (UINT64_C(365) * 24 * 3600 * CLOCK_NS_PER_SEC)

void
program_clear(struct program *p)
{
	free(p->segments);
	memset(p, 0, sizeof(*p));
}

static void
make_room(struct program *p)
{
	if (p->count < p->room)
		return;
	p->room = p->room == 0 ? 1 : 2 * p->room;
	p->segments = reallocarray(p->segments, p->room, sizeof(*p->segments));
	if (p->segments == NULL)
		err(1, "no memory for a rate program of %zu pieces", p->room);
}

/* False also for what is not a number. */
static bool
is_rate(double rate)
{
	return rate >= 0 && rate <= RATE_MAX;
}

const char *
program_append(struct program *p, uint64_t duration, double begin, double end)
{
	struct program_segment *s;

	if (duration == 0)
		return "a piece takes more than no time";
	if (!is_rate(begin) || !is_rate(end))
		return "a rate is from 0 to 1000M per second";
	if (p->duration == CLOCK_NEVER)
		return "nothing comes behind a piece that lasts for ever";
	if (duration == CLOCK_NEVER && (begin < end || begin > end))
		return "a piece that lasts for ever keeps its rate";
	if (duration != CLOCK_NEVER && duration > DURATION_MAX - p->duration)
		return "too long up to here: the most is 365 days in all";
	make_room(p);
	s = &p->segments[p->count++];
	s->duration = duration;
	s->begin = begin;
	s->end = end;
	if (duration == CLOCK_NEVER)
		p->duration = CLOCK_NEVER;
	else
		p->duration += duration;
	return NULL;
}

uint64_t
program_duration(const struct program *p)
{
	return p->duration;
}

double
program_peak(const struct program *p)
{
	double peak = 0;
	size_t i;

	for (i = 0; i < p->count; i++)
		peak =
		    fmax(peak, fmax(p->segments[i].begin, p->segments[i].end));
	return peak;
}

/* Offset from the piece's own start, 0 .. duration. Never below 0. */
static double
segment_rate(const struct program_segment *s, double offset)
{
	return s->begin + (s->end - s->begin) * (offset / (double)s->duration);
}

/* Offsets from the piece's own start; to may be behind its end. */
static double
segment_arrivals(const struct program_segment *s, uint64_t from, uint64_t to)
{
	double length;

	if (to > s->duration)
		to = s->duration;
	if (from >= to)
		return 0;
	if (to == CLOCK_NEVER)
		return s->begin > 0 ? (double)INFINITY : 0;
	/* as the rate is linear, its mean is that of the middle */
	length = (double)(to - from);
	return segment_rate(s, (double)from + length / 2) * length /
	    (double)CLOCK_NS_PER_SEC;
}

/* An offset counted from start on; 0 before it. */
static uint64_t
since(uint64_t offset, uint64_t start)
{
	if (offset == CLOCK_NEVER)
		return CLOCK_NEVER;
	return offset > start ? offset - start : 0;
}

void
program_append_part(struct program *into, const struct program *from,
    uint64_t begin, uint64_t end)
{
	const struct program_segment *s;
	uint64_t start = 0, low, high;
	size_t i;

	for (i = 0; i < from->count && start < end; i++) {
		s = &from->segments[i];
		low = since(begin, start);
		high = since(end, start);
		if (high > s->duration)
			high = s->duration;
		/* never wrong: it is a part of what was right */
		if (low < high)
			(void)program_append(into,
			    high == CLOCK_NEVER ? CLOCK_NEVER : high - low,
			    segment_rate(s, (double)low),
			    high == CLOCK_NEVER ?
				s->end :
				segment_rate(s, (double)high));
		start = s->duration == CLOCK_NEVER ? CLOCK_NEVER :
						     start + s->duration;
	}
}

void
program_cut(struct program *p, uint64_t offset)
{
	struct program_segment *s;
	uint64_t start = 0;
	size_t i;

	if (offset >= p->duration)
		return;
	for (i = 0; start + p->segments[i].duration <= offset &&
	     p->segments[i].duration != CLOCK_NEVER;
	     i++)
		start += p->segments[i].duration;
	s = &p->segments[i];
	p->count = i;
	p->duration = offset;
	if (offset == start)
		return;
	s->end = segment_rate(s, (double)(offset - start));
	s->duration = offset - start;
	p->count++;
}

double
program_rate_at(const struct program *p, uint64_t offset)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		if (offset < p->segments[i].duration)
			return segment_rate(&p->segments[i], (double)offset);
		offset -= p->segments[i].duration;
	}
	return 0;
}

double
program_arrivals(const struct program *p, uint64_t from, uint64_t to)
{
	uint64_t start = 0;
	double sum = 0;
	size_t i;

	for (i = 0; i < p->count && start < to; i++) {
		sum += segment_arrivals(
		    &p->segments[i], since(from, start), since(to, start));
		start += p->segments[i].duration;
	}
	return sum;
}
