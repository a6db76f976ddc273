// SPDX-License-Identifier: GPL-3.0-or-later
// call_line.c - one m-line of an offer or answer: what its author says, and what we say of it on either side.
#include "signaling/call_media_priv.h"
#include <errno.h>
#include <stdio.h>

int call_refuse(struct call_refusal *why, int status, int warning, const char *text)
{
	*why = (struct call_refusal){ .status = status, .warning = warning, .text = text };
	return -EPROTO;
}

int call_refuse_text(struct call_media *m, struct call_refusal *why, int status, int warning, const char *text)
{
	snprintf(m->why, sizeof(m->why), "%s", text);
	return call_refuse(why, status, warning, m->why);
}

int call_line_seat(struct sip_dialog *d, struct stream_side *s, enum inet_family family, struct call_refusal *why)
{
	int err;

	if (s->seat.id != 0)
		return 0;
	err = media_seat_take(d->call->sip->media, d->realm, family, &s->seat);
	if (err == 0)
		return 0;
	s->seat.id = 0;
	if (err == -ENOSPC)
		return call_refuse(why, 503, 0, "no media port is free");
	if (err == -EADDRNOTAVAIL)
		return call_refuse(why, 503, 0, "this host does not have the media address now");
	return call_refuse(why, 488, 301, "no media address of this family");
}

// A line that we cannot take is answered with port 0. If it is one that flows, the whole offer is refused instead: it goes
// on as it was, and nobody loses it, or its protection, by asking for something else.
static int line_refused(struct call_media *m, const struct sdp_media *line, bool in_force, const char *text,
			struct call_refusal *why)
{
	bool taken_away = line->refusal == SDP_REFUSE_PORT_ZERO || line->refusal == SDP_REFUSE_BUNDLE_ONLY;

	snprintf(m->why, sizeof(m->why), "%s", text);
	return in_force && !taken_away ? call_refuse(why, 488, 305, m->why) : 0;
}

int call_line_offered(struct sip_dialog *from, const struct sdp_doc *doc, size_t index, struct stream *stream,
		      struct call_refusal *why)
{
	struct call_media *m = from->call->media;
	enum call_side here = side_of(from);
	struct stream_side *s = &stream->side[here];
	struct sdp_media line;
	struct keying_lines keying;
	struct keying_reason reason;
	const struct keying_choice *current = stream->agreed && s->choice.mechanism != KEYING_UNDECIDED ? &s->choice : NULL;
	bool was_wanted = stream->wanted;
	int err;

	stream->wanted = false;
	stream->agreed = false;
	if (sdp_media_read(doc, index, &line) < 0)
		return call_refuse(why, 400, 0, "m-line");
	if (line.refusal != SDP_REFUSE_NONE)
		return line_refused(m, &line, current != NULL, sdp_refusal_text[line.refusal], why);
	if (!was_wanted && streams_wanted(&m->pending) >= MEDIA_LINES_MAX)
		return 0;
	enum inet_family family = line.rtp.addr.family != INET_NONE ? line.rtp.addr.family : from->source.addr.family;

	err = call_line_seat(from, s, family, why);
	if (err < 0)
		return err;
	struct keying_facts facts = {
		.ice = line.ice,
		.media_at_source = inet_addr_equal(&line.rtp.addr, &from->source.addr),
		.floor = keying_floor_of(&s->choice), // also of a line that was taken away and is back
	};
	struct keying_identity us = { media_seat_fingerprint(from->call->sip->media, &s->seat), s->seat.tls_id };
	struct keying_choice choice, before;

	if (current != NULL) {
		before = *current;
		current = &before;
	}
	sdp_media_keying(doc, index, &keying);
	err = keying_choose(&choice, &s->local, &profile_of(from)->keying, &keying, &facts, &us, current,
			    from->call->sip->env, &reason);
	if (err == 0) {
		s->choice = choice;
		s->remote = line.rtp;
		s->remote_rtcp = line.rtcp;
		s->rtcp_mux = line.rtcp_mux && profile_of(from)->rtcp_mux != MEDIA_MUX_NEVER;
		s->direction = line.direction;
		stream->wanted = true;
		keying_choice_wipe(&choice);
	} else if (err == -ENOTSUP) {
		err = line_refused(m, &line, current != NULL, reason.text, why);
	} else {
		err = call_refuse(why, 500, 0, "keying");
	}
	if (current != NULL)
		keying_choice_wipe(&before);
	return err;
}

// A leg that must be secured rules out that the other one is plain.
static bool far_leg_forbids(const struct sip_dialog *here, enum keying_mechanism there)
{
	return profile_of(here)->keying.far_leg_secured && there == KEYING_PLAIN;
}

// AVPF or AVP in our offer: a line in force keeps what it has, a new one follows the profile.
static bool onward_feedback(const struct sip_dialog *to, const struct stream_side *s, bool theirs)
{
	if (s->choice.mechanism != KEYING_UNDECIDED)
		return s->local.proto.feedback;
	switch (profile_of(to)->feedback) {
	case MEDIA_FEEDBACK_PASS:
		return theirs;
	case MEDIA_FEEDBACK_ALWAYS:
		return true;
	default:
		return false;
	}
}

// in_force: the line is up, and our offer repeats its keys. Those of a line that was taken away never come back: its
// transports are gone, and with them what of the keys was used.
int call_line_onward(struct sip_dialog *to, struct stream *stream, bool in_force, bool feedback,
		       struct call_refusal *why)
{
	struct stream_side *s = &stream->side[side_of(to)], *other = &stream->side[!side_of(to)];
	const struct keying_policy *policy = &profile_of(to)->keying;
	int err;

	if (far_leg_forbids(to, other->choice.mechanism) || far_leg_forbids(to->joined, policy->offer[0]))
		return call_refuse(why, 488, 399, "the other leg would not be secured");
	err = call_line_seat(to, s, to->hop.address.addr.family, why);
	if (err < 0)
		return err;
	struct keying_identity us = { media_seat_fingerprint(to->call->sip->media, &s->seat), s->seat.tls_id };

	if (keying_offer(&s->local, policy, onward_feedback(to, s, feedback), &us, in_force ? &s->choice : NULL, to->call->sip->env) < 0)
		return call_refuse(why, 500, 0, "keying");
	if (!in_force)
		s->rtcp_mux = profile_of(to)->rtcp_mux == MEDIA_MUX_OFFER;
	return 0;
}

struct sdp_extension_hops call_line_hops(const struct sip_dialog *here, const struct stream *stream)
{
	const struct media_profile *profiles[SIDES];

	profiles[side_of(here)] = profile_of(here);
	profiles[side_of(here->joined)] = profile_of(here->joined);
	return stream_hops(stream, here->call->media->offerer, profiles);
}

static void extend_stream(const struct sip_dialog *from, const struct sdp_doc *answer, size_t index, struct stream *stream)
{
	const struct call_media *m = from->call->media;
	const struct side_media *there = &m->side[!side_of(from)], *here = &m->side[side_of(from)];
	struct sdp_extension_hops hops = call_line_hops(from, stream);
	struct sdp_extensions offered, answered;

	sdp_extensions_read(m->offer, (size_t)sdp_map_line(&there->map_pending, here->map_pending.stream[index]), &offered);
	sdp_extensions_read(answer, index, &answered);
	stream_extend(stream, m->offerer, &hops, &offered, &answered);
}

int call_line_answered(struct sip_dialog *from, const struct sdp_doc *doc, size_t index, struct stream *stream,
		       struct call_refusal *why)
{
	struct call_media *m = from->call->media;
	struct stream_side *s = &stream->side[side_of(from)];
	struct sdp_media line;
	struct keying_lines keying;
	struct keying_choice choice;
	struct keying_reason reason;

	if (!stream->wanted)
		return 0;
	if (sdp_media_read(doc, index, &line) < 0)
		return call_refuse(why, 488, 0, "m-line");
	if (line.refusal != SDP_REFUSE_NONE) { // declined, or nothing that we could relay to
		stream->wanted = false;
		return 0;
	}
	sdp_media_keying(doc, index, &keying);
	if (keying_accept_answer(&choice, &s->local, &keying, &reason) < 0)
		return call_refuse_text(m, why, 488, 305, reason.text);
	s->choice = choice;
	keying_choice_wipe(&choice);
	if (far_leg_forbids(from->joined, s->choice.mechanism))
		return call_refuse(why, 488, 399, "the other leg would not be secured");
	s->remote = line.rtp;
	s->remote_rtcp = line.rtcp;
	s->rtcp_mux = s->rtcp_mux && line.rtcp_mux;
	s->direction = line.direction;
	extend_stream(from, doc, index, stream);
	stream->agreed = true;
	return 0;
}
