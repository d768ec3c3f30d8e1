/*
 * A listening Unix stream socket with a path, see unix(7): only for this user,
 * and never in the place of something that is not a dead one of the same kind.
 */
#ifndef LIB_CONTROL_SOCKET_H
#define LIB_CONTROL_SOCKET_H

#include <sys/types.h>

/* sun_path has 108 bytes, and the last one ends it. */
#define CONTROL_SOCKET_PATH 107

#define CONTROL_WHY 160 /* bytes of a message, with the end */

struct control_socket {
	char path[CONTROL_SOCKET_PATH + 1];
	int fd; /* non-blocking, close-on-exec */
	dev_t device; /* of the path: it is removed only if it still is this */
	ino_t inode;
};

/*
 * Has mode 0600 from the moment it exists. Replaces a socket of the same user
 * that nobody listens on. Returns 0, or -1 with what is wrong in why, to be
 * printed behind the path; then nothing was changed. Programs that do this at once
 * on one path do it one after the other, and all but one are refused: each locks
 * (flock(2)) the file PATH.lock, which it makes and removes, for a second at most.
 */
int control_socket_open(
    struct control_socket *, const char *path, char why[CONTROL_WHY]);

/* Closes it, and removes the path if it is still the socket made here. */
void control_socket_close(struct control_socket *);

#endif
