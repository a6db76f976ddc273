// SPDX-License-Identifier: GPL-3.0-or-later
// sip_secrets.c - found by line, by header and by parameter; nothing here trusts a message to be well made.
#include "signaling/sip_secrets.h"
#include "signaling/sip_raw.h"
#include <string.h>
#include <strings.h>

static const struct rule {
	const char *begin; // of a line
	const char *mark;  // behind which it is secret, as often as it comes; NULL: at once
	const char *stop;
} rules[] = {
	{ "a=crypto:", "inline:", " |;\r\n" },
	{ "k=", NULL, "\r\n" },
	{ "a=ice-pwd:", NULL, "\r\n" },
	{ "a=key-mgmt:", NULL, "\r\n" },
};

static size_t span_until(const char *text, size_t at, size_t end, const char *stop)
{
	size_t from = at;

	while (at < end && (text[at] == '\0' || strchr(stop, text[at]) == NULL))
		at++;
	return at - from;
}

static bool begins(const char *text, size_t at, size_t end, const char *word)
{
	size_t len = strlen(word);

	return end - at >= len && strncasecmp(text + at, word, len) == 0;
}

// In one line that the rule is for.
static bool find_in_line(const struct rule *rule, const char *text, size_t at, size_t end, size_t from, struct sip_secret *found)
{
	if (rule->mark == NULL) {
		*found = (struct sip_secret){ at, span_until(text, at, end, rule->stop) };
		return at >= from && found->len > 0;
	}
	for (; at < end; at++) {
		if (!begins(text, at, end, rule->mark))
			continue;
		at += strlen(rule->mark);
		*found = (struct sip_secret){ at, span_until(text, at, end, rule->stop) };
		if (at >= from && found->len > 0)
			return true;
	}
	return false;
}

bool sdp_secret_next(const char *text, size_t len, size_t from, struct sip_secret *found)
{
	size_t line = from, end;

	while (line > 0 && text[line - 1] != '\n')
		line--;
	for (; line < len; line = end + 1) {
		end = line + span_until(text, line, len, "\n");
		for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
			if (begins(text, line, end, rules[i].begin) &&
			    find_in_line(&rules[i], text, line + strlen(rules[i].begin), end, from, found))
				return true;
		}
	}
	return false;
}

// A letter that base64 has, since readers decode keys; its padding and line ends stay.
static void cross_out(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\r' && text[i] != '\n' && text[i] != '=')
			text[i] = 'x';
	}
}

// One parameter of credentials, from its name on; returns what it takes, its comma included. The value of `secret` is crossed out.
static size_t parameter(char *text, size_t len, const char *secret)
{
	size_t name = 0, at, begin;
	bool quoted;

	while (name < len && strchr(", \t\r\n", text[name]) != NULL)
		name++;
	at = name + span_until(text, name, len, "=,");
	if (at >= len || text[at] == ',')
		return at < len ? at + 1 : len;
	for (at++; at < len && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'); at++)
		continue;
	quoted = at < len && text[at] == '"';
	begin = at += quoted;
	for (; at < len && (quoted ? text[at] != '"' : text[at] != ','); at++) {
		if (quoted && text[at] == '\\' && at + 1 < len)
			at++;
	}
	if (begins(text, name, len, secret) && strchr(" \t=", text[name + strlen(secret)]) != NULL)
		cross_out(text + begin, at - begin);
	if (quoted && at >= len) // it never ends: whatever it hides
		cross_out(text + begin, len - begin);
	at += span_until(text, at, len, ",");
	return at < len ? at + 1 : len;
}

static void parameters(char *text, size_t len, const char *secret)
{
	for (size_t at = 0; at < len;)
		at += parameter(text + at, len - at, secret);
}

// RFC 7616; of another scheme, all that it says is the secret.
static void credentials(char *value, size_t len)
{
	size_t scheme = span_until(value, 0, len, " \t\r\n");

	if (begins(value, 0, len, "Digest") && scheme == 6)
		parameters(value + scheme, len - scheme, "response");
	else
		cross_out(value + scheme, len - scheme);
}

static void blank_head(char *message, size_t len)
{
	struct sip_raw_line line;

	for (size_t at = 0; sip_raw_line_next(message, len, &at, &line);) {
		char *value = message + (line.value.at - message);

		if (sip_raw_is(&line, "Authorization", 0) || sip_raw_is(&line, "Proxy-Authorization", 0))
			credentials(value, line.value.len);
		else if (sip_raw_is(&line, "Authentication-Info", 0) || sip_raw_is(&line, "Proxy-Authentication-Info", 0))
			parameters(value, line.value.len, "rspauth");
	}
}

static bool contains(const char *text, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++) {
		if (begins(text, i, len, word))
			return true;
	}
	return false;
}

// Compressed, or a part in base64 or quoted-printable: what is in it cannot be seen here, but can be by who reads the trace.
static bool is_encoded(const char *head, size_t head_len, const char *body, size_t len)
{
	struct sip_text value;

	if (sip_raw_header(head, head_len, "Content-Encoding", 'e', &value) || contains(body, len, "\nContent-Encoding"))
		return true;
	return (sip_raw_header(head, head_len, "Content-Transfer-Encoding", 0, &value) &&
		(contains(value.at, value.len, "base64") || contains(value.at, value.len, "quoted"))) ||
	       (contains(body, len, "\nContent-Transfer-Encoding") && (contains(body, len, "base64") || contains(body, len, "quoted-printable")));
}

void sip_secrets_blank(char *message, size_t len, bool content)
{
	size_t head = sip_raw_head(message, len), rest = len - head;
	bool speech = begins(message, 0, len, "MESSAGE ") || begins(message, 0, len, "INFO ");
	struct sip_secret found;

	blank_head(message, head);
	if ((speech && !content) || is_encoded(message, head, message + head, rest)) {
		cross_out(message + head, rest);
		return;
	}
	for (size_t at = 0; sdp_secret_next(message + head, rest, at, &found); at = found.at + found.len)
		cross_out(message + head + found.at, found.len);
}
