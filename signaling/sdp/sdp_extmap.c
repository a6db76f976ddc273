// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_extmap.c - reading, mapping between two hops and writing RTP header extensions; see sdp_extmap.h.
#include "signaling/sdp/sdp_extmap.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ENCRYPT_URN "urn:ietf:params:rtp-hdrext:encrypt"
#define VALUE_MAX 1024 // what is longer is no extension; with the URN before it a line of ours still holds it

// Reading

static int read_direction(struct sdp_text word, struct sdp_extension *e)
{
	e->direction = SDP_SENDRECV;
	if (word.len == 0)
		return 0;
	for (unsigned d = SDP_INACTIVE; d <= SDP_SENDRECV; d++) {
		if (sdp_text_is(word, sdp_direction_name((enum sdp_direction)d))) {
			e->direction = (enum sdp_direction)d;
			e->direction_said = true;
			return 0;
		}
	}
	return -EINVAL;
}

// RFC 8285 section 5: 1 to 255 stand in packets, 256 is the appbits, 4096 to 4351 are for the answerer to settle.
static bool id_is_valid(uint64_t id)
{
	return (id >= 1 && id <= SDP_EXTENSION_ID_MAX) ||
	       (id >= SDP_EXTENSION_OPEN_MIN && id <= SDP_EXTENSION_OPEN_MAX);
}

// RFC 8285 section 8: id ["/" direction] SP URI [SP attributes]. RFC 6904 section 4: the URN, then URI and attributes.
static int read_extmap(struct sdp_text value, struct sdp_extension *e)
{
	struct sdp_text entry, direction = { NULL, 0 };
	const char *slash;
	uint64_t id;

	*e = (struct sdp_extension){ .id = 0 };
	if (value.len > VALUE_MAX || !sdp_text_word(&value, &entry))
		return -EINVAL;
	slash = memchr(entry.s, '/', entry.len);
	if (slash != NULL) {
		direction = (struct sdp_text){ slash + 1, (size_t)(entry.s + entry.len - slash) - 1 };
		entry.len = (size_t)(slash - entry.s);
		if (direction.len == 0)
			return -EINVAL;
	}
	if (entry.len > 5 || sdp_text_number(entry, SDP_EXTENSION_OPEN_MAX, &id) < 0 || !id_is_valid(id) ||
	    read_direction(direction, e) < 0 || !sdp_text_word(&value, &e->uri))
		return -EINVAL;
	if (sdp_text_is_nocase(e->uri, ENCRYPT_URN)) {
		e->encrypted = true;
		if (!sdp_text_word(&value, &e->uri) || sdp_text_is_nocase(e->uri, ENCRYPT_URN))
			return -EINVAL;
	}
	while (value.len > 0 && (value.s[0] == ' ' || value.s[0] == '\t')) {
		value.s++;
		value.len--;
	}
	e->id = (uint16_t)id;
	e->attributes = value;
	return 0;
}

// Section 5: a real identifier stands once. Those above may stand often: alternatives.
static bool id_taken(const struct sdp_extensions *extensions, uint16_t id)
{
	for (size_t i = 0; id < SDP_EXTENSION_OPEN_MIN && i < extensions->n; i++) {
		if (extensions->list[i].id == id)
			return true;
	}
	return false;
}

static void read_section(const struct sdp_doc *doc, int section, struct sdp_extensions *extensions)
{
	const struct sdp_line *line;
	struct sdp_extension e;
	size_t i = 0;

	while ((line = sdp_attribute_next(doc, section, "extmap", &i)) != NULL) {
		if (extensions->n == SDP_EXTENSIONS_MAX || read_extmap(line->value, &e) < 0 || id_taken(extensions, e.id))
			extensions->unread++;
		else
			extensions->list[extensions->n++] = e;
	}
	extensions->mixed |= sdp_attribute(doc, section, "extmap-allow-mixed") != NULL;
	extensions->cryptex |= sdp_attribute(doc, section, "cryptex") != NULL;
}

void sdp_extensions_read(const struct sdp_doc *doc, size_t index, struct sdp_extensions *extensions)
{
	*extensions = (struct sdp_extensions){ .n = 0 };
	if (index >= sdp_doc_media_count(doc))
		return;
	read_section(doc, (int)index, extensions);
	read_section(doc, SDP_SESSION, extensions); // mappings there are those of every m-line
}

// Mapping

static bool hop_allows(const struct sdp_extension_hop *hop, struct sdp_text uri)
{
	if (hop->policy == NULL || !hop->policy->filter)
		return true;
	for (size_t i = 0; i < hop->policy->n_uris; i++) {
		if (sdp_text_is(uri, hop->policy->uris[i].text))
			return true;
	}
	return false;
}

static bool hops_allow_any(const struct sdp_extension_hops *hops)
{
	const struct media_extensions *a = hops->offerer.policy, *b = hops->answerer.policy;

	return (a == NULL || !a->filter || a->n_uris > 0) && (b == NULL || !b->filter || b->n_uris > 0);
}

static bool hop_wishes(const struct sdp_extension_hop *hop, bool cryptex, bool to_offer)
{
	enum media_wish wish = MEDIA_WISH_ACCEPT;

	if (hop->policy != NULL)
		wish = cryptex ? hop->policy->cryptex : hop->policy->encryption;
	return hop->secured && (wish == MEDIA_WISH_OFFER || (!to_offer && wish == MEDIA_WISH_ACCEPT));
}

static bool encrypted_form_of(const struct sdp_extensions *offered, const struct sdp_extension *clear)
{
	for (size_t i = 0; i < offered->n; i++) {
		if (offered->list[i].encrypted && sdp_text_equal(offered->list[i].uri, clear->uri))
			return true;
	}
	return false;
}

// RFC 6904 section 4: an offer may hold both forms under different identifiers; an answer takes one of them.
static bool offer_takes(const struct sdp_extensions *offered, const struct sdp_extension *e,
			const struct sdp_extension_hops *hops)
{
	bool encryption = hop_wishes(&hops->offerer, false, false);

	if (!hop_allows(&hops->offerer, e->uri) || !hop_allows(&hops->answerer, e->uri))
		return false;
	return e->encrypted ? encryption : !(encryption && encrypted_form_of(offered, e));
}

void sdp_extensions_offer(const struct sdp_extensions *offered, const struct sdp_extension_hops *hops,
			  struct sdp_extensions *chosen, struct sdp_extensions *onward)
{
	bool encrypt = hop_wishes(&hops->answerer, false, true);
	bool any = hops_allow_any(hops);

	*chosen = (struct sdp_extensions){
		.mixed = offered->mixed && any,
		.cryptex = offered->cryptex && hop_wishes(&hops->offerer, true, false),
	};
	*onward = (struct sdp_extensions){
		.mixed = chosen->mixed,
		.cryptex = hop_wishes(&hops->answerer, true, true),
	};
	for (size_t i = 0; i < offered->n; i++) {
		const struct sdp_extension *e = &offered->list[i];

		if (!offer_takes(offered, e, hops))
			continue;
		chosen->list[chosen->n++] = *e;
		onward->list[onward->n] = *e;
		onward->list[onward->n++].encrypted = encrypt && e->id != SDP_EXTENSION_ID_MAX; // appbits are no element
	}
}

static const struct sdp_extension *answer_to(const struct sdp_extensions *answered, const struct sdp_extension *asked)
{
	for (size_t i = 0; i < answered->n; i++) {
		const struct sdp_extension *e = &answered->list[i];
		bool settled = asked->id >= SDP_EXTENSION_OPEN_MIN && e->id < SDP_EXTENSION_OPEN_MIN;

		if ((e->id == asked->id || settled) && e->id < SDP_EXTENSION_OPEN_MIN &&
		    e->encrypted == asked->encrypted && sdp_text_equal(e->uri, asked->uri))
			return e;
	}
	return NULL;
}

void sdp_extensions_answer(const struct sdp_extensions *offered, const struct sdp_extensions *answered,
			   const struct sdp_extension_hops *hops, struct sdp_extensions *answerer,
			   struct sdp_extensions *offerer)
{
	struct sdp_extensions chosen, onward;

	sdp_extensions_offer(offered, hops, &chosen, &onward);
	*answerer = (struct sdp_extensions){
		.mixed = onward.mixed && answered->mixed,
		.cryptex = onward.cryptex && answered->cryptex,
	};
	*offerer = (struct sdp_extensions){ .mixed = answerer->mixed, .cryptex = chosen.cryptex };
	for (size_t i = 0; i < onward.n; i++) {
		const struct sdp_extension *e = answer_to(answered, &onward.list[i]);

		if (e == NULL || id_taken(answerer, e->id)) // a settled alternative: the first that was offered stands for all
			continue;
		answerer->list[answerer->n++] = *e;
		offerer->list[offerer->n] = *e;
		offerer->list[offerer->n++].encrypted = chosen.list[i].encrypted;
	}
}

// Writing

static size_t print_extmap(const struct sdp_extension *e, char dst[SDP_LINE_MAX])
{
	int len = snprintf(dst, SDP_LINE_MAX, "extmap:%u%s%s %s%.*s%s%.*s", e->id, e->direction_said ? "/" : "",
			   e->direction_said ? sdp_direction_name(e->direction) : "", e->encrypted ? ENCRYPT_URN " " : "",
			   (int)e->uri.len, e->uri.s, e->attributes.len > 0 ? " " : "", (int)e->attributes.len,
			   e->attributes.len > 0 ? e->attributes.s : "");

	return len > 0 && len < SDP_LINE_MAX ? (size_t)len : 0;
}

size_t sdp_extensions_attribute(const struct sdp_extensions *extensions, size_t i, char dst[SDP_LINE_MAX])
{
	if (extensions->mixed && i == 0)
		return (size_t)snprintf(dst, SDP_LINE_MAX, "extmap-allow-mixed");
	i -= extensions->mixed;
	if (extensions->cryptex && i == 0)
		return (size_t)snprintf(dst, SDP_LINE_MAX, "cryptex");
	i -= extensions->cryptex;
	return i < extensions->n ? print_extmap(&extensions->list[i], dst) : 0;
}
