// SPDX-License-Identifier: GPL-3.0-or-later
// leg_keys.c - the keys of one leg transport: installed, held, overlapping, taken back from a record.
#include "mediarelay/leg_keys.h"
#include "base/log.h"
#include "base/secret.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_record.h"

#include <errno.h>
#include <string.h>

#define RTCP_MAX 2048

static struct media *media_of(const struct leg_transport *tp)
{
	return tp->line->session->media;
}

static bool master_same(const struct srtp_master *a, const struct srtp_master *b)
{
	const struct srtp_suite_info *info = srtp_suite_info(a->suite);

	return info != NULL && a->suite == b->suite && secret_equal(a->key, b->key, info->key_len) &&
	       secret_equal(a->salt, b->salt, info->salt_len);
}

static void swap_rtcp(struct srtcp **a, struct srtcp **b)
{
	struct srtcp *kept = *a;

	*a = *b;
	*b = kept;
}

static void rtcp_drop(struct srtcp **sp)
{
	srtcp_close(*sp);
	*sp = NULL;
}

// SDES: our one offer names the key under which we send to each of its answerers. No index may be used by two of them: the
// relay gives their sources other SSRCs, and SRTCP has one context, which is the newest one's.

static bool is_shared(const struct leg_transport *tp, const struct srtp_master *tx)
{
	for (struct leg_line *line = leg_line_beside(tp->line, NULL); line != NULL; line = leg_line_beside(tp->line, line)) {
		if (master_same(&line->transports[tp->component].tx_master, tx))
			return true;
	}
	return false;
}

static void rtcp_inherit(struct leg_transport *tp, const struct srtp_master *tx_master, struct srtcp **tx)
{
	for (struct leg_line *line = leg_line_beside(tp->line, NULL); line != NULL; line = leg_line_beside(tp->line, line)) {
		struct leg_transport *other = leg_line_rtcp(line);

		if (tp != leg_line_rtcp(tp->line) || other->tx_rtcp == NULL || !master_same(&other->tx_master, tx_master))
			continue;
		if (line->dialog > tp->line->dialog) { // one plan may bring several, in any order
			rtcp_drop(tx);
			return;
		}
		swap_rtcp(tx, &other->tx_rtcp);
		rtcp_drop(&other->tx_rtcp);
	}
}

void leg_keys_bequeath(struct leg_line *line, struct leg_line *heir)
{
	struct leg_transport *from = leg_line_rtcp(line), *to = leg_line_rtcp(heir);

	if (from->tx_rtcp != NULL && to->tx_rtcp == NULL && master_same(&from->tx_master, &to->tx_master))
		swap_rtcp(&from->tx_rtcp, &to->tx_rtcp);
}

// To the relay. RTCP on a port of its own never passes the workers' SRTP.

static void relay_key(struct leg_transport *tp, enum dp_direction direction)
{
	bool rx = direction == DP_RX;
	struct dp_keys keys = {
		.direction = direction,
		.epoch = rx ? tp->epoch : tp->tx_epoch,
		.master = rx ? tp->rx_master : tp->tx_master,
		.lifetime = rx ? tp->rx_lifetime : 0,
		.mki = rx ? tp->rx_mki : tp->tx_mki,
		.apart = !rx && is_shared(tp, &tp->tx_master),
	};

	if (tp->component == LEG_RTP)
		dp_transport_keys(media_of(tp)->dp, tp->ref, &keys);
	secret_wipe(&keys, sizeof(keys));
}

// Sending

static void next_drop(struct leg_transport *tp)
{
	rtcp_drop(&tp->next.rtcp);
	secret_wipe(&tp->next, sizeof(tp->next));
	if (tp->confirm_timer != NULL)
		event_del(tp->confirm_timer);
}

static void tx_take(struct leg_transport *tp)
{
	if (!master_same(&tp->tx_master, &tp->next.tx)) { // the same key goes on with its SRTCP indices
		rtcp_drop(&tp->tx_rtcp);
		swap_rtcp(&tp->tx_rtcp, &tp->next.rtcp);
	}
	tp->tx_master = tp->next.tx;
	tp->tx_mki = tp->next.mki;
	srtcp_set_mki(tp->tx_rtcp, &tp->tx_mki);
	tp->tx_epoch = tp->epoch;
	if (tp->next.remote.addr.family != INET_NONE) {
		tp->move = (struct leg_move){ .last = env_now(media_of(tp)->env) }; // late packets do not lead back
		leg_transport_remote(tp, &tp->next.remote);
	}
	next_drop(tp);
}

void leg_keys_confirm(struct leg_transport *tp)
{
	if (tp->next.tx.suite == SRTP_SUITE_NONE)
		return;
	tx_take(tp);
	keying_step(&tp->keying, KEYING_EVENT_KEYS);
	media_record_save(tp->line->session);
	relay_key(tp, DP_TX);
	leg_line_keyed(tp->line, tp->component);
}

static bool heard_since(const struct leg_transport *tp, mono_ns since)
{
	struct dp_stats stats;

	return dp_transport_stats(media_of(tp)->dp, tp->ref, &stats) == 0 && stats.last_rx > since;
}

static void confirm_arm(struct leg_transport *tp, mono_ns wait);

// After a restart nobody knows whether the peer got our last word. While it sends under its old key it did not.
static void confirm_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct leg_transport *tp = ctx;
	mono_ns asked = tp->adopted;

	(void)fd, (void)what;
	if (asked != 0 && heard_since(tp, asked)) {
		tp->adopted = env_now(media_of(tp)->env);
		confirm_arm(tp, LEG_KEYS_ADOPTED);
		return;
	}
	leg_keys_confirm(tp);
}

static void confirm_arm(struct leg_transport *tp, mono_ns wait)
{
	struct timeval tv = { .tv_sec = (time_t)(wait / MONO_S(1)), .tv_usec = (suseconds_t)(wait % MONO_S(1) / 1000) };

	if (tp->confirm_timer == NULL)
		tp->confirm_timer = event_new(media_of(tp)->base, -1, 0, confirm_timer, tp);
	if (tp->confirm_timer != NULL)
		event_add(tp->confirm_timer, &tv);
}

// Receiving

static uint64_t received(const struct leg_transport *tp)
{
	struct dp_stats stats;

	return dp_transport_stats(media_of(tp)->dp, tp->ref, &stats) == 0 ? stats.rx_packets : 0;
}

static void rx_take(struct leg_transport *tp, const struct leg_keyset *keys, struct srtcp **fresh)
{
	bool same = master_same(&tp->rx_master, &keys->rx);

	tp->rx_lifetime = keys->rx_lifetime;
	tp->rx_mki = keys->rx_mki;
	srtcp_set_mki(same ? tp->rx_rtcp : *fresh, &tp->rx_mki);
	if (same)
		return;
	tp->rx_counted_from = received(tp);
	tp->rx_warned = tp->rx_expired = false;
	rtcp_drop(&tp->rx_rtcp_before);
	swap_rtcp(&tp->rx_rtcp_before, &tp->rx_rtcp);
	swap_rtcp(&tp->rx_rtcp, fresh);
	tp->rx_master_before = tp->rx_master;
	tp->rx_master = keys->rx;
	if (tp->rx_rtcp_before != NULL)
		tp->overlap_end = env_now(media_of(tp)->env) + LEG_OVERLAP_MAX;
}

static void overlap_over(struct leg_transport *tp)
{
	tp->overlap_end = 0;
	rtcp_drop(&tp->rx_rtcp_before);
	srtp_master_wipe(&tp->rx_master_before);
	media_record_save(tp->line->session);
	if (tp->component == LEG_RTP)
		dp_transport_retire(media_of(tp)->dp, tp->ref, DP_RX, tp->epoch);
}

static void lifetime_log(const struct leg_transport *tp, const char *event, uint64_t used)
{
	struct log_field f[10];

	leg_line_log_fields(tp->line, f);
	f[6] = (struct log_field)LOG_UINT("epoch", tp->epoch);
	f[7] = (struct log_field)LOG_UINT("lifetime", tp->rx_lifetime);
	f[8] = (struct log_field)LOG_UINT("used", used);
	f[9] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_WARNING, "media", event, f);
}

// RFC 4568 section 6.1: the peer says how many packets its key is good for, and is the one to bring the next. The relay
// stops at the limit; here it is told in time.
static void lifetime_check(struct leg_transport *tp)
{
	uint64_t used = tp->rx_lifetime != 0 ? received(tp) - tp->rx_counted_from : 0;

	if (tp->rx_lifetime == 0 || tp->component != LEG_RTP)
		return;
	if (!tp->rx_warned && used >= tp->rx_lifetime - tp->rx_lifetime / 10) {
		tp->rx_warned = true;
		lifetime_log(tp, "key near its end", used);
	}
	if (!tp->rx_expired && used >= tp->rx_lifetime) {
		tp->rx_expired = true;
		lifetime_log(tp, "key expired", used);
	}
}

void leg_keys_tick(struct leg_transport *tp, mono_ns now)
{
	// While ours is held, the peer may not even know that it may use its own.
	if (tp->overlap_end != 0 && now >= tp->overlap_end && tp->next.tx.suite == SRTP_SUITE_NONE)
		overlap_over(tp);
	lifetime_check(tp);
}

void leg_keys_epoch(struct leg_transport *tp, const struct dp_event *event)
{
	mono_ns end = env_now(media_of(tp)->env) + LEG_OVERLAP;
	struct leg_line *line = tp->line;

	if (event->epoch != tp->epoch)
		return; // of a key that another has followed
	if (tp->overlap_end != 0 && end < tp->overlap_end)
		tp->overlap_end = end;
	leg_keys_confirm(tp);
	// Who sends media under its new key has the answer that named both components' keys (SDES).
	if (line->plan.keying.mechanism == KEYING_SDES && transport_live(&line->transports[LEG_RTCP]))
		leg_keys_confirm(&line->transports[LEG_RTCP]);
}

// RFC 3711 section 9.1: a key that was left must not come back, its indices have been used.
void leg_keys_refused(struct leg_transport *tp, const struct dp_event *event)
{
	struct log_field f[10];

	leg_line_log_fields(tp->line, f);
	f[6] = (struct log_field)LOG_STR("direction", event->direction == DP_RX ? "receive" : "send");
	f[7] = (struct log_field)LOG_UINT("epoch", event->epoch);
	f[8] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_WARNING, "media", "key refused", f);
	leg_line_fail(tp->line, "a key that was given up came back");
}

// Installing

static int contexts_open(const struct leg_transport *tp, const struct leg_keyset *keys, struct srtcp **rx,
			 struct srtcp **tx)
{
	int err = 0;

	*rx = *tx = NULL;
	if (!master_same(&tp->rx_master, &keys->rx))
		err = srtcp_open(rx, &keys->rx, SRTCP_RECEIVE);
	if (err == 0 && !master_same(&tp->tx_master, &keys->tx))
		err = srtcp_open(tx, &keys->tx, SRTCP_SEND);
	if (err < 0) {
		rtcp_drop(rx);
		rtcp_drop(tx);
	}
	return err;
}

int leg_keys_install(struct leg_transport *tp, const struct leg_keyset *keys, enum leg_peer_has peer,
		     const struct inet_endpoint *remote)
{
	struct srtcp *rx, *tx;
	bool hold = tp->epoch == 0 ? peer == LEG_PEER_SOON :
				     peer != LEG_PEER_HAS_IT && !master_same(&tp->tx_master, &keys->tx);
	int err = contexts_open(tp, keys, &rx, &tx);

	if (err < 0)
		return err;
	if (tx != NULL)
		rtcp_inherit(tp, &keys->tx, &tx);
	next_drop(tp);
	tp->epoch++;
	rx_take(tp, keys, &rx);
	tp->next.tx = keys->tx;
	tp->next.mki = keys->tx_mki;
	tp->next.rtcp = tx;
	if (remote != NULL)
		tp->next.remote = *remote;
	if (!hold)
		tx_take(tp);
	if (!hold)
		keying_step(&tp->keying, KEYING_EVENT_KEYS);
	media_record_save(tp->line->session); // before the relay knows: a new life of ours must not name this epoch again
	relay_key(tp, DP_RX);
	if (!hold)
		relay_key(tp, DP_TX);
	else if (peer == LEG_PEER_SOON)
		confirm_arm(tp, LEG_KEYS_SOON);
	return 0;
}

void leg_keys_forget(struct leg_transport *tp)
{
	next_drop(tp);
	if (tp->confirm_timer != NULL)
		event_free(tp->confirm_timer);
	tp->confirm_timer = NULL;
	rtcp_drop(&tp->rx_rtcp);
	rtcp_drop(&tp->rx_rtcp_before);
	rtcp_drop(&tp->tx_rtcp);
	srtp_master_wipe(&tp->rx_master);
	srtp_master_wipe(&tp->rx_master_before);
	srtp_master_wipe(&tp->tx_master);
}

// SRTCP

int leg_keys_unprotect_rtcp(struct leg_transport *tp, uint8_t *packet, size_t *len)
{
	uint8_t copy[RTCP_MAX];
	size_t size = *len;
	int err;

	if (tp->rx_rtcp == NULL || size > sizeof(copy))
		return tp->rx_rtcp == NULL ? -ENOKEY : -EBADMSG;
	if (tp->rx_rtcp_before != NULL)
		memcpy(copy, packet, size); // a try under the wrong key may leave anything
	err = srtcp_unprotect(tp->rx_rtcp, packet, len);
	if (err == 0)
		leg_keys_confirm(tp); // it is under the peer's new key
	if (err != -EBADMSG || tp->rx_rtcp_before == NULL)
		return err;
	memcpy(packet, copy, size);
	*len = size;
	return srtcp_unprotect(tp->rx_rtcp_before, packet, len);
}

void leg_keys_swap_rtcp(struct leg_transport *a, struct leg_transport *b)
{
	if (!master_same(&a->tx_master, &b->tx_master) || !master_same(&a->rx_master, &b->rx_master))
		return;
	swap_rtcp(&a->rx_rtcp, &b->rx_rtcp);
	swap_rtcp(&a->rx_rtcp_before, &b->rx_rtcp_before);
	swap_rtcp(&a->tx_rtcp, &b->tx_rtcp);
	swap_rtcp(&a->next.rtcp, &b->next.rtcp);
}

// The record

void leg_keys_save(struct leg_transport *tp, struct leg_keys_marks *marks)
{
	if (tp->rx_rtcp != NULL)
		srtcp_save(tp->rx_rtcp, &marks->rx);
	if (tp->rx_rtcp_before != NULL)
		srtcp_save(tp->rx_rtcp_before, &marks->rx_before);
	if (tp->tx_rtcp != NULL)
		srtcp_save(tp->tx_rtcp, &marks->tx);
}

static int adopt_context(struct srtcp **sp, const struct srtp_master *master, enum srtcp_direction direction,
			 const struct srtcp_marks *marks)
{
	int err = master->suite != SRTP_SUITE_NONE ? srtcp_open(sp, master, direction) : 0;

	return err < 0 || *sp == NULL ? err : srtcp_restore(*sp, marks);
}

static int adopt_rtcp(struct leg_transport *tp, const struct leg_keys_marks *marks)
{
	int err = adopt_context(&tp->rx_rtcp, &tp->rx_master, SRTCP_RECEIVE, &marks->rx);

	if (err == 0)
		err = adopt_context(&tp->tx_rtcp, &tp->tx_master, SRTCP_SEND, &marks->tx);
	srtcp_set_mki(tp->rx_rtcp, &tp->rx_mki);
	srtcp_set_mki(tp->tx_rtcp, &tp->tx_mki);
	if (err == 0)
		err = adopt_context(&tp->rx_rtcp_before, &tp->rx_master_before, SRTCP_RECEIVE, &marks->rx_before);
	if (err == 0 && tp->next.tx.suite != SRTP_SUITE_NONE)
		err = srtcp_open(&tp->next.rtcp, &tp->next.tx, SRTCP_SEND); // nothing has left under it
	return err;
}

int leg_keys_adopt(struct leg_transport *tp, const struct leg_keys_marks *marks, bool seen)
{
	mono_ns now = env_now(media_of(tp)->env);
	int err;

	if (tp->epoch == 0)
		return 0;
	err = adopt_rtcp(tp, marks);
	if (err < 0)
		return err;
	relay_key(tp, DP_RX);
	if (tp->tx_epoch != 0)
		relay_key(tp, DP_TX);
	if (tp->rx_rtcp_before != NULL)
		tp->overlap_end = now + (seen ? LEG_OVERLAP : LEG_OVERLAP_MAX);
	if (tp->next.tx.suite == SRTP_SUITE_NONE)
		return 0;
	tp->adopted = seen ? 0 : now; // what comes is under its new key: nothing is left to be asked
	confirm_arm(tp, seen ? 0 : LEG_KEYS_ADOPTED);
	return 0;
}
