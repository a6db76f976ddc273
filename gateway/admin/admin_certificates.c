// SPDX-License-Identifier: GPL-3.0-or-later
// admin_certificates.c - the certificates that DTLS shows: which, until when, and another one for the calls to come. A key comes in, and
// never goes out.
#include "gateway/admin/admin_priv.h"
#include "mediarelay/media_certificate.h"
#include <errno.h>
#include <string.h>

// A strong name of what new calls get: its digest's first half.
static const char *tag_of(char tag[40], const struct admin *admin)
{
	struct media_certificate list[MEDIA_CERTIFICATES_MAX];
	const char *digits;
	size_t n = 0;

	media_certificates(admin->start.media, list);
	digits = strchr(list[0].fingerprint, ' ');
	for (; digits != NULL && *digits != '\0' && n < 32; digits++) {
		if (*digits != ' ' && *digits != ':')
			tag[n++] = *digits;
	}
	tag[n] = '\0';
	return tag;
}

static json_t *certificate_json(const struct admin *admin, const struct media_certificate *c)
{
	bool automatic = admin->start.config->media.dtls_certificate == NULL;

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:s}", "name", "dtls", "source", automatic ? "state_dir" : "files", "fingerprint",
			 c->fingerprint, "algorithm", c->algorithm, "not_before", (json_int_t)c->starts, "not_after", (json_int_t)c->expires,
			 "current", c->current, "used_for",
			 c->current ? "DTLS-SRTP of new calls, in every realm" : "calls that began with it");
}

static void answer_list(struct admin_request *rq)
{
	struct media_certificate list[MEDIA_CERTIFICATES_MAX];
	size_t n = media_certificates(rq->admin->start.media, list);
	json_t *rows = json_array();
	char tag[40];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(rows, certificate_json(rq->admin, &list[i]));
	admin_answer_tagged(rq, 200, tag_of(tag, rq->admin), json_pack("{s:o}", "certificates", rows));
}

void admin_certificates(struct admin_request *rq)
{
	answer_list(rq);
}

// Before anything has changed.
static bool is_current(const struct admin_request *rq)
{
	char tag[40];

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
		admin_problem(rq, 422, "expected PEM with a certificate, its chain if it has one, and its ECDSA or RSA key without a pass phrase");
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
