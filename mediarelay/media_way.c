// SPDX-License-Identifier: GPL-3.0-or-later
// media_way.c - why a way is silent, in the order in which a packet would meet what is in its way.
#include "mediarelay/media_look.h"

#include <stdio.h>
#include <string.h>

#define RECENT_MS 3000 // a source sends every 20 ms, or with silence suppressed once in a while

#define X(name, word) [MEDIA_WHY_##name] = word,
const char *const media_why_word[MEDIA_WHY_COUNT] = { MEDIA_WHYS(X) };
#undef X

#define SAY(way, reason, ...)                                              \
	do {                                                               \
		(way)->why = MEDIA_WHY_##reason;                           \
		snprintf((way)->text, sizeof((way)->text), __VA_ARGS__);   \
	} while (0)

static void judge_keys(struct media_way *way, const struct media_line_look *line)
{
	const struct media_line_report *f = &line->figures;

	if (f->mismatches > 0)
		SAY(way, WRONG_FINGERPRINT,
		    "The peer in %s showed a certificate that its SDP does not name: expected %s, seen %s. Another party answers there, or the SDP was changed on its way.",
		    f->realm, line->expected, line->seen);
	else
		SAY(way, NO_KEYS, "The leg in %s has no keys yet: %s by %s for %llu ms. Nothing may pass before. Does UDP from %s reach its peer, and back?",
		    f->realm, line->keying_state, keying_mechanism_name(f->mechanism), (unsigned long long)line->keying_ms, f->realm);
}

static void judge_drops_in(struct media_way *way, const struct media_line_look *from)
{
	const char *realm = from->figures.realm, *by = from->dropped_in.by;
	char at[INET_ENDPOINT_STRLEN];

	if (strcmp(by, "auth") == 0 || strcmp(by, "mki") == 0)
		SAY(way, WRONG_KEYS, "Packets come from %s and their SRTP tags do not verify (%s): the peer uses other keys than were agreed, or another suite.",
		    realm, by);
	else if (strcmp(by, "wrong_source") == 0)
		SAY(way, WRONG_SOURCE,
		    "Packets come to the port in %s from another address than %s, which its SDP names%s. Behind a NAT its profile needs learn: nat, or the peer a right address.",
		    realm, inet_endpoint_print(at, &from->figures.remote), from->learning ? "; the real one is still being learnt" : "");
	else
		SAY(way, DROPPED, "Packets come from %s and are dropped: %s. dataplane/drops.h says what that is.", realm, by);
}

static void judge_drops_out(struct media_way *way, const struct media_line_look *from, const struct media_line_look *to)
{
	const char *by = to->dropped_out.by;

	if (strcmp(by, "no_path") == 0 || strcmp(by, "no_nexthop") == 0)
		SAY(way, NO_PATH, "Packets come from %s, and there is no address, or no way, to send them to in %s (%s).", from->figures.realm,
		    to->figures.realm, by);
	else
		SAY(way, DROPPED, "Packets come from %s and are dropped on their way out to %s: %s. dataplane/drops.h says what that is.",
		    from->figures.realm, to->figures.realm, by);
}

static void judge_silence(struct media_way *way, const struct media_line_look *from)
{
	char local[INET_ENDPOINT_STRLEN], remote[INET_ENDPOINT_STRLEN];

	inet_endpoint_print(local, &from->figures.local);
	inet_endpoint_print(remote, &from->figures.remote);
	if (from->not_heard_ms == UINT64_MAX)
		SAY(way, NOTHING_COMES, "No packet has come from %s since the line is up. It should send from %s to %s: is it silent, or is UDP between them closed (one-way)?",
		    from->figures.realm, remote, local);
	else
		SAY(way, NOTHING_COMES, "No packet has come from %s for %llu ms; before, %llu came. It should send from %s to %s.", from->figures.realm,
		    (unsigned long long)from->not_heard_ms, (unsigned long long)from->figures.rx_packets, remote, local);
}

static void judge_onward(struct media_way *way, const struct media_line_look *from, const struct media_line_look *to)
{
	if (to->lost_cause != 0)
		SAY(way, NO_PATH, "There is no way to the peer in %s: %s.", to->figures.realm, strerrordesc_np(-to->lost_cause));
	else if (to->not_sent_ms <= RECENT_MS)
		SAY(way, FLOWS, "Media flows from %s to %s.", from->figures.realm, to->figures.realm);
	else if (to->dropped_out.ms <= RECENT_MS)
		judge_drops_out(way, from, to);
	else if (from->dropped_in.ms <= RECENT_MS)
		judge_drops_in(way, from);
	else
		SAY(way, NOT_SENT, "Packets come from %s and none leaves to %s.", from->figures.realm, to->figures.realm);
}

void media_way_judge(struct media_way *way, const struct media_line_look *from, const struct media_line_look *to)
{
	if (!from->agreed || !to->agreed)
		SAY(way, NOT_AGREED, "Offer and answer are not complete on the leg in %s.", (from->agreed ? to : from)->figures.realm);
	else if (!from->secured)
		judge_keys(way, from);
	else if (!to->secured)
		judge_keys(way, to);
	else if (from->shut_receive || to->shut_send)
		SAY(way, GATE, "Policy lets no media pass from %s to %s until the call is answered (early_media of the profiles, P-Early-Media).",
		    from->figures.realm, to->figures.realm);
	else if (!from->receive)
		SAY(way, HOLD, "On hold: the SDP of the leg in %s says that its peer does not send.", from->figures.realm);
	else if (!to->send)
		SAY(way, HOLD, "On hold: the SDP of the leg in %s says that its peer does not want media.", to->figures.realm);
	else if (from->not_heard_ms <= RECENT_MS)
		judge_onward(way, from, to);
	else if (from->dropped_in.ms <= RECENT_MS)
		judge_drops_in(way, from);
	else
		judge_silence(way, from);
}
