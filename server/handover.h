/*
 * Passing connections between workers. Each worker has an inbox, one end of a
 * socket pair; all others hold the other end and put descriptors into it. Made
 * before the fork.
 *
 * A descriptor in an inbox belongs to nobody's limit of descriptors; if its
 * worker ends, the kernel closes it.
 */
#ifndef SERVER_HANDOVER_H
#define SERVER_HANDOVER_H

struct handover;

/* Inboxes for count > 0 workers, 2 * count descriptors; NULL with errno set. */
struct handover *handover_new(unsigned int count);

/* In a worker: keeps its own inbox and the way into the others'. */
void handover_join(struct handover *, unsigned int index);

/* Closes what is open here, and frees. The parent does after the fork: an inbox
 * whose worker is gone must be closed, so that senders get an error. */
void handover_free(struct handover *);

/* The own inbox, non-blocking, readable when there is a connection in it. */
int handover_inbox(const struct handover *);

/* How many connections wait in the own inbox. A system call. */
unsigned int handover_waiting(const struct handover *);

/*
 * Puts a copy of fd into another worker's inbox; the caller keeps his own.
 * Returns 0 or an errno: EAGAIN when the inbox is full, EPIPE or ECONNRESET
 * when the worker is gone.
 */
int handover_send(struct handover *, unsigned int to, int fd);

/*
 * Takes a connection out of the own inbox. Returns it, or -1 with errno set:
 * EAGAIN: there is none. EPIPE: nor will there be, all others are gone. EBADMSG:
 * one came and is lost, as there was no descriptor left to put it in; only call
 * this when there is one.
 */
int handover_receive(struct handover *);

#endif
