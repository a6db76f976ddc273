// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_media.c - reading m-lines with what they inherit.
#include "signaling/sdp/sdp_media.h"
#include <errno.h>
#include <string.h>

#define X(name, text) [SDP_REFUSE_##name] = text,
const char *const sdp_refusal_text[SDP_REFUSAL_COUNT] = { [SDP_REFUSE_NONE] = "none", SDP_REFUSALS(X) };
#undef X

enum sdp_direction sdp_direction_reverse(enum sdp_direction direction)
{
	return (enum sdp_direction)((direction & SDP_SENDONLY ? SDP_RECVONLY : 0) |
				    (direction & SDP_RECVONLY ? SDP_SENDONLY : 0));
}

static const char *const direction_names[] = {
	[SDP_INACTIVE] = "inactive",
	[SDP_SENDONLY] = "sendonly",
	[SDP_RECVONLY] = "recvonly",
	[SDP_SENDRECV] = "sendrecv",
};

const char *sdp_direction_name(enum sdp_direction direction)
{
	return direction_names[direction & SDP_SENDRECV];
}

// -ENOENT: the section has no direction of its own.
static int section_direction(const struct sdp_doc *doc, int section, enum sdp_direction *direction)
{
	const struct sdp_line *line;

	for (size_t i = 0; (line = sdp_doc_line(doc, section, i)) != NULL; i++) {
		for (unsigned d = SDP_INACTIVE; line->type == 'a' && d <= SDP_SENDRECV; d++) {
			if (sdp_text_is(line->name, direction_names[d])) {
				*direction = (enum sdp_direction)d;
				return 0;
			}
		}
	}
	return -ENOENT;
}

// RFC 8866 section 6.7: the m-line's own, else the session's, else sendrecv.
static enum sdp_direction written_direction(const struct sdp_doc *doc, size_t index)
{
	enum sdp_direction direction = SDP_SENDRECV;

	if (section_direction(doc, (int)index, &direction) < 0)
		section_direction(doc, SDP_SESSION, &direction);
	return direction;
}

enum sdp_direction sdp_media_direction(const struct sdp_doc *doc, size_t index)
{
	struct sdp_media media;

	return sdp_media_read(doc, index, &media) < 0 ? SDP_INACTIVE : media.direction;
}

static unsigned read_m_line(const struct sdp_line *line, struct sdp_media *media)
{
	struct sdp_text rest = line->value, port, count = { NULL, 0 };
	uint64_t number = 0, n_ports = 1;
	const char *slash;

	sdp_text_word(&rest, &media->kind);
	sdp_text_word(&rest, &port);
	sdp_text_word(&rest, &media->proto_text);
	while (rest.len > 0 && (rest.s[0] == ' ' || rest.s[0] == '\t')) {
		rest.s++;
		rest.len--;
	}
	media->formats = rest;
	slash = memchr(port.s, '/', port.len);
	if (slash != NULL) {
		count = (struct sdp_text){ slash + 1, (size_t)(port.s + port.len - slash) - 1 };
		port.len = (size_t)(slash - port.s);
		sdp_text_number(count, 65535, &n_ports);
	}
	sdp_text_number(port, 65535, &number);
	media->port = (uint16_t)number;
	media->proto = keying_proto_parse(media->proto_text.s, media->proto_text.len);
	return (unsigned)n_ports;
}

// RFC 3605: a=rtcp gives a port, and perhaps an address of the same kind.
static void read_rtcp(const struct sdp_doc *doc, size_t index, struct sdp_media *media)
{
	const struct sdp_line *line = sdp_attribute(doc, (int)index, "rtcp");
	struct sdp_text rest, word;
	char text[INET_ADDR_STRLEN];
	struct inet_addr addr;
	uint64_t port;

	media->rtcp = media->rtp;
	media->rtcp.port = (uint16_t)(media->rtp.port + 1);
	if (line == NULL) {
		if (media->rtcp.port == 0) // RTP at 65535 leaves none
			media->rtcp = (struct inet_endpoint){ .port = 0 };
		return;
	}
	rest = line->value;
	sdp_text_word(&rest, &word);
	if (sdp_text_number(word, 65535, &port) == 0)
		media->rtcp.port = (uint16_t)port;
	for (int i = 0; i < 3; i++) { // IN, IP4 or IP6, the address
		if (!sdp_text_word(&rest, &word))
			return;
	}
	if (word.len >= sizeof(text))
		return;
	memcpy(text, word.s, word.len);
	text[word.len] = '\0';
	if (inet_addr_parse(&addr, text) == 0 && addr.family == media->rtp.addr.family && !inet_addr_is_any(&addr))
		media->rtcp.addr = addr;
}

static enum sdp_refusal refusal_of(const struct sdp_doc *doc, int index, const struct sdp_media *media,
				   unsigned n_ports)
{
	if (media->port == 0) // RFC 9143 section 6: here port 0 asks for bundling, it does not refuse
		return sdp_attribute(doc, index, "bundle-only") != NULL ? SDP_REFUSE_BUNDLE_ONLY : SDP_REFUSE_PORT_ZERO;
	if (media->proto.transport == KEYING_TRANSPORT_OTHER)
		return SDP_REFUSE_PROTO;
	if (media->formats.len == 0)
		return SDP_REFUSE_FORMATS;
	if (n_ports != 1)
		return SDP_REFUSE_PORT_COUNT;
	if (media->connection.addr.family == INET_NONE || media->connection.multicast)
		return SDP_REFUSE_ADDRESS;
	return SDP_REFUSE_NONE;
}

int sdp_media_read(const struct sdp_doc *doc, size_t index, struct sdp_media *media)
{
	const struct sdp_line *line, *mid;
	int section = (int)index;
	unsigned n_ports;
	bool nowhere;

	if (index >= sdp_doc_media_count(doc))
		return -EINVAL;
	line = sdp_doc_line(doc, section, 0);
	*media = (struct sdp_media){ .direction = written_direction(doc, index) };
	n_ports = read_m_line(line, media);
	sdp_connection_read(doc, section, &media->connection);
	media->refusal = refusal_of(doc, section, media, n_ports);
	media->ice = (sdp_attribute(doc, section, "ice-ufrag") != NULL ||
		      sdp_attribute(doc, SDP_SESSION, "ice-ufrag") != NULL) &&
		     (sdp_attribute(doc, section, "ice-pwd") != NULL ||
		      sdp_attribute(doc, SDP_SESSION, "ice-pwd") != NULL);
	nowhere = media->connection.addr.family != INET_NONE && inet_addr_is_any(&media->connection.addr);
	media->held_by_address = nowhere && !media->ice; // with ICE it says: candidates follow (RFC 8840 section 4.1.1)
	if (media->held_by_address)                      // RFC 3264 section 8.4
		media->direction &= ~SDP_RECVONLY;
	if (media->refusal == SDP_REFUSE_NONE && !nowhere) {
		media->rtp.addr = media->connection.addr;
		media->rtp.port = media->port;
		read_rtcp(doc, index, media);
	}
	media->rtcp_mux_only = sdp_attribute(doc, section, "rtcp-mux-only") != NULL;
	media->rtcp_mux = media->rtcp_mux_only || sdp_attribute(doc, section, "rtcp-mux") != NULL;
	mid = sdp_attribute(doc, section, "mid");
	if (mid != NULL)
		media->mid = mid->value;
	return 0;
}

bool sdp_is_hold(const struct sdp_doc *doc)
{
	struct sdp_media media;
	size_t n_used = 0;

	for (size_t i = 0; sdp_media_read(doc, i, &media) == 0; i++) {
		if (media.refusal != SDP_REFUSE_NONE)
			continue;
		n_used++;
		if (media.direction & SDP_RECVONLY)
			return false;
	}
	return n_used > 0;
}

// RFC 8122 section 5: an m-line's own fingerprints stand instead of the session's.
static void read_fingerprints(const struct sdp_doc *doc, int section, struct keying_lines *lines)
{
	const struct sdp_line *line;
	size_t i = 0;

	while ((line = sdp_attribute_next(doc, section, "fingerprint", &i)) != NULL) {
		lines->fingerprint_seen = true;
		if (dtls_fingerprints_add(&lines->fingerprints, line->value.s, line->value.len) < 0)
			lines->fingerprint_malformed = true;
	}
	if (!lines->fingerprint_seen && section != SDP_SESSION)
		read_fingerprints(doc, SDP_SESSION, lines);
}

static void read_crypto(const struct sdp_doc *doc, int section, struct keying_lines *lines)
{
	const struct sdp_line *line;
	size_t i = 0;

	while ((line = sdp_attribute_next(doc, section, "crypto", &i)) != NULL) {
		if (lines->n_crypto == KEYING_CRYPTO_MAX) {
			lines->crypto_beyond++;
			continue;
		}
		lines->crypto[lines->n_crypto].value = line->value.s;
		lines->crypto[lines->n_crypto].len = line->value.len;
		lines->n_crypto++;
	}
}

static const struct sdp_line *inherited(const struct sdp_doc *doc, int section, const char *name)
{
	const struct sdp_line *line = sdp_attribute(doc, section, name);

	return line != NULL ? line : sdp_attribute(doc, SDP_SESSION, name);
}

void sdp_media_keying(const struct sdp_doc *doc, size_t index, struct keying_lines *lines)
{
	const struct sdp_line *line;
	struct sdp_media media;
	int section = (int)index;

	*lines = (struct keying_lines){ .n_crypto = 0 };
	if (sdp_media_read(doc, index, &media) < 0)
		return;
	lines->proto = media.proto;
	read_crypto(doc, section, lines);
	read_fingerprints(doc, section, lines);
	line = inherited(doc, section, "setup");
	if (line != NULL)
		lines->setup = keying_setup_parse(line->value.s, line->value.len);
	line = inherited(doc, section, "tls-id");
	if (line != NULL)
		keying_tls_id_set(lines->tls_id, line->value.s, line->value.len);
}
