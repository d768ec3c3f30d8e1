#include <event2/event.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr_list.h"
#include "lib/clock.h"
#include "lib/lines.h"
#include "lib/output.h"
#include "lib/sockdiag.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "server/counts.h"
#include "server/listener.h"
#include "server/report.h"
#include "server/watch.h"

#define SAMPLE_EVERY CLOCK_NS_PER_SEC
#define PEAK_EVERY   (100 * CLOCK_NS_PER_MS)

struct watch {
	struct workers *workers;
	struct server_report *report;
	struct output *text;
	struct sockdiag *diag; /* NULL: the kernel does not tell */
	struct event *sample_timer;
	struct event *peak_timer;
	struct event *line_timer;
	struct counts sampled; /* as of the last second */
	struct counts shown; /* as of the last line */
	uint64_t shown_at;
	unsigned int count; /* of workers */
	bool *dead; /* by worker */
};

void
watch_add_up(struct watch *w, struct counts *sum)
{
	const struct counts_slot *slot;
	struct counts copy;
	uint64_t peak;
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < w->count; i++) {
		slot = workers_shared(w->workers, i);
		copy = slot->counts;
		first_bytes_merge(&w->report->first_bytes, &slot->first_bytes);
		peak = __atomic_load_n(&slot->queue_peak, __ATOMIC_RELAXED);
		if (peak > w->report->queue_peak)
			w->report->queue_peak = peak;
		if (w->dead[i])
			counts_bury(&copy);
		counts_merge(sum, &copy);
	}
	sum->lines_left_out += w->report->lines_left_out;
	server_report_peak(w->report, sum);
}

/* The parent asks: workers can be too busy, or stuck. */
void
watch_look_at_queues(struct watch *w)
{
	struct sockdiag_queues queues;

	if (w->diag != NULL && sockdiag_queues(w->diag, &queues) == 0)
		server_report_queues(w->report, &queues);
}

static void
on_peak_timer(int fd, short what, void *arg)
{
	struct counts now;

	(void)fd;
	(void)what;
	watch_add_up(arg, &now);
}

static void
on_sample_timer(int fd, short what, void *arg)
{
	struct watch *w = arg;
	struct counts now;

	(void)fd;
	(void)what;
	watch_add_up(w, &now);
	if (now.accepted - w->sampled.accepted > w->report->peak_accepts)
		w->report->peak_accepts = now.accepted - w->sampled.accepted;
	w->sampled = now;
	server_report_watch(w->report);
	watch_look_at_queues(w);
	output_push(w->text);
}

static void
on_line_timer(int fd, short what, void *arg)
{
	struct watch *w = arg;
	struct counts now;
	uint64_t at = clock_now();
	struct lines line;

	(void)fd;
	(void)what;
	watch_add_up(w, &now);
	watch_look_at_queues(w);
	if (lines_begin(&line) != NULL)
		server_report_line(w->report, &now, &w->shown,
		    clock_to_seconds(at - w->shown_at), line.stream);
	w->report->lines_left_out += lines_end(&line);
	w->shown = now;
	w->shown_at = at;
}

static struct sockdiag *
open_diag(const struct listener *l)
{
	struct addr_list bound = {NULL, 0};
	struct sockdiag *diag;

	if (!l->any)
		(void)addr_list_append(&bound, &l->addr, 0);
	diag = sockdiag_new(bound.at, bound.count, l->ports, l->count);
	addr_list_free(&bound);
	return diag;
}

struct watch *
watch_new(struct workers *workers, struct server_report *report,
    struct output *text, uint64_t line_every)
{
	struct event_base *base = workers_base(workers);
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		err(1, "no memory");
	w->workers = workers;
	w->report = report;
	w->text = text;
	w->count = workers_count(workers);
	w->dead = calloc(w->count, sizeof(*w->dead));
	if (w->dead == NULL)
		err(1, "no memory for %u workers", w->count);
	w->diag = open_diag(report->listener);
	w->shown_at = report->begun;
	w->sample_timer = timer_new(base, EV_PERSIST, on_sample_timer, w);
	w->peak_timer = timer_new(base, EV_PERSIST, on_peak_timer, w);
	w->line_timer = timer_new(base, EV_PERSIST, on_line_timer, w);
	timer_set(w->sample_timer, SAMPLE_EVERY);
	if (w->count > 1) /* one worker knows its own */
		timer_set(w->peak_timer, PEAK_EVERY);
	if (line_every > 0)
		timer_set(w->line_timer, line_every);
	return w;
}

void
watch_bury(struct watch *w, unsigned int index)
{
	w->dead[index] = true;
	w->report->workers_died++;
}

bool
watch_is_dead(const struct watch *w, unsigned int index)
{
	return w->dead[index];
}

void
watch_end(struct watch *w, struct counts *sum)
{
	on_sample_timer(-1, 0, w); /* the last second, which is not whole */
	watch_add_up(w, sum);
}

void
watch_free(struct watch *w)
{
	event_free(w->sample_timer);
	event_free(w->peak_timer);
	event_free(w->line_timer);
	sockdiag_free(w->diag);
	free(w->dead);
	free(w);
}
