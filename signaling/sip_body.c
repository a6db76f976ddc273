// SPDX-License-Identifier: GPL-3.0-or-later
// sip_body.c - bodies of calls' messages: where the description is in theirs, and what of the rest goes on in ours.
#include "signaling/sdp/sdp_build.h"
#include "signaling/sip_multipart.h"
#include "signaling/sip_priv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_ROOM 72

static bool type_is(const sip_t *sip, const char *type)
{
	const sip_content_type_t *c = sip->sip_content_type;

	return c != NULL && c->c_type != NULL && strcasecmp(c->c_type, type) == 0;
}

static size_t payload_len(const sip_t *sip)
{
	return sip->sip_payload != NULL ? sip->sip_payload->pl_len : 0;
}

// RFC 2045 section 5.1: a token or a quoted string.
static int boundary_of(const sip_t *sip, char dst[BOUNDARY_ROOM])
{
	const char *value = msg_params_find(sip->sip_content_type->c_params, "boundary=");
	size_t len = value != NULL ? strlen(value) : 0;

	if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
		value++;
		len -= 2;
	}
	if (len == 0 || len >= BOUNDARY_ROOM || memchr(value, '\\', len) != NULL)
		return -EBADMSG;
	memcpy(dst, value, len);
	dst[len] = '\0';
	return 0;
}

static int read_parts(struct sip_parts *parts, const sip_t *sip)
{
	char boundary[BOUNDARY_ROOM];

	if (boundary_of(sip, boundary) < 0)
		return -EBADMSG;
	return sip_multipart_read(parts, boundary, sip->sip_payload->pl_data, sip->sip_payload->pl_len);
}

// Of the body as a whole. Another disposition than session: a description of something else (RFC 3959).
static bool is_session(const sip_t *sip)
{
	const sip_content_disposition_t *d = sip->sip_content_disposition;

	return d == NULL || d->cd_type == NULL || strcasecmp(d->cd_type, "session") == 0;
}

static bool is_required(const sip_t *sip)
{
	const sip_content_disposition_t *d = sip->sip_content_disposition;

	return d == NULL || d->cd_handling == NULL || strcasecmp(d->cd_handling, "optional") != 0;
}

struct call_body sip_body_of(const sip_t *sip)
{
	struct call_body body = { NULL, 0 };
	struct sip_parts parts;

	if (payload_len(sip) == 0)
		return body;
	if (type_is(sip, "application/sdp") && is_session(sip))
		body = (struct call_body){ sip->sip_payload->pl_data, sip->sip_payload->pl_len };
	else if (type_is(sip, "multipart/mixed") && read_parts(&parts, sip) == 0)
		body = (struct call_body){ parts.sdp, parts.sdp_len };
	return body;
}

bool sip_body_is_sdp(const sip_t *sip)
{
	return sip_body_of(sip).text != NULL;
}

int sip_body_status(const struct sip *sip, uint16_t profile, const sip_t *request)
{
	bool drop = sip->config->policies[profile].drop_parts;
	struct sip_parts parts;
	int err;

	if (payload_len(request) == 0 || (type_is(request, "application/sdp") && is_session(request)))
		return 0;
	if (!type_is(request, "multipart/mixed"))
		return is_required(request) ? 415 : 0;
	err = read_parts(&parts, request);
	if (err < 0)
		return err == -E2BIG ? 413 : 400;
	for (unsigned i = 0; i < parts.n_other; i++) {
		if (parts.other[i].required && (drop || !parts.other[i].crosses))
			return 415;
	}
	return 0;
}

// Those parts of a message that go on to the other side.
static void onward_parts(struct sip_parts *parts, const sip_t *source, const struct sip_dialog *from, const struct sip_dialog *to)
{
	const struct sip_policy *policies = to->sip->config->policies;
	unsigned n = 0;

	if (source == NULL || payload_len(source) == 0 || !type_is(source, "multipart/mixed") ||
	    policies[from->profile].drop_parts || policies[to->profile].drop_parts || read_parts(parts, source) < 0) {
		parts->n_other = 0;
		return;
	}
	for (unsigned i = 0; i < parts->n_other; i++) {
		if (parts->other[i].crosses)
			parts->other[n++] = parts->other[i];
	}
	parts->n_other = n;
}

// Of a part's headers only those that say what it is.
static bool says_what_it_is(const char *line, size_t len)
{
	static const char *const names[] = { "Content-Type:", "Content-Disposition:", "Content-Transfer-Encoding:",
					     "Content-Language:", "Content-Encoding:", "Content-ID:" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (len >= strlen(names[i]) && strncasecmp(line, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static void print_headers(FILE *to, const struct sip_part *part)
{
	bool goes = false;

	for (size_t at = 0, len; at < part->headers_len; at += len) {
		const char *line = part->headers + at, *end = memchr(line, '\n', part->headers_len - at);

		len = end != NULL ? (size_t)(end - line) + 1 : part->headers_len - at;
		if (*line != ' ' && *line != '\t') // else the one before goes on
			goes = says_what_it_is(line, len);
		if (goes)
			fwrite(line, 1, len, to);
	}
}

static msg_t *write_multipart(msg_t *msg, struct sip *sip, const struct call_body *sdp, const struct sip_parts *parts)
{
	char boundary[SIP_TOKEN_LEN], type[64], *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL) {
		msg_destroy(msg);
		return NULL;
	}
	sip_agent_token(sip->agent, boundary);
	if (sdp->text != NULL) {
		fprintf(to, "--%s\r\nContent-Type: application/sdp\r\n\r\n", boundary);
		fwrite(sdp->text, 1, sdp->len, to);
		fputs("\r\n", to);
	}
	for (unsigned i = 0; i < parts->n_other; i++) {
		fprintf(to, "--%s\r\n", boundary);
		print_headers(to, &parts->other[i]);
		fputs("\r\n", to);
		fwrite(parts->other[i].text, 1, parts->other[i].len, to);
		fputs("\r\n", to);
	}
	fprintf(to, "--%s--\r\n", boundary);
	bool failed = ferror(to);

	if (fclose(to) != 0 || failed || text == NULL) {
		free(text);
		msg_destroy(msg);
		return NULL;
	}
	snprintf(type, sizeof(type), "multipart/mixed;boundary=%s", boundary);
	sip_message_header(msg, "MIME-Version", "1.0");
	msg = sip_message_body(msg, type, text, len);
	free(text);
	return msg;
}

msg_t *sip_message_bodies(msg_t *msg, const struct call_body *sdp, const sip_t *source, const struct sip_dialog *from,
			  const struct sip_dialog *to)
{
	struct sip_parts parts;

	if (msg == NULL)
		return NULL;
	onward_parts(&parts, source, from, to);
	if (parts.n_other > 0)
		return write_multipart(msg, to->sip, sdp, &parts);
	return sdp->text != NULL ? sip_message_body(msg, "application/sdp", sdp->text, sdp->len) : msg;
}

char *sip_body_decline(const struct sip_dialog *d, const struct call_body *offer, size_t *len)
{
	const struct sip_listener *l = sip_agent_listener(d->sip->agent, d->hop.listener);
	struct sdp_doc *asked = NULL, *answer = NULL;
	struct sdp_error why;
	uint32_t id = 0;
	char *text = NULL;

	if (l != NULL && offer->text != NULL && env_random(d->sip->env, &id, sizeof(id)) == 0 &&
	    sdp_doc_parse(&asked, offer->text, offer->len, &why) == 0 &&
	    sdp_answer_decline(&answer, asked, (struct sdp_session_id){ .id = id, .version = 1 }, &l->bind.addr) == 0)
		text = sdp_doc_print(answer, len);
	sdp_doc_free(answer);
	sdp_doc_free(asked);
	return text;
}
