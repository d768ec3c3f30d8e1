#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/control_socket.h"

#define BACKLOG	   16
#define LOCK_TRIES 100
#define LOCK_REST  10000000 /* nanoseconds */

_Static_assert(
    sizeof(((struct sockaddr_un *)NULL)->sun_path) == CONTROL_SOCKET_PATH + 1,
    "sun_path has another size here");

/* Says what failed with errno; -1. */
static int
failed(char why[CONTROL_WHY], const char *what)
{
	snprintf(why, CONTROL_WHY, "%s: %s", what, strerror(errno));
	return -1;
}

static int
refused(char why[CONTROL_WHY], const char *what)
{
	snprintf(why, CONTROL_WHY, "%s", what);
	return -1;
}

static int
socket_new(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void
address_fill(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, strlen(path) + 1);
}

/* 0, or the errno of connecting to it. */
static int
try_connect(const char *path)
{
	struct sockaddr_un address;
	int fd = socket_new(), error = 0;

	if (fd == -1)
		return errno;
	address_fill(&address, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		error = errno;
	close(fd);
	return error;
}

/* Removes what is there if it is a dead socket of this user. */
static int
make_way(const char *path, char why[CONTROL_WHY])
{
	struct stat there;

	if (lstat(path, &there) == -1)
		return errno == ENOENT ? 0 : failed(why, "cannot look at it");
	if (!S_ISSOCK(there.st_mode))
		return refused(why, "exists and is not a socket");
	errno = try_connect(path);
	switch (errno) {
	case ECONNREFUSED:
		break;
	case 0:
	case EAGAIN: /* more wait there than are let in */
		return refused(why, "another program listens there");
	case EPROTOTYPE:
		return refused(why, "exists and is not a stream socket");
	default:
		return failed(why, "exists, and cannot be connected to");
	}
	if (there.st_uid != geteuid())
		return refused(why, "a dead socket of another user is there");
	if (unlink(path) == -1)
		return failed(why, "cannot remove the dead socket there");
	return 0;
}

/* Binds and listens; what it made and cannot use it takes back. */
static int
occupy(struct control_socket *s, char why[CONTROL_WHY])
{
	struct sockaddr_un address;
	struct stat made;
	mode_t mask;
	int status;

	address_fill(&address, s->path);
	mask = umask(0177); /* a chmod() afterwards would leave a moment */
	status = bind(s->fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (status == -1)
		return failed(why, "cannot bind");
	if (listen(s->fd, BACKLOG) == -1 || lstat(s->path, &made) == -1) {
		failed(why, "cannot listen");
		unlink(s->path);
		return -1;
	}
	s->device = made.st_dev;
	s->inode = made.st_ino;
	return 0;
}

/* 0, or why an open file is not a lock: EAGAIN if it has lost its name meanwhile. */
static int
lock_error(int fd, const char *name)
{
	struct stat opened, named;

	if (fstat(fd, &opened) == -1)
		return errno;
	if (!S_ISREG(opened.st_mode) || opened.st_uid != geteuid())
		return EPERM;
	if (lstat(name, &named) == -1)
		return errno == ENOENT ? EAGAIN : errno;
	return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino ?
	    0 :
	    EAGAIN;
}

/* One try: the locked file's descriptor, or -1 and errno; EAGAIN: try again. */
static int
try_lock(const char *name)
{
	int fd = open(
	    name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	int error;

	if (fd == -1)
		return -1;
	error =
	    flock(fd, LOCK_EX | LOCK_NB) == -1 ? errno : lock_error(fd, name);
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/*
 * Locks the path by a file beside it that only this user can open. The directory
 * itself would be simpler, but everyone who can read it could lock it for ever.
 */
static int
lock_path(const char *name, char why[CONTROL_WHY])
{
	const struct timespec rest = {.tv_nsec = LOCK_REST};
	int fd, tries;

	for (tries = 0; (fd = try_lock(name)) == -1; tries++) {
		if (errno == ENOENT)
			return failed(why, "cannot open its directory");
		if (errno != EAGAIN || tries == LOCK_TRIES) {
			snprintf(why, CONTROL_WHY, "cannot lock %s: %s", name,
			    strerror(errno));
			return -1;
		}
		nanosleep(&rest, NULL);
	}
	return fd;
}

int
control_socket_open(
    struct control_socket *s, const char *path, char why[CONTROL_WHY])
{
	size_t length = strlen(path);
	char lock[CONTROL_SOCKET_PATH + sizeof(".lock")];
	int locked, status;

	if (length == 0)
		return refused(why, "a path is needed");
	if (length > CONTROL_SOCKET_PATH) {
		snprintf(why, CONTROL_WHY,
		    "too long: %zu bytes, and a socket's path has %d at most",
		    length, CONTROL_SOCKET_PATH);
		return -1;
	}
	memcpy(s->path, path, length + 1);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	locked = lock_path(lock, why);
	if (locked == -1)
		return -1;
	s->fd = socket_new();
	if (s->fd == -1)
		status = failed(why, "cannot make a socket");
	else if (make_way(path, why) == -1 || occupy(s, why) == -1) {
		close(s->fd);
		status = -1;
	} else
		status = 0;
	unlink(lock);
	close(locked);
	return status;
}

void
control_socket_close(struct control_socket *s)
{
	struct stat there;

	if (lstat(s->path, &there) == 0 && there.st_dev == s->device &&
	    there.st_ino == s->inode)
		unlink(s->path);
	close(s->fd);
}
