/*
 * Exit statuses of both programs.
 */
#ifndef LIB_STATUS_H
#define LIB_STATUS_H

enum status {
	STATUS_AS_ASKED = 0,
	STATUS_COULD_NOT_RUN = 1,
	STATUS_USAGE = 2,
	STATUS_NOT_AS_ASKED = 3, /* each reason is printed */
	STATUS_CONDITION_HOLDS = 4, /* of --fail, in a run that is valid */
	STATUS_ACCOUNTING = 70, /* EX_SOFTWARE: the books do not close */
};

#endif
