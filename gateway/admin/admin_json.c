// SPDX-License-Identifier: GPL-3.0-or-later
// admin_json.c - jansson, kept from what it would take.
#include "gateway/admin/admin_json.h"
#include <string.h>

#define DEPTH_MAX 8

// Brackets outside of strings, whether they fit or not: jansson will say so.
static bool is_too_deep(const char *text, size_t len)
{
	unsigned depth = 0;
	bool string = false;

	for (size_t i = 0; i < len; i++) {
		if (string && text[i] == '\\')
			i++; // whatever comes is of the string
		else if (text[i] == '"')
			string = !string;
		else if (!string && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!string && depth > 0 && (text[i] == '}' || text[i] == ']'))
			depth--;
		if (depth > DEPTH_MAX)
			return true;
	}
	return false;
}

json_t *admin_json_parse(const char *text, size_t len, const char **why)
{
	json_error_t error;
	json_t *body;

	*why = "the body is too long, or nested too deeply";
	if (len > ADMIN_JSON_MAX || is_too_deep(text, len))
		return NULL;
	body = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	*why = "the body is no JSON object, or has a key twice";
	if (body != NULL && !json_is_object(body)) {
		json_decref(body);
		body = NULL;
	}
	return body;
}

bool admin_number_read(const char *text, uint32_t *value, uint32_t most)
{
	uint64_t n = 0;

	if (text[0] == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > most)
			return false;
	}
	*value = (uint32_t)n;
	return true;
}

json_t *admin_json_body(struct admin_request *rq)
{
	const char *why, *text;
	size_t len;
	json_t *body;

	text = http_exchange_body(rq->x, &len);
	body = len > 0 ? admin_json_parse(text, len, &why) : NULL;
	if (len == 0)
		why = "there is no body";
	if (body == NULL)
		admin_problem(rq, 400, why);
	return body;
}
