// SPDX-License-Identifier: GPL-3.0-or-later
// call_media_record.c - the last stable descriptions of a call, and what was agreed on in them, to its record and back. The
// texts are kept without their SDES keys: those in force are in what was agreed, and nobody took the others.
#include "base/secret.h"
#include "signaling/call_media_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct recorded_side {
	struct media_seat seat;
	struct keying_choice choice;
	struct keying_proto proto; // as we said it: a later offer of ours repeats it
	enum keying_mechanism said[KEYING_MECHANISM_COUNT];
	struct inet_endpoint remote, remote_rtcp;
	struct dp_extensions extensions;
	enum sdp_direction direction;
	bool rtcp_mux;
};

struct recorded_stream {
	bool wanted, agreed;
	struct recorded_side side[SIDES];
};

struct recorded_texts { // of one dialog
	struct sdp_map map;
	struct sdp_session_id id;
	enum media_confirm confirm;
	uint32_t ours, theirs; // octets of each; 0: none
};

struct recorded_media { // then the streams, then caller's and callee's texts
	uint32_t n_streams;
	struct recorded_texts side[SIDES];
};

// Writing

struct space {
	uint8_t *at;
	size_t used, room;
};

static int put(struct space *to, const void *bytes, size_t len)
{
	if (len > to->room - to->used)
		return -EMSGSIZE;
	memcpy(to->at + to->used, bytes, len);
	to->used += len;
	return 0;
}

static void side_to_record(struct recorded_side *rs, const struct stream_side *s)
{
	rs->seat = s->seat;
	rs->choice = s->choice;
	rs->proto = s->local.proto;
	memcpy(rs->said, s->local.mechanisms, sizeof(rs->said));
	rs->remote = s->remote;
	rs->remote_rtcp = s->remote_rtcp;
	rs->extensions = s->extensions;
	rs->direction = s->direction;
	rs->rtcp_mux = s->rtcp_mux;
}

static int put_stream(struct space *to, const struct stream *stream)
{
	struct recorded_stream rs;

	memset(&rs, 0, sizeof(rs));
	rs.wanted = stream->wanted;
	rs.agreed = stream->agreed;
	for (int side = 0; side < SIDES; side++)
		side_to_record(&rs.side[side], &stream->side[side]);
	int err = put(to, &rs, sizeof(rs));

	secret_wipe(&rs, sizeof(rs));
	return err;
}

static void remove_keys(struct sdp_doc *doc)
{
	for (int section = SDP_SESSION; section < (int)sdp_doc_media_count(doc); section++) {
		for (size_t i = sdp_doc_line_count(doc, section); i-- > 0;) {
			const struct sdp_text *name = &sdp_doc_line(doc, section, i)->name;

			if (name->len == 6 && strncasecmp(name->s, "crypto", 6) == 0)
				sdp_doc_remove(doc, section, i);
		}
	}
}

static int put_text(struct space *to, const struct sdp_doc *doc, uint32_t *written)
{
	struct sdp_doc *copy;
	size_t len = 0;

	*written = 0;
	if (doc == NULL)
		return 0;
	if (sdp_doc_copy(&copy, doc) < 0)
		return -ENOMEM;
	remove_keys(copy);
	char *text = sdp_doc_print(copy, &len);
	int err = text != NULL ? put(to, text, len) : -ENOMEM;

	if (text != NULL)
		sdp_body_free(text, len);
	sdp_doc_free(copy);
	*written = (uint32_t)len;
	return err;
}

int call_media_save(const struct sip_call *call, uint8_t *to, size_t room)
{
	const struct call_media *m = call->media;
	struct space space = { .at = to, .used = sizeof(struct recorded_media), .room = room };
	struct recorded_media head;
	int err = 0;

	if (m == NULL || m->stable.n == 0)
		return -ENOENT;
	if (room < sizeof(head))
		return -EMSGSIZE;
	memset(&head, 0, sizeof(head));
	head.n_streams = m->stable.n;
	for (unsigned i = 0; i < m->stable.n && err == 0; i++)
		err = put_stream(&space, &m->stable.list[i]);
	for (int i = 0; i < SIDES; i++) {
		const struct side_media *side = &m->side[i];
		struct recorded_texts *texts = &head.side[i];

		texts->map = side->map;
		texts->id = side->id;
		texts->confirm = m->confirm[i];
		err = err < 0 ? err : put_text(&space, side->ours, &texts->ours);
		err = err < 0 ? err : put_text(&space, side->theirs, &texts->theirs);
	}
	memcpy(to, &head, sizeof(head));
	return err < 0 ? err : (int)space.used;
}

// Reading. What was damaged, or written by another version, is not used at all: what is an index, a choice or a text must
// be one.

struct bytes {
	const uint8_t *at;
	size_t left;
};

static int get(struct bytes *from, void *to, size_t len)
{
	if (len > from->left)
		return -EBADMSG;
	memcpy(to, from->at, len);
	from->at += len;
	from->left -= len;
	return 0;
}

static bool is_flag(const bool *flag)
{
	return *(const uint8_t *)flag <= 1;
}

static bool endpoint_is_sound(const struct inet_endpoint *ep)
{
	return ep->addr.family == INET_NONE || ep->addr.family == INET_V4 || ep->addr.family == INET_V6;
}

static bool seat_is_sound(const struct media_seat *seat, const struct sip_dialog *d)
{
	return seat->id == 0 || (seat->realm == d->realm && endpoint_is_sound(&seat->rtp) && endpoint_is_sound(&seat->rtcp) &&
				 (unsigned)seat->advertise.family <= INET_V6 &&
				 memchr(seat->tls_id, 0, sizeof(seat->tls_id)) != NULL);
}

static bool side_is_sound(const struct recorded_side *rs, const struct sip_dialog *d)
{
	for (size_t i = 0; i < KEYING_MECHANISM_COUNT; i++) {
		if ((unsigned)rs->said[i] >= KEYING_MECHANISM_COUNT)
			return false;
	}
	return seat_is_sound(&rs->seat, d) && keying_choice_is_sound(&rs->choice) && is_flag(&rs->proto.feedback) &&
	       (unsigned)rs->proto.transport <= KEYING_UDP_TLS_RTP_SAVP && endpoint_is_sound(&rs->remote) &&
	       endpoint_is_sound(&rs->remote_rtcp) && (unsigned)rs->extensions.mode <= DP_EXTENSION_FILTER &&
	       rs->extensions.cryptex <= 1 && (unsigned)rs->direction <= SDP_SENDRECV && is_flag(&rs->rtcp_mux);
}

static bool stream_is_sound(const struct recorded_stream *rs, const struct sip_dialog *const dialogs[SIDES])
{
	if (!is_flag(&rs->wanted) || !is_flag(&rs->agreed))
		return false;
	for (int side = 0; side < SIDES; side++) {
		if (!side_is_sound(&rs->side[side], dialogs[side]) || (rs->wanted && rs->side[side].seat.id == 0))
			return false;
	}
	return true;
}

static void side_from_record(struct stream_side *s, const struct recorded_side *rs)
{
	*s = (struct stream_side){
		.seat = rs->seat,
		.planned = rs->seat.id != 0,
		.choice = rs->choice,
		.local = { .proto = rs->proto },
		.remote = rs->remote,
		.remote_rtcp = rs->remote_rtcp,
		.extensions = rs->extensions,
		.direction = rs->direction,
		.rtcp_mux = rs->rtcp_mux,
	};
	memcpy(s->local.mechanisms, rs->said, sizeof(rs->said));
}

static int get_streams(struct call_media *m, struct bytes *from, unsigned n, const struct sip_dialog *const dialogs[SIDES])
{
	struct recorded_stream rs;
	int err = 0;

	if (n == 0 || n > SDP_MEDIA_MAX)
		return -EBADMSG;
	m->stable.list = calloc(n, sizeof(*m->stable.list));
	if (m->stable.list == NULL)
		return -ENOMEM;
	m->stable.n = m->n_streams = n;
	for (unsigned i = 0; i < n && err == 0; i++) {
		struct stream *stream = &m->stable.list[i];

		err = get(from, &rs, sizeof(rs));
		if (err == 0 && !stream_is_sound(&rs, dialogs))
			err = -EBADMSG;
		for (int side = 0; side < SIDES && err == 0; side++)
			side_from_record(&stream->side[side], &rs.side[side]);
		stream->wanted = err == 0 && rs.wanted;
		stream->agreed = err == 0 && rs.agreed;
	}
	secret_wipe(&rs, sizeof(rs));
	return err;
}

static bool map_is_sound(const struct sdp_map *map, unsigned n_streams)
{
	uint64_t seen = 0;

	if (map->n_lines > SDP_MEDIA_MAX)
		return false;
	for (unsigned i = 0; i < map->n_lines; i++) {
		if (map->stream[i] >= n_streams || seen & UINT64_C(1) << map->stream[i])
			return false;
		seen |= UINT64_C(1) << map->stream[i];
	}
	return true;
}

static int get_text(struct sdp_doc **docp, struct bytes *from, uint32_t len, size_t lines_max)
{
	struct sdp_error error;
	int err;

	if (len == 0)
		return 0;
	if (len > from->left)
		return -EBADMSG;
	err = sdp_doc_parse(docp, (const char *)from->at, len, &error);
	from->at += len;
	from->left -= len;
	if (err == 0 && sdp_doc_media_count(*docp) > lines_max)
		err = -EBADMSG;
	return err;
}

static int get_texts(struct side_media *side, struct bytes *from, const struct recorded_texts *texts, unsigned n_streams)
{
	int err = map_is_sound(&texts->map, n_streams) ? 0 : -EBADMSG;

	if (err < 0)
		return err;
	side->map = texts->map;
	side->id = texts->id;
	err = get_text(&side->ours, from, texts->ours, side->map.n_lines);
	if (err == 0)
		err = get_text(&side->theirs, from, texts->theirs, side->map.n_lines);
	return err;
}

int call_media_load(struct sip_call *call, const uint8_t *from, size_t len)
{
	const struct sip_dialog *const dialogs[SIDES] = { call_caller(call), call_caller(call)->joined };
	struct bytes bytes = { .at = from, .left = len };
	struct call_media *m = call->media;
	struct side_media fresh[SIDES] = { m->side[SIDE_CALLER], m->side[SIDE_CALLEE] };
	struct recorded_media head;
	int err = get(&bytes, &head, sizeof(head));

	if (err == 0)
		err = get_streams(m, &bytes, head.n_streams, dialogs);
	for (int i = 0; i < SIDES && err == 0; i++) {
		err = (unsigned)head.side[i].confirm <= MEDIA_CONFIRM_AWAITED ? 0 : -EBADMSG;
		if (err == 0)
			err = get_texts(&m->side[i], &bytes, &head.side[i], head.n_streams);
		// Whether our last answer has arrived, nobody is left to say.
		m->confirm[i] = head.side[i].confirm == MEDIA_CONFIRMED ? MEDIA_CONFIRMED : MEDIA_CONFIRM_SOON;
	}
	if (err == 0 && bytes.left == 0)
		return 0;
	streams_wipe(&m->stable);
	m->n_streams = 0;
	for (int i = 0; i < SIDES; i++) {
		sdp_doc_free(m->side[i].ours);
		sdp_doc_free(m->side[i].theirs);
		m->side[i] = fresh[i];
		m->confirm[i] = MEDIA_CONFIRMED;
	}
	return err < 0 ? err : -EBADMSG;
}

int call_media_resume(struct sip_call *call)
{
	return call_media_plan(call, PLAN_STABLE);
}
