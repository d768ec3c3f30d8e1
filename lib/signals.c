#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "lib/signals.h"

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGXCPU};

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

	for (i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
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
