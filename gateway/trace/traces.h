// SPDX-License-Identifier: GPL-3.0-or-later
// traces.h - what was seen of traced calls, in this process's memory alone, bounded in octets, time and number. SIP comes from the
// sip thread, media from the media thread, each by the mailbox; all else is the main loop's. Nothing outlives the process.
#pragma once
#include "mediarelay/media_trace.h"
#include "signaling/sip_trace.h"

#define TRACES SIP_TRACES
#define TRACE_NAME 16
#define TRACE_SECONDS_MAX 3600u
#define TRACE_OCTETS_MIN (64u << 10)
#define TRACE_OCTETS_MAX (64u << 20)
#define TRACE_OCTETS_ALL (128u << 20) // of all that are kept
#define TRACE_KEPT_S 3600u            // after its end

struct event_base;
struct media;
struct sip;
struct traces;

struct trace_ask {
	struct sip_trace_want sip; // .trace is filled in by traces_new()
	unsigned seconds;
	size_t octets;
	char by[32];    // whose token
};

struct trace_frame;

struct trace { // read only, but for traces.c
	uint32_t id;
	char name[TRACE_NAME]; // as text
	struct trace_ask ask;
	const char *ended;     // why; NULL: it runs
	mono_ns begun, until, over; // over: when it ended
	uint64_t wall;         // nanoseconds since 1970 at mono 0
	size_t octets;
	uint64_t messages, packets; // of SIP, of media
	uint64_t lost;              // that came while there was no room, a second ago
	uint64_t ring_before, ring_lost; // of the workers' rings: when it began; and of lost, what they lost since, for whichever trace
	unsigned n_calls, n_over;
	struct {
		uint32_t number, session;
	} calls[SIP_TRACE_CALLS];
	struct trace_frame **frames;
	size_t n_frames, room;
};

int traces_open(struct traces **tracesp, struct event_base *base);
void traces_close(struct traces *traces); // when neither sip nor media can call any more; NULL is fine
struct sip_trace_sink traces_sip_sink(struct traces *traces);
void traces_media_packet(void *traces, const struct media_traced *packet); // of media_start
void traces_serve(struct traces *traces, struct sip *sip, struct media *media); // these threads are there; NULL: no more

// A place for one, which sip_trace_begin() is to be asked for with ask.sip. NULL: too many are kept, or too many octets are promised.
struct trace *traces_new(struct traces *traces, const struct trace_ask *ask);
void traces_refused(struct traces *traces, struct trace *trace); // it never began
void traces_delete(struct traces *traces, struct trace *trace); // ends it, if it runs
struct trace *traces_find(struct traces *traces, const char *name);
struct trace *traces_by_id(struct traces *traces, uint32_t id);
struct trace *traces_at(struct traces *traces, unsigned i); // i < TRACES; NULL: there is none

// The whole of it as pcapng, malloc'ed. realms: names, by index. NULL: no memory.
void *traces_file(const struct trace *trace, const char *const *realms, size_t n_realms, size_t *len);
