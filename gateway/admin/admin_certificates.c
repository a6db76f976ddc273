// SPDX-License-Identifier: GPL-3.0-or-later
// admin_certificates.c - the certificates that DTLS and this door show: which, until when, and another one for what is to come. A key
// comes in, and never goes out.
#include "gateway/admin/admin_priv.h"
#include "gateway/json_text.h"
#include "mediarelay/media_certificate.h"
#include <errno.h>
#include <string.h>

#define TAG_DIGITS 32 // of a digest: its first half

static char *put_digits(char *to, const char *fingerprint)
{
	const char *end = to + TAG_DIGITS;

	for (const char *digit = strchr(fingerprint, ' '); digit != NULL && *digit != '\0' && to < end; digit++) {
		if (*digit != ' ' && *digit != ':')
			*to++ = *digit;
	}
	*to = '\0';
	return to;
}

// A strong name of what new calls and new connections get.
static const char *tag_of(char tag[2 * TAG_DIGITS + 1], const struct admin *admin)
{
	struct media_certificate list[MEDIA_CERTIFICATES_MAX];
	char *end;

	media_certificates(admin->start.media, list);
	end = put_digits(tag, list[0].facts->fingerprint);
	if (admin->tls != NULL)
		put_digits(end, tls_setup_facts(admin->tls)->fingerprint);
	return tag;
}

static json_t *names_json(const char *names)
{
	json_t *list = json_array();

	while (*names != '\0') {
		size_t len = strcspn(names, "\n");

		json_array_append_new(list, json_stringn(names, len)); // ASCII
		names += len + (names[len] == '\n');
	}
	return list;
}

static json_t *certificate_json(const char *name, bool is_file, const struct dtls_certificate_facts *f, bool current, const char *used_for)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:I, s:I, s:b, s:s}", "name", name, "source", is_file ? "files" : "state_dir", "subject",
			 json_text(f->subject), "names", names_json(f->names), "fingerprint", f->fingerprint, "algorithm", f->algorithm,
			 "not_before", (json_int_t)f->starts, "not_after", (json_int_t)f->expires, "current", current, "used_for", used_for);
}

static void answer_list(struct admin_request *rq)
{
	struct media_certificate list[MEDIA_CERTIFICATES_MAX];
	const struct admin *admin = rq->admin;
	size_t n = media_certificates(admin->start.media, list);
	json_t *rows = json_array();
	char tag[2 * TAG_DIGITS + 1];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(rows, certificate_json("dtls", admin->start.config->media.dtls_certificate != NULL, list[i].facts, list[i].current,
							     list[i].current ? "DTLS-SRTP of new calls, in every realm" : "calls that began with it"));
	if (admin->tls != NULL)
		json_array_append_new(rows, certificate_json("door", true, tls_setup_facts(admin->tls), true, "TLS of this port's new connections"));
	admin_answer_tagged(rq, 200, tag_of(tag, admin), json_pack("{s:o}", "certificates", rows));
}

void admin_certificates(struct admin_request *rq)
{
	answer_list(rq);
}

// Before anything has changed.
static bool is_current(const struct admin_request *rq)
{
	char tag[2 * TAG_DIGITS + 1];

	return admin_is_match(rq, tag_of(tag, rq->admin));
}

static void answer_not_current(struct admin_request *rq)
{
	if (rq->http->if_match[0] == '\0')
		admin_problem(rq, 428, "If-Match is missing: the ETag of GET /v1/certificates");
	else
		admin_problem(rq, 412, "If-Match: it is another one by now; read it again");
}

static void answer_outcome(struct admin_request *rq, int err)
{
	switch (err) {
	case 0:
		answer_list(rq);
		break;
	case -EPERM:
		admin_problem(rq, 409, "the configuration names files (dtls.certificate): replace those, then renew");
		break;
	case -EEXIST:
		admin_problem(rq, 409, "it is in use already, or cannot be told from one that is: make another");
		break;
	case -ENOSPC:
		admin_problem(rq, 409, "there were too many since control began: replace control, then again");
		break;
	case -EINVAL:
	case -ENOTSUP:
		admin_problem(rq, 422, "expected PEM with a certificate, its chain if it has one, and its ECDSA or RSA key without a pass phrase; all is as it was");
		break;
	case -EKEYEXPIRED:
		admin_problem(rq, 422, "it is not valid yet, or a day from now no more");
		break;
	default:
		admin_problem(rq, 503, "it cannot be read, made or stored; all is as it was");
		break;
	}
}

// Whatever comes of it, the key does not stay in the memory of the connection.
void admin_certificate_replace(struct admin_request *rq)
{
	size_t len;
	const char *pem = http_exchange_body(rq->x, &len);
	bool current = is_current(rq);
	int err = current ? media_certificate_replace(rq->admin->start.media, pem, len) : 0;

	http_exchange_wipe_body(rq->x);
	if (current)
		answer_outcome(rq, err);
	else
		answer_not_current(rq);
}

void admin_certificate_renew(struct admin_request *rq)
{
	if (is_current(rq))
		answer_outcome(rq, media_certificate_replace(rq->admin->start.media, NULL, 0));
	else
		answer_not_current(rq);
}

// The door's are files of the operator's. The connection that asks goes on with what it has.
void admin_certificate_reread(struct admin_request *rq)
{
	if (!is_current(rq))
		answer_not_current(rq);
	else if (rq->admin->tls == NULL)
		admin_problem(rq, 409, "this port is in clear: admin.tls names no files");
	else
		answer_outcome(rq, admin_reread(rq->admin));
}
