// SPDX-License-Identifier: GPL-3.0-or-later
// early_media.c - see early_media.h.
#include "signaling/early_media.h"
#include <string.h>
#include <strings.h>

static unsigned allowed_by(enum sip_early_media policy)
{
	switch (policy) {
	case SIP_EARLY_MEDIA_BACKWARD:
		return EARLY_BACKWARD;
	case SIP_EARLY_MEDIA_NONE:
		return 0;
	case SIP_EARLY_MEDIA_BOTH:
		break;
	}
	return EARLY_BOTH;
}

unsigned early_media_policy(enum sip_early_media a, enum sip_early_media b)
{
	return allowed_by(a) & allowed_by(b);
}

// Section 8: as in SDP, seen from who says it. -1: a word that is no direction (supported, gated, or one to come).
static int direction_of(const char *word, size_t len)
{
	static const struct {
		const char *word;
		uint8_t gate;
	} words[] = {
		{ "sendrecv", EARLY_BOTH }, { "sendonly", EARLY_BACKWARD }, { "recvonly", EARLY_FORWARD }, { "inactive", 0 },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].word) == len && strncasecmp(words[i].word, word, len) == 0)
			return words[i].gate;
	}
	return -1;
}

void early_media_read(struct early_media *early, const char *value)
{
	unsigned n = 0;

	while (value != NULL && *value != '\0') {
		size_t len = strcspn(value, " \t,;");
		int gate = direction_of(value, len);

		if (gate >= 0 && n < EARLY_LINES_MAX)
			early->line[n++] = (uint8_t)gate;
		value += len;
		value += strspn(value, " \t,;");
	}
	if (n > 0)
		early->n = n;
}

// Of a line that it leaves out it says what it says of the last.
unsigned early_media_gate(const struct early_media *early, unsigned line)
{
	if (early->n == 0)
		return early->allowed;
	return early->allowed & early->line[line < early->n ? line : early->n - 1];
}

bool early_media_heard(const struct early_media *early)
{
	unsigned gate = early->n == 0 ? early->allowed : 0;

	for (unsigned i = 0; i < early->n; i++)
		gate |= early_media_gate(early, i);
	return gate & EARLY_BACKWARD;
}
