// SPDX-License-Identifier: GPL-3.0-or-later
// tls_names.c - a walk down a certificate: Certificate, TBSCertificate, Extensions, subjectAltName, its GeneralNames.
#include "dtls/tls_names.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SEQUENCE 0x30
#define OBJECT_IDENTIFIER 0x06
#define OCTET_STRING 0x04
#define EXTENSIONS 0xa3 // [3] of TBSCertificate
#define FIRST_TEXT 0x81 // [1] of GeneralName, rfc822Name
#define IP_ADDRESS 0x87 // [7]

struct span {
	const uint8_t *at;
	size_t len;
};

// Takes one element off the front. False: there is none, or its length does not fit.
static bool take(struct span *from, uint8_t *tag, struct span *body)
{
	size_t len, head = 2;

	if (from->len < 2)
		return false;
	*tag = from->at[0];
	len = from->at[1];
	if (len >= 0x80) { // DER: as few octets as it needs; four are enough for any certificate
		size_t n = len & 0x7f;

		if (n == 0 || n > 4 || from->len < 2 + n)
			return false;
		for (len = 0; head < 2 + n; head++)
			len = len << 8 | from->at[head];
	}
	if (len > from->len - head)
		return false;
	*body = (struct span){ from->at + head, len };
	from->at += head + len;
	from->len -= head + len;
	return true;
}

// The first element with that tag.
static bool find(struct span in, uint8_t wanted, struct span *body)
{
	uint8_t tag;

	while (take(&in, &tag, body)) {
		if (tag == wanted)
			return true;
	}
	return false;
}

static bool is_alternative_name(struct span extension)
{
	static const uint8_t id[] = { 0x55, 0x1d, 0x11 }; // 2.5.29.17
	struct span oid;

	return find(extension, OBJECT_IDENTIFIER, &oid) && oid.len == sizeof(id) && memcmp(oid.at, id, sizeof(id)) == 0;
}

// What comes of the extension is empty where there is none, or where it is malformed.
static struct span alternative_names(const uint8_t *der, size_t der_len)
{
	struct span s = { der, der_len }, extension, names;
	uint8_t tag;

	if (!find(s, SEQUENCE, &s) || !find(s, SEQUENCE, &s) || !find(s, EXTENSIONS, &s) || !find(s, SEQUENCE, &s))
		return (struct span){ 0 };
	while (take(&s, &tag, &extension)) {
		if (tag != SEQUENCE || !is_alternative_name(extension))
			continue;
		if (find(extension, OCTET_STRING, &names) && find(names, SEQUENCE, &names))
			return names;
		break; // there is one such extension
	}
	return (struct span){ 0 };
}

bool tls_names_have_address(const uint8_t *der, size_t der_len, const uint8_t *address, size_t len)
{
	struct span names = alternative_names(der, der_len), name;
	uint8_t tag;

	while (take(&names, &tag, &name)) {
		if (tag == IP_ADDRESS && name.len == len && memcmp(name.at, address, len) == 0)
			return true;
	}
	return false;
}

static bool is_address(const struct span *name)
{
	return name->len == 4 || name->len == 16;
}

static void print_text(char *dst, const struct span *name)
{
	for (size_t i = 0; i < name->len; i++)
		*dst++ = name->at[i] > ' ' && name->at[i] < 0x7f ? (char)name->at[i] : '?';
	*dst = '\0';
}

void tls_names_print(char *dst, size_t room, const uint8_t *der, size_t der_len)
{
	static const char *const kinds[] = { "email", "DNS", NULL, NULL, NULL, "URI", "IP" };
	struct span names = alternative_names(der, der_len), name;
	size_t at = 0;
	uint8_t tag;

	dst[0] = '\0';
	while (take(&names, &tag, &name)) {
		const char *kind = tag >= FIRST_TEXT && tag <= IP_ADDRESS ? kinds[tag - FIRST_TEXT] : NULL;
		size_t most = tag == IP_ADDRESS ? INET6_ADDRSTRLEN : name.len;

		if (kind == NULL || (tag == IP_ADDRESS && !is_address(&name)) || at + sizeof("\nemail:") + most > room)
			continue;
		at += (size_t)sprintf(dst + at, "%s%s:", at > 0 ? "\n" : "", kind);
		if (tag == IP_ADDRESS)
			inet_ntop(name.len == 4 ? AF_INET : AF_INET6, name.at, dst + at, INET6_ADDRSTRLEN);
		else
			print_text(dst + at, &name);
		at += strlen(dst + at);
	}
}
