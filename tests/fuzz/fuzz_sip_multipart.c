// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_sip_multipart.c - any body with any boundary: parts lie within it, one behind the other, and describe themselves.
#include "signaling/sip_multipart.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(const char *at, size_t len, const char *text, size_t size)
{
	if (at < text || at > text + size || len > (size_t)(text + size - at))
		abort();
}

// The first line is the boundary.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	struct sip_parts parts;
	char boundary[80];

	if (end == NULL || (size_t)(end - data) >= sizeof(boundary))
		return 0;
	memcpy(boundary, data, (size_t)(end - data));
	boundary[end - data] = '\0';
	const char *text = (const char *)end + 1;
	size_t len = size - (size_t)(end + 1 - data);
	int err = sip_multipart_read(&parts, boundary, text, len);

	if (err != 0 && err != -EBADMSG && err != -E2BIG)
		abort();
	if (parts.n_other > SIP_PARTS_MAX)
		abort();
	if (parts.sdp != NULL)
		check_within(parts.sdp, parts.sdp_len, text, len);
	for (unsigned i = 0; i < parts.n_other; i++) {
		check_within(parts.other[i].headers, parts.other[i].headers_len, text, len);
		check_within(parts.other[i].text, parts.other[i].len, text, len);
		if (parts.other[i].text < parts.other[i].headers + parts.other[i].headers_len)
			abort();
	}
	return 0;
}
