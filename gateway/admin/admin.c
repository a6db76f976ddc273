// SPDX-License-Identifier: GPL-3.0-or-later
// admin.c - the door itself: its socket, who comes in, where a request goes, and how it is answered.
#include "gateway/admin/admin_ask.h"
#include "gateway/admin/admin_priv.h"
#include "gateway/admin/admin_workers.h"
#include "gateway/admin/event_json.h"
#include "gateway/user.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 128
#define REFUSAL_LINES 5 // a second
#define STREAMS_MAX 32
#define JSON_TYPE "application/json"
#define PROBLEM_TYPE "application/problem+json"

struct admin_door {
	int listener;
	struct admin_auth *auth;
	struct admin_asks *asks; // here, since answers may come when the rest has ended
	struct event_feed *feed; // the same
};

// The socket

static int listen_unix(const char *path, const char *user)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct user_ids ids;
	int fd, err;

	err = user_find(&ids, user);
	if (err < 0)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	memcpy(at.sun_path, path, strlen(path)); // the configuration's is shorter
	unlink(path); // of a life before; there is one gateway a network namespace, and the path is its own
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && chown(path, (uid_t)-1, ids.gid) == 0 &&
	    chmod(path, 0660) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int listen_tcp(const struct inet_endpoint *ep)
{
	struct sockaddr_storage at;
	socklen_t len = inet_endpoint_to_sockaddr(&at, ep);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 && bind(fd, (struct sockaddr *)&at, len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int admin_door_open(struct admin_door **doorp, const struct config *config)
{
	const struct admin_config *c = &config->admin;
	struct admin_door *door;
	char text[INET_ENDPOINT_STRLEN];
	const char *address;
	int err;

	*doorp = NULL;
	if (c->n_tokens == 0 && c->n_certificates == 0)
		return 0;
	door = calloc(1, sizeof(*door));
	if (door == NULL)
		return -ENOMEM;
	door->listener = -1;
	err = admin_auth_open(&door->auth, c);
	if (err == 0)
		err = admin_asks_open(&door->asks, c->connections);
	if (err == 0)
		err = event_feed_open(&door->feed);
	if (err < 0)
		goto out;
	door->listener = c->place.path[0] != '\0' ? listen_unix(c->place.path, config->user) : listen_tcp(&c->place.tcp);
	address = c->place.path[0] != '\0' ? c->place.path : inet_endpoint_print(text, &c->place.tcp);
	if (door->listener < 0) {
		err = door->listener;
		log_error(ADMIN_TAG, "cannot listen", LOG_STR("address", address), LOG_ERRNO(err));
		goto out;
	}
	log_info(ADMIN_TAG, "listening", LOG_STR("address", address), LOG_BOOL("tls", c->tls.certificate != NULL),
		 LOG_BOOL("client_certificates", c->tls.clients != NULL));
	*doorp = door;
	door = NULL;
out:
	admin_door_close(door);
	return err;
}

void admin_door_close(struct admin_door *door)
{
	if (door == NULL)
		return;
	if (door->listener >= 0)
		close(door->listener);
	admin_auth_close(door->auth);
	admin_asks_close(door->asks);
	event_feed_close(door->feed);
	free(door);
}

void admin_door_sip(void *door, const struct sip_notice *notice)
{
	event_feed_sip(((struct admin_door *)door)->feed, notice);
}

void admin_door_media(void *door, const struct media_notice *notice)
{
	event_feed_media(((struct admin_door *)door)->feed, notice);
}

// Answers

// Of what changes something, whoever was refused it included. Paths are printable, and no secret is ever in one.
static void audit(const struct admin_request *rq, int status)
{
	if (rq->reads || rq->http->method == HTTP_GET || rq->http->method == HTTP_HEAD)
		return;
	log_info("audit", "admin change", LOG_STR("token", rq->who != NULL ? rq->who->name : NULL),
		 LOG_STR("source", http_exchange_source(rq->x)), LOG_STR("method", http_method_word[rq->http->method]),
		 LOG_STR("path", rq->http->path), LOG_INT("status", status));
}

void admin_answer(struct admin_request *rq, const struct http_answer *a)
{
	rq->admin->requests[a->status / 100]++;
	audit(rq, a->status);
	http_reply(rq->x, a);
}

void admin_answer_text(struct admin_request *rq, int status, const char *type, const char *text, size_t len)
{
	admin_answer(rq, &(struct http_answer){ .status = status, .type = type, .body = text, .len = len });
}

static void answer_json(struct admin_request *rq, int status, const char *type, const char *headers, json_t *body)
{
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;

	json_decref(body);
	admin_answer(rq, &(struct http_answer){ .status = text != NULL ? status : 500, .type = text != NULL ? type : NULL,
						.headers = headers, .body = text, .len = text != NULL ? strlen(text) : 0 });
	free(text);
}

void admin_answer_json(struct admin_request *rq, int status, json_t *body)
{
	answer_json(rq, status, JSON_TYPE, NULL, body);
}

void admin_answer_tagged(struct admin_request *rq, int status, const char *tag, json_t *body)
{
	char header[96];

	snprintf(header, sizeof(header), "ETag: \"%.64s\"\r\n", tag);
	answer_json(rq, status, JSON_TYPE, header, body);
}

// Ours are short and strong: a weak one never matches.
bool admin_is_match(const struct admin_request *rq, const char *tag)
{
	char quoted[80];

	snprintf(quoted, sizeof(quoted), "\"%.64s\"", tag);
	for (const char *at = rq->http->if_match; *at != '\0'; at += strcspn(at, ","), at += *at == ',') {
		size_t len;

		at += strspn(at, " \t");
		len = strcspn(at, ", \t");
		if ((len == 1 && at[0] == '*') || (len == strlen(quoted) && memcmp(at, quoted, len) == 0))
			return true;
	}
	return false;
}

bool admin_matches(struct admin_request *rq, const char *tag)
{
	if (admin_is_match(rq, tag))
		return true;
	admin_problem(rq, 412, "If-Match: it is another one by now; read it again");
	return false;
}

static const char *problem_title(int status)
{
	switch (status) {
	case 400: return "The request is malformed";
	case 401: return "A bearer token is needed";
	case 403: return "This token may not do that";
	case 404: return "There is no such thing";
	case 405: return "That cannot be done with it";
	case 409: return "It is not in a state for that";
	case 412: return "It has changed meanwhile";
	case 415: return "The body is of another type";
	case 422: return "The values cannot be taken";
	case 428: return "It must say what it is based on";
	case 503: return "Not now";
	default: return "The gateway failed";
	}
}

static const char *problem_headers(int status)
{
	return status == 401 ? "WWW-Authenticate: Bearer realm=\"sallyport\"\r\n" : status == 503 ? "Retry-After: 1\r\n" : NULL;
}

void admin_problem(struct admin_request *rq, int status, const char *detail)
{
	answer_json(rq, status, PROBLEM_TYPE, problem_headers(status),
		    json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", problem_title(status), "status", status,
			      "detail", detail));
}

void admin_problem_with(struct admin_request *rq, int status, const char *detail, json_t *more)
{
	json_t *body = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", problem_title(status), "status", status, "detail",
				 detail);

	json_object_update(body, more);
	json_decref(more);
	answer_json(rq, status, PROBLEM_TYPE, problem_headers(status), body);
}

static void method_problem(struct admin_request *rq, unsigned methods)
{
	char allow[64] = "Allow:";

	for (unsigned m = 0; m < HTTP_METHOD_COUNT; m++) {
		if ((methods & 1u << m) != 0)
			snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s %s",
				 allow[strlen(allow) - 1] == ':' ? "" : ",", http_method_word[m]);
	}
	strcat(allow, "\r\n");
	answer_json(rq, 405, PROBLEM_TYPE, allow,
		    json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", problem_title(405), "status", 405, "detail",
			      "see the Allow header"));
}

// Routes

static bool path_fits(const char *pattern, const char *path, char id[64])
{
	const char *open = strstr(pattern, "{id}");
	size_t head = open != NULL ? (size_t)(open - pattern) : 0, len;

	if (open == NULL)
		return strcmp(pattern, path) == 0;
	if (strncmp(pattern, path, head) != 0)
		return false;
	len = strcspn(path + head, "/");
	if (len == 0 || len >= 64 || strcmp(path + head + len, open + 4) != 0)
		return false;
	memcpy(id, path + head, len);
	id[len] = '\0';
	return true;
}

// methods: those that the path has at all.
static const struct admin_route *route_of(const struct http_request *http, char id[64], unsigned *methods)
{
	const struct admin_route *found = NULL;
	enum http_method method = http->method == HTTP_HEAD ? HTTP_GET : http->method;

	*methods = 0;
	for (const struct admin_route *r = admin_routes; r->path != NULL; r++) {
		if (!path_fits(r->path, http->path, id))
			continue;
		*methods |= 1u << r->method;
		if (r->method == method)
			found = r;
	}
	return found;
}

// A browser's page of somebody else's has no token, but a person's proxy may add one.
static bool is_cross_site(const struct http_request *http)
{
	const char *host = strstr(http->origin, "://");

	if (http->method == HTTP_GET || http->method == HTTP_HEAD)
		return false;
	if (http->fetch_site[0] != '\0' && strcmp(http->fetch_site, "same-origin") != 0 && strcmp(http->fetch_site, "none") != 0)
		return true;
	return http->origin[0] != '\0' && (host == NULL || strcmp(host + 3, http->host) != 0);
}

static void refuse(struct admin_request *rq, int status, const char *detail)
{
	uint64_t left_out;

	rq->admin->denied++;
	if (log_limit_pass(&rq->admin->refusals, clock_now(), REFUSAL_LINES, &left_out))
		log_warning(ADMIN_TAG, "refused", LOG_STR("source", http_exchange_source(rq->x)),
			    LOG_STR("token", rq->who != NULL ? rq->who->name : NULL), LOG_STR("path", rq->http->path),
			    LOG_INT("status", status), LOG_UINT("left_out", left_out));
	admin_problem(rq, status, detail);
}

static bool peer_is(const void *x, const char *name)
{
	return http_exchange_peer_is(x, name);
}

// A token that is given counts, whoever's certificate it comes with; a wrong one is nobody's.
static struct admin_request request_of(struct admin *admin, struct http_exchange *x)
{
	struct admin_request rq = { .admin = admin, .x = x, .http = http_exchange_request(x) };
	const struct admin_auth *auth = admin->door->auth;

	if (rq.http->authorization[0] != '\0')
		rq.who = admin_auth_find(auth, rq.http->authorization);
	else
		rq.who = admin_auth_certificate(auth, peer_is, x);
	return rq;
}

// What the token is good for here.
static enum admin_role role_of(const struct admin_token *who, const struct admin_route *route)
{
	if (who == NULL)
		return ADMIN_NOBODY;
	if (who->role != ADMIN_WIRETAP)
		return who->role;
	return route != NULL && route->wiretap ? ADMIN_OPERATOR : ADMIN_VIEWER;
}

// Who may not, is told so before its body is read; what is there at all is told to those alone who may see.
static int head_is_there(void *ctx, struct http_exchange *x)
{
	struct admin_request rq = request_of(ctx, x);
	unsigned methods;
	const struct admin_route *route = route_of(rq.http, rq.id, &methods);
	enum admin_role role = role_of(rq.who, route);
	enum admin_role needed = route != NULL ? route->role : ADMIN_VIEWER;
	const char *type = route != NULL && route->type != NULL ? route->type : JSON_TYPE;

	if (needed > ADMIN_NOBODY && role == ADMIN_NOBODY)
		refuse(&rq, 401, "none was given, or it is nobody's");
	else if (role < needed)
		refuse(&rq, 403, "it needs the role operator");
	else if (is_cross_site(rq.http))
		refuse(&rq, 403, "cross-site requests change nothing here");
	else if (methods == 0)
		admin_problem(&rq, 404, "no such path");
	else if (route == NULL)
		method_problem(&rq, methods);
	else if (rq.http->content_length > 0 && strncasecmp(rq.http->content_type, type, strlen(type)) != 0)
		admin_problem(&rq, 415, strcmp(type, JSON_TYPE) == 0 ? "expected application/json" : strcmp(type, ADMIN_YAML) == 0 ? "expected application/yaml" : "expected application/x-pem-file");
	else
		return 0;
	return 1;
}

static void request_is_there(void *ctx, struct http_exchange *x)
{
	struct admin_request rq = request_of(ctx, x);
	unsigned methods;
	const struct admin_route *route = route_of(rq.http, rq.id, &methods); // there is one: head_is_there() has looked

	rq.reads = route->role < ADMIN_OPERATOR;
	route->handler(&rq);
}

const struct admin_route admin_routes[] = {
	{ HTTP_GET, "/", ADMIN_NOBODY, admin_page },
	{ HTTP_GET, "/healthz", ADMIN_NOBODY, admin_health },
	{ HTTP_GET, "/readyz", ADMIN_NOBODY, admin_readiness },
	{ HTTP_GET, "/metrics", ADMIN_VIEWER, admin_metrics },
	{ HTTP_GET, "/v1/status", ADMIN_VIEWER, admin_status },
	{ HTTP_GET, "/v1/version", ADMIN_VIEWER, admin_version },
	{ HTTP_GET, "/v1/openapi.json", ADMIN_VIEWER, admin_openapi },
	{ HTTP_GET, "/v1/configuration", ADMIN_VIEWER, admin_configuration },
	{ HTTP_PUT, "/v1/configuration", ADMIN_OPERATOR, admin_configuration_apply, ADMIN_YAML },
	{ HTTP_POST, "/v1/configuration/validate", ADMIN_VIEWER, admin_configuration_validate, ADMIN_YAML },
	{ HTTP_POST, "/v1/configuration/diff", ADMIN_VIEWER, admin_configuration_diff, ADMIN_YAML },
	{ HTTP_POST, "/v1/configuration/rollback", ADMIN_OPERATOR, admin_configuration_roll_back },
	{ HTTP_GET, "/v1/certificates", ADMIN_VIEWER, admin_certificates },
	{ HTTP_PUT, "/v1/certificates/dtls", ADMIN_OPERATOR, admin_certificate_replace, ADMIN_PEM },
	{ HTTP_POST, "/v1/certificates/dtls/renew", ADMIN_OPERATOR, admin_certificate_renew },
	{ HTTP_POST, "/v1/certificates/door/renew", ADMIN_OPERATOR, admin_certificate_reread },
	{ HTTP_GET, "/v1/realms", ADMIN_VIEWER, admin_realms },
	{ HTTP_GET, "/v1/peers", ADMIN_VIEWER, admin_peers },
	{ HTTP_GET, "/v1/routes", ADMIN_VIEWER, admin_routes_list },
	{ HTTP_GET, "/v1/transports", ADMIN_VIEWER, admin_transports },
	{ HTTP_GET, "/v1/workers", ADMIN_VIEWER, admin_workers },
	{ HTTP_GET, "/v1/events", ADMIN_VIEWER, admin_event_stream },
	{ HTTP_GET, "/v1/log/level", ADMIN_VIEWER, admin_log_level },
	{ HTTP_PUT, "/v1/log/level", ADMIN_OPERATOR, admin_log_level_set },
	{ HTTP_POST, "/v1/drain", ADMIN_OPERATOR, admin_drain },
	{ HTTP_POST, "/v1/resume", ADMIN_OPERATOR, admin_resume },
	{ HTTP_POST, "/v1/reload", ADMIN_OPERATOR, admin_reload },
	{ HTTP_POST, "/v1/control/replace", ADMIN_OPERATOR, admin_replace },
	{ HTTP_POST, "/v1/shutdown", ADMIN_OPERATOR, admin_shut_down },
	{ HTTP_GET, "/v1/calls", ADMIN_VIEWER, admin_calls },
	{ HTTP_GET, "/v1/calls/{id}", ADMIN_VIEWER, admin_call },
	{ HTTP_DELETE, "/v1/calls/{id}", ADMIN_OPERATOR, admin_hang_up },
	{ HTTP_GET, "/v1/traces", ADMIN_OPERATOR, admin_traces, .wiretap = true },
	{ HTTP_POST, "/v1/traces", ADMIN_OPERATOR, admin_trace_begin, .wiretap = true },
	{ HTTP_GET, "/v1/traces/{id}", ADMIN_OPERATOR, admin_trace, .wiretap = true },
	{ HTTP_GET, "/v1/traces/{id}/pcapng", ADMIN_OPERATOR, admin_trace_file, .wiretap = true },
	{ HTTP_DELETE, "/v1/traces/{id}", ADMIN_OPERATOR, admin_trace_end, .wiretap = true },
	{ .path = NULL },
};

// Start and end

// Streams stay: three of four places are for those who ask and go.
static unsigned streams_of(const struct admin_config *config)
{
	unsigned quarter = config->connections / 4;

	return quarter > STREAMS_MAX ? STREAMS_MAX : quarter > 0 ? quarter : 1;
}

// As the process's user: it is read again while that is all we are. *setupp is NULL where the door is in clear.
static int read_certificate(const struct admin_config *c, struct tls_setup **setupp)
{
	const struct tls_files files = { c->tls.certificate, c->tls.key, c->tls.clients };
	int err;

	*setupp = NULL;
	if (files.certificate == NULL)
		return 0;
	err = tls_setup_server(setupp, &files);
	if (err < 0)
		log_error(ADMIN_TAG, "certificate", LOG_STR("certificate", files.certificate), LOG_STR("key", files.key),
			  LOG_STR("clients", files.authorities), LOG_ERRNO(err));
	else
		log_info(ADMIN_TAG, "certificate", LOG_STR("certificate", files.certificate),
			 LOG_INT("expires", tls_setup_facts(*setupp)->expires));
	return err;
}

int admin_open(struct admin **adminp, struct admin_door *door, const struct admin_start *start)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	struct http_server_start http = {
		.base = start->base, .limits = http_limits_default, .head = head_is_there, .request = request_is_there,
		.ctx = admin,
	};
	struct timespec now;
	int err;

	if (admin == NULL)
		return -ENOMEM;
	admin->start = *start;
	admin->door = door;
	admin->asks = door->asks;
	admin->since = clock_now();
	clock_gettime(CLOCK_REALTIME, &now);
	admin->started = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	http.limits.connections = start->config->admin.connections;
	http.listener = door->listener;
	err = heartbeat_open(&admin->heartbeat, start->media_region_fd);
	if (err == 0)
		err = admin_loads_open(&admin->loads, start->base, media_packet_path(start->media));
	if (err == 0)
		err = admin_asks_listen(door->asks, start->base);
	if (err == 0)
		err = admin_events_open(&admin->events, admin, door->feed, streams_of(&start->config->admin));
	if (err == 0)
		err = read_certificate(&start->config->admin, &admin->tls);
	http.tls = admin->tls;
	if (err == 0)
		err = http_server_open(&admin->server, &http);
	if (err < 0)
		goto out;
	door->listener = -1; // the server's
	*adminp = admin;
	return 0;
out:
	tls_setup_unref(admin->tls);
	admin_events_close(admin->events);
	admin_asks_deaf(door->asks);
	admin_loads_close(admin->loads);
	heartbeat_close(admin->heartbeat);
	free(admin);
	return err;
}

void admin_configure(struct admin *admin, const struct config *config, const char *keys)
{
	if (admin == NULL)
		return;
	admin->start.config = config;
	admin_events_tell(admin->events, EVENT_CONFIG_CHANGED, json_pack("{s:f, s:s}", "at", event_time(0), "keys", keys));
}

// The old one stays where the new one is not good.
int admin_reread(struct admin *admin)
{
	struct tls_setup *setup;
	int err;

	if (admin == NULL || admin->tls == NULL)
		return 0;
	err = read_certificate(&admin->start.config->admin, &setup);
	if (err < 0)
		return err;
	http_server_secure(admin->server, setup);
	tls_setup_unref(admin->tls);
	admin->tls = setup;
	return 0;
}

void admin_draining(struct admin *admin, bool draining)
{
	if (admin == NULL || admin->draining == draining)
		return;
	admin->draining = draining;
	admin_events_tell(admin->events, draining ? EVENT_DRAIN_BEGUN : EVENT_DRAIN_ENDED, json_pack("{s:f}", "at", event_time(0)));
}

void admin_close(struct admin *admin)
{
	if (admin == NULL)
		return;
	http_server_close(admin->server); // who waits for an errand leaves
	tls_setup_unref(admin->tls);
	admin_events_close(admin->events);
	admin_asks_deaf(admin->asks);
	admin_loads_close(admin->loads);
	heartbeat_close(admin->heartbeat);
	free(admin);
}
