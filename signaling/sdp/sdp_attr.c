// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_attr.c - the table of attributes, and the few that are judged by their value.
#include "signaling/sdp/sdp_attr.h"
#include "signaling/sdp/sdp_view.h"
#include <string.h>
#include <strings.h>

// clang-format off
static const struct {
	const char *name;
	enum sdp_class class;
} known[] = { // sorted, found by bisection
	{ "3ge2ae", SDP_CLASS_KEY },                  // TS 24.229: media plane security
	{ "acap", SDP_CLASS_KEY },                    // RFC 5939: may hold crypto and fingerprint
	{ "acfg", SDP_CLASS_OURS },                   // RFC 5939: the configuration of this hop
	{ "alt", SDP_CLASS_ADDRESS },                 // X-Lite: candidates before ICE
	{ "altc", SDP_CLASS_ADDRESS },                // RFC 6947
	{ "bundle-only", SDP_CLASS_OURS },            // RFC 9143
	{ "candidate", SDP_CLASS_ADDRESS },           // RFC 8839
	{ "ccap", SDP_CLASS_ADDRESS },                // RFC 7006
	{ "charset", SDP_CLASS_END_TO_END },
	{ "conf", SDP_CLASS_END_TO_END },             // RFC 3312
	{ "connection", SDP_CLASS_OURS },             // RFC 4145
	{ "content", SDP_CLASS_END_TO_END },          // RFC 4796
	{ "creq", SDP_CLASS_OURS },                   // RFC 5939
	{ "cryptex", SDP_CLASS_OURS },                // RFC 9335: encryption on this hop
	{ "crypto", SDP_CLASS_KEY },                  // RFC 4568
	{ "cryptoscale", SDP_CLASS_KEY },             // deviant SDES of old clients
	{ "csup", SDP_CLASS_OURS },                   // RFC 5939
	{ "curr", SDP_CLASS_END_TO_END },             // RFC 3312
	{ "des", SDP_CLASS_END_TO_END },              // RFC 3312
	{ "encryption", SDP_CLASS_OURS },             // old Snom: whether SRTP is wanted on this hop
	{ "end-of-candidates", SDP_CLASS_ADDRESS },   // RFC 8840
	{ "extmap", SDP_CLASS_OURS },                 // RFC 8285: what crosses is written anew (sdp_extmap.h)
	{ "extmap-allow-mixed", SDP_CLASS_OURS },
	{ "fingerprint", SDP_CLASS_KEY },             // RFC 8122
	{ "floorctrl", SDP_CLASS_END_TO_END },        // RFC 8856
	{ "fmtp", SDP_CLASS_END_TO_END },
	{ "framerate", SDP_CLASS_END_TO_END },
	{ "framesize", SDP_CLASS_END_TO_END },        // RFC 6064
	{ "group", SDP_CLASS_END_TO_END },            // RFC 5888; BUNDLE below
	{ "ice-lite", SDP_CLASS_ADDRESS },            // RFC 8839, this and the next ones
	{ "ice-mismatch", SDP_CLASS_ADDRESS },
	{ "ice-options", SDP_CLASS_ADDRESS },
	{ "ice-pacing", SDP_CLASS_ADDRESS },
	{ "ice-pwd", SDP_CLASS_KEY },
	{ "ice-ufrag", SDP_CLASS_KEY },
	{ "identity", SDP_CLASS_KEY },                // RFC 8827: vouches for a fingerprint
	{ "imageattr", SDP_CLASS_END_TO_END },        // RFC 6236
	{ "inactive", SDP_CLASS_OURS },               // this and its three siblings: written anew at media level
	{ "key-mgmt", SDP_CLASS_KEY },                // RFC 4567
	{ "label", SDP_CLASS_END_TO_END },            // RFC 4574
	{ "lang", SDP_CLASS_END_TO_END },
	{ "lcfg", SDP_CLASS_OURS },                   // RFC 6871
	{ "maxprate", SDP_CLASS_END_TO_END },         // RFC 3890
	{ "maxptime", SDP_CLASS_END_TO_END },
	{ "mid", SDP_CLASS_END_TO_END },              // RFC 5888; an answer repeats the offer's
	{ "mikey", SDP_CLASS_KEY },
	{ "msid", SDP_CLASS_END_TO_END },             // RFC 8830
	{ "msid-semantic", SDP_CLASS_END_TO_END },
	{ "msrp-cema", SDP_CLASS_ADDRESS },           // RFC 6714
	{ "nortpproxy", SDP_CLASS_OURS },             // mark of a relay on the same hop
	{ "omr-m-cksum", SDP_CLASS_OURS },            // TS 24.229 OMR: checksums of this hop's description
	{ "omr-s-cksum", SDP_CLASS_OURS },
	{ "path", SDP_CLASS_ADDRESS },                // RFC 4975
	{ "pcfg", SDP_CLASS_OURS },                   // RFC 5939
	{ "ptime", SDP_CLASS_END_TO_END },
	{ "quality", SDP_CLASS_END_TO_END },
	{ "recvonly", SDP_CLASS_OURS },
	{ "remote-candidates", SDP_CLASS_ADDRESS },   // RFC 8839
	{ "rid", SDP_CLASS_END_TO_END },              // RFC 8851
	{ "rtcp", SDP_CLASS_ADDRESS },                // RFC 3605
	{ "rtcp-fb", SDP_CLASS_END_TO_END },          // RFC 4585
	{ "rtcp-mux", SDP_CLASS_OURS },               // RFC 5761
	{ "rtcp-mux-only", SDP_CLASS_OURS },          // RFC 8858
	{ "rtcp-rsize", SDP_CLASS_END_TO_END },       // RFC 5506
	{ "rtcp-xr", SDP_CLASS_END_TO_END },          // RFC 3611
	{ "rtpmap", SDP_CLASS_END_TO_END },
	{ "sdplang", SDP_CLASS_END_TO_END },
	{ "secondary-realm", SDP_CLASS_ADDRESS },     // TS 24.229 OMR
	{ "sendonly", SDP_CLASS_OURS },
	{ "sendrecv", SDP_CLASS_OURS },
	{ "sescap", SDP_CLASS_OURS },                 // RFC 6871
	{ "setup", SDP_CLASS_OURS },                  // RFC 4145, 8842
	{ "silencesupp", SDP_CLASS_END_TO_END },
	{ "simulcast", SDP_CLASS_END_TO_END },        // RFC 8853
	{ "source-filter", SDP_CLASS_ADDRESS },       // RFC 4570
	{ "sqn", SDP_CLASS_END_TO_END },              // RFC 3407: capabilities, without transports of ours
	{ "ssrc", SDP_CLASS_END_TO_END },             // RFC 5576; cname below
	{ "ssrc-group", SDP_CLASS_END_TO_END },
	{ "tcap", SDP_CLASS_OURS },                   // RFC 5939: the protos of this hop
	{ "tls-id", SDP_CLASS_KEY },                  // RFC 8842
	{ "tool", SDP_CLASS_ADDRESS },                // names the software of one side
	{ "visited-realm", SDP_CLASS_ADDRESS },       // TS 24.229 OMR
	{ "x-candidate-info", SDP_CLASS_ADDRESS },    // Lync
	{ "x-crypto", SDP_CLASS_KEY },
	{ "x-nat", SDP_CLASS_ADDRESS },
	{ "x-sqn", SDP_CLASS_END_TO_END },
	{ "zrtp-hash", SDP_CLASS_KEY },               // RFC 6189
};
// clang-format on

// Spaces around a name and its case must not lead a key past us: who reads it leniently would take it.
static struct sdp_text trimmed(struct sdp_text name)
{
	while (name.len > 0 && (unsigned char)name.s[0] <= ' ') {
		name.s++;
		name.len--;
	}
	while (name.len > 0 && (unsigned char)name.s[name.len - 1] <= ' ')
		name.len--;
	return name;
}

static int name_compare(struct sdp_text name, const char *word)
{
	int order = strncasecmp(name.s, word, name.len);

	if (order != 0)
		return order;
	return word[name.len] == '\0' ? 0 : -1;
}

enum sdp_class sdp_attr_class(struct sdp_text name)
{
	size_t low = 0, high = sizeof(known) / sizeof(known[0]);

	name = trimmed(name);
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = name_compare(name, known[middle].name);

		if (order == 0)
			return known[middle].class;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return SDP_CLASS_UNKNOWN;
}

// RFC 5576 section 6.1: a cname made after RFC 7022 is a random word. The older form user@host tells a host name or an
// address, so that one stays; RTP does not need it here, RTCP carries its own.
static enum sdp_class ssrc_class(struct sdp_text value)
{
	struct sdp_text id;

	sdp_text_word(&value, &id);
	value = trimmed(value);
	if (value.len < 6 || strncasecmp(value.s, "cname:", 6) != 0)
		return SDP_CLASS_END_TO_END;
	for (size_t i = 6; i < value.len; i++) {
		if (strchr("@.:[", value.s[i]) != NULL)
			return SDP_CLASS_ADDRESS;
	}
	return SDP_CLASS_END_TO_END;
}

static enum sdp_class attribute_class(const struct sdp_line *line)
{
	struct sdp_text value = line->value, word, name = trimmed(line->name);

	if (sdp_text_is_nocase(name, "ssrc"))
		return ssrc_class(value);
	if (sdp_text_is_nocase(name, "group") && sdp_text_word(&value, &word) && sdp_text_is_nocase(word, "BUNDLE"))
		return SDP_CLASS_OURS; // each m-line has its own transport with us
	return sdp_attr_class(name);
}

enum sdp_class sdp_line_class(const struct sdp_line *line)
{
	switch (line->type) {
	case 'a':
		return attribute_class(line);
	case 'v':
	case 'o':
	case 'c':
	case 'm':
	case 0:
		return SDP_CLASS_OURS;
	case 's':
	case 'i':
	case 'b':
	case 't':
	case 'r':
	case 'z':
		return SDP_CLASS_END_TO_END;
	case 'k':
		return SDP_CLASS_KEY;
	case 'u':
	case 'e':
	case 'p':
		return SDP_CLASS_ADDRESS; // names of a site and its people
	default:
		return SDP_CLASS_UNKNOWN;
	}
}

const char *sdp_class_name(enum sdp_class class)
{
	static const char *const names[] = {
		[SDP_CLASS_UNKNOWN] = "unknown", [SDP_CLASS_END_TO_END] = "end to end", [SDP_CLASS_OURS] = "ours",
		[SDP_CLASS_KEY] = "key", [SDP_CLASS_ADDRESS] = "address",
	};

	return names[class];
}
