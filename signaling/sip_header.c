// SPDX-License-Identifier: GPL-3.0-or-later
// sip_header.c - the header table, and the copying that follows it.
#include "signaling/sip_header.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

#define HIDDEN_MAX 1024 // octets of a header with hosts hidden

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
	{ "Allow", SIP_HEADER_OURS },
	{ "Supported", SIP_HEADER_OURS }, { "k", SIP_HEADER_OURS },
	{ "Require", SIP_HEADER_OURS },
	{ "Proxy-Require", SIP_HEADER_OURS },
	{ "Unsupported", SIP_HEADER_OURS },
	{ "User-Agent", SIP_HEADER_OURS },
	{ "Server", SIP_HEADER_OURS },
	{ "Timestamp", SIP_HEADER_OURS },
	{ "Warning", SIP_HEADER_OURS },
	{ "Error-Info", SIP_HEADER_OURS },
	{ "Session-Expires", SIP_HEADER_OURS }, { "x", SIP_HEADER_OURS },
	{ "Min-SE", SIP_HEADER_OURS },
	// Of requests that are carried each for itself, and of their responses; in calls these are ours, or have no meaning.
	{ "Event", SIP_HEADER_RELAY }, { "o", SIP_HEADER_RELAY },
	{ "Allow-Events", SIP_HEADER_RELAY }, { "u", SIP_HEADER_RELAY },
	{ "Subscription-State", SIP_HEADER_RELAY },
	{ "Suppress-If-Match", SIP_HEADER_RELAY },
	{ "SIP-If-Match", SIP_HEADER_RELAY },
	{ "SIP-ETag", SIP_HEADER_RELAY },
	{ "Expires", SIP_HEADER_RELAY },
	{ "Min-Expires", SIP_HEADER_RELAY },
	{ "Date", SIP_HEADER_RELAY },
	{ "Info-Package", SIP_HEADER_RELAY },
	{ "Accept", SIP_HEADER_RELAY },
	{ "Accept-Encoding", SIP_HEADER_RELAY },
	{ "Content-Type", SIP_HEADER_RELAY }, { "c", SIP_HEADER_RELAY },
	{ "Content-Disposition", SIP_HEADER_RELAY },
	{ "Content-Encoding", SIP_HEADER_RELAY }, { "e", SIP_HEADER_RELAY },
	{ "Content-Language", SIP_HEADER_RELAY },
	{ "MIME-Version", SIP_HEADER_RELAY },
	// Of final responses that are no success: why, and when it may be better.
	{ "Reason", SIP_HEADER_REFUSAL },
	{ "Retry-After", SIP_HEADER_REFUSAL },
	// End to end: said by one user to the other.
	{ "Subject", SIP_HEADER_END }, { "s", SIP_HEADER_END },
	{ "Priority", SIP_HEADER_END },
	{ "Organization", SIP_HEADER_END },
	{ "Accept-Language", SIP_HEADER_END },
	{ "User-to-User", SIP_HEADER_END },
	{ "Recv-Info", SIP_HEADER_END },
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
	// Of transfers: they name dialogs and places of the other side, and are translated (sip_refer.c).
	{ "Replaces", SIP_HEADER_TRANSFER },
	{ "Join", SIP_HEADER_TRANSFER },
	{ "Target-Dialog", SIP_HEADER_TRANSFER },
	{ "Refer-To", SIP_HEADER_TRANSFER }, { "r", SIP_HEADER_TRANSFER },
	{ "Referred-By", SIP_HEADER_TRANSFER }, { "b", SIP_HEADER_TRANSFER },
	{ "Refer-Sub", SIP_HEADER_TRANSFER },
	// Dropped: credentials belong to one hop.
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
	{ "In-Reply-To", SIP_HEADER_DROP }, // Call-IDs of that side
	{ "RSeq", SIP_HEADER_DROP },
	{ "RAck", SIP_HEADER_DROP },
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

bool sip_header_at(size_t index, const char **name, enum sip_header_class *class)
{
	if (index >= sizeof(headers) / sizeof(headers[0]))
		return false;
	*name = headers[index].name;
	*class = headers[index].class;
	return true;
}

static bool may_cross(enum sip_header_class class, const struct sip_crossing *how)
{
	switch (class) {
	case SIP_HEADER_END:
		return true;
	case SIP_HEADER_TRUST:
		return how->from_trusted && how->to_trusted;
	case SIP_HEADER_UNKNOWN:
		return how->from_trusted;
	case SIP_HEADER_RELAY:
		return how->relayed;
	case SIP_HEADER_REFUSAL:
		return how->refusal;
	case SIP_HEADER_OURS:
	case SIP_HEADER_TRANSFER:
	case SIP_HEADER_DROP:
		break;
	}
	return false;
}

static bool is_one_of(const char *name, const char *const list[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(name, list[i]) == 0)
			return true;
	}
	return false;
}

// RFC 3323 section 5.3: what a user says of himself, which goes when he asks for it.
static bool tells_of_user(const char *name)
{
	static const char *const names[] = { "Subject", "Organization", "Call-Info", "Geolocation",
					     "User-to-User" };

	return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

static bool tells_of_history(const char *name)
{
	return strcasecmp(name, "Diversion") == 0 || strcasecmp(name, "History-Info") == 0;
}

static bool names_people(const char *name)
{
	static const char *const names[] = { "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID",
					     "P-Called-Party-ID", "P-Served-User" };

	return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
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

// What went wrong, in words that may name where.
static bool explains(const char *name)
{
	return strcasecmp(name, "Reason") == 0;
}

// With our host in place of theirs. A numeric one is always inside a network; a name may be how a domain is called.
static int cross_hidden(msg_t *to, msg_header_t *h, const char *name, const struct sip_crossing *how)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	char hidden[HIDDEN_MAX];
	sip_unknown_t *un = NULL;
	int err = 0;

	su_home_init(home);
	const char *value = h->sh_class == sip_unknown_class ? ((sip_unknown_t *)h)->un_value
							     : sip_header_as_string(home, (sip_header_t *)h);

	// Too long to be read is too long to be passed.
	if (value != NULL && sip_hosts_hide(hidden, sizeof(hidden), value, how->host, !tells_of_history(name)) == 0) {
		if (explains(name))
			sip_addresses_hide(hidden);
		un = sip_unknown_format(msg_home(to), "%s: %s", name, hidden);
		err = un != NULL ? msg_header_insert(to, NULL, (msg_header_t *)un) : -1;
	}
	su_home_deinit(home);
	return err < 0 ? -ENOMEM : 0;
}

static int cross_one(msg_t *to, msg_header_t *h, const struct sip_crossing *how)
{
	bool unknown = h->sh_class == sip_unknown_class;
	const char *name = unknown ? ((sip_unknown_t *)h)->un_name : h->sh_class->hc_name;

	if (name == NULL || !may_cross(sip_header_class(name), how))
		return 0;
	if (unknown && !is_clean((sip_unknown_t *)h))
		return 0;
	if (how->privacy & SIP_PRIVACY_USER && !how->to_trusted && tells_of_user(name))
		return 0;
	if (tells_of_history(name) && how->history == SIP_HISTORY_STRIP)
		return 0;
	if (names_people(name) || explains(name) || (tells_of_history(name) && how->history == SIP_HISTORY_HIDE))
		return cross_hidden(to, h, name, how);
	msg_header_t *copy = msg_header_dup_one(msg_home(to), h);

	return copy != NULL && msg_header_insert(to, NULL, copy) == 0 ? 0 : -ENOMEM;
}

int sip_headers_cross(msg_t *to, msg_t *from, const struct sip_crossing *how)
{
	const sip_t *sip = sip_object(from);
	msg_header_t *h = (msg_header_t *)(sip->sip_request != NULL ? (void *)sip->sip_request : (void *)sip->sip_status);

	for (h = h->sh_succ; h != NULL && h->sh_class != sip_separator_class; h = h->sh_succ) {
		int err = cross_one(to, h, how);

		if (err < 0)
			return err;
	}
	return 0;
}

const char *sip_header_value(su_home_t *home, const sip_t *sip, const char *name)
{
	const msg_header_t *h = (const msg_header_t *)(sip->sip_request != NULL ? (const void *)sip->sip_request
										: (const void *)sip->sip_status);

	for (h = h != NULL ? h->sh_succ : NULL; h != NULL && h->sh_class != sip_separator_class; h = h->sh_succ) {
		if (h->sh_class == sip_unknown_class) {
			const sip_unknown_t *un = (const sip_unknown_t *)h;

			if (un->un_name != NULL && strcasecmp(un->un_name, name) == 0)
				return un->un_value;
		} else if (h->sh_class->hc_name != NULL && strcasecmp(h->sh_class->hc_name, name) == 0) {
			return sip_header_as_string(home, (const sip_header_t *)h);
		}
	}
	return NULL;
}
