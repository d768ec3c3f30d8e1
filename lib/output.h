/*
 * Where results go: files, standard output, standard error. Both programs write
 * all their outputs, also after one of them has failed, and then report each
 * failure with the errno of the write that failed first.
 *
 * A pipe or a terminal takes what it has room for, and the rest waits in memory:
 * no write blocks. Only the end waits for readers, of all outputs at once.
 *
 * Nothing is emptied before there is something to write: an old result survives
 * a run that does not start. A file keeps its permissions, owner and links, as
 * no other file takes its name.
 */
#ifndef LIB_OUTPUT_H
#define LIB_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output;

/*
 * Call first: sees to it that descriptors 0 to 2 are taken. Where standard
 * output is closed, the next file or socket would become it; this way writing
 * to it fails as it should.
 */
void output_guard(void);

/* "-", or a name of descriptor 1 such as /dev/stdout. path may be NULL: false. */
bool output_is_stdout(const char *path);

/*
 * Opens path for writing, "-" being standard output, and does not empty it; NULL
 * for NULL. Call for all outputs before the run: a path that cannot be opened
 * ends the program with status 1 and the reason.
 */
struct output *output_open(const char *path);

/* Standard output or standard error, as 1 or 2. Ends with 1 if memory lacks. */
struct output *output_standard(int fd);

/*
 * Ends the program with status 2 where two of them are one file: each would
 * overwrite the other. Terminals, pipes and devices may be shared. NULLs are
 * passed over.
 */
void output_must_differ(struct output *const *outputs, size_t count);

/*
 * To write to, owned by the output. The first write empties a file. What is
 * written after a write has failed is dropped.
 */
FILE *output_stream(struct output *);

bool output_is_standard(const struct output *);

/*
 * While the program runs, at most 64 KB wait for the reader: then whole lines are
 * left out, and the end counts and reports them. Flush the stream after each line.
 */
void output_keep_running(struct output *, bool running);

/* Writes what waits, as far as it is taken now; each write does so, too. */
void output_push(struct output *);

/*
 * Writes what is buffered, to files first, waits until all pipes have been read,
 * closes and frees the outputs, and reports on standard error what has failed since
 * they were opened. A signal that asks for the end (lib/signals) ends the wait after
 * half a second: what was not read by then is reported as lost. At most 8; NULLs are
 * passed over. Whether all was written.
 */
bool outputs_end(struct output *const *outputs, size_t count);

/* The same of one; true for NULL. */
bool output_end(struct output *);

/* Writes out stdout; ends the program with status 1 and the reason on failure. */
void output_flush_stdout(void);

/*
 * Whether a line would be taken at once. A pipe that is full, or a terminal that is
 * stopped, would block the caller: a program in mid-run leaves the line out. A line
 * of up to PIPE_BUF bytes does not block while nobody else writes.
 */
bool output_takes_line(int fd);

/* The same of an output: its stream has no descriptor that fileno() would tell. */
bool output_is_ready(const struct output *);

/* Prints text on standard output and ends the program: for -h and -V. */
void output_answer(const char *text) __attribute__((noreturn));

#endif
