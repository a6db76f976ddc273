// SPDX-License-Identifier: GPL-3.0-or-later
// sip_header.c - the header table, and the copying that follows it.
#include "signaling/sip_header.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	enum sip_header_class class;
} headers[] = {
	// Ours: the dialog, the transaction, the body and what is negotiated hop by hop.
	{ "Via", SIP_HEADER_OURS }, { "v", SIP_HEADER_OURS },
	{ "From", SIP_HEADER_OURS }, { "f", SIP_HEADER_OURS },
	{ "To", SIP_HEADER_OURS }, { "t", SIP_HEADER_OURS },
	{ "Call-ID", SIP_HEADER_OURS }, { "i", SIP_HEADER_OURS },
	{ "CSeq", SIP_HEADER_OURS },
	{ "Contact", SIP_HEADER_OURS }, { "m", SIP_HEADER_OURS },
	{ "Max-Forwards", SIP_HEADER_OURS },
	{ "Record-Route", SIP_HEADER_OURS },
	{ "Route", SIP_HEADER_OURS },
	{ "Path", SIP_HEADER_OURS },
	{ "Service-Route", SIP_HEADER_OURS },
	{ "Content-Length", SIP_HEADER_OURS }, { "l", SIP_HEADER_OURS },
	{ "Content-Type", SIP_HEADER_OURS }, { "c", SIP_HEADER_OURS },
	{ "Content-Disposition", SIP_HEADER_OURS },
	{ "Content-Encoding", SIP_HEADER_OURS }, { "e", SIP_HEADER_OURS },
	{ "Content-Language", SIP_HEADER_OURS },
	{ "MIME-Version", SIP_HEADER_OURS },
	{ "Allow", SIP_HEADER_OURS },
	{ "Supported", SIP_HEADER_OURS }, { "k", SIP_HEADER_OURS },
	{ "Require", SIP_HEADER_OURS },
	{ "Proxy-Require", SIP_HEADER_OURS },
	{ "Unsupported", SIP_HEADER_OURS },
	{ "Accept", SIP_HEADER_OURS },
	{ "Accept-Encoding", SIP_HEADER_OURS },
	{ "User-Agent", SIP_HEADER_OURS },
	{ "Server", SIP_HEADER_OURS },
	{ "Timestamp", SIP_HEADER_OURS },
	{ "Date", SIP_HEADER_OURS },
	{ "Expires", SIP_HEADER_OURS },
	{ "Reason", SIP_HEADER_OURS },
	{ "Warning", SIP_HEADER_OURS },
	{ "Retry-After", SIP_HEADER_OURS },
	{ "Error-Info", SIP_HEADER_OURS },
	// End to end: said by one user to the other.
	{ "Subject", SIP_HEADER_END }, { "s", SIP_HEADER_END },
	{ "Priority", SIP_HEADER_END },
	{ "Organization", SIP_HEADER_END },
	{ "Accept-Language", SIP_HEADER_END },
	{ "In-Reply-To", SIP_HEADER_END },
	{ "User-to-User", SIP_HEADER_END },
	{ "Answer-Mode", SIP_HEADER_END },
	{ "Geolocation", SIP_HEADER_END },
	{ "Geolocation-Routing", SIP_HEADER_END },
	{ "Resource-Priority", SIP_HEADER_END },
	{ "Accept-Contact", SIP_HEADER_END }, { "a", SIP_HEADER_END },
	{ "Reject-Contact", SIP_HEADER_END }, { "j", SIP_HEADER_END },
	{ "Request-Disposition", SIP_HEADER_END }, { "d", SIP_HEADER_END },
	// By trust: identities and what networks say to each other.
	{ "P-Asserted-Identity", SIP_HEADER_TRUST },
	{ "P-Preferred-Identity", SIP_HEADER_TRUST },
	{ "Privacy", SIP_HEADER_TRUST },
	{ "Remote-Party-ID", SIP_HEADER_TRUST },
	{ "Diversion", SIP_HEADER_TRUST },
	{ "History-Info", SIP_HEADER_TRUST },
	{ "Identity", SIP_HEADER_TRUST }, { "y", SIP_HEADER_TRUST },
	{ "Identity-Info", SIP_HEADER_TRUST }, { "n", SIP_HEADER_TRUST },
	{ "P-Access-Network-Info", SIP_HEADER_TRUST },
	{ "P-Asserted-Service", SIP_HEADER_TRUST },
	{ "P-Called-Party-ID", SIP_HEADER_TRUST },
	{ "P-Charging-Vector", SIP_HEADER_TRUST },
	{ "P-Charging-Function-Addresses", SIP_HEADER_TRUST },
	{ "P-Early-Media", SIP_HEADER_TRUST },
	{ "P-Preferred-Service", SIP_HEADER_TRUST },
	{ "P-Profile-Key", SIP_HEADER_TRUST },
	{ "P-Served-User", SIP_HEADER_TRUST },
	{ "P-User-Database", SIP_HEADER_TRUST },
	{ "P-Visited-Network-ID", SIP_HEADER_TRUST },
	{ "Call-Info", SIP_HEADER_TRUST },  // URIs that a phone may fetch
	{ "Alert-Info", SIP_HEADER_TRUST },
	// Dropped: credentials belong to one hop, and features that name a dialog of the other side would point nowhere.
	{ "Authorization", SIP_HEADER_DROP },
	{ "Proxy-Authorization", SIP_HEADER_DROP },
	{ "WWW-Authenticate", SIP_HEADER_DROP },
	{ "Proxy-Authenticate", SIP_HEADER_DROP },
	{ "Authentication-Info", SIP_HEADER_DROP },
	{ "Proxy-Authentication-Info", SIP_HEADER_DROP },
	{ "Security-Client", SIP_HEADER_DROP },
	{ "Security-Server", SIP_HEADER_DROP },
	{ "Security-Verify", SIP_HEADER_DROP },
	{ "P-Media-Authorization", SIP_HEADER_DROP },
	{ "Replaces", SIP_HEADER_DROP },
	{ "Join", SIP_HEADER_DROP },
	{ "Target-Dialog", SIP_HEADER_DROP },
	{ "Refer-To", SIP_HEADER_DROP }, { "r", SIP_HEADER_DROP },
	{ "Referred-By", SIP_HEADER_DROP }, { "b", SIP_HEADER_DROP },
	{ "Refer-Sub", SIP_HEADER_DROP },
	{ "Event", SIP_HEADER_DROP }, { "o", SIP_HEADER_DROP },
	{ "Allow-Events", SIP_HEADER_DROP }, { "u", SIP_HEADER_DROP },
	{ "Subscription-State", SIP_HEADER_DROP },
	{ "Session-Expires", SIP_HEADER_DROP }, { "x", SIP_HEADER_DROP },
	{ "Min-SE", SIP_HEADER_DROP },
	{ "Min-Expires", SIP_HEADER_DROP },
	{ "RSeq", SIP_HEADER_DROP },
	{ "RAck", SIP_HEADER_DROP },
	{ "SIP-If-Match", SIP_HEADER_DROP },
	{ "SIP-ETag", SIP_HEADER_DROP },
	{ "Encryption", SIP_HEADER_DROP },
	{ "Hide", SIP_HEADER_DROP },
	{ "Response-Key", SIP_HEADER_DROP },
};

enum sip_header_class sip_header_class(const char *name)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (strcasecmp(headers[i].name, name) == 0)
			return headers[i].class;
	}
	return SIP_HEADER_UNKNOWN;
}

static bool may_cross(enum sip_header_class class, bool from_trusted, bool to_trusted)
{
	switch (class) {
	case SIP_HEADER_END:
		return true;
	case SIP_HEADER_TRUST:
		return from_trusted && to_trusted;
	case SIP_HEADER_UNKNOWN:
		return from_trusted;
	case SIP_HEADER_OURS:
	case SIP_HEADER_DROP:
		break;
	}
	return false;
}

// A name or value with control bytes could be read differently by the next parser.
static bool is_clean(const sip_unknown_t *un)
{
	for (const char *c = un->un_name; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return false;
	}
	for (const char *c = un->un_value; c != NULL && *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' && *c != '\t')
			return false;
	}
	return true;
}

int sip_headers_cross(msg_t *to, msg_t *from, bool from_trusted, bool to_trusted)
{
	const sip_t *sip = sip_object(from);
	msg_header_t *h = (msg_header_t *)(sip->sip_request != NULL ? (void *)sip->sip_request : (void *)sip->sip_status);

	for (h = h->sh_succ; h != NULL && h->sh_class != sip_separator_class; h = h->sh_succ) {
		bool unknown = h->sh_class == sip_unknown_class;
		const char *name = unknown ? ((sip_unknown_t *)h)->un_name : h->sh_class->hc_name;

		if (name == NULL || !may_cross(sip_header_class(name), from_trusted, to_trusted))
			continue;
		if (unknown && !is_clean((sip_unknown_t *)h))
			continue;
		msg_header_t *copy = msg_header_dup_one(msg_home(to), h);

		if (copy == NULL || msg_header_insert(to, NULL, copy) < 0)
			return -ENOMEM;
	}
	return 0;
}
