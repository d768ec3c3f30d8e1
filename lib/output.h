/*
 * Where results go. A result that could not be written whole is a run that
 * failed: these functions end the program with status 1 and the reason.
 */
#ifndef LIB_OUTPUT_H
#define LIB_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Call first: sees to it that descriptors 0 to 2 are taken. Where standard
 * output is closed, the next file or socket would become it; this way writing
 * to it fails as it should.
 */
void output_guard(void);

/* "-" is standard output. path may be NULL: false. */
bool output_is_stdout(const char *path);

/* Opens path for writing, before the run: a bad path must not cost the run. */
FILE *output_open(const char *path);

/* Writes out what is buffered. path is for the message. */
void output_flush(FILE *, const char *path);

/* The same, and closes it unless it is standard output. */
void output_close(FILE *, const char *path);

/*
 * Whether a line would be taken at once. A pipe that is full, or a terminal that is
 * stopped, would block the caller: a program in mid-run leaves the line out. A line
 * of up to PIPE_BUF bytes does not block while nobody else writes.
 */
bool output_takes_line(int fd);

/* Prints text on standard output and ends the program: for -h and -V. */
void output_answer(const char *text) __attribute__((noreturn));

#endif
