/*
 * Lines on standard error while a program runs. None of them waits for its reader: a
 * line that a full pipe or a stopped terminal does not take at once is left out, and
 * the caller counts it.
 */
#ifndef LIB_LINES_H
#define LIB_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Longer lines are cut. */
#define LINES_SIZE 2048

/* As warnx(), and as warnc() with an errno. False: the line was left out. */
bool lines_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool lines_say_errno(int error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Several lines, made by stdio. */
struct lines {
	FILE *stream;
	char *text;
	size_t length;
};

/* Begins to collect lines in memory; NULL without memory. */
FILE *lines_begin(struct lines *);

/* Writes the lines on standard error; returns how many were left out. */
uint64_t lines_end(struct lines *);

#endif
