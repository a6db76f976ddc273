// SPDX-License-Identifier: GPL-3.0-or-later
// measure.c - clocks, priority and disturbances of the bench programs.
#include "tests/bench/measure.h"
#include <rte_cycles.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PRIORITY 50
#define LIST_MAX 64

static long switches_now(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

static long stolen_now(unsigned cpu)
{
	char line[256], name[16];
	FILE *in = fopen("/proc/stat", "r");
	long steal = 0;

	snprintf(name, sizeof(name), "cpu%u ", cpu);
	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0 &&
		    sscanf(line, "%*s %*d %*d %*d %*d %*d %*d %*d %ld", &steal) != 1)
			steal = 0;
	}
	if (in != NULL)
		fclose(in);
	return steal * 1000 / sysconf(_SC_CLK_TCK);
}

static void priority_set(int policy, int priority)
{
	const struct sched_param param = { .sched_priority = priority };

	if (sched_setscheduler(0, policy, &param) < 0)
		return; // not root: measured as it is, and the switches tell
}

void measure_open(struct measure *m, unsigned cpu, bool fifo, unsigned max_bursts)
{
	cpu_set_t one;

	*m = (struct measure){ .cpu = cpu, .fifo = fifo, .max_bursts = max_bursts };
	m->bursts = calloc(max_bursts, sizeof(m->bursts[0]));
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (m->bursts == NULL || sched_setaffinity(0, sizeof(one), &one) < 0) {
		perror("measure");
		exit(1);
	}
}

void measure_close(struct measure *m)
{
	free(m->bursts);
}

void measure_begin(struct measure *m)
{
	m->ticks = m->packets = m->n_bursts = 0;
	if (m->fifo)
		priority_set(SCHED_FIFO, PRIORITY);
	m->stolen_at = stolen_now(m->cpu);
	m->switches_at = switches_now();
}

void measure_end(struct measure *m)
{
	m->switches += switches_now() - m->switches_at;
	m->stolen += stolen_now(m->cpu) - m->stolen_at;
	if (m->fifo)
		priority_set(SCHED_OTHER, 0);
}

double measure_ns(uint64_t ticks)
{
	return (double)ticks * 1e9 / (double)rte_get_tsc_hz();
}

double measure_mean(const struct measure *m)
{
	return measure_ns(m->ticks) / (double)m->packets;
}

static int by_value(const void *x, const void *y)
{
	double d = *(const double *)x - *(const double *)y;

	return d < 0 ? -1 : d > 0;
}

double measure_median(struct measure *m)
{
	qsort(m->bursts, m->n_bursts, sizeof(m->bursts[0]), by_value);
	return m->bursts[m->n_bursts / 2] * 1e9 / (double)rte_get_tsc_hz();
}

double middle(const double *values, unsigned n)
{
	double copy[LIST_MAX];

	if (n > LIST_MAX)
		n = LIST_MAX;
	memcpy(copy, values, n * sizeof(copy[0]));
	qsort(copy, n, sizeof(copy[0]), by_value);
	return copy[n / 2];
}

void print_list(const char *name, const double *values, unsigned n)
{
	printf("\"%s\":[", name);
	for (unsigned i = 0; i < n; i++)
		printf("%s%.2f", i > 0 ? "," : "", values[i]);
	printf("]");
}
