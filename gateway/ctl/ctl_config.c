// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_config.c - config: show, check, diff, apply, rollback.
#include "gateway/ctl/ctl_command.h"
#include "gateway/ctl/ctl_put.h"
#include "gateway/ctl/ctl_show.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH "/v1/configuration"
#define REPLACED_WITHIN_S 60

// A document goes back in as it came out: line ends, tabs and what is not ASCII stay.
static void show_document(const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "document"));

	for (; text != NULL && *text != '\0'; text++)
		putchar((unsigned char)*text < 0x20 && strchr("\n\r\t", *text) == NULL ? '?' : *text);
	if (strcmp(ctl_text(answer, "file"), "in_force") != 0)
		ctl_complain("the file", strcmp(ctl_text(answer, "file"), "differs") == 0 ? "it does not say what is in force" : "it is no valid document");
}

void ctl_show_errors(const json_t *answer)
{
	const json_t *error;
	size_t i;

	json_array_foreach(json_object_get(answer, "errors"), i, error)
		fprintf(stderr, "%.0f:%.0f: %s%s%s\n", ctl_number(error, "line"), ctl_number(error, "column"), ctl_text(error, "key"),
			ctl_text(error, "key")[0] != '\0' ? ": " : "", ctl_text(error, "message"));
}

static void show_verdict(const json_t *answer)
{
	if (json_is_true(json_object_get(answer, "valid")))
		puts("valid");
}

static void show_changes(const json_t *answer)
{
	const json_t *change;
	size_t i;

	if (json_array_size(json_object_get(answer, "changes")) == 0 && json_object_get(answer, "scope") != NULL)
		puts("nothing changes");
	json_array_foreach(json_object_get(answer, "changes"), i, change) {
		ctl_put(ctl_text(change, "key"), 40);
		ctl_put(ctl_text(change, "scope"), 8);
		puts(json_is_true(json_object_get(change, "by_file_alone")) ? "by the file alone" : "");
	}
}

static void show_outcome(const json_t *answer)
{
	show_changes(answer);
	puts(ctl_text(answer, "outcome"));
}

static int usage(void)
{
	ctl_complain("config", "show, check FILE, diff FILE, apply FILE, or rollback");
	return USAGE;
}

static int show(const struct options *o)
{
	struct ctl_answer answer;
	int status = ctl_do(o, &(struct ctl_question){ .method = "GET", .path = PATH }, show_document, &answer);

	if (status == UNREACHED)
		return status;
	if (status == DONE)
		fprintf(stderr, "ETag: %s\n", answer.tag);
	json_decref(answer.body);
	return status;
}

// Of a document that is only looked at.
static int judge(const struct options *o, const char *path, void (*shown)(const json_t *))
{
	char *text = ctl_read_file(o->argument[1]);
	struct ctl_answer answer;
	int status;

	if (text == NULL)
		return USAGE;
	status = ctl_do(o, &(struct ctl_question){ .method = "POST", .path = path, .type = "application/yaml", .body = text }, shown, &answer);
	free(text);
	if (status == UNREACHED)
		return status;
	if (json_is_false(json_object_get(answer.body, "valid"))) {
		ctl_show_errors(answer.body);
		status = REFUSED;
	}
	json_decref(answer.body);
	return status;
}

// What the change is based on: what the person says, else what there is now, unless somebody has edited the file and nobody has
// looked.
static int find_tag(const struct options *o, char tag[80])
{
	struct options quiet = *o;
	struct ctl_answer answer;
	const char *file;
	int status = DONE;

	if (o->match != NULL) {
		snprintf(tag, 80, "%s", o->match);
		return DONE;
	}
	quiet.json = false;
	status = ctl_do(&quiet, &(struct ctl_question){ .method = "GET", .path = PATH }, NULL, &answer);
	if (status == UNREACHED)
		return status;
	file = ctl_text(answer.body, "file");
	if (status == DONE && strcmp(file, "in_force") != 0)
		status = ctl_complain("the file does not say what is in force", "look at it (config show), and say --if-match with its ETag");
	snprintf(tag, 80, "%s", answer.tag);
	json_decref(answer.body);
	return status;
}

// Control is away for a moment, and its door with it.
static int wait_for_control(const struct options *o)
{
	const char *why;

	for (int i = 0; i < REPLACED_WITHIN_S * 5; i++) {
		struct ctl_answer answer;
		char said[200] = "";

		usleep(200000);
		if (ctl_ask(&o->door, &(struct ctl_question){ .method = "GET", .path = PATH }, &answer, &why) < 0)
			continue;
		snprintf(said, sizeof(said), "%s", ctl_text(answer.body, "last_change"));
		json_decref(answer.body);
		if (strcmp(said, "applied") == 0) {
			if (!o->json)
				puts("applied");
			return DONE;
		}
		if (strncmp(said, "refused", 7) == 0)
			return ctl_complain("control was not replaced", said);
	}
	return ctl_complain("control", "it is not back yet");
}

static int change(const struct options *o, const char *method, const char *path, const char *body)
{
	struct ctl_question q = { .method = method, .type = "application/yaml", .body = body };
	struct ctl_answer answer;
	char tag[80], whole[80];
	int status = find_tag(o, tag);

	if (status != DONE)
		return status;
	snprintf(whole, sizeof(whole), "%s%s", path, o->replace ? "?replace=true" : "");
	q.path = whole;
	q.match = tag;
	status = ctl_do(o, &q, show_outcome, &answer);
	if (status == UNREACHED)
		return status;
	json_decref(answer.body);
	return status == DONE && answer.status == 202 ? wait_for_control(o) : status;
}

static int apply(const struct options *o)
{
	char *text = ctl_read_file(o->argument[1]);
	int status = text != NULL ? change(o, "PUT", PATH, text) : USAGE;

	free(text);
	return status;
}

int ctl_config(const struct options *o)
{
	const char *verb = o->argument[0] != NULL ? o->argument[0] : "";
	bool file = o->argument[1] != NULL;

	if (o->argument[2] != NULL)
		return usage();
	if (strcmp(verb, "show") == 0 && !file)
		return show(o);
	if (strcmp(verb, "rollback") == 0 && !file)
		return change(o, "POST", PATH "/rollback", NULL);
	if (strcmp(verb, "check") == 0 && file)
		return judge(o, PATH "/validate", show_verdict);
	if (strcmp(verb, "diff") == 0 && file)
		return judge(o, PATH "/diff", show_changes);
	if (strcmp(verb, "apply") == 0 && file)
		return apply(o);
	return usage();
}
