/*
 * The parent's look at what the workers count: each second, for the most in a
 * second and the accept queues; ten times a second, for the most at once where
 * there are several workers; and for a line now and then.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct counts;
struct output;
struct server_report;
struct watch;
struct workers;

/*
 * The report, with what is known before serving, gets what is seen. A line on
 * standard error every line_every nanoseconds; 0: none. text gets a push each
 * second. Lack of memory ends the program.
 */
struct watch *watch_new(struct workers *, struct server_report *,
    struct output *text, uint64_t line_every);

/* The counts of all workers as of now, what the dead had open as closed. */
void watch_add_up(struct watch *, struct counts *sum);

/* The accept queues as of now, into the report. A system call or several. */
void watch_look_at_queues(struct watch *);

/* This worker has died, which the report counts. Once for each. */
void watch_bury(struct watch *, unsigned int index);
bool watch_is_dead(const struct watch *, unsigned int index);

/* After the last worker's end: looks once more, and adds up. */
void watch_end(struct watch *, struct counts *sum);

void watch_free(struct watch *);

#endif
