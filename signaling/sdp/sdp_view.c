// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_view.c - words, numbers, attributes by name, o= and c=.
#include "signaling/sdp/sdp_view.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

bool sdp_text_is(struct sdp_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.s, word, text.len) == 0;
}

bool sdp_text_is_nocase(struct sdp_text text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.s, word, text.len) == 0;
}

bool sdp_text_equal(struct sdp_text a, struct sdp_text b)
{
	return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

bool sdp_text_word(struct sdp_text *rest, struct sdp_text *word)
{
	const char *s = rest->s, *end = s + rest->len;

	while (s < end && is_space(*s))
		s++;
	*word = (struct sdp_text){ s, 0 };
	while (s < end && !is_space(*s))
		s++;
	word->len = (size_t)(s - word->s);
	*rest = (struct sdp_text){ s, (size_t)(end - s) };
	return word->len > 0;
}

int sdp_text_number(struct sdp_text text, uint64_t max, uint64_t *number)
{
	uint64_t n = 0;

	if (text.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)(text.s[i] - '0');

		if (digit > 9)
			return -EINVAL;
		if (n > (max - digit) / 10 || digit > max)
			return -ERANGE;
		n = 10 * n + digit;
	}
	*number = n;
	return 0;
}

const struct sdp_line *sdp_attribute_next(const struct sdp_doc *doc, int section, const char *name, size_t *i)
{
	const struct sdp_line *line;

	while ((line = sdp_doc_line(doc, section, *i)) != NULL) {
		(*i)++;
		if (line->type == 'a' && sdp_text_is(line->name, name))
			return line;
	}
	return NULL;
}

const struct sdp_line *sdp_attribute(const struct sdp_doc *doc, int section, const char *name)
{
	size_t i = 0;

	return sdp_attribute_next(doc, section, name, &i);
}

const struct sdp_line *sdp_line_of_type(const struct sdp_doc *doc, int section, char type)
{
	const struct sdp_line *line;

	for (size_t i = 0; (line = sdp_doc_line(doc, section, i)) != NULL; i++) {
		if (line->type == type)
			return line;
	}
	return NULL;
}

int sdp_origin_read(const struct sdp_doc *doc, struct sdp_origin *origin)
{
	const struct sdp_line *line = sdp_line_of_type(doc, SDP_SESSION, 'o');
	struct sdp_text rest, word;

	if (line == NULL)
		return -ENOENT;
	rest = line->value;
	sdp_text_word(&rest, &origin->user);
	sdp_text_word(&rest, &origin->id);
	sdp_text_word(&rest, &origin->version);
	sdp_text_word(&rest, &word); // IN
	sdp_text_word(&rest, &word); // IP4 or IP6: the address shows it
	sdp_text_word(&rest, &origin->address);
	return 0;
}

static bool is_multicast(const struct inet_addr *addr)
{
	return (addr->family == INET_V4 && (addr->bytes[0] & 0xf0) == 0xe0) ||
	       (addr->family == INET_V6 && addr->bytes[0] == 0xff);
}

// A numeric address of that family; left as none if the host is a name.
static void host_resolve(struct sdp_text host, enum inet_family family, struct inet_addr *addr)
{
	char text[INET_ADDR_STRLEN];
	struct inet_addr parsed;

	if (host.len >= sizeof(text))
		return;
	memcpy(text, host.s, host.len);
	text[host.len] = '\0';
	if (inet_addr_parse(&parsed, text) == 0 && parsed.family == family)
		*addr = parsed;
}

int sdp_connection_read(const struct sdp_doc *doc, int section, struct sdp_connection *connection)
{
	const struct sdp_line *line = sdp_line_of_type(doc, section, 'c');
	struct sdp_text rest, net, family;
	const char *slash;

	if (line == NULL)
		line = sdp_line_of_type(doc, SDP_SESSION, 'c');
	if (line == NULL)
		return -ENOENT;
	*connection = (struct sdp_connection){ .family = INET_NONE };
	rest = line->value;
	sdp_text_word(&rest, &net);
	sdp_text_word(&rest, &family);
	sdp_text_word(&rest, &connection->host);
	slash = memchr(connection->host.s, '/', connection->host.len);
	if (slash != NULL)
		connection->host.len = (size_t)(slash - connection->host.s);
	if (!sdp_text_is_nocase(net, "IN"))
		return 0;
	if (sdp_text_is_nocase(family, "IP4"))
		connection->family = INET_V4;
	else if (sdp_text_is_nocase(family, "IP6"))
		connection->family = INET_V6;
	host_resolve(connection->host, connection->family, &connection->addr);
	connection->multicast = is_multicast(&connection->addr);
	return 0;
}
