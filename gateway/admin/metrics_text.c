// SPDX-License-Identifier: GPL-3.0-or-later
// metrics_text.c - families, samples, and how numbers are written.
#include "gateway/admin/metrics_text.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define LABELS_MAX 256
#define NUMBER 32

void metrics_family(struct metrics_text *m, const char *name, enum metric_kind kind, const char *help)
{
	static const char *const types[] = { "gauge", "counter", "histogram" };
	// OpenMetrics calls a counter's family by its name without the suffix.
	const char *suffix = kind == METRIC_COUNTER && !m->open_metrics ? "_total" : "";

	m->name = name;
	m->counter = kind == METRIC_COUNTER;
	fprintf(m->to, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix, types[kind]);
}

// OpenMetrics wants a bound to look like a float: 1.0, not 1.
static const char *real_print(char dst[NUMBER], double value)
{
	snprintf(dst, NUMBER, "%.10g", value);
	if (strpbrk(dst, ".en") == NULL)
		strcat(dst, ".0");
	return dst;
}

static void write_sample(struct metrics_text *m, const char *suffix, const char *labels, const char *value)
{
	fprintf(m->to, "%s%s%s%s%s %s\n", m->name, suffix, labels[0] != '\0' ? "{" : "", labels, labels[0] != '\0' ? "}" : "",
		value);
}

#define FORMAT_LABELS(text, format)                                    \
	do {                                                           \
		va_list ap;                                            \
		va_start(ap, format);                                  \
		vsnprintf(text, sizeof(text), format, ap);             \
		va_end(ap);                                            \
	} while (0)

void metrics_count(struct metrics_text *m, uint64_t value, const char *labels, ...)
{
	char text[LABELS_MAX], number[NUMBER];

	FORMAT_LABELS(text, labels);
	snprintf(number, sizeof(number), "%" PRIu64, value);
	write_sample(m, m->counter ? "_total" : "", text, number);
}

void metrics_real(struct metrics_text *m, double value, const char *labels, ...)
{
	char text[LABELS_MAX], number[NUMBER];

	FORMAT_LABELS(text, labels);
	write_sample(m, m->counter ? "_total" : "", text, real_print(number, value));
}

static void write_bucket(struct metrics_text *m, const char *labels, const char *bound, uint64_t count)
{
	fprintf(m->to, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", m->name, labels, labels[0] != '\0' ? "," : "", bound, count);
}

void metrics_histogram(struct metrics_text *m, const struct histogram *h, const struct histogram_scale *scale, double unit,
		       const char *labels, ...)
{
	char text[LABELS_MAX], number[NUMBER];
	uint64_t count = 0;

	FORMAT_LABELS(text, labels);
	for (size_t i = 0; i < scale->n_bounds; i++) {
		count += counter_read(&h->bucket[i]);
		write_bucket(m, text, real_print(number, (double)scale->bound[i] * unit), count);
	}
	count += counter_read(&h->bucket[scale->n_bounds]);
	write_bucket(m, text, "+Inf", count);
	write_sample(m, "_sum", text, real_print(number, (double)counter_read(&h->sum) * unit));
	snprintf(number, sizeof(number), "%" PRIu64, count);
	write_sample(m, "_count", text, number);
}

void metrics_end(struct metrics_text *m)
{
	if (m->open_metrics)
		fputs("# EOF\n", m->to);
}
