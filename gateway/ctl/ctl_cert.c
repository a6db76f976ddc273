// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_cert.c - cert: list, replace, renew.
#include "gateway/ctl/ctl_command.h"
#include "gateway/ctl/ctl_put.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH "/v1/certificates"

static void put_day(const json_t *certificate, const char *key)
{
	time_t when = (time_t)json_integer_value(json_object_get(certificate, key));
	char text[32];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	ctl_put(text, 10);
}

static void put_names(const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		const char *text = json_string_value(name);

		printf(i == 0 ? "  for " : ", ");
		ctl_put(text != NULL ? text : "-", 0);
	}
}

static void show_list(const json_t *answer)
{
	const json_t *certificate;
	size_t i;

	printf("%-5s %-10s %-10s %-10s %-10s %s\n", "NAME", "ALGORITHM", "FROM", "UNTIL", "KEPT IN", "USED FOR");
	json_array_foreach(json_object_get(answer, "certificates"), i, certificate) {
		ctl_put(ctl_text(certificate, "name"), 5);
		ctl_put(ctl_text(certificate, "algorithm"), 10);
		put_day(certificate, "not_before");
		put_day(certificate, "not_after");
		ctl_put(ctl_text(certificate, "source"), 10);
		ctl_put(ctl_text(certificate, "used_for"), 0);
		printf("\n      ");
		ctl_put(ctl_text(certificate, "fingerprint"), 0);
		printf("\n      ");
		ctl_put(ctl_text(certificate, "subject"), 0);
		put_names(json_object_get(certificate, "names"));
		putchar('\n');
	}
}

// Asks for the tag first. pem NULL: renew.
static int change(const struct options *o, const char *path, const char *pem)
{
	struct ctl_question q = { .method = pem != NULL ? "PUT" : "POST", .path = path, .type = "application/x-pem-file", .body = pem,
				  .match = o->match };
	struct options quiet = *o;
	struct ctl_answer now = { .tag = "" };
	int status = DONE;

	quiet.json = false;
	if (o->match == NULL)
		status = ctl_do(&quiet, &(struct ctl_question){ .method = "GET", .path = PATH }, NULL, &now);
	if (status == UNREACHED)
		return status;
	json_decref(now.body);
	if (status != DONE)
		return status;
	if (o->match == NULL)
		q.match = now.tag;
	return ctl_do(o, &q, show_list, NULL);
}

// NULL: there is no such certificate.
static const char *renewal_of(const char *name)
{
	if (name == NULL || strcmp(name, "dtls") == 0)
		return PATH "/dtls/renew";
	return strcmp(name, "door") == 0 ? PATH "/door/renew" : NULL;
}

int ctl_cert(const struct options *o)
{
	const char *verb = o->argument[0] != NULL ? o->argument[0] : "", *more = o->argument[1];
	char *pem;
	int status;

	if (o->argument[2] == NULL && more == NULL && strcmp(verb, "list") == 0)
		return ctl_do(o, &(struct ctl_question){ .method = "GET", .path = PATH }, show_list, NULL);
	if (o->argument[2] == NULL && renewal_of(more) != NULL && strcmp(verb, "renew") == 0)
		return change(o, renewal_of(more), NULL);
	if (o->argument[2] != NULL || more == NULL || strcmp(verb, "replace") != 0) {
		ctl_complain("cert", "list, replace FILE, or renew [dtls | door]");
		return USAGE;
	}
	pem = ctl_read_file(more);
	if (pem == NULL)
		return USAGE;
	status = change(o, PATH "/dtls", pem);
	explicit_bzero(pem, strlen(pem));
	free(pem);
	return status;
}
