// SPDX-License-Identifier: GPL-3.0-or-later
// admin_log.c - the log level of this process, read and changed until it starts anew.
#include "gateway/admin/admin_json.h"
#include "gateway/admin/admin_priv.h"
#include <string.h>

static const char *const names[] = { "debug", "info", "warning", "error" };

void admin_log_level(struct admin_request *rq)
{
	admin_answer_tagged(rq, 200, names[log_level()], json_pack("{s:s}", "level", names[log_level()]));
}

void admin_log_level_set(struct admin_request *rq)
{
	bool current = rq->http->if_match[0] == '\0' || admin_matches(rq, names[log_level()]);
	json_t *body = current ? admin_json_body(rq) : NULL;
	const char *level = NULL;

	if (body == NULL)
		return;
	if (json_unpack(body, "{s:s!}", "level", &level) < 0)
		level = "";
	for (enum log_level i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
		if (strcmp(level, names[i]) != 0)
			continue;
		log_set_level(i);
		json_decref(body);
		admin_log_level(rq);
		return;
	}
	json_decref(body);
	admin_problem(rq, 422, "level: expected one of debug, info, warning, error, and nothing beside it");
}
