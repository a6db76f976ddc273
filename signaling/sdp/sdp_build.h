// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_build.h - from the description received in one dialog and our choices, the description for another dialog.
// Pure functions. What is end to end passes as it is; what is ours is written anew, at media level; what bears keys or
// addresses never passes, nor does any line in which an address of its author stands. BUNDLE is not offered onward and
// not answered: every m-line has a transport of its own (RFC 9143 section 7.3: an answerer need not bundle), and a
// bundle-only line is refused. Built documents end every line in CRLF.
//
// The usual way of an offer from A to B:
//   sdp_doc_parse(A's body); sdp_map_offer(map A, map B, lines)
//   per m-line: sdp_media_read(), sdp_media_keying(), keying_choose() for A (kept until the answer goes out);
//               keying_offer() for B
//   sdp_offer_build() -> B; B's answer: sdp_doc_parse(), sdp_answer_check()
//   per m-line: keying_accept_answer() for B
//   sdp_answer_build() -> A
#pragma once
#include "signaling/sdp/sdp_extmap.h"
#include "signaling/sdp/sdp_media.h"

// Our stream <-> m-line index in one dialog. Streams are numbered over the whole call, indices in each dialog; m-lines
// are never taken away (RFC 3264 section 8), so both only grow, and may diverge when both sides append.
struct sdp_map {
	uint8_t n_lines;
	uint8_t stream[SDP_MEDIA_MAX]; // of each m-line here
};

int sdp_map_line(const struct sdp_map *map, unsigned stream); // m-line index, -1: this dialog has none
// An offer of n m-lines came in `here`: its new lines become new streams, appended in `there`. *n_streams counts the
// call's streams. -EBADMSG: fewer lines than before. -ENOSPC: more than SDP_MEDIA_MAX in `there`. On error nothing
// changes.
int sdp_map_offer(struct sdp_map *here, struct sdp_map *there, unsigned *n_streams, size_t n);

struct sdp_session_id { // of the o= lines that we write in one dialog
	uint64_t id, version;
};

struct sdp_seat { // where we receive, as the other end sees it
	struct inet_addr address;
	uint16_t rtp_port, rtcp_port;
};

struct sdp_build_line { // one m-line of the document to be made
	int from;       // its index in the received document; -1: it is not there
	bool accept;    // false: port 0
	struct sdp_seat seat;
	bool rtcp_mux;                     // offered, or agreed
	const struct keying_local *keying; // our attributes; in an offer also the proto. NULL if not accepted
	struct sdp_extension_hops hops;    // what each hop lets pass, and how, of header extensions
};

struct sdp_build_count { // lines of the received description that did not cross, or crossed unknown; added to
	unsigned unknown_passed, unknown_dropped, key_dropped, address_dropped, leak_dropped;
};

struct sdp_build {
	const struct sdp_doc *received; // the other dialog's offer (for an offer) or answer (for an answer)
	const struct sdp_doc *offer;    // for an answer: the offer that is answered
	const struct sdp_doc *previous; // our last description in this dialog; NULL: none yet
	struct sdp_session_id *session; // version is increased if the text differs from `previous`
	struct inet_addr origin;        // address of our o= and session level c= lines
	bool pass_unknown;
	const struct sdp_build_line *lines;
	size_t n_lines;                // of an answer: as many as the offer has
	struct sdp_build_count *count; // may be NULL
};

// -EINVAL: n_lines or an index does not fit. -ENOMEM.
int sdp_offer_build(struct sdp_doc **docp, const struct sdp_build *build);
int sdp_answer_build(struct sdp_doc **docp, const struct sdp_build *build);
// The answer that takes nothing: every port 0.
int sdp_answer_decline(struct sdp_doc **docp, const struct sdp_doc *offer, struct sdp_session_id session,
		       const struct inet_addr *origin);
// The answer of another end to our offer: as many m-lines, of the same kinds, nothing accepted that was offered with
// port 0 (RFC 3264 section 6). -EBADMSG with the line. Protos are keying_accept_answer()'s.
int sdp_answer_check(const struct sdp_doc *offer, const struct sdp_doc *answer, struct sdp_error *error);
