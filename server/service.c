#include <string.h>

#include "lib/clock.h"
#include "lib/parse.h"
#include "server/service.h"

#define STALL_LENGTH 64

static const char *const names[] = {
    [SERVICE_ECHO] = "echo",
    [SERVICE_DNS] = "dns",
    [SERVICE_SINK] = "sink",
    [SERVICE_PING] = "ping",
};

const char *
service_mode_name(enum service_mode mode)
{
	return names[mode];
}

const char *
service_parse_mode(const char *text, enum service_mode *mode)
{
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*mode = (enum service_mode)i;
			return NULL;
		}
	return "not echo, dns, sink or ping";
}

const char *
service_parse_stall(const char *text, struct service *service)
{
	const char *slash = strchr(text, '/');
	char on[STALL_LENGTH];
	uint64_t stall, every;

	if (slash == NULL || slash - text >= STALL_LENGTH)
		return "not a duration, a slash and a duration, such as 1s/5s";
	memcpy(on, text, (size_t)(slash - text));
	on[slash - text] = '\0';
	if (parse_duration(on, &stall) != NULL ||
	    parse_duration(slash + 1, &every) != NULL)
		return "not a duration, a slash and a duration, such as 1s/5s";
	if (stall < CLOCK_NS_PER_MS)
		return "too short: at least 1ms";
	if (every < stall + CLOCK_NS_PER_MS)
		return "nothing is left between: the second must be longer by "
		       "1ms or more";
	service->stall = stall;
	service->stall_every = every;
	return NULL;
}

const char *
service_check(const struct service *s)
{
	if (s->mode != SERVICE_SINK)
		return NULL;
	if (s->delay > 0)
		return "--delay: --mode sink answers nothing that could wait";
	if (s->drop > 0)
		return "--drop: --mode sink answers nothing at all";
	if (s->close_after > 0)
		return "--close-after: --mode sink answers nothing to count";
	return NULL;
}

bool
service_stalled(const struct service *s, uint64_t wall, uint64_t *next)
{
	uint64_t phase = wall % s->stall_every;

	if (phase < s->stall) {
		*next = s->stall - phase;
		return true;
	}
	*next = s->stall_every - phase;
	return false;
}

bool
service_by_message(const struct service *s)
{
	if (s->mode == SERVICE_ECHO)
		return s->delay > 0 || s->drop > 0 || s->close_after > 0;
	return s->mode != SERVICE_SINK;
}

bool
service_is_plain(const struct service *s)
{
	return s->mode == SERVICE_ECHO && !service_by_message(s) &&
	    s->stall == 0 && s->idle_timeout == 0;
}
