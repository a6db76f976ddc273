// SPDX-License-Identifier: GPL-3.0-or-later
// options.h - the command line that limit and bench_pipeline share, so that both measure the same.
#pragma once
#include "dataplane/srtp_suite.h"

#define OPTIONS_REPEATS_MAX 32
#define CHECK_EVERY 61 // bursts; the packets of one in so many are looked at, in a run that does not count

struct options {
	enum srtp_suite in, out; // NONE: plain RTP
	unsigned payload, sessions, addresses, burst;
	unsigned passes, warm; // times that each session is visited in a repeat; of these, not timed
	unsigned repeats;
	unsigned cpu;
	bool fifo;
	bool no_huge;
};

void options_read(struct options *o, int argc, char **argv); // ends the program if they are wrong
void options_print(const struct options *o);                 // as members of a JSON object, with a comma behind
bool options_hugepages(const struct options *o);             // wanted, and enough of them free?
