// SPDX-License-Identifier: GPL-3.0-or-later
// leg_transport.c - one local port of a leg.
#include "mediarelay/leg_transport.h"
#include "base/log.h"
#include "mediarelay/leg_dtls.h"
#include "mediarelay/leg_keys.h"
#include "mediarelay/leg_learn.h"
#include "mediarelay/media_session.h"
#include "mediarelay/media_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct media *media_of(const struct leg_transport *tp)
{
	return tp->line->session->media;
}

struct leg_transport *leg_transport_find(const struct media *media, struct dp_ref ref)
{
	struct leg_transport *tp = ref.index < media->by_index_size ? media->by_index[ref.index].live : NULL;

	return tp != NULL && tp->ref.generation == ref.generation ? tp : NULL;
}

static int index_bind(struct media *media, uint32_t index, struct leg_transport *tp)
{
	if (index >= media->by_index_size) {
		uint32_t size = index + 64;
		struct media_port *grown = realloc(media->by_index, size * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		memset(grown + media->by_index_size, 0, (size - media->by_index_size) * sizeof(*grown));
		media->by_index = grown;
		media->by_index_size = size;
	}
	media->by_index[index].live = tp;
	return 0;
}

int leg_transport_bind(struct leg_transport *tp, struct leg_line *line, enum leg_component component, struct dp_ref ref)
{
	int err = index_bind(line->session->media, ref.index, tp);

	if (err < 0)
		return err;
	tp->line = line;
	tp->component = component;
	tp->ref = ref;
	tp->local = component == LEG_RTP ? line->plan.seat.rtp : line->plan.seat.rtcp;
	return 0;
}

int leg_transport_open(struct leg_transport *tp, struct leg_line *line, enum leg_component component)
{
	struct media *media = line->session->media;
	struct dp_transport_conf conf = {
		.network = media->config->realms[line->plan.seat.realm].network,
		.worker = line->session->worker,
		.mode = component == LEG_RTP ? DP_MODE_RTP : DP_MODE_RTCP,
		.session = line->session->id,
		.owner_tag = line->dialog,
	};
	struct dp_ref ref;
	int err = dp_transport_alloc(media->dp, &ref);

	if (err < 0)
		return err;
	err = leg_transport_bind(tp, line, component, ref);
	if (err < 0)
		goto fail;
	conf.local = tp->local;
	dp_transport_publish(media->dp, ref, &conf);
	media_trace_transport(media, tp);
	// Neither plain nor SRTP until that is agreed: no media passes. Security only rises, so it is not said in advance.
	keying_step(&tp->keying, KEYING_EVENT_PREPARE);
	return 0;
fail:
	dp_transport_remove(media->dp, ref);
	return err;
}

// The port stays taken until the relay confirms that no worker sees it any more.
static void removal_await(const struct leg_transport *tp, bool last_of_seat)
{
	const struct media_session *session = tp->line->session;
	struct media *media = session->media;
	struct leg_removal *removal = calloc(1, sizeof(*removal));

	if (removal == NULL) {
		if (last_of_seat) // rests longer than the relay needs
			seat_stock_give(media->seats, &tp->line->plan.seat, false);
		return;
	}
	removal->generation = tp->ref.generation;
	if (last_of_seat)
		removal->seat = tp->line->plan.seat;
	removal->session = session->id;
	media->by_index[tp->ref.index].removal = removal;
	media->removals_of[session->id]++;
}

void leg_transport_close(struct leg_transport *tp, bool last_of_seat)
{
	struct media *media;

	if (!transport_live(tp))
		return;
	media = media_of(tp);
	media_trace_drain(media, tp->line->session->id);
	leg_dtls_close(tp);
	leg_keys_forget(tp);
	removal_await(tp, last_of_seat);
	media->by_index[tp->ref.index].live = NULL;
	dp_transport_remove(media->dp, tp->ref);
	memset(tp, 0, sizeof(*tp));
}

void leg_removal_done(struct media *media, struct dp_ref ref)
{
	struct media_port *port = ref.index < media->by_index_size ? &media->by_index[ref.index] : NULL;
	struct leg_removal *removal = port != NULL ? port->removal : NULL;

	if (removal == NULL || removal->generation != ref.generation)
		return;
	port->removal = NULL;
	if (removal->seat.id != 0)
		seat_stock_give(media->seats, &removal->seat, false);
	if (--media->removals_of[removal->session] == 0)
		media_session_gone(media, removal->session);
	free(removal);
}

// The path

void leg_transport_refresh(struct leg_transport *tp)
{
	const struct media_line *plan = &tp->line->plan;
	struct dp_path path = {
		.remote = tp->remote,
		.dscp = media_of(tp)->config->realms[plan->seat.realm].dscp,
		.learn = tp->learn_until != 0,
		.learn_from = leg_learn_from(tp),
	};

	if (transport_live(tp))
		dp_transport_path(media_of(tp)->dp, tp->ref, &path);
}

void leg_transport_remote(struct leg_transport *tp, const struct inet_endpoint *remote)
{
	if (inet_endpoint_equal(&tp->remote, remote))
		return;
	tp->remote = *remote;
	tp->lost_since = 0; // nothing is known of the new one yet
	leg_transport_refresh(tp);
}

void leg_transport_signalled(struct leg_transport *tp, const struct inet_endpoint *remote)
{
	if (inet_addr_is_any(&remote->addr) || inet_endpoint_equal(&tp->signalled, remote))
		return; // a latched address survives a re-offer that repeats the signalled one
	tp->signalled = *remote;
	leg_transport_remote(tp, remote);
}

void leg_transport_move(struct leg_transport *tp, const struct inet_endpoint *source, mono_ns now)
{
	char from[INET_ENDPOINT_STRLEN], to[INET_ENDPOINT_STRLEN];
	const struct media_session *session = tp->line->session;

	log_info("media", "source moved", LOG_STR("call_id_a", session->call_id_a),
		 LOG_STR("call_id_b", session->call_id_b), LOG_UINT("session", session->id),
		 LOG_UINT("line", tp->line->index), LOG_STR("from", inet_endpoint_print(from, &tp->remote)),
		 LOG_STR("to", inet_endpoint_print(to, source)));
	tp->move = (struct leg_move){ .last = now };
	leg_transport_remote(tp, source);
}

void leg_transport_source(struct leg_transport *tp, const struct dp_event *event)
{
	mono_ns now = env_now(media_of(tp)->env);
	struct leg_move *move = &tp->move;

	if (!event->authenticated) {
		leg_learn_heard(tp, &event->source, now);
		return;
	}
	if (!inet_endpoint_equal(&move->source, &event->source)) {
		move->source = event->source;
		move->packets = 0;
	}
	if (++move->packets < LEG_MOVE_PACKETS || (move->last != 0 && now - move->last < LEG_MOVE_REST))
		return;
	leg_transport_move(tp, &event->source, now);
}
