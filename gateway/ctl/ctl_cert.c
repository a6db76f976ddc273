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

static void show_list(const json_t *answer)
{
	const json_t *certificate;
	size_t i;

	printf("%-5s %-10s %-10s %-10s %-10s %-38s\n", "NAME", "ALGORITHM", "FROM", "UNTIL", "KEPT IN", "USED FOR");
	json_array_foreach(json_object_get(answer, "certificates"), i, certificate) {
		ctl_put(ctl_text(certificate, "name"), 5);
		ctl_put(ctl_text(certificate, "algorithm"), 10);
		put_day(certificate, "not_before");
		put_day(certificate, "not_after");
		ctl_put(ctl_text(certificate, "source"), 10);
		ctl_put(ctl_text(certificate, "used_for"), 38);
		printf("\n      ");
		ctl_put(ctl_text(certificate, "fingerprint"), 0);
		putchar('\n');
	}
}

// Asks for the tag first. pem NULL: renew.
static int change(const struct options *o, const char *pem)
{
	struct ctl_question q = { .method = pem != NULL ? "PUT" : "POST", .path = pem != NULL ? PATH "/dtls" : PATH "/dtls/renew",
				  .type = "application/x-pem-file", .body = pem, .match = o->match };
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

int ctl_cert(const struct options *o)
{
	const char *verb = o->argument[0] != NULL ? o->argument[0] : "", *file = o->argument[1];
	char *pem;
	int status;

	if (o->argument[2] == NULL && file == NULL && strcmp(verb, "list") == 0)
		return ctl_do(o, &(struct ctl_question){ .method = "GET", .path = PATH }, show_list, NULL);
	if (o->argument[2] == NULL && file == NULL && strcmp(verb, "renew") == 0)
		return change(o, NULL);
	if (o->argument[2] != NULL || file == NULL || strcmp(verb, "replace") != 0) {
		ctl_complain("cert", "list, replace FILE, or renew");
		return USAGE;
	}
	pem = ctl_read_file(file);
	if (pem == NULL)
		return USAGE;
	status = change(o, pem);
	explicit_bzero(pem, strlen(pem));
	free(pem);
	return status;
}
