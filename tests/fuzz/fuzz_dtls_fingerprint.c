// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_dtls_fingerprint.c - a=fingerprint values: what is read prints and reads back to the same.
#include "dtls/dtls_fingerprint.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dtls_fingerprints list = { 0 };
	const char *text = (const char *)data;

	while (size > 0) { // one value a line
		const char *end = memchr(text, '\n', size);
		size_t len = end != NULL ? (size_t)(end - text) : size;

		dtls_fingerprints_add(&list, text, len);
		size -= len + (end != NULL);
		text += len + (end != NULL);
	}
	dtls_fingerprints_match(&list, "der", 3);
	for (size_t i = 0; i < list.n; i++) {
		char printed[DTLS_FINGERPRINT_STRLEN];
		struct dtls_fingerprint back;

		dtls_fingerprint_print(printed, &list.list[i]);
		if (dtls_fingerprint_parse(&back, printed, strlen(printed)) != 0 ||
		    memcmp(&back, &list.list[i], sizeof(back)) != 0)
			abort();
	}
	return 0;
}
