/*
 * Numbers as people type them. A text is accepted only whole: no sign, no
 * blank, nothing after the suffix.
 *
 * Every function returns NULL and stores the value, or returns what is wrong
 * and what would be right, to be printed behind the option's name and the text;
 * the message is a constant string. On an error *out is left alone.
 */
#ifndef LIB_PARSE_H
#define LIB_PARSE_H

#include <stddef.h>
#include <stdint.h>

/* A whole number, suffix k (1000) or M (1000000): 0 <= min <= *out <= max. */
const char *parse_count(
    const char *text, long long min, long long max, uint64_t *out);

/*
 * The same for command lines, as parse_must() does it; the message of a number out
 * of range has the bound.
 */
void parse_count_must(const char *text, long long min, long long max,
    uint64_t *out, const char *option);

/*
 * A whole number without a suffix, 0 .. max, in the first length bytes of text,
 * which need not end there: for parts of lists.
 */
const char *parse_digits(
    const char *text, size_t length, uint32_t max, uint32_t *out);

/* Events per second, fractions and the suffixes k and M allowed: 0 .. 1e9. */
const char *parse_rate(const char *text, double *out);

/* A part of a whole, fractions allowed, as it is or in %: 0 .. 1. */
const char *parse_share(const char *text, double *out);

/*
 * A duration in nanoseconds, at most 365 days: a number, fractions allowed,
 * with unit us, ms, s, m or h; a bare number is seconds.
 */
const char *parse_duration(const char *text, uint64_t *out);

/*
 * A time of the wall clock in nanoseconds since the epoch: seconds, of which a
 * fraction may have up to nine digits; until the year 2106.
 */
const char *parse_epoch(const char *text, uint64_t *out);

/*
 * For command lines: an option whose argument is optional, and then goes behind
 * a "=", has none, and next is the word behind it. Ends the program with
 * STATUS_USAGE where next can only have been meant as its argument: a file by its
 * looks, or "sysctl".
 */
void parse_no_file(const char *option, const char *next);

/*
 * For command lines: where why is not NULL, ends the program with STATUS_USAGE
 * and the option, the text and what is wrong with it.
 */
void parse_must(const char *why, const char *option, const char *text);

#endif
