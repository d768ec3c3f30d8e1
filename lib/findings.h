/*
 * Findings, and the kernel's numbers that they rest on, as both programs print
 * and write them.
 */
#ifndef LIB_FINDINGS_H
#define LIB_FINDINGS_H

#include <jansson.h>

#include <stdio.h>

#include "lib/diagnosis.h"

/* One line: "limit (side): symptom (evidence); fix: ...". */
void findings_print(const struct diagnosis_finding *, FILE *);

/* As many lines below a head; nothing where there are none. */
void findings_print_all(const struct diagnosis_finding *, size_t count, FILE *);

json_t *findings_json(const struct diagnosis_finding *, size_t count);

/* By how much counters rose, and "gauges"; null for what was unreadable. */
json_t *findings_kernel_json(
    const struct netstat *delta, const struct gauges_span *);

#endif
