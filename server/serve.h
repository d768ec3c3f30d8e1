/*
 * The parent's side of serving: starts the workers (server/work), adds up what
 * they count, says now and then what that is, and ends them when it is told to.
 */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include <stdbool.h>

struct counts;
struct listener;
struct output;
struct server_options;
struct server_report;

struct serve_config {
	const struct server_options *options;
	/* Open: the only worker's, or the placeholders of several. Closed as soon
	 * as the workers have theirs. */
	struct listener *listener;
	/* With all that is known before serving, the number of workers too; gets
	 * what the counts do not say. */
	struct server_report *report;
	struct output *text; /* for the counts on SIGUSR1 */
};

/*
 * Serves until SIGINT or SIGTERM, or until no worker is left. sum gets the
 * counts of all workers, settled. False if a worker could not begin, which has
 * been said on standard error; ends the program where none can be started.
 */
bool serve(const struct serve_config *, struct counts *sum);

#endif
