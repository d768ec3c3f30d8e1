/*
 * Limits of this process and this host that a run with many connections meets.
 */
#ifndef LIB_LIMITS_H
#define LIB_LIMITS_H

#include <stdint.h>

/* Descriptors that a process needs besides its connections. */
#define LIMITS_SPARE_DESCRIPTORS 64

/*
 * Raises this process's soft RLIMIT_NOFILE to its hard one and returns what it
 * is then. The hard limit is the administrator's word and is left alone even
 * by root. Never fails: less than is needed is for the caller to say.
 */
uint64_t limits_raise_descriptors(void);

/* net.core.somaxconn, which cuts listen()'s backlog silently; 0 if unreadable. */
uint64_t limits_somaxconn(void);

#endif
