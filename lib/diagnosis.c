#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/diagnosis_internal.h"

uint64_t
diagnosis_counted(
    const struct diagnosis_source *s, enum netstat_counter counter)
{
	return s->delta->readable[counter] ? s->delta->value[counter] : 0;
}

/* A SYN that is answered with a cookie is not dropped. */
bool
diagnosis_knows_listener(
    const struct diagnosis_source *s, enum netstat_counter counter)
{
	return s->drops != NULL &&
	    (s->drops->alone ||
		(s->drops->known &&
		    counter != NETSTAT_TcpExt_TCPReqQFullDoCookies));
}

static bool
knows_whose(const struct diagnosis_source *s, const struct diagnosis_rule *rule)
{
	return rule->blame != BLAME_LISTENER ||
	    diagnosis_knows_listener(s, (enum netstat_counter)rule->index);
}

/* Of a counter of all listeners: no more than those of this run have dropped. */
static uint64_t
count_of_listener(
    const struct diagnosis_source *s, const struct diagnosis_rule *rule)
{
	uint64_t count =
	    diagnosis_counted(s, (enum netstat_counter)rule->index);

	if (rule->blame != BLAME_LISTENER || !knows_whose(s, rule) ||
	    s->drops->alone || count < s->drops->count)
		return count;
	return s->drops->count;
}

static uint64_t
count_of(const struct diagnosis_source *s, const struct diagnosis_rule *rule)
{
	switch (rule->signal) {
	case BY_COUNTER:
		return count_of_listener(s, rule);
	case BY_ERRNO:
		return (size_t)rule->index < s->errnos ?
		    s->by_errno[rule->index] :
		    0;
	case BY_SEEN:
		return s->seen[rule->index];
	}
	return 0;
}

static bool
applies(const struct diagnosis_source *s, const struct diagnosis_rule *rule)
{
	enum diagnosis_role role =
	    s->view == DIAGNOSIS_FROM_SERVER ? ROLE_SERVER : ROLE_CLIENT;
	uint64_t count = count_of(s, rule);

	if (count == 0 || (rule->role & role) == 0)
		return false;
	/* another service's, with which this run has nothing to do */
	if (rule->blame == BLAME_LISTENER && s->view == DIAGNOSIS_FROM_CLIENT)
		return false;
	return rule->holds == NULL || rule->holds(s, count);
}

static const char *
side_of(enum diagnosis_view view, enum diagnosis_blame blame)
{
	switch (blame) {
	case BLAME_OWN:
		return view == DIAGNOSIS_FROM_SERVER ? "server" : "client";
	case BLAME_HOST:
		if (view == DIAGNOSIS_FROM_BOTH)
			return "client and server";
		return view == DIAGNOSIS_FROM_SERVER ? "server" : "client";
	case BLAME_LISTENER:
		return "server"; /* one of this run, if that is known */
	case BLAME_PEER:
		return view == DIAGNOSIS_FROM_SERVER ? "client" : "server";
	case BLAME_PATH:
		return "path";
	case BLAME_NOBODY:
		break;
	}
	return "cannot tell";
}

void
diagnosis_add_evidence(struct diagnosis_finding *f, const char *format, ...)
{
	size_t used = strlen(f->evidence);
	va_list ap;

	if (used > 0 && used + 2 < sizeof(f->evidence)) {
		memcpy(f->evidence + used, "; ", 3);
		used += 2;
	}
	va_start(ap, format);
	vsnprintf(f->evidence + used, sizeof(f->evidence) - used, format, ap);
	va_end(ap);
}

/* First of the evidence, which may have to be cut. */
static void
say_where(const struct diagnosis_source *s, const struct diagnosis_rule *rule,
    uint64_t count, struct diagnosis_finding *f)
{
	char places[DIAGNOSIS_PLACES], rest[DIAGNOSIS_TEXT];
	int cause =
	    rule->index + (rule->signal == BY_SEEN ? DIAGNOSIS_WHERE_SEEN : 0);

	if (rule->signal == BY_COUNTER || s->where == NULL ||
	    !s->where(s->where_arg, cause, count, places))
		return;
	memcpy(rest, f->evidence, sizeof(rest));
	snprintf(f->evidence, sizeof(f->evidence), "%s", places);
	if (rest[0] != '\0')
		diagnosis_add_evidence(f, "%s", rest);
}

/* The counter rose, and it may have been another server's queue. */
static void
say_unknown_listener(
    const struct diagnosis_source *s, struct diagnosis_finding *f)
{
	f->side = "cannot tell";
	f->explains = EFFECT_NONE;
	f->of_kernel = false;
	diagnosis_add_evidence(f,
	    "the counter is of all servers of this host: it is not known "
	    "whether it was %s",
	    s->view == DIAGNOSIS_FROM_SERVER ? "this one" : "the target");
}

/* Of connections that this program has told from all others. */
static bool
is_of_connections(const struct diagnosis_rule *rule)
{
	return rule->signal == BY_SEEN &&
	    (rule->index == DIAGNOSIS_WRONG_ANSWER ||
		rule->index == DIAGNOSIS_CUT_OFF);
}

static void
find(const struct diagnosis_source *s, const struct diagnosis_rule *rule,
    struct diagnosis_finding *f)
{
	uint64_t count = count_of(s, rule);

	memset(f, 0, sizeof(*f));
	f->limit = rule->limit;
	f->explains = rule->explains;
	f->ends = is_of_connections(rule) ? count : UINT64_MAX;
	f->side = side_of(s->view, rule->blame);
	f->of_kernel = rule->signal != BY_SEEN &&
	    (rule->blame == BLAME_OWN || rule->blame == BLAME_HOST ||
		rule->blame == BLAME_LISTENER);
	f->of_listener = rule->blame == BLAME_LISTENER;
	snprintf(f->symptom, sizeof(f->symptom), "%" PRIu64 " %s", count,
	    rule->symptom);
	snprintf(f->fix, sizeof(f->fix), "%s", rule->fix);
	if (rule->explain != NULL)
		rule->explain(s, count, f);
	diagnosis_revise_fix(s, f);
	say_where(s, rule, count, f);
	/* unless a setting of this host makes it so for all of them */
	if (f->limit == rule->limit && !knows_whose(s, rule))
		say_unknown_listener(s, f);
}

/* Each connection ends once: no more ends than connections are accounted for. */
static bool
accounts_for(struct diagnosis_finding *cause, const struct diagnosis_rule *rule,
    uint64_t count)
{
	if ((cause->explains & rule->is) == 0)
		return false;
	if ((rule->is & (EFFECT_RESET | EFFECT_CLOSED)) == 0 ||
	    cause->ends == UINT64_MAX)
		return true;
	if (count > cause->ends)
		return false;
	cause->ends -= count;
	return true;
}

/* Who accounts for it; NULL if nobody does. */
static struct diagnosis_finding *
cause_of(const struct diagnosis_rule *rule, uint64_t count,
    struct diagnosis_finding *out, size_t found)
{
	size_t i;

	for (i = 0; i < found; i++)
		if (accounts_for(&out[i], rule, count))
			return &out[i];
	return NULL;
}

size_t
diagnosis_find(const struct diagnosis_source *s,
    struct diagnosis_finding out[DIAGNOSIS_MOST])
{
	const struct diagnosis_rule *rule;
	struct diagnosis_finding *cause;
	size_t found = 0, i;

	for (i = 0; i < diagnosis_rule_count; i++) {
		rule = &diagnosis_rules[i];
		if (!applies(s, rule))
			continue;
		cause = cause_of(rule, count_of(s, rule), out, found);
		if (cause != NULL) {
			diagnosis_add_evidence(cause, "%" PRIu64 " %s",
			    count_of(s, rule), rule->symptom);
			continue;
		}
		find(s, rule, &out[found++]);
	}
	return found;
}
