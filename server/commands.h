/*
 * What the server can be told while it serves (lib/control, lib/command): count,
 * stats, close N, pause-accept, resume-accept, quit. Those that the workers do
 * are answered when all of them have, and done one after the other.
 */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include <stdint.h>

#include "lib/control.h"

struct commands;
struct server_report;
struct watch;
struct workers;

struct commands_config {
	struct workers *workers;
	const struct server_report *report;
	struct watch *watch;
	void (*end)(void *arg); /* as SIGTERM does */
	void *arg;
};

/* Listens at path; NULL with the reason in why. After the workers' start. */
struct commands *commands_new(
    const struct commands_config *, const char *path, char why[CONTROL_WHY]);

/* A worker has done what it was told, value of it; or it has ended, with 0, and
 * then it need not have been told anything. */
void commands_done(struct commands *, unsigned int index, uint64_t value);

/* After the last worker's end, when nothing waits for any of them. */
void commands_free(struct commands *);

#endif
