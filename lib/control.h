/*
 * Control in mid-run: commands over a Unix socket (lib/control_socket), one a
 * line, answered by one line of JSON each, in the order of the commands.
 *
 * - A line ends with LF or CR LF and has 4,096 bytes at most, of printable
 *   ASCII. A longer one is answered by an error, and the connection closed.
 * - The answer is {"ok":true,...}, or {"ok":false,"error":"..."}, and then
 *   nothing was changed.
 * - At most 16 clients at once; one more gets an error.
 * - A client that closes its sending side still gets all answers, and then the
 *   end. What comes before that without the end of a line is not run.
 * - Bounded memory: 4 KB of input for each client, and 64 KB of output and one
 *   answer. Who does not read his answers is not read from until he does.
 *
 * The socket belongs to the process that made it: make it after the workers have
 * been forked, for they must neither hold it open nor remove it.
 */
#ifndef LIB_CONTROL_H
#define LIB_CONTROL_H

#include <jansson.h>

#include "lib/control_socket.h"

#define CONTROL_LINE	4096 /* bytes, without its end */
#define CONTROL_CLIENTS 16

struct event_base;
struct control;
struct control_request; /* a command that waits for its answer */

/*
 * Listens at path. run is called with each line, which is valid until it
 * returns, without its end. It must answer the request once, before it returns
 * or later, with control_answer() or control_refuse(); further lines of the same
 * client wait until then. Returns NULL with the reason in why, to be printed
 * behind the path. Lack of memory ends the program.
 */
struct control *control_new(struct event_base *, const char *path,
    void (*run)(struct control_request *, const char *line, void *arg),
    void *arg, char why[CONTROL_WHY]);

/* {"ok":true} and these fields, an object that is taken over; NULL: none. The
 * request is gone then. The client may be, too: nobody hears it. */
void control_answer(struct control_request *, json_t *fields);

/* {"ok":false,"error":"..."}, of which the text is ASCII and says what would be
 * right. The request is gone then. */
void __attribute__((format(printf, 2, 3)))
control_refuse(struct control_request *, const char *format, ...);

/*
 * Closes all, and removes the path. Answers that were given have been sent, as
 * far as the sockets took them. Requests that wait are still to be answered, or
 * leak. Not from within run.
 */
void control_free(struct control *);

#endif
