// SPDX-License-Identifier: GPL-3.0-or-later
// trace_file.c - a trace as a file, in the order of time. Each realm is an interface. SIP gets the headers that it had on the wire,
// as far as this process can know: addresses and ports are real; of a TCP connection only the traced messages are there, and their
// sequence numbers are such that no reader misses the others.
#include "gateway/trace/pcapng.h"
#include "gateway/trace/trace_frame.h"
#include "gateway/trace/trace_headers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS 256 // TCP connections in one file; of what is beyond, sequence numbers begin anew
#define FIRST_SEQ 1u

struct flow {
	struct inet_endpoint local, remote;
	uint32_t seq[2]; // in, out: of what comes next
};

struct writer {
	struct pcapng file;
	const struct trace *trace;
	struct flow flows[FLOWS];
	unsigned n_flows;
};

static struct flow *flow_of(struct writer *w, const struct trace_frame *f)
{
	struct flow *flow = w->flows;

	for (unsigned i = 0; i < w->n_flows; i++, flow++) {
		if (inet_endpoint_equal(&flow->local, &f->local) && inet_endpoint_equal(&flow->remote, &f->remote))
			return flow;
	}
	if (w->n_flows == FLOWS)
		w->n_flows = 0;
	flow = &w->flows[w->n_flows++];
	*flow = (struct flow){ f->local, f->remote, { FIRST_SEQ, FIRST_SEQ } };
	return flow;
}

static void write_segment(struct writer *w, const struct trace_frame *f, const char *comment, struct trace_way *way, size_t at, size_t len)
{
	uint8_t headers[TRACE_HEADERS_MAX];
	size_t head_len = trace_headers(headers, way, f->bytes + at, len);

	if (head_len == 0)
		return;
	pcapng_packet(&w->file, &(struct pcapng_packet){
		.interface = f->realm, .time = w->trace->wall + f->time, .out = f->out, .head = headers, .head_len = head_len,
		.body = f->bytes + at, .body_len = len, .original = head_len + len, .comment = comment,
	});
}

static void write_message(struct writer *w, const struct trace_frame *f, const char *comment)
{
	struct flow *flow = f->kind == TRACE_SIP_TCP ? flow_of(w, f) : NULL;
	size_t step = flow != NULL ? TRACE_SEGMENT : f->len;
	struct trace_way way = { .from = f->out ? f->local : f->remote, .to = f->out ? f->remote : f->local, .tcp = flow != NULL };

	for (size_t at = 0; at < f->len; at += step) {
		size_t len = f->len - at < step ? f->len - at : step;

		if (flow != NULL) {
			way.seq = flow->seq[f->out];
			way.ack = flow->seq[!f->out];
			flow->seq[f->out] += (uint32_t)len;
		}
		way.push = at + len == f->len;
		write_segment(w, f, comment, &way, at, len);
	}
}

static void write_frame(struct writer *w, const struct trace_frame *f)
{
	char comment[48] = "";

	if (f->call != 0)
		snprintf(comment, sizeof(comment), "call %u", f->call);
	if (f->kind != TRACE_PACKET) {
		write_message(w, f, comment);
		return;
	}
	pcapng_packet(&w->file, &(struct pcapng_packet){
		.interface = f->realm, .time = w->trace->wall + f->time, .out = f->out, .body = f->bytes, .body_len = f->len,
		.original = f->original, .comment = comment,
	});
}

static int earlier(const void *a, const void *b)
{
	const struct trace_frame *const *x = a, *const *y = b;

	if ((*x)->time != (*y)->time)
		return (*x)->time < (*y)->time ? -1 : 1;
	return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

void *traces_file(const struct trace *trace, const char *const *realms, size_t n_realms, size_t *len)
{
	struct writer *w = calloc(1, sizeof(*w));
	void *bytes = NULL;
	char comment[64];

	if (w == NULL)
		return NULL;
	w->trace = trace;
	snprintf(comment, sizeof(comment), "trace %s", trace->name);
	pcapng_section(&w->file, "Sallyport " SALLYPORT_VERSION, comment);
	for (size_t r = 0; r < n_realms; r++)
		pcapng_interface(&w->file, realms[r]);
	if (trace->n_frames > 0)
		qsort(trace->frames, trace->n_frames, sizeof(trace->frames[0]), earlier);
	for (size_t i = 0; i < trace->n_frames; i++) {
		if (trace->frames[i]->realm < n_realms)
			write_frame(w, trace->frames[i]);
	}
	if (trace->lost > 0)
		pcapng_lost(&w->file, 0, trace->wall + clock_now(), trace->lost);
	if (!w->file.failed) {
		bytes = w->file.bytes;
		*len = w->file.len;
	} else {
		free(w->file.bytes);
	}
	free(w);
	return bytes;
}
