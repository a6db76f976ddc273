// SPDX-License-Identifier: GPL-3.0-or-later
// admin_priv.h - what the files of the management door share. All of it belongs to control's main loop.
#pragma once
#include "base/log_limit.h"
#include "dtls/tls_stream.h"
#include "gateway/admin/admin.h"
#include "gateway/admin/admin_auth.h"
#include "gateway/admin/admin_events.h"
#include "gateway/admin/http_server.h"
#include "gateway/config.h"
#include "gateway/heartbeat.h"
#include "mediarelay/media.h"
#include "signaling/sip.h"
#include <jansson.h>

#define ADMIN_TAG "admin"

struct admin {
	struct admin_start start;
	struct admin_door *door;
	struct admin_asks *asks; // the door's
	struct http_server *server;
	struct tls_setup *tls; // of connections to come; NULL: the door is in clear
	struct heartbeat *heartbeat;
	struct admin_loads *loads;
	double started; // wall time, seconds since 1970
	mono_ns since;
	bool draining;
	struct admin_events *events;
	struct admin_errand *errands; // what the supervisor has been asked
	unsigned last_errand;
	struct log_limit refusals; // of the log
	uint64_t requests[6], denied; // answers by class of status; of those, without a right
};

struct admin_request {
	struct admin *admin;
	struct http_exchange *x;
	const struct http_request *http;
	const struct admin_token *who; // NULL: nobody, where nobody may
	bool reads;                    // by its route: nothing changes, whatever the method
	char id[64];                   // what stood in the place of {id}
};

typedef void admin_handler(struct admin_request *rq);

struct admin_route {
	enum http_method method;
	const char *path; // one segment may be {id}
	enum admin_role role;
	admin_handler *handler;
	const char *type; // of the request's body; NULL: JSON
	bool wiretap; // that role may, too
};

#define ADMIN_YAML "application/yaml" // RFC 9512
#define ADMIN_PEM "application/x-pem-file" // RFC 7468 has no type of its own for several
extern const struct admin_route admin_routes[];

// Answers. Each ends the request.
void admin_answer(struct admin_request *rq, const struct http_answer *a);
void admin_answer_json(struct admin_request *rq, int status, json_t *body); // takes body; NULL: no memory
// The same with an ETag (RFC 9110 section 8.8.3), which is given without its quotes.
void admin_answer_tagged(struct admin_request *rq, int status, const char *tag, json_t *body);
void admin_answer_text(struct admin_request *rq, int status, const char *type, const char *text, size_t len);
// RFC 9457. detail: of ours, never what the client said.
void admin_problem(struct admin_request *rq, int status, const char *detail);
// The same with members of its own (RFC 9457 section 3.2), `more` is taken.
void admin_problem_with(struct admin_request *rq, int status, const char *detail, json_t *more);
// If-Match (RFC 9110 section 13.1.1) against the tag that there is now.
bool admin_is_match(const struct admin_request *rq, const char *tag);
// The same. False: the client has been told 412.
bool admin_matches(struct admin_request *rq, const char *tag);

// A decimal number, nothing beside it. False: it is none, or above `most`.
bool admin_number_read(const char *text, uint32_t *value, uint32_t most);

bool admin_is_ready(const struct admin *admin, const char **why);

admin_handler admin_health, admin_readiness, admin_status, admin_version, admin_metrics, admin_calls, admin_call, admin_hang_up, admin_openapi, admin_page,
	admin_event_stream, admin_log_level, admin_log_level_set, admin_realms, admin_peers, admin_routes_list, admin_transports, admin_workers, admin_certificates, admin_certificate_replace, admin_certificate_renew, admin_certificate_reread, admin_configuration,
	admin_configuration_validate, admin_configuration_diff, admin_configuration_apply, admin_configuration_roll_back, admin_drain, admin_resume, admin_reload,
	admin_replace, admin_shut_down;
admin_handler admin_traces, admin_trace, admin_trace_begin, admin_trace_end, admin_trace_file;
