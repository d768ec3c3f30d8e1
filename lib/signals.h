/*
 * Signals. A program inherits from its launcher which signals are blocked and
 * which are ignored; this module sets what both programs rely on, whatever the
 * launcher left.
 *
 * signal                      parent                     worker
 * INT TERM HUP ALRM XCPU      ends in order              ignored; XCPU ends it
 * USR1                        server: prints counts      ignored
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

#include <stdbool.h>

/* Call first in main(): unblocks all signals and sets the table above; the
 * signals that the parent hears have their default action until it listens. */
void signals_begin(void);

/* Whether this signal is ignored now. */
bool signals_is_ignored(int number);

/* Whether this signal asks the program to end in order. */
bool signals_asks_for_end(int number);

#endif
