/*
 * Signals. A program inherits from its launcher which signals are blocked and
 * which are ignored; this module sets what both programs rely on, whatever the
 * launcher left.
 *
 * signal                      parent                     worker
 * INT TERM HUP ALRM XCPU      ends in order              ignored; XCPU ends it
 * USR1                        server: prints counts      ignored
 * USR2                        as inherited               ends a wait for a reader
 * CHLD                        reaps a worker             default
 * PIPE XFSZ                   ignored: write() fails with EPIPE or EFBIG
 * TTOU                        ignored: a job in the background may write
 * all others                  as inherited, but not blocked
 *
 * SIGHUP stays ignored where it was ignored at the start (nohup). The others are
 * heard even then: a shell without job control ignores SIGINT for a job in the
 * background.
 */
#ifndef LIB_SIGNALS_H
#define LIB_SIGNALS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Call first in main(): unblocks all signals and sets the table above; the
 * signals that the parent hears have their default action until it listens. */
void signals_begin(void);

/* Whether this signal is ignored now. */
bool signals_is_ignored(int number);

/* Whether this signal asks the program to end in order. */
bool signals_asks_for_end(int number);

/* Blocks the signals that ask for the end: they are kept for signals_note_end(). */
void signals_block_end(void);

/*
 * While nobody else hears the signals that ask for the end: notes them, those too
 * that came while they were blocked. They are heard within signals_poll() alone. A
 * signal that is ignored stays so.
 */
#define SIGNALS_END 5
struct signals_saved {
	struct sigaction actions[SIGNALS_END];
};

void signals_note_end(struct signals_saved *);

/* As if such a signal had come: a second one was heard while the program ran. */
void signals_ask_end(void);

/* Whether one has come. */
bool signals_end_asked(void);

/* As poll(), until a monotonic time in nanoseconds (or CLOCK_NEVER) or a signal. */
void signals_poll(struct pollfd *, nfds_t count, uint64_t until);

/*
 * In a worker: notes SIGUSR2 as one that asks for the end, heard within
 * signals_poll() alone. All other signals are unblocked.
 */
void signals_note_break(void);

/* The actions of before; nothing is blocked any more. */
void signals_restore(const struct signals_saved *);

#endif
