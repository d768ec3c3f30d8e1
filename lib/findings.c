#include "lib/findings.h"
#include "lib/json.h"

void
findings_print(const struct diagnosis_finding *f, FILE *out)
{
	fprintf(out, "%s (%s): %s", f->limit, f->side, f->symptom);
	if (f->evidence[0] != '\0')
		fprintf(out, " (%s)", f->evidence);
	fprintf(out, "; fix: %s\n", f->fix);
}

void
findings_print_all(
    const struct diagnosis_finding *list, size_t count, FILE *out)
{
	size_t i;

	if (count > 0)
		fputs("\nlimits met\n", out);
	for (i = 0; i < count; i++) {
		fputs("  ", out);
		findings_print(&list[i], out);
	}
}

json_t *
findings_json(const struct diagnosis_finding *list, size_t count)
{
	json_t *array = json_array(), *o;
	size_t i;

	for (i = 0; i < count; i++) {
		o = json_object();
		json_put(o, "limit", json_string(list[i].limit));
		json_put(o, "side", json_string(list[i].side));
		json_put(o, "symptom", json_string(list[i].symptom));
		json_put(o, "fix", json_string(list[i].fix));
		json_put(o, "evidence",
		    list[i].evidence[0] == '\0' ?
			json_null() :
			json_string(list[i].evidence));
		json_push(array, o);
	}
	return array;
}

static json_t *
value_or_null(const struct gauges *g, int which)
{
	return g->readable[which] ? json_integer((json_int_t)g->value[which]) :
				    json_null();
}

static json_t *
gauges_json(const struct gauges_span *span)
{
	json_t *o = json_object(), *one;
	int i;

	for (i = 0; i < GAUGES_COUNT; i++) {
		one = json_object();
		json_put(one, "begin", value_or_null(&span->begin, i));
		json_put(one, "most", value_or_null(&span->most, i));
		json_put(one, "end", value_or_null(&span->end, i));
		json_put(o, gauges_name((enum gauge)i), one);
	}
	return o;
}

json_t *
findings_kernel_json(const struct netstat *n, const struct gauges_span *span)
{
	json_t *o = json_object();
	int i;

	for (i = 0; i < NETSTAT_COUNT; i++)
		json_put(o, netstat_name((enum netstat_counter)i),
		    n->readable[i] ? json_integer((json_int_t)n->value[i]) :
				     json_null());
	json_put(o, "gauges", gauges_json(span));
	return o;
}
