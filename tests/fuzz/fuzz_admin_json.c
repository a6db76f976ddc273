// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_admin_json.c - any octets as the body of a request: an object that prints, or a refusal that says why.
#include "gateway/admin/admin_json.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	json_t *body = admin_json_parse((const char *)data, size, &why);
	char *text;

	if (body == NULL) {
		if (why == NULL || why[0] == '\0')
			abort();
		return 0;
	}
	text = json_is_object(body) ? json_dumps(body, JSON_COMPACT) : NULL;
	if (text == NULL)
		abort();
	free(text);
	json_decref(body);
	return 0;
}
