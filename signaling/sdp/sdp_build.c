// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_build.c - making a description for one dialog from the one received in another.
#include "signaling/sdp/sdp_build.h"
#include "base/secret.h"
#include "signaling/sdp/sdp_attr.h"
#include "signaling/sdp/sdp_leak.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct builder {
	const struct sdp_build *build;
	struct sdp_doc *doc; // in the making
	struct sdp_leak leak;
	struct sdp_build_count count;
	bool answer;
};

static const char *family_name(const struct inet_addr *addr)
{
	return addr->family == INET_V6 ? "IP6" : "IP4";
}

static int put_address(struct builder *b, int section, const struct inet_addr *addr)
{
	char text[INET_ADDR_STRLEN];

	return sdp_doc_append(b->doc, section, "c=IN %s %s", family_name(addr), inet_addr_print(text, addr));
}

static int put_line(struct builder *b, int section, struct sdp_text text)
{
	return sdp_doc_insert(b->doc, section, sdp_doc_line_count(b->doc, section), text.s, text.len);
}

// Whether a received line may cross; counts what it decides.
static bool line_crosses(struct builder *b, const struct sdp_line *line)
{
	enum sdp_class class = sdp_line_class(line);

	switch (class) {
	case SDP_CLASS_OURS:
		return false;
	case SDP_CLASS_KEY:
		b->count.key_dropped++;
		return false;
	case SDP_CLASS_ADDRESS:
		b->count.address_dropped++;
		return false;
	case SDP_CLASS_UNKNOWN:
		if (!b->build->pass_unknown) {
			b->count.unknown_dropped++;
			return false;
		}
		break;
	case SDP_CLASS_END_TO_END:
		break;
	}
	if (sdp_leak_in(&b->leak, line->text)) {
		b->count.leak_dropped++;
		return false;
	}
	b->count.unknown_passed += class == SDP_CLASS_UNKNOWN;
	return true;
}

static bool type_wanted(char type, const char *types)
{
	if (types != NULL)
		return type != 0 && strchr(types, type) != NULL;
	return type != 0 && strchr("vosicbtrzm", type) == NULL; // the rest: attributes and letters that we do not know
}

// Lets the lines of the given types cross, in their order; types NULL: what no other call names.
static int pass_lines(struct builder *b, int from, int to, const char *types)
{
	const struct sdp_line *line;
	int err = 0;

	for (size_t i = 0; err == 0 && (line = sdp_doc_line(b->build->received, from, i)) != NULL; i++) {
		if (!type_wanted(line->type, types))
			continue;
		if (b->answer && from != SDP_SESSION && sdp_text_is(line->name, "mid"))
			continue; // the offer's is repeated
		if (line_crosses(b, line))
			err = put_line(b, to, line->text);
	}
	return err;
}

// Session section: v o s i c b t r z a, as RFC 8866 section 5 orders them. What must be there and is not, is made up.
static int build_session(struct builder *b)
{
	const struct sdp_build *build = b->build;
	char origin[INET_ADDR_STRLEN];
	size_t n;
	int err;

	err = put_line(b, SDP_SESSION, SDP_TEXT("v=0"));
	if (err == 0) // RFC 8866 section 5.2: no user name
		err = sdp_doc_append(b->doc, SDP_SESSION, "o=- %" PRIu64 " %" PRIu64 " IN %s %s", build->session->id,
				     build->session->version, family_name(&build->origin),
				     inet_addr_print(origin, &build->origin));
	n = sdp_doc_line_count(b->doc, SDP_SESSION);
	if (err == 0)
		err = pass_lines(b, SDP_SESSION, SDP_SESSION, "s");
	if (err == 0 && sdp_doc_line_count(b->doc, SDP_SESSION) == n)
		err = put_line(b, SDP_SESSION, SDP_TEXT("s=-"));
	if (err == 0)
		err = pass_lines(b, SDP_SESSION, SDP_SESSION, "i");
	if (err == 0)
		err = put_address(b, SDP_SESSION, &build->origin);
	if (err == 0)
		err = pass_lines(b, SDP_SESSION, SDP_SESSION, "b");
	n = sdp_doc_line_count(b->doc, SDP_SESSION);
	if (err == 0)
		err = pass_lines(b, SDP_SESSION, SDP_SESSION, "trz");
	if (err == 0 && sdp_doc_line_count(b->doc, SDP_SESSION) == n)
		err = put_line(b, SDP_SESSION, SDP_TEXT("t=0 0"));
	if (err == 0)
		err = pass_lines(b, SDP_SESSION, SDP_SESSION, NULL);
	return err;
}

static int put_media(struct builder *b, const struct sdp_media *media, unsigned port, struct sdp_text proto,
		     struct sdp_text formats)
{
	char text[SDP_LINE_MAX + 1];
	int len;

	if (formats.len == 0)
		formats = SDP_TEXT("0"); // the grammar wants one, of a refused line too
	len = snprintf(text, sizeof(text), "m=%.*s %u %.*s %.*s", (int)media->kind.len, media->kind.s, port,
		       (int)proto.len, proto.s, (int)formats.len, formats.s);
	if (len < 0 || (size_t)len >= sizeof(text))
		return -EINVAL;
	return sdp_doc_add_media(b->doc, text, (size_t)len);
}

static int put_mid(struct builder *b, int section, const struct sdp_media *media)
{
	if (media->mid.len == 0)
		return 0;
	return sdp_doc_append(b->doc, section, "a=mid:%.*s", (int)media->mid.len, media->mid.s);
}

// RFC 3264 section 6: a refused line stays in its place, with port 0; the rest of it has no meaning.
static int build_refused(struct builder *b, int section, const struct sdp_media *like)
{
	int err = put_media(b, like, 0, like->proto_text, like->formats);

	return err == 0 ? put_mid(b, section, like) : err;
}

static int put_rtcp(struct builder *b, int section, const struct sdp_build_line *line)
{
	bool own_port = !b->answer || !line->rtcp_mux; // an offer of mux names one to fall back to (RFC 5761 5.1.1)
	int err = 0;

	if (line->rtcp_mux)
		err = put_line(b, section, SDP_TEXT("a=rtcp-mux"));
	if (err == 0 && own_port && line->seat.rtcp_port != line->seat.rtp_port &&
	    line->seat.rtcp_port != line->seat.rtp_port + 1)
		err = sdp_doc_append(b->doc, section, "a=rtcp:%u", line->seat.rtcp_port);
	return err;
}

static int put_keying(struct builder *b, int section, const struct keying_local *local)
{
	char text[2 + KEYING_ATTRIBUTE_MAX] = "a=";
	int err = 0;
	size_t len;

	for (size_t i = 0; err == 0 && (len = keying_local_attribute(local, i, text + 2)) > 0; i++)
		err = put_line(b, section, (struct sdp_text){ text, len + 2 });
	secret_wipe(text, sizeof(text));
	return err;
}

// What may cross of the offer's header extensions, or of the answer's.
static void extensions_of(struct builder *b, int section, const struct sdp_build_line *line,
			  struct sdp_extensions *extensions)
{
	struct sdp_extensions received, offered, other;

	sdp_extensions_read(b->build->received, (size_t)line->from, &received);
	b->count.unknown_dropped += received.unread;
	if (!b->answer) {
		sdp_extensions_offer(&received, &line->hops, &other, extensions);
		return;
	}
	sdp_extensions_read(b->build->offer, (size_t)section, &offered);
	sdp_extensions_answer(&offered, &received, &line->hops, &other, extensions);
}

static int put_extensions(struct builder *b, int section, const struct sdp_build_line *line)
{
	char text[2 + SDP_LINE_MAX] = "a=";
	struct sdp_extensions extensions;
	int err = 0;
	size_t len;

	extensions_of(b, section, line, &extensions);
	for (size_t i = 0; err == 0 && (len = sdp_extensions_attribute(&extensions, i, text + 2)) > 0; i++) {
		struct sdp_text attribute = { text, len + 2 };

		if (sdp_leak_in(&b->leak, attribute))
			b->count.leak_dropped++;
		else
			err = put_line(b, section, attribute);
	}
	return err;
}

// What follows the m= line of an accepted one: i c b, attributes of the ends, ours.
static int build_body(struct builder *b, int section, const struct sdp_build_line *line,
		      const struct sdp_media *offered, enum sdp_direction direction)
{
	int err;

	err = pass_lines(b, line->from, section, "i");
	if (err == 0)
		err = put_address(b, section, &line->seat.address);
	if (err == 0)
		err = pass_lines(b, line->from, section, "b");
	if (err == 0 && b->answer) // RFC 5888 section 9.1: an m-line keeps the offer's name
		err = put_mid(b, section, offered);
	if (err == 0)
		err = pass_lines(b, line->from, section, NULL);
	if (err == 0)
		err = put_extensions(b, section, line);
	if (err == 0)
		err = put_rtcp(b, section, line);
	if (err == 0)
		err = put_keying(b, section, line->keying);
	if (err == 0)
		err = sdp_doc_append(b->doc, section, "a=%s", sdp_direction_name(direction));
	return err;
}

static int build_offer_line(struct builder *b, int section, const struct sdp_build_line *line)
{
	const struct sdp_build *build = b->build;
	struct sdp_media media;
	const char *proto;
	int err;

	if (line->from < 0) { // the other side knows nothing of it; the description before this one says what it was
		if (build->previous == NULL || sdp_media_read(build->previous, (size_t)section, &media) < 0)
			return -EINVAL;
		return build_refused(b, section, &media);
	}
	if (sdp_media_read(build->received, (size_t)line->from, &media) < 0)
		return -EINVAL;
	if (!line->accept)
		return build_refused(b, section, &media);
	if (line->keying == NULL || line->seat.rtp_port == 0)
		return -EINVAL;
	proto = keying_proto_name(line->keying->proto);
	err = put_media(b, &media, line->seat.rtp_port, (struct sdp_text){ proto, strlen(proto) }, media.formats);
	return err == 0 ? build_body(b, section, line, &media, media.direction) : err;
}

static int build_answer_line(struct builder *b, int section, const struct sdp_build_line *line)
{
	struct sdp_media offered, far;
	int err;

	if (sdp_media_read(b->build->offer, (size_t)section, &offered) < 0)
		return -EINVAL;
	if (line->from < 0 || !line->accept)
		return build_refused(b, section, &offered);
	if (sdp_media_read(b->build->received, (size_t)line->from, &far) < 0 || line->keying == NULL ||
	    line->seat.rtp_port == 0)
		return -EINVAL;
	err = put_media(b, &offered, line->seat.rtp_port, offered.proto_text, far.formats);
	if (err == 0) // RFC 3264 section 6.1: within what the offer leaves
		err = build_body(b, section, line, &offered, far.direction & sdp_direction_reverse(offered.direction));
	return err;
}

static int doc_same(const struct sdp_doc *a, const struct sdp_doc *b, bool *same)
{
	size_t a_len = 0, b_len = 0;
	char *a_body = sdp_doc_print(a, &a_len), *b_body = sdp_doc_print(b, &b_len);

	*same = a_body != NULL && b_body != NULL && a_len == b_len && memcmp(a_body, b_body, a_len) == 0;
	sdp_body_free(a_body, a_len);
	sdp_body_free(b_body, b_len);
	return a_body != NULL && b_body != NULL ? 0 : -ENOMEM;
}

// RFC 3264 section 8: the version grows with each change, and with nothing else.
static int build_version(struct builder *b, uint64_t *version)
{
	const struct sdp_build *build = b->build;
	char origin[INET_ADDR_STRLEN], text[128];
	bool same;
	int err, len;

	*version = build->session->version;
	if (build->previous == NULL)
		return 0;
	err = doc_same(build->previous, b->doc, &same);
	if (err < 0 || same)
		return err;
	(*version)++;
	len = snprintf(text, sizeof(text), "o=- %" PRIu64 " %" PRIu64 " IN %s %s", build->session->id, *version,
		       family_name(&build->origin), inet_addr_print(origin, &build->origin));
	return sdp_doc_replace(b->doc, SDP_SESSION, 1, text, (size_t)len);
}

static void count_add(struct sdp_build_count *to, const struct sdp_build_count *from)
{
	to->unknown_passed += from->unknown_passed;
	to->unknown_dropped += from->unknown_dropped;
	to->key_dropped += from->key_dropped;
	to->address_dropped += from->address_dropped;
	to->leak_dropped += from->leak_dropped;
}

static int build_doc(struct sdp_doc **docp, struct builder *b)
{
	const struct sdp_build *build = b->build;
	uint64_t version = 0;
	int err;

	err = sdp_doc_new(&b->doc);
	if (err < 0)
		return err;
	sdp_leak_collect(&b->leak, build->received);
	err = build_session(b);
	for (size_t i = 0; err == 0 && i < build->n_lines; i++)
		err = (b->answer ? build_answer_line : build_offer_line)(b, (int)i, &build->lines[i]);
	if (err == 0)
		err = build_version(b, &version);
	if (err < 0)
		goto out;
	build->session->version = version;
	if (build->count != NULL)
		count_add(build->count, &b->count);
	*docp = b->doc;
	b->doc = NULL;
out:
	sdp_doc_free(b->doc);
	return err;
}

int sdp_offer_build(struct sdp_doc **docp, const struct sdp_build *build)
{
	struct builder b = { .build = build };

	// RFC 3264 section 8: no m-line of the description before may vanish.
	if (build->n_lines > SDP_MEDIA_MAX ||
	    (build->previous != NULL && build->n_lines < sdp_doc_media_count(build->previous)))
		return -EINVAL;
	return build_doc(docp, &b);
}

int sdp_answer_build(struct sdp_doc **docp, const struct sdp_build *build)
{
	struct builder b = { .build = build, .answer = true };

	if (build->offer == NULL || build->n_lines != sdp_doc_media_count(build->offer))
		return -EINVAL;
	return build_doc(docp, &b);
}

int sdp_answer_decline(struct sdp_doc **docp, const struct sdp_doc *offer, struct sdp_session_id session,
		       const struct inet_addr *origin)
{
	struct sdp_build_line lines[SDP_MEDIA_MAX] = { 0 };
	struct sdp_build build = {
		.received = offer, .offer = offer, .session = &session, .origin = *origin, .lines = lines,
		.n_lines = sdp_doc_media_count(offer),
	};

	for (size_t i = 0; i < build.n_lines; i++)
		lines[i].from = -1;
	return sdp_answer_build(docp, &build);
}

static __attribute__((format(printf, 3, 4))) int
answer_fault(struct sdp_error *error, const struct sdp_line *line, const char *format, ...)
{
	va_list args;

	if (error == NULL)
		return -EBADMSG;
	error->line = line != NULL ? line->number : 1;
	error->column = 1;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -EBADMSG;
}

int sdp_answer_check(const struct sdp_doc *offer, const struct sdp_doc *answer, struct sdp_error *error)
{
	size_t n = sdp_doc_media_count(offer);
	struct sdp_media asked, given;

	if (sdp_doc_media_count(answer) != n)
		return answer_fault(error, sdp_doc_line(answer, (int)sdp_doc_media_count(answer) - 1, 0),
				    "%zu m-lines answer %zu", sdp_doc_media_count(answer), n);
	for (size_t i = 0; i < n; i++) {
		const struct sdp_line *line = sdp_doc_line(answer, (int)i, 0);

		sdp_media_read(offer, i, &asked);
		sdp_media_read(answer, i, &given);
		if (!sdp_text_equal(asked.kind, given.kind))
			return answer_fault(error, line, "%.*s answers %.*s", (int)(given.kind.len % 32), given.kind.s,
					    (int)(asked.kind.len % 32), asked.kind.s);
		if (asked.port == 0 && given.port != 0)
			return answer_fault(error, line, "a port answers port 0");
	}
	return 0;
}
