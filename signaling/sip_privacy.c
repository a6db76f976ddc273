// SPDX-License-Identifier: GPL-3.0-or-later
// sip_privacy.c - reading Privacy, and hiding hosts; see sip_privacy.h.
#include "signaling/sip_privacy.h"
#include "base/inet.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *word;
	unsigned bit;
} words[] = {
	{ "header", SIP_PRIVACY_HEADER }, { "session", SIP_PRIVACY_SESSION }, { "user", SIP_PRIVACY_USER },
	{ "id", SIP_PRIVACY_ID },         { "history", SIP_PRIVACY_HISTORY }, { "none", SIP_PRIVACY_NONE },
	{ "critical", SIP_PRIVACY_CRITICAL },
};

static unsigned word_bit(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].word) == len && strncasecmp(words[i].word, word, len) == 0)
			return words[i].bit;
	}
	return SIP_PRIVACY_OTHER;
}

unsigned sip_privacy_read(const char *value)
{
	unsigned privacy = 0;

	while (value != NULL && *value != '\0') {
		size_t len = strcspn(value, " \t;,"); // semicolons by RFC 3323; commas are seen

		if (len > 0)
			privacy |= word_bit(value, len);
		value += len;
		value += strspn(value, " \t;,");
	}
	return privacy;
}

bool sip_privacy_can(unsigned privacy)
{
	return !(privacy & SIP_PRIVACY_CRITICAL) || !(privacy & SIP_PRIVACY_OTHER);
}

// Length of the scheme with its colon, if a URI begins here.
static size_t scheme_at(const char *text)
{
	if (strncasecmp(text, "sip:", 4) == 0)
		return 4;
	return strncasecmp(text, "sips:", 5) == 0 ? 5 : 0;
}

static size_t host_len(const char *host)
{
	if (*host == '[')
		return strcspn(host, "]>") + (strcspn(host, "]>") < strlen(host) ? 1 : 0);
	return strcspn(host, ":;>?,\" \t");
}

static bool is_numeric(const char *host, size_t len)
{
	char text[INET_ADDR_STRLEN + 2];
	struct inet_addr addr;

	if (len > 0 && host[0] == '[')
		return true;
	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return inet_addr_parse(&addr, text) == 0;
}

// Of what begins after the scheme: the user part with its @, none if there is none.
static size_t user_len(const char *rest)
{
	size_t len = strcspn(rest, "@>\" \t,");

	return rest[len] == '@' ? len + 1 : 0;
}

static int append(char **dst, size_t *room, const char *text, size_t len)
{
	if (len >= *room)
		return -ENAMETOOLONG;
	memcpy(*dst, text, len);
	*dst += len;
	*room -= len;
	**dst = '\0';
	return 0;
}

int sip_hosts_hide(char *dst, size_t room, const char *value, const char *host, bool numeric_only)
{
	bool in_word = false; // "gossip:" holds no scheme
	int err = room > 0 ? 0 : -ENAMETOOLONG;

	while (err == 0 && *value != '\0') {
		size_t scheme = in_word ? 0 : scheme_at(value);

		if (scheme == 0) {
			in_word = strchr(" \t<>\";,=?", *value) == NULL;
			err = append(&dst, &room, value++, 1);
			continue;
		}
		size_t head = scheme + user_len(value + scheme), len = host_len(value + head);

		err = append(&dst, &room, value, head);
		value += head;
		if (err == 0 && len > 0 && (!numeric_only || is_numeric(value, len))) {
			err = append(&dst, &room, host, strlen(host));
			value += len;
			if (*value == ':')
				value += 1 + strspn(value + 1, "0123456789");
		} else if (err == 0) {
			err = append(&dst, &room, value, len);
			value += len;
		}
		in_word = true;
	}
	return err;
}

// Length of the address that begins here and ends where a word may end; 0: none.
static size_t address_at(const char *text)
{
	size_t len = strspn(text, "0123456789abcdefABCDEF:.");

	for (; len >= sizeof("...") - 1; len--) {
		bool inside = len < strlen(text) && (isalnum((unsigned char)text[len]) || text[len] == '_');

		if (!inside && is_numeric(text, len))
			return len;
	}
	return 0;
}

void sip_addresses_hide(char *text)
{
	char *to = text;
	bool in_word = false;

	while (*text != '\0') {
		size_t len = in_word ? 0 : address_at(text);

		if (len > 0) {
			memcpy(to, "...", 3);
			to += 3;
			text += len;
			in_word = true;
			continue;
		}
		in_word = isalnum((unsigned char)*text) || *text == '_';
		*to++ = *text++;
	}
	*to = '\0';
}
