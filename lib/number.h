/*
 * Numbers for people that need not exist: a rate over no time, a percentile of no
 * values. As a double, what does not exist is NAN. It is "-" in text and null in
 * JSON (see json.h), never 0.
 */
#ifndef LIB_NUMBER_H
#define LIB_NUMBER_H

#include <stdint.h>

struct number_text {
	char text[64];
};

/* Fixed point; decimals 0 .. 9. */
struct number_text number_text(double value, int decimals);

/* Whole numbers as they are; others with one decimal, below 10 with 4 digits. */
struct number_text number_text_short(double value);

/* Per second; seconds 0, or NAN: there is none. */
double number_rate(uint64_t count, double seconds);

/* Of nanoseconds; UINT64_MAX, as HISTOGRAM_NONE: there are none. */
double number_ms(uint64_t ns);

#endif
