/*
 * A library to preload: the n-th call of one function fails with an errno, in the
 * parent process or in its workers.
 *
 *	FAULT=FUNCTION:ERRNO:N:parent|worker	N from 1, counted in each process
 *	FAULT_LOG=FILE				gets a line for each fault
 *
 * What libc calls within itself is out of reach: stdio's writes fail by fflush()
 * and fclose().
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What dlsym() allocates before the real calloc() is known. */
#define EARLY_SIZE 65536

static struct {
	bool ready;
	char function[32];
	int error;
	unsigned long n;
	unsigned long calls;
	bool in_worker;
	pid_t parent;
	char log[256];
} fault;

static char early[EARLY_SIZE];
static size_t early_used;

/* Without stdio or malloc(), which may be what fails. */
static void
append(const char *text)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, fault.log,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd == -1)
		return;
	(void)!syscall(SYS_write, fd, text, strlen(text));
	(void)syscall(SYS_close, fd);
}

static void __attribute__((constructor)) begin(void)
{
	const char *text = getenv("FAULT"), *log = getenv("FAULT_LOG");
	char process[16];

	fault.parent = (pid_t)syscall(SYS_getpid);
	if (log != NULL)
		snprintf(fault.log, sizeof(fault.log), "%s", log);
	if (text == NULL ||
	    sscanf(text, "%31[^:]:%d:%lu:%15s", fault.function, &fault.error,
		&fault.n, process) != 4)
		return;
	fault.in_worker = strcmp(process, "worker") == 0;
	fault.ready = true;
}

static bool
fails(const char *function)
{
	static pid_t counted;
	pid_t self;

	if (!fault.ready || strcmp(function, fault.function) != 0)
		return false;
	self = (pid_t)syscall(SYS_getpid);
	if ((self != fault.parent) != fault.in_worker)
		return false;
	if (self != counted) {
		counted = self;
		fault.calls = 0;
	}
	if (++fault.calls != fault.n)
		return false;
	append("hit\n");
	errno = fault.error;
	return true;
}

/* A function that returns failed where it fails. */
#define WRAP(type, name, failed, parameters, arguments)                    \
	type name parameters;                                              \
	type name parameters                                               \
	{                                                                  \
		static type(*real) parameters;                             \
                                                                           \
		if (real == NULL)                                          \
			*(void **)(void *)&real = dlsym(RTLD_NEXT, #name); \
		return fails(#name) ? failed : real arguments;             \
	}

WRAP(int, socket, -1, (int a, int b, int c), (a, b, c))
WRAP(int, socketpair, -1, (int a, int b, int c, int d[2]), (a, b, c, d))
WRAP(int, bind, -1, (int a, const struct sockaddr *b, socklen_t c), (a, b, c))
WRAP(
    int, connect, -1, (int a, const struct sockaddr *b, socklen_t c), (a, b, c))
WRAP(int, listen, -1, (int a, int b), (a, b))
WRAP(int, accept4, -1, (int a, struct sockaddr *b, socklen_t *c, int d),
    (a, b, c, d))
WRAP(int, shutdown, -1, (int a, int b), (a, b))
WRAP(ssize_t, sendmsg, -1, (int a, const struct msghdr *b, int c), (a, b, c))
WRAP(ssize_t, sendto, -1,
    (int a, const void *b, size_t c, int d, const struct sockaddr *e,
	socklen_t f),
    (a, b, c, d, e, f))
WRAP(ssize_t, recvmsg, -1, (int a, struct msghdr *b, int c), (a, b, c))
WRAP(ssize_t, read, -1, (int a, void *b, size_t c), (a, b, c))
WRAP(ssize_t, writev, -1, (int a, const struct iovec *b, int c), (a, b, c))
WRAP(int, epoll_create1, -1, (int a), (a))
WRAP(int, epoll_ctl, -1, (int a, int b, int c, struct epoll_event *d),
    (a, b, c, d))
WRAP(int, epoll_wait, -1, (int a, struct epoll_event *b, int c, int d),
    (a, b, c, d))
/* tcpclient has an epoll_wait() of its own, which calls this */
WRAP(int, epoll_pwait, -1,
    (int a, struct epoll_event *b, int c, int d, const sigset_t *e),
    (a, b, c, d, e))
WRAP(int, eventfd, -1, (unsigned int a, int b), (a, b))
WRAP(int, timerfd_create, -1, (int a, int b), (a, b))
WRAP(int, timerfd_settime, -1,
    (int a, int b, const struct itimerspec *c, struct itimerspec *d),
    (a, b, c, d))
WRAP(int, pipe2, -1, (int a[2], int b), (a, b))
WRAP(int, getsockname, -1, (int a, struct sockaddr *b, socklen_t *c), (a, b, c))
WRAP(int, getsockopt, -1, (int a, int b, int c, void *d, socklen_t *e),
    (a, b, c, d, e))
WRAP(int, setsockopt, -1, (int a, int b, int c, const void *d, socklen_t e),
    (a, b, c, d, e))
WRAP(int, getrlimit, -1, (__rlimit_resource_t a, struct rlimit *b), (a, b))
WRAP(
    int, setrlimit, -1, (__rlimit_resource_t a, const struct rlimit *b), (a, b))
WRAP(pid_t, fork, -1, (void), ())
WRAP(pid_t, waitpid, -1, (pid_t a, int *b, int c), (a, b, c))
WRAP(int, sigaction, -1,
    (int a, const struct sigaction *b, struct sigaction *c), (a, b, c))
WRAP(int, sigprocmask, -1, (int a, const sigset_t *b, sigset_t *c), (a, b, c))
WRAP(FILE *, fopen, NULL, (const char *a, const char *b), (a, b))
WRAP(FILE *, open_memstream, NULL, (char **a, size_t *b), (a, b))
WRAP(int, fflush, EOF, (FILE * a), (a))
WRAP(int, rename, -1, (const char *a, const char *b), (a, b))
WRAP(int, fsync, -1, (int a), (a))
WRAP(int, unlink, -1, (const char *a), (a))
WRAP(int, flock, -1, (int a, int b), (a, b))
WRAP(void *, mmap, MAP_FAILED,
    (void *a, size_t b, int c, int d, int e, off_t f), (a, b, c, d, e, f))
WRAP(void *, malloc, NULL, (size_t a), (a))
WRAP(void *, realloc, NULL, (void *a, size_t b), (a, b))
WRAP(char *, strdup, NULL, (const char *a), (a))

/*
 * On a channel between the parent and a worker, and on the pipe by which libevent
 * hears of signals, other errnos are possible than on a connection or a file: these
 * calls have names of their own.
 */

static const char *
name_on_socket(int fd, const char *name, const char *on_channel)
{
	socklen_t length = sizeof(int);
	int type = 0, error = errno;

	if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &length) !=
	    0)
		type = 0;
	errno = error;
	return type == SOCK_SEQPACKET ? on_channel : name;
}

ssize_t
send(int fd, const void *data, size_t size, int flags)
{
	static ssize_t (*real)(int, const void *, size_t, int);

	if (real == NULL)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "send");
	return fails(name_on_socket(fd, "send", "send_channel")) ?
	    -1 :
	    real(fd, data, size, flags);
}

ssize_t
recv(int fd, void *data, size_t size, int flags)
{
	static ssize_t (*real)(int, void *, size_t, int);

	if (real == NULL)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "recv");
	return fails(name_on_socket(fd, "recv", "recv_channel")) ?
	    -1 :
	    real(fd, data, size, flags);
}

ssize_t
write(int fd, const void *data, size_t size)
{
	static ssize_t (*real)(int, const void *, size_t);
	struct stat status;
	bool file =
	    syscall(SYS_fstat, fd, &status) == 0 && S_ISREG(status.st_mode);

	if (real == NULL)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "write");
	return fails(file ? "write" : "write_pipe") ? -1 : real(fd, data, size);
}

/* The file is closed, and what was in its buffer may be written or not. */
int
fclose(FILE *file)
{
	static int (*real)(FILE *);

	if (real == NULL)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "fclose");
	if (!fails("fclose"))
		return real(file);
	(void)real(file);
	errno = fault.error;
	return EOF;
}

int
open(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, ...);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (real == NULL)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "open");
	return fails("open") ? -1 : real(path, flags, mode);
}

/* dlsym() itself allocates by calloc(). */
void *
calloc(size_t count, size_t size)
{
	static void *(*real)(size_t, size_t);
	static volatile bool finding; /* dlsym() comes back here */
	void *memory;

	if (real == NULL && !finding) {
		finding = true;
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "calloc");
		finding = false;
	}
	if (real != NULL)
		return fails("calloc") ? NULL : real(count, size);
	size = (count * size + 15) / 16 * 16;
	if (size > sizeof(early) - early_used)
		return NULL;
	memory = early + early_used;
	early_used += size;
	return memory;
}

/*
 * The early ones are never given back, nor what dlsym() frees while it looks for the
 * real free(): the message of an error that a sanitizer's lookups have left.
 */
void
free(void *memory)
{
	static void (*real)(void *);
	static volatile bool finding; /* dlsym() comes back here */

	if ((char *)memory >= early && (char *)memory < early + sizeof(early))
		return;
	if (real == NULL && !finding) {
		finding = true;
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "free");
		finding = false;
	}
	if (real != NULL)
		real(memory);
}
