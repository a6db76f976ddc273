// SPDX-License-Identifier: GPL-3.0-or-later
// media_notice.c - notices made, and attacks told apart from accidents: by a threshold, and no oftener than each ten seconds for a
// kind and a line. Whoever attacks a thousand lines at once makes no more than so many notices a second.
#include "mediarelay/media_notice_priv.h"
#include "mediarelay/leg_line.h"

#include <stdio.h>

#define ATTACK_EVERY MONO_S(10)
#define ATTACKS_A_SECOND 20 // of all lines; who has to wait is told of a second later

#define X(name, word, least) [MEDIA_ATTACK_##name] = word,
const char *const media_attack_word[MEDIA_ATTACK_COUNT] = { MEDIA_ATTACKS(X) };
#undef X
#define X(name, word, least) [MEDIA_ATTACK_##name] = least,
static const uint64_t attack_least[MEDIA_ATTACK_COUNT] = { MEDIA_ATTACKS(X) };
#undef X

static void tell(const struct media *media, struct media_notice *n)
{
	n->at = env_now(media->env);
	media->start.notice(media->start.ctx, n);
}

static bool is_heard(const struct media *media)
{
	return media->start.notice != NULL;
}

static void about(struct media_notice *n, const struct leg_line *line)
{
	const struct media_session *session = line->session;

	n->call = atomic_load_explicit(&session->media->slots[session->id].call, memory_order_relaxed);
	n->session = session->id;
	n->line = line->index;
	snprintf(n->call_id_a, sizeof(n->call_id_a), "%s", session->call_id_a);
	snprintf(n->call_id_b, sizeof(n->call_id_b), "%s", session->call_id_b);
	snprintf(n->realm, sizeof(n->realm), "%s", leg_line_realm(line));
}

static void tell_keys(const struct leg_line *line, enum media_notice_kind kind, const char *cause)
{
	const struct media_line *plan = &line->plan;
	struct media_notice n = { .kind = kind, .cause = cause, .keying = "plain" };

	if (!is_heard(line->session->media))
		return;
	about(&n, line);
	if (plan->keying.mechanism != KEYING_PLAIN) {
		n.keying = keying_mechanism_name(plan->keying.mechanism);
		n.suite = srtp_suite_name(line->transports[LEG_RTP].rx_master.suite);
	}
	if (plan->keying.mechanism == KEYING_DTLS_SRTP)
		snprintf(n.dtls_version, sizeof(n.dtls_version), "%s", line->dtls_version);
	tell(line->session->media, &n);
}

void media_notice_secured(const struct leg_line *line)
{
	tell_keys(line, MEDIA_NOTICE_SECURED, NULL);
}

void media_notice_rekeyed(const struct leg_line *line, const char *cause)
{
	tell_keys(line, MEDIA_NOTICE_REKEYED, cause);
}

// Since the line began.
static uint64_t attack_count(const struct leg_line *line, const struct dp_stats *stats, enum media_attack attack)
{
	switch (attack) {
	case MEDIA_ATTACK_WRONG_FINGERPRINT:
		return line->transports[LEG_RTP].mismatches + line->transports[LEG_RTCP].mismatches;
	case MEDIA_ATTACK_BAD_TAGS:
		return stats->drops[RELAY_DROP_AUTH] + line->rtcp_drops[RTCP_DROP_AUTH];
	case MEDIA_ATTACK_REPLAY:
		return stats->drops[RELAY_DROP_REPLAY] + line->rtcp_drops[RTCP_DROP_REPLAY];
	case MEDIA_ATTACK_WRONG_SOURCE:
		return stats->drops[RELAY_DROP_WRONG_SOURCE] + line->rtcp_drops[RTCP_DROP_WRONG_SOURCE];
	default:
		return 0;
	}
}

void media_notice_from_here(struct leg_line *line, const struct dp_stats *stats)
{
	for (enum media_attack i = 0; i < MEDIA_ATTACK_COUNT; i++)
		line->watch.attacks[i].before = attack_count(line, stats, i);
}

// Whether it is time to tell of it, and of how many.
static bool is_due(struct media *media, struct line_attack *seen, enum media_attack attack, uint64_t total, mono_ns now, uint64_t *count)
{
	uint64_t left_out;

	if (total < seen->before)
		seen->before = 0; // of a port that has changed
	*count = total - seen->before;
	if (seen->told != 0 && now < seen->told + ATTACK_EVERY)
		return false;
	if (*count >= attack_least[attack]) {
		if (!log_limit_pass(&media->attacks, now, ATTACKS_A_SECOND, &left_out))
			return false;
		*seen = (struct line_attack){ .before = total, .since = now, .told = now };
		return true;
	}
	if (now >= seen->since + ATTACK_EVERY) { // now and then one is an accident of the network
		seen->before = total;
		seen->since = now;
	}
	return false;
}

static void look_for_attack(struct leg_line *line, const struct dp_stats *stats, enum media_attack attack, mono_ns now)
{
	struct media_notice n = { .kind = MEDIA_NOTICE_ATTACK, .attack = attack };
	struct media *media = line->session->media;

	if (!is_due(media, &line->watch.attacks[attack], attack, attack_count(line, stats, attack), now, &n.count))
		return;
	about(&n, line);
	tell(media, &n);
}

static void look_for_silence(struct leg_line *line, const struct dp_stats *stats, bool silent, mono_ns now)
{
	struct media_notice n = { .kind = silent ? MEDIA_NOTICE_SILENT : MEDIA_NOTICE_FLOWS };
	bool was = line->watch.silent;

	line->watch.silent = silent;
	// On hold nothing is expected, which does not mean that it flows.
	if (was == silent || (was && line->expecting_since == 0) || (was && stats->last_rx <= line->expecting_since))
		return;
	about(&n, line);
	tell(line->session->media, &n);
}

void media_notice_look(struct leg_line *line, const struct dp_stats *stats, bool silent, mono_ns now)
{
	if (!is_heard(line->session->media))
		return;
	look_for_silence(line, stats, silent, now);
	for (enum media_attack i = 0; i < MEDIA_ATTACK_STRANGER_DTLS; i++)
		look_for_attack(line, stats, i, now);
}

void media_notice_strangers(struct media *media, uint64_t dropped, mono_ns now)
{
	struct media_notice n = { .kind = MEDIA_NOTICE_ATTACK, .attack = MEDIA_ATTACK_STRANGER_DTLS };

	if (is_heard(media) && is_due(media, &media->strangers, n.attack, dropped, now, &n.count))
		tell(media, &n);
}

void media_notice_relay_back(const struct media *media, mono_ns away)
{
	struct media_notice n = { .kind = MEDIA_NOTICE_RELAY_BACK, .count = away };

	if (is_heard(media))
		tell(media, &n);
}
