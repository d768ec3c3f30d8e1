#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/signals.h"

static const int ending[SIGNALS_END] = {
    SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGXCPU};

static volatile sig_atomic_t end_asked;

static void
set_action(int number, void (*action)(int))
{
	struct sigaction act;

	memset(&act, 0, sizeof(act)); /* no SA_NOCLDWAIT either */
	act.sa_handler = action;
	sigemptyset(&act.sa_mask);
	(void)sigaction(number, &act, NULL);
}

bool
signals_is_ignored(int number)
{
	struct sigaction act;

	return sigaction(number, NULL, &act) == 0 && act.sa_handler == SIG_IGN;
}

bool
signals_asks_for_end(int number)
{
	size_t i;

	for (i = 0; i < SIGNALS_END; i++)
		if (ending[i] == number)
			return true;
	return false;
}

void
signals_begin(void)
{
	static const int heard[] = {
	    SIGINT, SIGTERM, SIGALRM, SIGXCPU, SIGUSR1, SIGCHLD};
	static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGTTOU};
	sigset_t none;
	size_t i;

	for (i = 0; i < sizeof(heard) / sizeof(heard[0]); i++)
		set_action(heard[i], SIG_DFL);
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		set_action(ignored[i], SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * The end, when nothing is left to do but to wait for readers.
 */

static void
ending_set(sigset_t *set)
{
	size_t i;

	sigemptyset(set);
	for (i = 0; i < SIGNALS_END; i++)
		sigaddset(set, ending[i]);
}

static void
note_end(int number)
{
	(void)number;
	end_asked = 1;
}

void
signals_block_end(void)
{
	sigset_t set;

	ending_set(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

void
signals_note_end(struct signals_saved *saved)
{
	size_t i;

	signals_block_end();
	for (i = 0; i < SIGNALS_END; i++) {
		(void)sigaction(ending[i], NULL, &saved->actions[i]);
		if (saved->actions[i].sa_handler != SIG_IGN)
			set_action(ending[i], note_end);
	}
}

void
signals_ask_end(void)
{
	end_asked = 1;
}

void
signals_note_break(void)
{
	sigset_t set;

	set_action(SIGUSR2, note_end);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

bool
signals_end_asked(void)
{
	return end_asked != 0;
}

void
signals_poll(struct pollfd *descriptors, nfds_t count, uint64_t until)
{
	uint64_t now = clock_now(), left = until > now ? until - now : 0;
	struct timespec wait = {.tv_sec = (time_t)(left / CLOCK_NS_PER_SEC),
	    .tv_nsec = (long)(left % CLOCK_NS_PER_SEC)};
	sigset_t none;

	sigemptyset(&none);
	(void)ppoll(
	    descriptors, count, until == CLOCK_NEVER ? NULL : &wait, &none);
}

void
signals_restore(const struct signals_saved *saved)
{
	sigset_t set;
	size_t i;

	ending_set(&set);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	for (i = 0; i < SIGNALS_END; i++)
		(void)sigaction(ending[i], &saved->actions[i], NULL);
}
