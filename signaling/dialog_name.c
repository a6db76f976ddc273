// SPDX-License-Identifier: GPL-3.0-or-later
// dialog_name.c - reading and writing the names of dialogs; see dialog_name.h.
#include "signaling/dialog_name.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// to-tag is the local one of whoever gets a Replaces or Join; Target-Dialog says it in these words.
static const struct {
	const char *header, *local, *remote;
} namings[DIALOG_NAMINGS] = {
	[DIALOG_NAMED_BY_REPLACES] = { "Replaces", "to-tag", "from-tag" },
	[DIALOG_NAMED_BY_JOIN] = { "Join", "to-tag", "from-tag" },
	[DIALOG_NAMED_BY_TARGET] = { "Target-Dialog", "local-tag", "remote-tag" },
};

const char *dialog_naming_text(enum dialog_naming naming)
{
	return namings[naming].header;
}

enum dialog_naming dialog_naming_of(const char *header)
{
	for (int n = DIALOG_NAMED_BY_REPLACES; n < DIALOG_NAMINGS; n++) {
		if (strcasecmp(namings[n].header, header) == 0)
			return (enum dialog_naming)n;
	}
	return DIALOG_NAMED_BY_NOTHING;
}

// What identifiers are made of (RFC 3261 section 25.1: word, token and "@"); no more, for they are written on.
static int take(char dst[DIALOG_NAME_MAX], const char *text, size_t len)
{
	while (len > 0 && (*text == ' ' || *text == '\t'))
		text++, len--;
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (len == 0 || len >= DIALOG_NAME_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && (text[i] == '\0' || strchr("-.!%*_+`'~()<>:\\\"/[]?{}@", text[i]) == NULL))
			return -EBADMSG;
	}
	memcpy(dst, text, len);
	dst[len] = '\0';
	return 0;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	while (len > 0 && (*text == ' ' || *text == '\t'))
		text++, len--;
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

static int parameter(struct dialog_name *name, enum dialog_naming naming, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	size_t key = equals != NULL ? (size_t)(equals - text) : len;

	if (equals == NULL) {
		name->early_only |= naming == DIALOG_NAMED_BY_REPLACES && is_word(text, len, "early-only");
		return 0;
	}
	char *tag = is_word(text, key, namings[naming].local)	 ? name->local_tag
		    : is_word(text, key, namings[naming].remote) ? name->remote_tag
								 : NULL;

	if (tag == NULL)
		return 0; // an extension
	return tag[0] == '\0' ? take(tag, equals + 1, len - key - 1) : -EBADMSG;
}

int dialog_name_read(struct dialog_name *name, enum dialog_naming naming, const char *value)
{
	size_t len = strcspn(value, ";");
	int err;

	memset(name, 0, sizeof(*name));
	err = take(name->call_id, value, len);
	for (value += len; err == 0 && *value == ';'; value += len) {
		len = strcspn(++value, ";");
		err = parameter(name, naming, value, len);
	}
	return err == 0 && name->local_tag[0] != '\0' && name->remote_tag[0] != '\0' ? 0 : -EBADMSG;
}

int dialog_name_write(char *dst, size_t room, enum dialog_naming naming, const struct dialog_name *name)
{
	int n = snprintf(dst, room, "%s;%s=%s;%s=%s%s", name->call_id, namings[naming].local, name->local_tag,
			 namings[naming].remote, name->remote_tag, name->early_only ? ";early-only" : "");

	return n > 0 && (size_t)n < room ? 0 : -ENAMETOOLONG;
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

static int unescape(char *dst, size_t room, const char *text, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)text[i];

		if (c == '%') {
			if (i + 2 >= len || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
				return -EBADMSG;
			c = hex(text[i + 1]) * 16 + hex(text[i + 2]);
			i += 2;
		}
		if (c < ' ' || used + 1 >= room)
			return -EBADMSG;
		dst[used++] = (char)c;
	}
	dst[used] = '\0';
	return 0;
}

int uri_header_next(const char **headers, char *name, size_t name_room, char *value, size_t value_room)
{
	const char *text = *headers;
	size_t len = text != NULL ? strcspn(text, "&") : 0;
	const char *equals = len > 0 ? memchr(text, '=', len) : NULL;

	if (text == NULL || *text == '\0')
		return -ENOENT;
	*headers = text + len + (text[len] == '&');
	if (equals == NULL)
		return -EBADMSG;
	int err = unescape(name, name_room, text, (size_t)(equals - text));

	return err == 0 ? unescape(value, value_room, equals + 1, len - (size_t)(equals - text) - 1) : err;
}

int uri_header_write(char *dst, size_t room, const char *name, const char *value)
{
	int n = snprintf(dst, room, "%s=", name);

	if (n < 0 || (size_t)n >= room)
		return -ENAMETOOLONG;
	for (size_t used = (size_t)n;; value++) {
		bool plain = isalnum((unsigned char)*value) || (*value != '\0' && strchr("-_.!~*'()", *value) != NULL);

		if (used + 4 >= room)
			return -ENAMETOOLONG;
		if (*value == '\0')
			return 0;
		used += (size_t)snprintf(dst + used, room - used, plain ? "%c" : "%%%02X", (unsigned char)*value);
	}
}
