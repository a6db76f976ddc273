// SPDX-License-Identifier: GPL-3.0-or-later
// admin_json.h - bodies of requests: small, flat, and each key once.
#pragma once
#include "gateway/admin/admin_priv.h"

#define ADMIN_JSON_MAX 65536

// NULL: *why says in a few words what is wrong with it. No limit of jansson's is relied on: what is deeply nested is refused before.
json_t *admin_json_parse(const char *text, size_t len, const char **why);
// The request's body. NULL: the client has been told.
json_t *admin_json_body(struct admin_request *rq);
