// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_parsed.h - a description of a test's as a document, or the test fails. Included after cmocka.h.
#pragma once
#include "signaling/sdp/sdp_doc.h"
#include <string.h>

#define HEAD "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

static inline struct sdp_doc *parsed(const char *text)
{
	struct sdp_error error = { 0 };
	struct sdp_doc *doc = NULL;

	if (sdp_doc_parse(&doc, text, strlen(text), &error) < 0)
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	return doc;
}
