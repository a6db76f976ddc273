// SPDX-License-Identifier: GPL-3.0-or-later
// sip_multipart.h - the parts of a multipart/mixed body (RFC 2046 section 5.1, RFC 5621): the description, and what stands beside it.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define SIP_PARTS_MAX 8

struct sip_part { // as it lies in the body; not strings
	const char *headers, *text;
	size_t headers_len, len; // headers: without the empty line
	bool required;           // handling, which is required where nothing is said (RFC 3261 section 20.11)
	bool crosses;            // false: it could hold what must not cross (descriptions, messages, parts within)
};

struct sip_parts {
	const char *sdp; // the first description of this session; NULL: none
	size_t sdp_len;
	struct sip_part other[SIP_PARTS_MAX];
	unsigned n_other;
};

// boundary: without quotes. -EBADMSG: no multipart body; -E2BIG: too many parts.
int sip_multipart_read(struct sip_parts *parts, const char *boundary, const char *text, size_t len);
// What a Content-Disposition says of handling.
bool sip_disposition_required(const char *value, size_t len);
