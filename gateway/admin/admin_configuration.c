// SPDX-License-Identifier: GPL-3.0-or-later
// admin_configuration.c - the configuration read, judged, compared, applied and taken back (decision 0121). Control judges a document
// for whoever hands it in; the supervisor judges it once more, and has the file.
#include "gateway/admin/admin_errand.h"
#include "gateway/admin/admin_settings.h"
#include "gateway/config_change.h"
#include "gateway/config_file.h"
#include "gateway/config_secret.h"
#include "gateway/json_text.h"
#include "gateway/settings.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Documents

static json_t *errors_json(const struct config_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->n; i++) {
		const struct config_error *e = &errors->list[i].what;

		json_array_append_new(list, json_pack("{s:i, s:i, s:o, s:o}", "line", (int)e->line, "column", (int)e->column, "key",
						      json_text(errors->list[i].key), "message", json_text(e->message)));
	}
	return list;
}

struct document {
	char *text; // secrets filled in
	size_t len;
	struct config *config; // NULL: it has errors
	struct config_errors errors;
};

static void document_free(struct document *d)
{
	free(d->text);
	config_free(d->config);
	free(d);
}

// NULL: the client has been told.
static struct document *document_read(struct admin_request *rq)
{
	struct document *d = calloc(1, sizeof(*d));
	size_t len;
	const char *body = http_exchange_body(rq->x, &len);

	if (d == NULL || len == 0) {
		free(d);
		admin_problem(rq, len == 0 ? 400 : 503, len == 0 ? "there is no body" : "no memory");
		return NULL;
	}
	d->text = config_secret_fill(body, len, rq->admin->start.config->settings, &d->len);
	if (config_examine(&d->config, d->text != NULL ? d->text : body, d->text != NULL ? d->len : len, &d->errors) < 0)
		d->config = NULL;
	return d;
}

void admin_configuration_validate(struct admin_request *rq)
{
	struct document *d = document_read(rq);

	if (d == NULL)
		return;
	admin_answer_json(rq, 200, json_pack("{s:b, s:o}", "valid", d->config != NULL, "errors", errors_json(&d->errors)));
	document_free(d);
}

static void refuse_document(struct admin_request *rq, const struct document *d)
{
	admin_problem_with(rq, 422, "the document cannot be taken", json_pack("{s:o}", "errors", errors_json(&d->errors)));
}

// Changes

static const char *scope_word(enum config_scope scope)
{
	return scope == CONFIG_RELAY ? "restart" : config_scope_name(scope);
}

struct changes {
	json_t *list;
	enum config_scope scope;
	bool by_file;
};

static void add_change(void *ctx, const char *key, enum config_scope scope)
{
	struct changes *c = ctx;
	bool by_file = config_by_file_alone(key);

	c->scope = scope > c->scope ? scope : c->scope;
	c->by_file |= by_file;
	json_array_append_new(c->list, json_pack("{s:o, s:s, s:b}", "key", json_text(key), "scope", scope_word(scope), "by_file_alone", by_file));
}

static struct changes changes_of(const struct admin_request *rq, const struct config *next)
{
	struct changes c = { .list = json_array(), .scope = CONFIG_SAME };

	if (config_change_each(rq->admin->start.config, next, add_change, &c) < 0) {
		json_decref(c.list);
		c.list = NULL;
	}
	return c;
}

void admin_configuration_diff(struct admin_request *rq)
{
	struct document *d = document_read(rq);

	if (d == NULL)
		return;
	if (d->config == NULL) {
		refuse_document(rq, d);
	} else {
		struct changes c = changes_of(rq, d->config);

		admin_answer_json(rq, 200, json_pack("{s:s, s:o}", "scope", scope_word(c.scope), "changes", c.list));
	}
	document_free(d);
}

// What there is

// NULL: it is not YAML, and nobody can say what of it is secret.
static json_t *shown(const char *text, size_t len)
{
	size_t hidden_len;
	char *hidden = text != NULL ? config_secret_hide(text, len, &hidden_len) : NULL;
	json_t *json = hidden != NULL ? json_text(hidden) : json_null();

	free(hidden);
	return json;
}

static const char *state_of_file(const struct admin_request *rq, const char *text, size_t len)
{
	struct config_change change = { .scope = CONFIG_RELAY };
	struct config *config = NULL;
	struct config_error why;

	if (text == NULL || config_parse(&config, text, len, &why) < 0)
		return "invalid";
	if (config_change(&change, rq->admin->start.config, config) < 0)
		change.scope = CONFIG_RELAY;
	config_free(config);
	return change.scope == CONFIG_SAME ? "in_force" : "differs";
}

static void document_came(struct admin_errand *errand, const char *word, const char *rest, int attached)
{
	struct admin_request *rq = &errand->rq;
	const struct settings *in_force = rq->admin->start.config->settings;
	char mark[24] = "", *text = NULL;
	int before = 0, at = 0;
	size_t len = 0;

	if (strcmp(word, "document") != 0 || sscanf(rest, "%16s %d%n", mark, &before, &at) != 2) {
		admin_problem(rq, 503, "the supervisor cannot read the file");
		return;
	}
	rest += at + (rest[at] == ' ');
	if (config_file_take(attached, &text, &len) < 0)
		text = NULL;
	admin_answer_tagged(rq, 200, mark,
			    json_pack("{s:o, s:s, s:o, s:b, s:o}", "configuration", admin_settings_json(&settings_schema, in_force), "file",
				      state_of_file(rq, text, len), "document", shown(text, len), "has_before", before != 0, "last_change",
				      rest[0] != '\0' ? json_text(rest) : json_null()));
	free(text);
}

void admin_configuration(struct admin_request *rq)
{
	admin_errand_send(rq, "document", "", -1, NULL, document_came);
}

// Changes, made

static const struct {
	const char *word;
	int status;
	const char *detail;
} refusals[] = {
	{ "conflict", 412, "the file, or what is in force, has changed meanwhile: read it again" },
	{ "busy", 409, "another change is under way" },
	{ "none", 409, "there is no document before this one" },
	{ "invalid", 422, "this host does not have what it names" },
	{ "forbidden", 409, "it changes what only who can write the file may change" },
	{ "control", 409, "it takes a new control: ask for it with ?replace=true" },
	{ "restart", 409, "it takes a restart of the gateway: write the file, and restart" },
	{ "refused", 409, "control has not taken it; all is as it was" },
};

static json_t *rest_json(const char *rest)
{
	return json_pack("{s:o}", "reason", json_text(rest));
}

static void outcome_came(struct admin_errand *errand, const char *word, const char *rest, int attached)
{
	struct admin_request *rq = &errand->rq;
	json_t *changes = errand->changes != NULL ? json_incref(errand->changes) : json_null();

	if (strcmp(word, "applied") == 0) {
		admin_answer_tagged(rq, 200, rest, json_pack("{s:s, s:o}", "outcome", word, "changes", changes));
		return;
	}
	if (strcmp(word, "replacing") == 0) {
		admin_answer_json(rq, 202, json_pack("{s:s, s:o}", "outcome", word, "changes", changes));
		return;
	}
	json_decref(changes);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (strcmp(word, refusals[i].word) == 0) {
			admin_problem_with(rq, refusals[i].status, refusals[i].detail, rest_json(rest));
			return;
		}
	}
	admin_problem_with(rq, 503, "the supervisor could not do it; all is as it was", rest_json(rest));
}

// "MARK SCOPE" of a change that says what it is based on. False: the client has been told.
static bool basis_read(struct admin_request *rq, char rest[48])
{
	const char *tag = rq->http->if_match;
	char value[8] = "";
	size_t len = strlen(tag);
	bool replace;

	if (len == 0) {
		admin_problem(rq, 428, "If-Match is missing: the ETag of GET /v1/configuration");
		return false;
	}
	if (http_query_value(rq->http->query, "replace", value, sizeof(value)) == -EINVAL ||
	    (value[0] != '\0' && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)) {
		admin_problem(rq, 400, "replace: expected true or false");
		return false;
	}
	replace = strcmp(value, "true") == 0;
	if (len != 18 || tag[0] != '"' || tag[17] != '"' || strspn(tag + 1, "0123456789abcdef") != 16) {
		admin_problem(rq, 412, "If-Match: it is another one by now; read it again");
		return false;
	}
	snprintf(rest, 48, "%.16s %s", tag + 1, replace ? "control" : "live");
	return true;
}

static void apply(struct admin_request *rq, const struct document *d, const char *rest)
{
	struct changes c = changes_of(rq, d->config);
	int fd = config_file_give(d->text, d->len);

	if (fd < 0 || c.list == NULL) {
		json_decref(c.list);
		admin_problem(rq, 503, "no memory");
	} else {
		admin_errand_send(rq, "apply", rest, fd, c.list, outcome_came);
	}
	if (fd >= 0)
		close(fd);
}

void admin_configuration_apply(struct admin_request *rq)
{
	char rest[48];
	struct document *d = basis_read(rq, rest) ? document_read(rq) : NULL;

	if (d == NULL)
		return;
	if (d->config == NULL)
		refuse_document(rq, d);
	else
		apply(rq, d, rest);
	document_free(d);
}

void admin_configuration_roll_back(struct admin_request *rq)
{
	char rest[48];

	if (basis_read(rq, rest))
		admin_errand_send(rq, "rollback", rest, -1, NULL, outcome_came);
}
