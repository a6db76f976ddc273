// SPDX-License-Identifier: GPL-3.0-or-later
// leg_line.c - one m-line of one dialog.
#include "mediarelay/leg_line.h"
#include "base/log.h"
#include "base/secret.h"
#include "mediarelay/leg_dtls.h"
#include "mediarelay/leg_keys.h"
#include "mediarelay/leg_learn.h"
#include "mediarelay/leg_rekey.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_count.h"
#include "mediarelay/media_notice_priv.h"
#include "mediarelay/media_record.h"
#include "mediarelay/media_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct media_profile *leg_line_profile(const struct leg_line *line)
{
	return &line->session->media->start.profiles[line->plan.profile];
}

const char *leg_line_realm(const struct leg_line *line)
{
	return line->session->media->config->realms[line->plan.seat.realm].name;
}

struct leg_transport *leg_line_rtcp(struct leg_line *line)
{
	return &line->transports[line->plan.rtcp_mux && line->plan.agreed ? LEG_RTP : LEG_RTCP];
}

struct leg_line *leg_line_beside(const struct leg_line *line, const struct leg_line *after)
{
	for (struct leg_line *at = after != NULL ? after->next : line->session->lines; at != NULL; at = at->next) {
		if (at != line && at->plan.seat.id == line->plan.seat.id &&
		    inet_endpoint_equal(&at->plan.seat.rtp, &line->plan.seat.rtp))
			return at;
	}
	return NULL;
}

void leg_line_log_fields(const struct leg_line *line, struct log_field fields[6])
{
	const struct media_session *session = line->session;

	fields[0] = (struct log_field)LOG_STR("call_id_a", session->call_id_a);
	fields[1] = (struct log_field)LOG_STR("call_id_b", session->call_id_b);
	fields[2] = (struct log_field)LOG_UINT("session", session->id);
	fields[3] = (struct log_field)LOG_UINT("dialog", line->dialog);
	fields[4] = (struct log_field)LOG_STR("leg", leg_line_realm(line));
	fields[5] = (struct log_field)LOG_UINT("line", line->index);
}

// Telling

void leg_line_fail(struct leg_line *line, const char *cause)
{
	struct media_event event = {
		.kind = MEDIA_EVENT_FAILED,
		.session = line->session->id,
		.dialog = line->dialog,
	};

	if (line->failed)
		return;
	line->failed = true;
	snprintf(event.cause, sizeof(event.cause), "%s", cause);
	media_session_tell(line->session, &event);
}

static void fingerprints_print(const struct dtls_fingerprints *list, char *dst, size_t size)
{
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < list->n && at < size; i++) {
		char text[DTLS_FINGERPRINT_STRLEN];

		snprintf(dst + at, size - at, "%s%s", i > 0 ? ", " : "", dtls_fingerprint_print(text, &list->list[i]));
		at = strlen(dst);
	}
}

static void keying_timeout(evutil_socket_t fd, short what, void *ctx)
{
	char expected[2 * DTLS_FINGERPRINT_STRLEN], seen[2 * DTLS_FINGERPRINT_STRLEN];
	struct leg_line *line = ctx;
	const struct leg_transport *tp = &line->transports[LEG_RTP];
	bool mismatched = tp->mismatches > line->rekey.mismatches_before;
	const char *cause;
	struct log_field f[11];

	(void)fd, (void)what;
	if (tp->keying == KEYING_STATE_SECURED) {
		leg_rekey_end_rtcp(line);
		return;
	}
	if (line->plan.provisional) { // who has said this may not be the one that answers; who answers has its own time
		leg_line_keying_limit(line);
		return;
	}
	if (tp->keying == KEYING_STATE_REKEYING && leg_rekey_may_stay(line)) {
		leg_rekey_keep(line);
		return;
	}
	fingerprints_print(&line->plan.keying.fingerprints, expected, sizeof(expected));
	leg_dtls_seen(tp, seen, sizeof(seen));
	cause = mismatched ? "certificate does not match the signalled fingerprint" : "no keys in time";
	if (line->rekey.change != LEG_CHANGE_NONE && !mismatched)
		cause = "no new keys in time";
	leg_line_log_fields(line, f);
	f[6] = (struct log_field)LOG_STR("cause", cause);
	f[7] = (struct log_field)LOG_STR("mechanism", keying_mechanism_name(line->plan.keying.mechanism));
	f[8] = (struct log_field)LOG_STR("expected_fingerprints", expected);
	f[9] = (struct log_field)LOG_STR("seen_fingerprints", seen);
	f[10] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_WARNING, "media", "keying failed", f);
	counter_add(&media_count_realm(line)->keying_timeouts, 1);
	for (size_t i = 0; i < LEG_COMPONENTS; i++)
		keying_step(&line->transports[i].keying, KEYING_EVENT_EXPIRE);
	leg_line_fail(line, cause);
}

static void log_secured(const struct leg_line *line)
{
	const struct media_line *plan = &line->plan;
	bool dtls = plan->keying.mechanism == KEYING_DTLS_SRTP;
	struct log_field f[16];
	size_t n = 6;

	leg_line_log_fields(line, f);
	f[n++] = (struct log_field)LOG_STR("mechanism", keying_mechanism_name(plan->keying.mechanism));
	if (plan->keying.mechanism != KEYING_PLAIN)
		f[n++] = (struct log_field)LOG_STR("suite",
						   srtp_suite_name(line->transports[LEG_RTP].rx_master.suite));
	if (dtls) {
		f[n++] = (struct log_field)LOG_STR("dtls_version", line->dtls_version);
		f[n++] = (struct log_field)LOG_STR("dtls_cipher", line->dtls_cipher);
		f[n++] = (struct log_field)LOG_STR("dtls_group", line->dtls_group);
		f[n++] = (struct log_field)LOG_STR("dtls_role", line->dtls_role);
		f[n++] = (struct log_field)LOG_BOOL("fingerprint_checked", true); // no other way leads to keys
		f[n++] = (struct log_field)LOG_STR("peer_fingerprint", line->peer_fingerprint);
	}
	f[n] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_INFO, "media", "line secured", f);
}

bool leg_line_secured(const struct leg_line *line)
{
	const struct leg_transport *rtp = &line->transports[LEG_RTP];

	// RTCP without mux is an association of its own (RFC 5764 section 3). A peer that never makes it goes without RTCP,
	// not without the call.
	return line->plan.agreed && (!transport_live(rtp) || rtp->keying == KEYING_STATE_SECURED ||
				     (rtp->keying == KEYING_STATE_REKEYING && rtp->epoch != 0));
}

// Media is expected from the moment that there are keys for it.
static void line_expect(struct leg_line *line)
{
	bool expect = leg_line_secured(line) && line->plan.receive && !line->plan.silent_allowed && !line->plan.provisional;

	if (!expect)
		line->expecting_since = 0;
	else if (line->expecting_since == 0)
		line->expecting_since = env_now(line->session->media->env);
}

// RTCP of its own port has its own new association to make.
static bool rtcp_due(const struct leg_line *line)
{
	const struct leg_transport *rtcp = &line->transports[LEG_RTCP];

	return transport_live(rtcp) && rtcp->keying == KEYING_STATE_REKEYING && rtcp->next.tx.suite == SRTP_SUITE_NONE;
}

void leg_line_keyed(struct leg_line *line, enum leg_component component)
{
	if (component == LEG_RTCP) {
		media_record_save(line->session);
		return;
	}
	if (!rtcp_due(line))
		event_del(line->keying_timer);
	if (line->transports[LEG_RTP].keying == KEYING_STATE_REKEYING)
		return; // the peer does not have our new key yet
	if (!leg_line_secured(line))
		return;
	line->failed = false;
	line_expect(line);
	if (line->rekey.change != LEG_CHANGE_NONE) {
		leg_rekey_done(line);
		media_record_save(line->session);
		return;
	}
	log_secured(line);
	media_notice_secured(line);
	media_session_secured(line->session, line->dialog);
}

// Birth and end

struct leg_line *leg_line_open(struct media_session *session, uint32_t dialog, const struct media_line *plan)
{
	struct leg_line *line = calloc(1, sizeof(*line));

	if (line == NULL)
		return NULL;
	line->session = session;
	line->dialog = dialog;
	line->plan = *plan;
	line->plan.agreed = false;
	line->keying_timer = event_new(session->media->base, -1, 0, keying_timeout, line);
	if (line->keying_timer == NULL) {
		keying_choice_wipe(&line->plan.keying);
		free(line);
		return NULL;
	}
	line->next = session->lines;
	session->lines = line;
	return line;
}

// Another answerer's goes on at the same port.
static void line_bequeath(struct leg_line *line, struct leg_line *heir)
{
	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		if (transport_live(&line->transports[i]) && transport_live(&heir->transports[i]))
			leg_dtls_bequeath(&line->transports[i], &heir->transports[i]);
	}
	leg_keys_bequeath(line, heir);
}

void leg_line_close(struct leg_line *line)
{
	struct leg_transport *rtp = &line->transports[LEG_RTP], *rtcp = &line->transports[LEG_RTCP];
	struct leg_line *heir = leg_line_beside(line, NULL);
	bool last = heir == NULL; // of its seat

	if (!last)
		line_bequeath(line, heir);
	if (!transport_live(rtcp) && !transport_live(rtp) && last) // no port was ever opened
		seat_stock_give(line->session->media->seats, &line->plan.seat, true);
	leg_transport_close(rtcp, last && !transport_live(rtp));
	leg_transport_close(rtp, last);
	event_free(line->keying_timer);
	keying_choice_wipe(&line->plan.keying);
	free(line);
}

// Applying a plan

static int line_publish(struct leg_line *line)
{
	int err = 0;

	if (!transport_live(&line->transports[LEG_RTP]))
		err = leg_transport_open(&line->transports[LEG_RTP], line, LEG_RTP);
	// Until the answer says rtcp-mux, RTCP may come on either port (RFC 5761 section 5.1.1).
	if (err == 0 && !transport_live(&line->transports[LEG_RTCP]) && !(line->plan.agreed && line->plan.rtcp_mux))
		err = leg_transport_open(&line->transports[LEG_RTCP], line, LEG_RTCP);
	return err;
}

static int sdes_agree(struct leg_line *line, struct leg_transport *tp)
{
	static const enum leg_peer_has peer_has[] = {
		[MEDIA_CONFIRMED] = LEG_PEER_HAS_IT,
		[MEDIA_CONFIRM_SOON] = LEG_PEER_SOON,
		[MEDIA_CONFIRM_AWAITED] = LEG_PEER_TELLS,
	};
	const struct keying_choice *choice = &line->plan.keying;
	struct leg_keyset keys = {
		.rx = choice->rx,
		.tx = choice->tx,
		.rx_mki = choice->rx_mki,
		.tx_mki = choice->tx_mki,
		.rx_lifetime = choice->rx_lifetime,
	};
	int err;

	keying_step(&tp->keying, KEYING_EVENT_AGREE);
	err = leg_keys_install(tp, &keys, peer_has[line->plan.confirm], NULL);
	secret_wipe(&keys, sizeof(keys));
	if (err == 0)
		leg_dtls_close(tp); // of another mechanism, before
	return err;
}

static int transport_agree(struct leg_line *line, struct leg_transport *tp)
{
	const struct keying_choice *choice = &line->plan.keying;

	if (choice->mechanism == KEYING_SDES || choice->mechanism == KEYING_DTLS_SRTP)
		dp_transport_secure(line->session->media->dp, tp->ref, DP_SRTP);
	switch (choice->mechanism) {
	case KEYING_PLAIN:
		if (tp->epoch != 0)
			return -EPERM; // security only rises
		dp_transport_secure(line->session->media->dp, tp->ref, DP_PLAIN);
		leg_learn_begin(tp);
		return keying_step(&tp->keying, KEYING_EVENT_KEYS);
	case KEYING_SDES:
		return sdes_agree(line, tp);
	case KEYING_DTLS_SRTP:
		return leg_dtls_agree(tp);
	default:
		return -EINVAL;
	}
}

void leg_line_keying_limit(struct leg_line *line)
{
	mono_ns timeout = leg_line_profile(line)->keying_timeout;
	struct timeval tv = { .tv_sec = (time_t)(timeout / MONO_S(1)), .tv_usec = (suseconds_t)(timeout % MONO_S(1) / 1000) };

	if (!line->plan.provisional || line->keying_since == 0) // of a provisional one again and again
		line->keying_since = env_now(line->session->media->env);
	event_add(line->keying_timer, &tv);
}

static int line_agree(struct leg_line *line, enum leg_change change)
{
	leg_rekey_begin(line, change);
	leg_line_keying_limit(line);
	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		int err = transport_live(&line->transports[i]) ? transport_agree(line, &line->transports[i]) : 0;

		if (err < 0)
			return err;
	}
	if (line->plan.keying.mechanism != KEYING_DTLS_SRTP)
		leg_line_keyed(line, LEG_RTP); // a handshake says so itself
	return 0;
}

// The address of an association that is still to be made: media stays with the old one until then.
static void line_signalled_next(struct leg_line *line, const struct inet_endpoint *rtp, const struct inet_endpoint *rtcp)
{
	if (!inet_addr_is_any(&rtp->addr))
		line->transports[LEG_RTP].signalled = *rtp;
	if (!inet_addr_is_any(&rtcp->addr) && transport_live(&line->transports[LEG_RTCP]))
		line->transports[LEG_RTCP].signalled = *rtcp;
}

static void line_signalled(struct leg_line *line, const struct inet_endpoint *rtp, const struct inet_endpoint *rtcp)
{
	bool moved = transport_live(&line->transports[LEG_RTP]) &&
		     !inet_endpoint_equal(&line->transports[LEG_RTP].signalled, rtp);

	leg_transport_signalled(&line->transports[LEG_RTP], rtp);
	if (transport_live(&line->transports[LEG_RTCP]))
		leg_transport_signalled(&line->transports[LEG_RTCP], rtcp);
	if (moved && line->plan.keying.mechanism == KEYING_PLAIN)
		leg_learn_begin(&line->transports[LEG_RTP]);
}

static void mux_agreed(struct leg_line *line)
{
	struct leg_transport *rtcp = &line->transports[LEG_RTCP];

	if (!line->plan.agreed || !line->plan.rtcp_mux || !transport_live(rtcp))
		return;
	leg_keys_swap_rtcp(&line->transports[LEG_RTP], rtcp);
	leg_transport_close(rtcp, false); // the seat stays with the RTP port
}

// RTCP that had been on the RTP port gets one of its own, with nothing else changed.
static int rtcp_parted(struct leg_line *line)
{
	struct leg_transport *rtcp = &line->transports[LEG_RTCP];
	int err;

	if (!line->plan.agreed || !transport_live(rtcp) || rtcp->keying != KEYING_STATE_PENDING || rtcp->epoch != 0 ||
	    rtcp->candidates[0].endpoint != NULL)
		return 0;
	err = transport_agree(line, rtcp);
	if (err == 0 && line->plan.keying.mechanism == KEYING_SDES)
		leg_keys_swap_rtcp(&line->transports[LEG_RTP], rtcp);
	return err;
}

// The open re-offer is over. Whoever shook hands for it in advance is claimed by now, or nobody's.
static void reoffer_over(struct leg_line *line)
{
	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		if (transport_live(&line->transports[i]) && line->transports[i].keying == KEYING_STATE_SECURED)
			leg_dtls_settle(&line->transports[i]);
	}
}

// Who answered is the peer from now on, and its keys are due.
static void answers_over(struct leg_line *line)
{
	if (line->transports[LEG_RTP].keying != KEYING_STATE_SECURED)
		leg_line_keying_limit(line);
	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		if (transport_live(&line->transports[i]))
			leg_dtls_final(&line->transports[i]);
	}
}

static void line_confirm(struct leg_line *line)
{
	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		if (transport_live(&line->transports[i]))
			leg_keys_confirm(&line->transports[i]);
	}
}

static void line_place(struct leg_line *line, enum leg_change change)
{
	const struct media_line *plan = &line->plan;
	bool rekeying = line->transports[LEG_RTP].keying == KEYING_STATE_REKEYING;

	if (plan->keying.mechanism == KEYING_DTLS_SRTP && line->transports[LEG_RTP].epoch != 0 &&
	    (change != LEG_CHANGE_NONE || rekeying))
		line_signalled_next(line, &plan->remote, &plan->remote_rtcp);
	else
		line_signalled(line, &plan->remote, &plan->remote_rtcp);
}

int leg_line_apply(struct leg_line *line, const struct media_line *plan)
{
	enum leg_change change = leg_rekey_change(line, plan);
	bool reoffered = line->plan.changing && !plan->changing;
	// What changes with it is agreed anew below, and that settles the handshakes.
	bool final = line->plan.provisional && !plan->provisional && plan->agreed && change == LEG_CHANGE_NONE;
	int err;

	line->plan = *plan;
	err = line_publish(line);
	if (err < 0)
		goto fail;
	mux_agreed(line);
	if (plan->agreed) {
		dp_transport_extensions(line->session->media->dp, line->transports[LEG_RTP].ref, &plan->extensions);
		line_place(line, change);
	}
	if (change != LEG_CHANGE_NONE)
		err = line_agree(line, change);
	if (err == 0)
		err = rtcp_parted(line);
	if (err < 0)
		goto fail;
	if (reoffered)
		reoffer_over(line);
	if (final)
		answers_over(line);
	if (plan->confirm == MEDIA_CONFIRMED)
		line_confirm(line);
	line_expect(line);
	line->adopted = false;
	if (plan->agreed)
		leg_transport_refresh(&line->transports[LEG_RTP]);
	return 0;
fail:
	leg_line_fail(line, err == -ENOSPC ? "no free transport" : "media could not be set up");
	return err;
}

// Media timeout

void leg_line_tick(struct leg_line *line, mono_ns now)
{
	mono_ns limit = leg_line_profile(line)->media_timeout, since = line->expecting_since;
	struct media_event event = { .kind = MEDIA_EVENT_SILENT };
	struct dp_stats stats;
	struct log_field f[8];

	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		if (!transport_live(&line->transports[i]))
			continue;
		leg_learn_tick(&line->transports[i], now);
		leg_keys_tick(&line->transports[i], now);
	}
	if (!transport_live(&line->transports[LEG_RTP]) ||
	    dp_transport_stats(line->session->media->dp, line->transports[LEG_RTP].ref, &stats) < 0)
		memset(&stats, 0, sizeof(stats));
	else
		media_count_line(line, &stats, now);
	if (limit == 0 || since == 0 || line->silent)
		return;
	if (stats.last_rx > since)
		since = stats.last_rx;
	if (now < since || now - since < limit)
		return;
	line->silent = true;
	event.session = line->session->id;
	event.dialog = line->dialog;
	snprintf(event.cause, sizeof(event.cause), "no media from %s for %u s", leg_line_realm(line),
		 (unsigned)(limit / MONO_S(1)));
	leg_line_log_fields(line, f);
	f[6] = (struct log_field)LOG_STR("cause", event.cause);
	f[7] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_WARNING, "media", "media silent", f);
	media_session_tell(line->session, &event);
}
