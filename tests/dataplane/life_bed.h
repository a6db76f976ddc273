// SPDX-License-Identifier: GPL-3.0-or-later
// life_bed.h - a relay in this process between two ports that are a phone and a far end at once: each packet that they
// give is of a known session and number, and each that comes back is opened, counted and put in order.
//
// With one worker time is the worker's own: the processor time that its thread takes between two visits of the ports, so
// that neither a busy machine nor the making of packets counts; when nothing is due it leaps ahead. So a rate is a share of
// what the worker can do, and a worker that stays away too long overflows the ring of its port as it would a card's. With
// more workers so many packets are under way at a time, and a session's come in where the test says.
//
// The kernel charges an interrupt, and the softirqs behind it, to the thread that it meets: milliseconds, while others use
// the network. So an absence above LIFE_GAP of which commands took less is left out of the time and counted apart. The
// ports' own work, on the same thread and more of it, shows how many of these the machine made: a relay that is away by
// itself has more. So it shows whether the machine as a whole is slower than when the rate was chosen (who shares a core, or
// memory): what overflows while a packet costs the ports a quarter more than before is counted apart, too.
#pragma once
#include "dataplane/client/dp_client.h"
#include "dataplane/worker/relay.h"
#include <stdatomic.h>
#include <sys/types.h>

#define LIFE_RING 4096 // packets that a port holds for the worker
#define LIFE_FLOWS 320
#define LIFE_SLOTS 64  // sessions that come and go
#define LIFE_EXTRA 2   // more legs that a stream may be copied to
#define LIFE_GAP 1000000 // ns that a worker may be away from its ports
#define LIFE_SLOW 1.25   // what a packet costs the ports on a slow machine, of what it did before

struct life_key { // double: the old and the new one
	struct srtp_key key[2];
};

struct life_flow { // a stream through the relay: in by one leg, out by another
	unsigned id;
	enum srtp_suite in_suite, out_suite; // NONE: plain
	struct dp_ref in, out, extra[LIFE_EXTRA];
	unsigned n_extra;
	uint16_t port;
	unsigned queue;                // by which it comes in
	unsigned every;                // it speaks in each n-th turn
	uint16_t worker;               // control: where it is
	struct life_key *phone, *far;  // of in, of out
	// The phone, on the thread of its queue.
	struct srtp_stream phone_stream;
	uint32_t sent;
	uint32_t old_left; // packets under the old key before the new one is used
	uint32_t switched_at;      // number of the first packet under phone_epoch
	mono_ns old_said;          // while a key changes: when it spoke last
	_Atomic uint32_t phone_epoch, phone_wanted;
	// The far end, on the thread of the worker that has the session.
	struct srtp_stream far_stream;
	_Atomic uint32_t far_epoch, far_next; // it accepts the latter, too
	_Atomic uint32_t heard;        // packets that came, in order
	uint64_t lost, late;           // numbers that were left out, that came afterwards
	uint32_t extra_next[LIFE_EXTRA];
	uint64_t extra_heard, extra_late;
};

enum life_slot_state { SLOT_FREE, SLOT_PUBLISHED, SLOT_LIVE, SLOT_REMOVING };

struct life_slot { // a session that comes and goes
	_Atomic unsigned state;
	struct dp_ref leg[2];
	unsigned removed; // legs of which it was told
	mono_ns since;
	uint16_t port;
	struct srtp_key *phone;
	struct srtp_stream stream;
	_Atomic uint32_t sent;
};

struct life_worker { // of one thread: the queues of both ports are its own
	struct life_bed *bed;
	unsigned id;
	struct dp_queue queues[2];
	struct srtp_engine *engine;
	_Atomic uint64_t now; // ns of its own time
	_Atomic pid_t thread;
	uint64_t came_at, left_at; // processor time, when it was here last
	uint64_t here;        // ns that the ports themselves took
	uint64_t here_before, given_before; // when no packet waited last
	double usual;         // ns of theirs a packet, before this rate
	double cost;          // of that, when a packet did not fit
	uint64_t rate;        // as it was when it was here last
	double due;           // packets that had come in when the rate changed, above what it makes of the time
	uint64_t given;
	uint64_t turn;
	uint64_t overflow;    // packets that found the ring full
	uint64_t slowed;      // such, of a slow machine
	uint64_t longest;     // absence, ns
	uint64_t gaps;        // absences above LIFE_GAP, for commands
	uint64_t interrupted; // such that were not for commands
	uint64_t interrupted_here; // and at the ports
	uint64_t worst_queue; // packets that waited
	uint64_t unknown;     // frames that nothing opened
	uint64_t slots_heard;
};

struct life_bed {
	struct relay relay;
	struct dp_client *client;
	struct srtp_engine *engine; // control's
	struct dp_port ports[2];
	struct life_worker workers[DP_WORKERS_MAX];
	unsigned n_workers;
	bool running;
	struct life_flow flows[LIFE_FLOWS];
	unsigned n_flows;
	struct life_slot slots[LIFE_SLOTS];
	unsigned n_slots;
	_Atomic uint64_t rate;    // packets a second of a worker's time; UINT64_MAX: as many as it takes; 0: none
	_Atomic uint32_t window;  // with more than one worker: packets under way
	_Atomic uint64_t given, back;
	void (*event)(struct life_bed *bed, const struct dp_event *event);
};

struct life_bed *life_open(unsigned n_workers, unsigned n_queues, enum dp_poll poll, void (*event)(struct life_bed *bed,
										  const struct dp_event *event));
void life_close(struct life_bed *bed);
void life_start(struct life_bed *bed); // the workers' threads
void life_stop(struct life_bed *bed);
uint64_t life_blocked(const struct life_bed *bed, unsigned worker); // times that it waited for something, since it runs
void life_pools_check(struct life_bed *bed); // nothing is published any more: all is as it was at the start

void life_master(struct srtp_master *master, enum srtp_suite suite, unsigned who, uint32_t epoch);
// Not while the workers run.
struct life_flow *life_flow_make(struct life_bed *bed, enum srtp_suite in, enum srtp_suite out, unsigned n_extra,
				 uint16_t worker, unsigned queue);
void life_flow_remove(struct life_bed *bed, struct life_flow *f);
void life_settle(struct life_bed *bed); // all commands done, by rounds of this thread
void life_keys(struct life_bed *bed, struct dp_ref ref, enum dp_direction d, enum srtp_suite suite, unsigned who,
	       uint32_t epoch);
struct dp_ref life_leg(struct life_bed *bed, unsigned network, uint16_t port, enum dp_security security,
		       uint16_t worker);
bool life_hop(struct life_bed *bed, struct dp_ref ref, unsigned network); // false: not published yet
