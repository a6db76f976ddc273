// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_case.c - see sdp_case.h.
#include "tests/support/sdp_case.h"
#include <errno.h>
#include <string.h>

static int random_counted(void *ctx, uint8_t *dst, size_t len)
{
	struct sdp_case *c = ctx;

	for (size_t i = 0; i < len; i++)
		dst[i] = (uint8_t)(c->random + i);
	c->random = (uint8_t)(c->random + 41);
	return 0;
}

void sdp_case_init(struct sdp_case *c)
{
	*c = (struct sdp_case){ .pass_unknown = true, .random = 1 };
	c->env = (struct env){ .random = random_counted, .ctx = c };
	c->near.session = (struct sdp_session_id){ 4001, 1 };
	c->far.session = (struct sdp_session_id){ 7001, 1 };
	inet_addr_parse(&c->near.address, "203.0.113.1");
	inet_addr_parse(&c->far.address, "10.9.0.1");
	c->near.port = 20000;
	c->far.port = 30000;
	c->near.us = (struct keying_identity){
		"sha-256 "
		"11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11",
		"nearnearnearnearnearnear",
	};
	c->far.us = (struct keying_identity){
		"sha-256 "
		"FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA:FA",
		"farfarfarfarfarfarfarfar",
	};
}

static void side_wipe(struct sdp_case_side *side)
{
	for (size_t i = 0; i < SDP_MEDIA_MAX; i++) {
		keying_local_wipe(&side->local[i]);
		keying_choice_wipe(&side->choice[i]);
	}
}

void sdp_case_wipe(struct sdp_case *c)
{
	side_wipe(&c->near);
	side_wipe(&c->far);
}

static int near_line(struct sdp_case *c, const struct sdp_doc *offer, size_t i)
{
	struct sdp_case_side *near = &c->near;
	struct keying_lines lines;
	struct sdp_media media;
	int err;

	near->accepted[i] = false;
	sdp_media_read(offer, i, &media);
	if (media.refusal != SDP_REFUSE_NONE)
		return -ENOENT;
	near->mux[i] = media.rtcp_mux && !near->mux_never;
	sdp_media_keying(offer, i, &lines);
	near->facts.ice = media.ice;
	err = keying_choose(&near->choice[i], &near->local[i], &near->policy, &lines, &near->facts, &near->us, NULL,
			    &c->env, &c->reason);
	near->accepted[i] = err == 0;
	near->secured[i] = err == 0 && near->choice[i].mechanism != KEYING_PLAIN;
	return err;
}

static int far_line(struct sdp_case *c, const struct sdp_doc *offer, size_t i, int from)
{
	struct sdp_case_side *far = &c->far;
	struct sdp_media media;
	int err;

	far->accepted[i] = from >= 0 && c->near.accepted[from];
	far->mux[i] = far->mux_offer;
	if (!far->accepted[i])
		return 0;
	sdp_media_read(offer, (size_t)from, &media);
	err = keying_offer(&far->local[i], &far->policy, media.proto.feedback, &far->us, NULL, &c->env);
	far->secured[i] = far->local[i].mechanisms[0] != KEYING_PLAIN;
	return err;
}

static struct sdp_extension_hop hop(struct sdp_case_side *side, int i)
{
	side->extensions.uris = side->uris;
	return (struct sdp_extension_hop){ &side->extensions, i >= 0 && side->secured[i] };
}

struct sdp_extension_hops sdp_case_hops(struct sdp_case *c, int near, int far)
{
	return (struct sdp_extension_hops){ hop(&c->near, near), hop(&c->far, far) };
}

static struct sdp_build_line build_line(const struct sdp_case_side *side, size_t i, int from)
{
	uint16_t port = (uint16_t)(side->port + 2 * i);

	return (struct sdp_build_line){
		.from = from,
		.accept = side->accepted[i],
		.seat = { side->address, port, (uint16_t)(port + 1) },
		.rtcp_mux = side->mux[i],
		.keying = &side->local[i],
	};
}

int sdp_case_offer(struct sdp_case *c, const struct sdp_doc *offer, const struct sdp_doc *previous,
		   struct sdp_doc **ours)
{
	struct sdp_build_line lines[SDP_MEDIA_MAX];
	struct sdp_build build = {
		.received = offer,
		.previous = previous,
		.session = &c->far.session,
		.origin = c->far.address,
		.pass_unknown = c->pass_unknown,
		.lines = lines,
		.count = &c->count,
	};
	size_t n = sdp_doc_media_count(offer), n_usable = 0, n_accepted = 0;
	int err;

	err = sdp_map_offer(&c->near.map, &c->far.map, &c->n_streams, n);
	for (size_t i = 0; err == 0 && i < n; i++) {
		n_usable += near_line(c, offer, i) != -ENOENT;
		n_accepted += c->near.accepted[i];
	}
	if (err < 0)
		return err;
	if (n_usable > 0 && n_accepted == 0)
		return -ENOTSUP;
	build.n_lines = c->far.map.n_lines;
	for (size_t i = 0; err == 0 && i < build.n_lines; i++) {
		int from = sdp_map_line(&c->near.map, c->far.map.stream[i]);

		err = far_line(c, offer, i, from);
		lines[i] = build_line(&c->far, i, from);
		lines[i].hops = sdp_case_hops(c, from, (int)i);
	}
	return err == 0 ? sdp_offer_build(ours, &build) : err;
}

int sdp_case_answer(struct sdp_case *c, const struct sdp_doc *offer, const struct sdp_doc *ours,
		    const struct sdp_doc *answer, struct sdp_doc **back, struct sdp_error *error)
{
	struct sdp_build_line lines[SDP_MEDIA_MAX];
	struct sdp_build build = {
		.received = answer,
		.offer = offer,
		.session = &c->near.session,
		.origin = c->near.address,
		.pass_unknown = c->pass_unknown,
		.lines = lines,
		.n_lines = sdp_doc_media_count(offer),
		.count = &c->count,
	};
	int err = sdp_answer_check(ours, answer, error);

	if (err < 0)
		return err;
	for (size_t i = 0; i < build.n_lines; i++) {
		int from = sdp_map_line(&c->far.map, c->near.map.stream[i]);
		struct keying_lines said;
		struct sdp_media media;

		if (from >= 0 && (size_t)from < sdp_doc_media_count(answer) && c->near.accepted[i]) {
			sdp_media_read(answer, (size_t)from, &media);
			sdp_media_keying(answer, (size_t)from, &said);
			c->near.accepted[i] = media.refusal == SDP_REFUSE_NONE;
			c->far.accepted[from] = c->near.accepted[i];
			c->far.mux[from] = c->far.mux[from] && media.rtcp_mux;
			if (c->near.accepted[i])
				err = keying_accept_answer(&c->far.choice[from], &c->far.local[from], &said,
							   &c->reason);
			if (err < 0)
				return err;
		}
		lines[i] = build_line(&c->near, i, from);
		lines[i].hops = sdp_case_hops(c, (int)i, from);
	}
	return sdp_answer_build(back, &build);
}
