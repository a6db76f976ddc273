// SPDX-License-Identifier: GPL-3.0-or-later
// measure.h - how the bench programs time bursts: one core, at real-time priority for the timed part alone (a program
// that starts DPDK at such a priority can hang: the library's threads wait for one another), and what disturbed them.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct measure {
	unsigned cpu;
	bool fifo;      // ask for real-time priority; without the right to it, go on as it is
	double *bursts; // ns a packet of each burst
	unsigned n_bursts, max_bursts;
	uint64_t ticks, packets;
	long switches; // times that the timed thread lost its core
	long stolen;   // ms of the core that the hypervisor gave to others
	long switches_at, stolen_at;
};

void measure_open(struct measure *m, unsigned cpu, bool fifo, unsigned max_bursts);
void measure_close(struct measure *m);
void measure_begin(struct measure *m); // a run: forgets the bursts of the one before
void measure_end(struct measure *m);
double measure_mean(const struct measure *m); // ns a packet, all bursts
double measure_median(struct measure *m);     // of the bursts; hardly moved by what interrupts a few

static inline uint64_t measure_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

double measure_ns(uint64_t ticks);

static inline void measure_burst(struct measure *m, uint64_t ticks, unsigned packets)
{
	m->ticks += ticks;
	m->packets += packets;
	if (m->n_bursts < m->max_bursts && packets > 0)
		m->bursts[m->n_bursts++] = (double)ticks / packets;
}

// "name":[1.5,2.5] of n doubles, and the middle one of a copy.
void print_list(const char *name, const double *values, unsigned n);
double middle(const double *values, unsigned n);
