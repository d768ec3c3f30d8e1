/*
 * What changes a run while it goes on (--control): the first steps of the jobs that
 * do it. arg is the run. Each checks its command, tells all workers, and answers
 * once they have heard it.
 */
#ifndef CLIENT_RUN_CHANGES_H
#define CLIENT_RUN_CHANGES_H

#include "client/run_jobs.h"

/* value.rate, a second, from 10 ms from now on; none; the program's again. */
run_job_step run_change_rate;
run_job_step run_change_pause;
run_job_step run_change_resume;

/* value.count connections; so many more; so many fewer. */
run_job_step run_change_connections;
run_job_step run_change_open;
run_job_step run_change_stop;

#endif
