/*
 * What diagnosis_rules.c says and diagnosis_explain.c makes more precise;
 * diagnosis.c puts it together. Nobody else's business.
 */
#ifndef LIB_DIAGNOSIS_INTERNAL_H
#define LIB_DIAGNOSIS_INTERNAL_H

#include "lib/diagnosis.h"

enum diagnosis_signal { BY_COUNTER, BY_ERRNO, BY_SEEN };

enum diagnosis_blame {
	BLAME_OWN, /* this program's side */
	BLAME_HOST, /* this host's, whoever is on it */
	BLAME_LISTENER, /* a server of this host; of no use to others' clients */
	BLAME_PEER, /* the server, as a client sees it, or the clients */
	BLAME_PATH,
	BLAME_NOBODY, /* that is not told by it */
};

/* What becomes of connections; one finding may account for another. */
enum diagnosis_effect {
	EFFECT_NONE = 0,
	EFFECT_TIMED_OUT = 1,
	EFFECT_RESET = 2,
	EFFECT_RESENT = 4,
	EFFECT_EVICTED = 8,
	EFFECT_ABORTED = 16,
	EFFECT_CLOSED = 32,
	EFFECT_MALFORMED = 64,
};

enum diagnosis_role { ROLE_CLIENT = 1, ROLE_SERVER = 2, ROLE_ANY = 3 };

struct diagnosis_rule {
	enum diagnosis_signal signal;
	int index; /* of the counter, errno or enum diagnosis_seen */
	enum diagnosis_role role;
	enum diagnosis_blame blame;
	unsigned int is; /* effects that it is itself */
	unsigned int explains; /* effects that it is the cause of */
	const char *limit;
	const char *symptom; /* behind the number */
	const char *fix;
	/* NULL: whenever there is one */
	bool (*holds)(const struct diagnosis_source *, uint64_t count);
	/* NULL, or makes more of what is known */
	void (*explain)(const struct diagnosis_source *, uint64_t count,
	    struct diagnosis_finding *);
};

/* The table, the most precise first. */
extern const struct diagnosis_rule diagnosis_rules[];
extern const size_t diagnosis_rule_count;

/* 0 where it cannot be read. */
uint64_t diagnosis_counted(
    const struct diagnosis_source *, enum netstat_counter);

/*
 * Whether it can be told which part of a counter of all listeners of this host is of
 * those of this run.
 */
bool diagnosis_knows_listener(
    const struct diagnosis_source *, enum netstat_counter);

/* Behind what is there, if it has room. */
void diagnosis_add_evidence(struct diagnosis_finding *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends to a text, as far as it has room. */
void diagnosis_add(char text[DIAGNOSIS_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* 0 where it cannot be read. */
uint64_t diagnosis_gauge(const struct diagnosis_source *, enum gauge);

/*
 * Where the fix says to set a sysctl, "NAME=NUMBER", to a number that this host
 * has already, or less: doubles the number that this host has instead.
 */
void diagnosis_revise_fix(
    const struct diagnosis_source *, struct diagnosis_finding *);

bool diagnosis_was_killed(const struct diagnosis_source *, uint64_t count);
bool diagnosis_neighbours_matter(
    const struct diagnosis_source *, uint64_t count);
bool diagnosis_drops_matter(const struct diagnosis_source *, uint64_t count);
bool diagnosis_resends_matter(const struct diagnosis_source *, uint64_t count);

#define DIAGNOSIS_EXPLAIN(name)                                        \
	void diagnosis_explain_##name(const struct diagnosis_source *, \
	    uint64_t count, struct diagnosis_finding *)

DIAGNOSIS_EXPLAIN(ports);
DIAGNOSIS_EXPLAIN(timeout);
DIAGNOSIS_EXPLAIN(refusal);
DIAGNOSIS_EXPLAIN(unreachable);
DIAGNOSIS_EXPLAIN(table);
DIAGNOSIS_EXPLAIN(time_wait);
DIAGNOSIS_EXPLAIN(abort);
DIAGNOSIS_EXPLAIN(cookies);
DIAGNOSIS_EXPLAIN(resends);
DIAGNOSIS_EXPLAIN(accept_queue);
DIAGNOSIS_EXPLAIN(syn_queue);
DIAGNOSIS_EXPLAIN(first_bytes);
DIAGNOSIS_EXPLAIN(cut_off);
DIAGNOSIS_EXPLAIN(end_by_peer);
DIAGNOSIS_EXPLAIN(given_up);
DIAGNOSIS_EXPLAIN(drops);

#endif
