/*
 * Whether the targets are on this host: whose counters the kernel's here are.
 */
#ifndef CLIENT_WHEREABOUTS_H
#define CLIENT_WHEREABOUTS_H

#include "client/routes.h"
#include "lib/diagnosis.h"

enum diagnosis_view whereabouts_find(const struct routes *);

#endif
