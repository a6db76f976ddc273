// SPDX-License-Identifier: GPL-3.0-or-later
// traffic_count.c - counts and latencies of a run of traffic.
#include "tests/bench/traffic_count.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIN MONO_MS(100)

static void *need(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "bench_traffic: no memory\n");
		exit(1);
	}
	return p;
}

void traffic_begin(struct traffic_count *c, unsigned n_streams)
{
	for (unsigned i = 0; i < c->n_phases; i++)
		free(c->phases[i].histogram);
	free(c->newest);
	*c = (struct traffic_count){ .n_streams = n_streams, .newest = need(calloc(n_streams, sizeof(mono_ns))) };
}

void traffic_phase(struct traffic_count *c, mono_ns began, double seconds)
{
	struct traffic_phase *p = &c->phases[c->n_phases];

	if (c->n_phases == TRAFFIC_PHASES) {
		fprintf(stderr, "bench_traffic: too many phases\n");
		exit(1);
	}
	c->n_phases++;
	*p = (struct traffic_phase){ .began = began, .seconds = seconds };
	p->histogram = need(calloc(TRAFFIC_MICROSECONDS, sizeof(p->histogram[0])));
}

static struct traffic_phase *phase_at(struct traffic_count *c, mono_ns sent)
{
	for (unsigned i = c->n_phases; i > 0; i--) {
		if (sent >= c->phases[i - 1].began)
			return &c->phases[i - 1];
	}
	return NULL; // of the run before
}

static uint32_t *bin_at(struct traffic_phase *p, uint32_t *bins, mono_ns sent)
{
	uint64_t bin = (sent - p->began) / BIN;

	return &bins[bin < TRAFFIC_BINS ? bin : TRAFFIC_BINS - 1];
}

void traffic_sent(struct traffic_count *c, mono_ns made, unsigned n)
{
	struct traffic_phase *p = phase_at(c, made);

	p->sent += n;
	*bin_at(p, p->sent_in, made) += n;
}

void traffic_received(struct traffic_count *c, unsigned stream, mono_ns sent, mono_ns now)
{
	struct traffic_phase *p = phase_at(c, sent);
	uint64_t us = (now - sent) / 1000;

	if (p == NULL)
		return;
	p->histogram[us < TRAFFIC_MICROSECONDS ? us : TRAFFIC_MICROSECONDS - 1]++;
	if (now - sent > TRAFFIC_LATE) {
		p->late++;
		return;
	}
	p->good++;
	(*bin_at(p, p->good_in, sent))++;
	c->newest[stream] = now;
}

void traffic_strange(struct traffic_count *c)
{
	c->strange++;
}

void traffic_left_out(struct traffic_count *c, uint64_t n)
{
	c->phases[c->n_phases - 1].left_out = n;
}

static unsigned percentile(const struct traffic_phase *p, double part)
{
	uint64_t want = (uint64_t)((double)(p->good + p->late) * part), seen = 0;

	for (unsigned us = 0; us < TRAFFIC_MICROSECONDS; us++) {
		seen += p->histogram[us];
		if (seen > want)
			return us;
	}
	return TRAFFIC_MICROSECONDS;
}

// Streams from which nothing came within the last second of the last phase.
static unsigned dead(const struct traffic_count *c)
{
	const struct traffic_phase *last = &c->phases[c->n_phases - 1];
	mono_ns since = last->began + (mono_ns)(last->seconds * 1e9) - MONO_S(1);
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_streams; i++)
		n += c->newest[i] < since;
	return n;
}

static void bins_print(const char *name, const uint32_t *bins, double seconds)
{
	printf(",\"%s\":[", name);
	for (unsigned i = 0; i < (unsigned)(seconds * 10 + 0.5) && i < TRAFFIC_BINS; i++)
		printf("%s%u", i > 0 ? "," : "", bins[i]);
	printf("]");
}

void traffic_print(const struct traffic_count *c)
{
	printf("{\"strange\":%llu,\"dead_streams\":%u,\"phases\":[", (unsigned long long)c->strange, dead(c));
	for (unsigned i = 0; i < c->n_phases; i++) {
		const struct traffic_phase *p = &c->phases[i];

		printf("%s{\"seconds\":%.3f,\"sent\":%llu,\"good\":%llu,\"late\":%llu,\"left_out\":%llu,\"p50_us\":%u,"
		       "\"p99_us\":%u,\"p999_us\":%u",
		       i > 0 ? "," : "", p->seconds, (unsigned long long)p->sent, (unsigned long long)p->good,
		       (unsigned long long)p->late, (unsigned long long)p->left_out, percentile(p, 0.5),
		       percentile(p, 0.99), percentile(p, 0.999));
		bins_print("sent_in", p->sent_in, p->seconds);
		bins_print("good_in", p->good_in, p->seconds);
		printf("}");
	}
	printf("]}\n");
}
