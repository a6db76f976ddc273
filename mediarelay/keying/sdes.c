// SPDX-License-Identifier: GPL-3.0-or-later
// sdes.c - a=crypto lines: grammar of RFC 4568 section 9, in its order.
#include "mediarelay/keying/sdes.h"
#include "base/secret.h"
#include "mediarelay/keying/base64.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define X(name, text) [SDES_FAULT_##name] = text,
const char *const sdes_fault_text[SDES_FAULT_COUNT] = { [SDES_FAULT_NONE] = "none", SDES_FAULTS(X) };
#undef X

// RFC 3711 section 9.2: the smaller of the two bounds is reached by SRTP first in practice; RFC 4568 names the larger.
#define LIFETIME_LOG2_MAX 48

struct text {
	const char *s;
	size_t len;
};

struct parser {
	struct text rest;
	struct sdes_line line;
	enum sdes_fault fault;    // against the RFC
	enum sdes_fault not_done; // well-formed, the first thing that we do not do
};

static int broken(struct parser *p, enum sdes_fault fault)
{
	p->fault = fault;
	return -EINVAL;
}

static void not_done(struct parser *p, enum sdes_fault fault)
{
	if (p->not_done == SDES_FAULT_NONE)
		p->not_done = fault;
}

static bool next_word(struct text *rest, struct text *word)
{
	while (rest->len > 0 && (rest->s[0] == ' ' || rest->s[0] == '\t')) {
		rest->s++;
		rest->len--;
	}
	*word = (struct text){ rest->s, 0 };
	while (word->len < rest->len && rest->s[word->len] != ' ' && rest->s[word->len] != '\t')
		word->len++;
	rest->s += word->len;
	rest->len -= word->len;
	return word->len > 0;
}

// Cuts off what stands before the first `mark`; all of it if there is none (false).
static bool cut(struct text *rest, char mark, struct text *part)
{
	const char *at = memchr(rest->s, mark, rest->len);

	*part = (struct text){ rest->s, at != NULL ? (size_t)(at - rest->s) : rest->len };
	rest->s += part->len + (at != NULL);
	rest->len -= part->len + (at != NULL);
	return at != NULL;
}

static int number(struct text text, size_t digits_max, uint64_t *value)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > digits_max) // at most 18 digits: no overflow
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.s[i] < '0' || text.s[i] > '9')
			return -EINVAL;
		n = 10 * n + (uint64_t)(text.s[i] - '0');
	}
	*value = n;
	return 0;
}

static int parse_tag(struct parser *p)
{
	struct text word;
	uint64_t tag;

	if (!next_word(&p->rest, &word))
		return broken(p, SDES_FAULT_SYNTAX);
	if (number(word, 9, &tag) < 0 || (word.len > 1 && word.s[0] == '0'))
		return broken(p, SDES_FAULT_TAG);
	p->line.tag = (uint32_t)tag;
	return 0;
}

static const struct {
	const char *name;
	enum srtp_suite suite;
} draft_names[] = {
	{ "AES_CM_192_HMAC_SHA1_80", SRTP_AES_192_CM_HMAC_SHA1_80 },
	{ "AES_CM_192_HMAC_SHA1_32", SRTP_AES_192_CM_HMAC_SHA1_32 },
	{ "AES_CM_256_HMAC_SHA1_80", SRTP_AES_256_CM_HMAC_SHA1_80 },
	{ "AES_CM_256_HMAC_SHA1_32", SRTP_AES_256_CM_HMAC_SHA1_32 },
};
#define N_DRAFT_NAMES (sizeof(draft_names) / sizeof(draft_names[0]))

static enum srtp_suite draft_suite(struct text name)
{
	for (size_t i = 0; i < N_DRAFT_NAMES; i++) {
		if (name.len == strlen(draft_names[i].name) &&
		    strncasecmp(name.s, draft_names[i].name, name.len) == 0)
			return draft_names[i].suite;
	}
	return SRTP_SUITE_NONE;
}

static int parse_suite(struct parser *p, enum srtp_suite *suite)
{
	struct text word;

	if (!next_word(&p->rest, &word))
		return broken(p, SDES_FAULT_SYNTAX);
	*suite = srtp_suite_by_name(word.s, word.len);
	if (*suite != SRTP_SUITE_NONE && !srtp_suite_info(*suite)->sdes)
		*suite = SRTP_SUITE_NONE;
	if (*suite == SRTP_SUITE_NONE) {
		*suite = draft_suite(word);
		p->line.draft_name = *suite != SRTP_SUITE_NONE;
	}
	if (*suite == SRTP_SUITE_NONE) { // nothing behind it can be judged
		p->fault = SDES_FAULT_SUITE;
		return -ENOTSUP;
	}
	return 0;
}

static int parse_key(struct parser *p, struct text text, enum srtp_suite suite)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);
	uint8_t octets[SRTP_KEY_MAX + SRTP_SALT_MAX + 3];
	struct srtp_master master;
	ssize_t len;
	int err;

	len = base64_decode(octets, sizeof(octets), text.s, text.len);
	if (len < 0) {
		err = broken(p, len == -ENOSPC ? SDES_FAULT_KEY_LENGTH : SDES_FAULT_BASE64);
	} else if (len != info->key_len + info->salt_len) {
		err = broken(p, SDES_FAULT_KEY_LENGTH);
	} else {
		err = srtp_master_set(&master, suite, octets, (size_t)len);
		if (err == 0 && p->line.n_keys == 0)
			p->line.master = master;
		srtp_master_wipe(&master);
	}
	secret_wipe(octets, sizeof(octets));
	return err;
}

// "2^20" or a number of packets.
static int parse_lifetime(struct parser *p, struct text text)
{
	uint64_t n;
	bool power = text.len > 2 && memcmp(text.s, "2^", 2) == 0;

	if (power)
		text = (struct text){ text.s + 2, text.len - 2 };
	if (number(text, power ? 2 : 15, &n) < 0 || (power && n > LIFETIME_LOG2_MAX))
		return broken(p, SDES_FAULT_LIFETIME);
	if (power)
		n = UINT64_C(1) << n;
	if (n == 0 || n > UINT64_C(1) << LIFETIME_LOG2_MAX)
		return broken(p, SDES_FAULT_LIFETIME);
	if (p->line.n_keys == 0)
		p->line.lifetime = n;
	return 0;
}

static bool all_digits(struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.s[i] < '0' || text.s[i] > '9')
			return false;
	}
	return text.len > 0;
}

// Decimal digits as a number of SRTP_MKI_MAX octets, highest first. -EINVAL: too large.
static int mki_value(struct text text, uint8_t value[SRTP_MKI_MAX])
{
	memset(value, 0, SRTP_MKI_MAX);
	for (size_t d = 0; d < text.len; d++) {
		unsigned carry = (unsigned)(text.s[d] - '0');

		for (int i = SRTP_MKI_MAX - 1; i >= 0; i--) {
			carry += value[i] * 10u;
			value[i] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry != 0)
			return -EINVAL;
	}
	return 0;
}

// "1:4": value, and its length in the packets, octets.
static int parse_mki(struct parser *p, struct text text)
{
	uint8_t value[SRTP_MKI_MAX];
	struct text digits;
	uint64_t len;

	if (!cut(&text, ':', &digits) || !all_digits(digits) || number(text, 3, &len) < 0 || len < 1 || len > 128)
		return broken(p, SDES_FAULT_MKI);
	if (len > SRTP_MKI_MAX) {
		not_done(p, SDES_FAULT_MKI_LONG);
		return 0;
	}
	if (mki_value(digits, value) < 0)
		return broken(p, SDES_FAULT_MKI);
	for (size_t i = 0; i < SRTP_MKI_MAX - len; i++) {
		if (value[i] != 0)
			return broken(p, SDES_FAULT_MKI);
	}
	if (p->line.n_keys == 0) {
		p->line.mki.len = (uint8_t)len;
		memcpy(p->line.mki.bytes, value + SRTP_MKI_MAX - len, len);
	}
	return 0;
}

// RFC 4568 section 9.2: key||salt ["|" lifetime] ["|" MKI ":" length]. An MKI alone has its colon.
static int parse_key_info(struct parser *p, struct text text, enum srtp_suite suite)
{
	struct text part;
	bool more = cut(&text, '|', &part);
	int err = parse_key(p, part, suite);

	if (err == 0 && more) {
		more = cut(&text, '|', &part);
		if (memchr(part.s, ':', part.len) == NULL)
			err = parse_lifetime(p, part);
		else if (more)
			err = broken(p, SDES_FAULT_SYNTAX);
		else
			err = parse_mki(p, part);
		if (err == 0 && more)
			err = parse_mki(p, text); // holds no further bar: its numbers are digits alone
	}
	if (err == 0)
		p->line.n_keys++;
	return err;
}

static int parse_keys(struct parser *p, enum srtp_suite suite)
{
	struct text word, param, method;
	bool more;
	int err;

	if (!next_word(&p->rest, &word))
		return broken(p, SDES_FAULT_SYNTAX);
	do {
		more = cut(&word, ';', &param);
		if (!cut(&param, ':', &method) || method.len != 6 || strncasecmp(method.s, "inline", 6) != 0)
			return broken(p, SDES_FAULT_METHOD);
		if (p->line.n_keys == 16)
			return broken(p, SDES_FAULT_SYNTAX);
		err = parse_key_info(p, param, suite);
		if (err < 0)
			return err;
	} while (more);
	if (p->line.n_keys > 1)
		not_done(p, SDES_FAULT_SEVERAL_KEYS);
	return 0;
}

enum parameter_value { VALUE_NONE, VALUE_KDR, VALUE_WSH, VALUE_TEXT };

static const struct parameter {
	const char *name;
	enum parameter_value value;
	enum sdes_fault not_done;
} parameters[] = {
	{ "UNENCRYPTED_SRTP", VALUE_NONE, SDES_FAULT_NONE }, // these two are judged together, by their places here
	{ "UNENCRYPTED_SRTCP", VALUE_NONE, SDES_FAULT_NONE },
	{ "KDR", VALUE_KDR, SDES_FAULT_KDR },
	{ "UNAUTHENTICATED_SRTP", VALUE_NONE, SDES_FAULT_UNAUTHENTICATED_SRTP },
	{ "FEC_ORDER", VALUE_TEXT, SDES_FAULT_FEC },
	{ "FEC_KEY", VALUE_TEXT, SDES_FAULT_FEC },
	{ "WSH", VALUE_WSH, SDES_FAULT_NONE },
};
#define N_PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))
#define SEEN_UNENCRYPTED_SRTP 1u
#define SEEN_UNENCRYPTED_SRTCP 2u

static int parse_value(struct parser *p, const struct parameter *parameter, bool has_value, struct text value)
{
	uint64_t n = 0;

	if (has_value != (parameter->value != VALUE_NONE) || (has_value && value.len == 0))
		return broken(p, SDES_FAULT_PARAMETER);
	switch (parameter->value) {
	case VALUE_KDR: // RFC 4568 section 6.3.1: 1 to 24, the rate is 2^n; 0 is written by some and means none
		if (number(value, 2, &n) < 0 || n > 24)
			return broken(p, SDES_FAULT_PARAMETER);
		if (n == 0)
			return 0;
		break;
	case VALUE_WSH: // section 6.3.6: at least 64; a hint for us alone
		if (number(value, 9, &n) < 0 || n < 64)
			return broken(p, SDES_FAULT_PARAMETER);
		p->line.wsh = (uint32_t)n;
		return 0;
	case VALUE_NONE:
	case VALUE_TEXT:
		break;
	}
	if (parameter->not_done != SDES_FAULT_NONE)
		not_done(p, parameter->not_done);
	return 0;
}

static int parse_parameter(struct parser *p, struct text word, unsigned *seen)
{
	struct text name;
	bool has_value = cut(&word, '=', &name);

	for (unsigned i = 0; i < N_PARAMETERS; i++) {
		if (strlen(parameters[i].name) != name.len || memcmp(parameters[i].name, name.s, name.len) != 0)
			continue;
		if (*seen & 1u << i)
			return broken(p, SDES_FAULT_PARAMETER_TWICE);
		*seen |= 1u << i;
		return parse_value(p, &parameters[i], has_value, word);
	}
	if (name.s[0] != '-') // section 6.3.7: the dash says that it may be ignored
		not_done(p, SDES_FAULT_PARAMETER_UNKNOWN);
	return 0;
}

static enum srtp_suite unencrypted(enum srtp_suite suite)
{
	switch (suite) {
	case SRTP_AES_CM_128_HMAC_SHA1_80:
		return SRTP_NULL_HMAC_SHA1_80;
	case SRTP_AES_CM_128_HMAC_SHA1_32:
		return SRTP_NULL_HMAC_SHA1_32;
	default: // RFC 7714 forbids it with AEAD; nobody has it with longer keys
		return SRTP_SUITE_NONE;
	}
}

// RFC 4568 section 6.3.2. The NULL suites leave both RTP and RTCP in clear; a mixture has no suite.
static void judge_unencrypted(struct parser *p, unsigned seen)
{
	bool rtp = seen & SEEN_UNENCRYPTED_SRTP, rtcp = seen & SEEN_UNENCRYPTED_SRTCP;
	enum srtp_suite suite = unencrypted(p->line.master.suite);

	if (!rtp && !rtcp)
		return;
	if (suite == SRTP_SUITE_NONE)
		not_done(p, SDES_FAULT_UNENCRYPTED_SUITE);
	else if (rtp != rtcp)
		not_done(p, rtp ? SDES_FAULT_UNENCRYPTED_SRTP : SDES_FAULT_UNENCRYPTED_SRTCP);
	else
		p->line.master.suite = suite;
}

static int parse_line(struct parser *p)
{
	enum srtp_suite suite;
	struct text word;
	unsigned seen = 0;
	int err;

	err = parse_tag(p);
	if (err == 0)
		err = parse_suite(p, &suite);
	if (err == 0)
		err = parse_keys(p, suite);
	while (err == 0 && next_word(&p->rest, &word))
		err = parse_parameter(p, word, &seen);
	if (err == 0)
		judge_unencrypted(p, seen);
	if (err == 0 && p->not_done != SDES_FAULT_NONE) {
		p->fault = p->not_done;
		err = -ENOTSUP;
	}
	return err;
}

int sdes_line_parse(struct sdes_line *line, const char *text, size_t len, enum sdes_fault *fault)
{
	struct parser p = { .rest = { text, len } };
	int err = parse_line(&p);

	if (err == 0)
		*line = p.line;
	if (fault != NULL)
		*fault = p.fault;
	sdes_line_wipe(&p.line);
	return err;
}

void sdes_line_wipe(struct sdes_line *line)
{
	secret_wipe(line, sizeof(*line));
}

static const char *printed_name(const struct sdes_line *line)
{
	switch (line->master.suite) {
	case SRTP_NULL_HMAC_SHA1_80:
		return srtp_suite_name(SRTP_AES_CM_128_HMAC_SHA1_80);
	case SRTP_NULL_HMAC_SHA1_32:
		return srtp_suite_name(SRTP_AES_CM_128_HMAC_SHA1_32);
	default:
		break;
	}
	for (size_t i = 0; line->draft_name && i < N_DRAFT_NAMES; i++) {
		if (draft_names[i].suite == line->master.suite)
			return draft_names[i].name;
	}
	return srtp_suite_name(line->master.suite);
}

// The number of `mki` in decimal, by long division.
static void print_mki(char dst[SDES_MKI_STRLEN], const struct srtp_mki *mki)
{
	uint8_t value[SRTP_MKI_MAX];
	char digits[SDES_MKI_STRLEN];
	size_t at = sizeof(digits) - 1;
	bool more = true;

	dst[0] = '\0';
	if (mki->len == 0)
		return;
	memcpy(value, mki->bytes, mki->len);
	digits[at] = '\0';
	while (more) {
		unsigned rest = 0;

		more = false;
		for (size_t i = 0; i < mki->len; i++) {
			rest = rest << 8 | value[i];
			value[i] = (uint8_t)(rest / 10);
			rest %= 10;
			more = more || value[i] != 0;
		}
		digits[--at] = (char)('0' + rest);
	}
	snprintf(dst, SDES_MKI_STRLEN, "|%s:%u", digits + at, mki->len);
}

size_t sdes_line_print(char *dst, size_t size, const struct sdes_line *line)
{
	const struct srtp_suite_info *info = srtp_suite_info(line->master.suite);
	uint8_t octets[SRTP_KEY_MAX + SRTP_SALT_MAX];
	char key[SDES_KEY_STRLEN], mki[SDES_MKI_STRLEN];
	int len = 0;

	if (info == NULL)
		return 0;
	print_mki(mki, &line->mki);
	memcpy(octets, line->master.key, info->key_len);
	memcpy(octets + info->key_len, line->master.salt, info->salt_len);
	if (base64_encode(key, sizeof(key), octets, (size_t)info->key_len + info->salt_len) > 0)
		len = snprintf(dst, size, "crypto:%u %s inline:%s%s%s", line->tag, printed_name(line), key, mki,
			       info->encrypts ? "" : " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP");
	secret_wipe(octets, sizeof(octets));
	secret_wipe(key, sizeof(key));
	return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

int sdes_key_make(struct srtp_master *master, enum srtp_suite suite, const struct env *env)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);
	uint8_t octets[SRTP_KEY_MAX + SRTP_SALT_MAX];
	size_t len;
	int err;

	if (info == NULL)
		return -EINVAL;
	len = (size_t)info->key_len + info->salt_len;
	err = env_random(env, octets, len);
	if (err == 0)
		err = srtp_master_set(master, suite, octets, len);
	secret_wipe(octets, sizeof(octets));
	return err;
}
