/*
 * What tcpserver's command line says.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/port_list.h"
#include "server/service.h"

/* What the command line says. */
struct server_options {
	const char *bind; /* NULL: every address */
	struct port_list ports;
	uint64_t workers; /* 0: auto */
	uint64_t backlog; /* 0: the largest */
	uint64_t max_connections; /* over all workers; 0: no limit */
	uint64_t report_every; /* 0: never */
	struct service service;
	const char *json; /* NULL: none; "-": stdout */
	const char *control; /* path of the socket for commands; NULL: none */
	int verbose;
	double opens; /* to check for, a second */
	double queries;
	bool have_rates;
	bool check;
	bool sysctls;
	bool force;
};

/*
 * What is wrong ends the program with STATUS_USAGE and says what would be right.
 * The ports are owned by the caller; strings are those of argv.
 */
void server_options_read(struct server_options *, int argc, char **argv);

#endif
