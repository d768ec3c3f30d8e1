/*
 * One end of a channel between two processes, for messages of one size. No message
 * is lost without a word: one that the kernel does not take is kept and sent again
 * later, in order.
 *
 * - A full channel (EAGAIN) is not an error: the other side is slow or stopped.
 *   Its messages wait for as long as it lives.
 * - A lack of memory (ENOBUFS, ENOMEM) for longer than CHANNEL_PATIENCE_MS, or any
 *   other errno, means that the other side is lost: the owner is told once.
 * - That the other side has gone (EPIPE, ECONNRESET) is told CHANNEL_PATIENCE_MS
 *   later: its end, or the end of the channel, has mostly told the owner by then.
 */
#ifndef LIB_CHANNEL_H
#define LIB_CHANNEL_H

#include <stddef.h>

struct channel;
struct event_base;

#define CHANNEL_PATIENCE_MS 2000

/* fd: a SOCK_SEQPACKET socket, which the caller closes after channel_free(). size:
 * bytes of a message. lost: called once with an errno. Exits on lack of memory. */
struct channel *channel_new(struct event_base *, int fd, size_t size,
    void (*lost)(int error, void *arg), void *arg);

/* What waits is dropped. */
void channel_free(struct channel *);

/* Blocks until all that waits has been sent, or the other side has gone or is
 * lost. Before the sender's own end. */
void channel_finish(struct channel *);

void channel_send(struct channel *, const void *message);

#endif
