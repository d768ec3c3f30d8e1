/*
 * Accounting identities: two ways to count the same thing must agree.
 */
#ifndef LIB_ACCOUNTS_H
#define LIB_ACCOUNTS_H

#include <stdint.h>
#include <stdio.h>

/* 0 if they agree; else prints both sides with their names on out, returns 1. */
unsigned int accounts_check(FILE *out, const char *left, uint64_t is,
    const char *right, uint64_t should);

#endif
