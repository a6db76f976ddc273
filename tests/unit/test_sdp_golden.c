// SPDX-License-Identifier: GPL-3.0-or-later
// test_sdp_golden.c - offers and answers of real kinds of peers, through reading, choosing and writing, against what we hold
// for right. A case is a folder of tests/golden/sdp: `case` (policies), in.sdp (the offer), out.sdp (ours onward),
// perhaps previous.sdp (ours before), answer.sdp (the far end's) and back.sdp (ours to the offerer), lines.txt (what the
// views say) or refused.txt (why not). SALLYPORT_GOLDEN_WRITE=1 writes what comes out; then it is to be read, critically.
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "signaling/sdp/sdp_attr.h"
#include "tests/support/sdp_case.h"

#define GOLDEN_FOLDER "tests/golden/sdp"

static char *file_read(const char *folder, const char *name, size_t *len)
{
	char path[512], *text;
	FILE *f;

	snprintf(path, sizeof(path), GOLDEN_FOLDER "/%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL)
		return NULL;
	text = calloc(1, SDP_SIZE_MAX + 2);
	assert_non_null(text);
	*len = fread(text, 1, SDP_SIZE_MAX + 1, f);
	fclose(f);
	return text;
}

static void file_write(const char *folder, const char *name, const char *text, size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), GOLDEN_FOLDER "/%s/%s", folder, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

// Prints the lines in which two texts differ, between what they share at begin and end.
static void diff_side(const char *mark, const char *from, const char *to)
{
	while (from < to) {
		const char *end = memchr(from, '\n', (size_t)(to - from));

		end = end != NULL ? end : to;
		print_message("%s%.*s\n", mark, (int)(end - from), from);
		from = end + 1;
	}
}

static void diff_print(const char *want, const char *have)
{
	size_t same = 0, tail = 0, line = 1;
	size_t nw = strlen(want), nh = strlen(have);

	for (size_t i = 0; i < nw && i < nh && want[i] == have[i]; i++) {
		if (want[i] == '\n') {
			same = i + 1;
			line++;
		}
	}
	for (size_t i = 1; i <= nw - same && i <= nh - same && want[nw - i] == have[nh - i]; i++) {
		if (want[nw - i] == '\n')
			tail = i - 1;
	}
	print_message("from line %zu on (- expected, + made):\n", line);
	diff_side("  -", want + same, want + nw - tail);
	diff_side("  +", have + same, have + nh - tail);
}

static bool golden_compare(const char *folder, const char *name, const char *have, size_t len)
{
	size_t want_len = 0;
	char *want;
	bool same;

	if (getenv("SALLYPORT_GOLDEN_WRITE") != NULL) {
		file_write(folder, name, have, len);
		return true;
	}
	want = file_read(folder, name, &want_len);
	if (want == NULL) {
		print_message("%s/%s: missing\n", folder, name);
		return false;
	}
	same = want_len == len && memcmp(want, have, len) == 0;
	if (!same) {
		print_message("%s/%s:\n", folder, name);
		diff_print(want, have);
	}
	free(want);
	return same;
}

static bool golden_compare_doc(const char *folder, const char *name, const struct sdp_doc *doc)
{
	size_t len;
	char *body = sdp_doc_print(doc, &len);
	bool same = golden_compare(folder, name, body, len);

	sdp_body_free(body, len);
	return same;
}

static enum keying_mechanism mechanism_named(const char *word)
{
	for (int m = KEYING_PLAIN; m < KEYING_MECHANISM_COUNT; m++) {
		if (strcmp(keying_mechanism_name((enum keying_mechanism)m), word) == 0)
			return (enum keying_mechanism)m;
	}
	fail_msg("unknown mechanism %s", word);
	return KEYING_UNDECIDED;
}

static enum media_wish wish_named(const char *word)
{
	return strcmp(word, "offer") == 0 ? MEDIA_WISH_OFFER : strcmp(word, "never") == 0 ? MEDIA_WISH_NEVER : MEDIA_WISH_ACCEPT;
}

static void read_uri(struct media_extensions *extensions, struct media_uri uris[4], const char *word)
{
	extensions->filter = true;
	if (strcmp(word, "none") == 0)
		return;
	assert_in_range(extensions->n_uris, 0, 3);
	snprintf(uris[extensions->n_uris++].text, sizeof(uris[0].text), "%s", word);
}

static void read_words(struct sdp_case *c, const char *key, char *rest)
{
	struct sdp_case_side *side = strncmp(key, "far", 3) == 0 ? &c->far : &c->near;
	const char *what = strchr(key, '.') != NULL ? strchr(key, '.') + 1 : key;
	size_t n = 0;

	for (char *word = strtok(rest, " "); word != NULL; word = strtok(NULL, " "), n++) {
		if (strcmp(what, "accept") == 0)
			side->policy.accept[n] = mechanism_named(word);
		else if (strcmp(what, "offer") == 0)
			side->policy.offer[n] = mechanism_named(word);
		else if (strcmp(what, "suites") == 0)
			side->policy.suites[n] = srtp_suite_by_name(word, strlen(word));
		else if (strcmp(what, "role") == 0)
			side->policy.role = strcmp(word, "active") == 0 ? KEYING_ROLE_ACTIVE : KEYING_ROLE_PASSIVE;
		else if (strcmp(what, "mki") == 0)
			side->policy.mki = strcmp(word, "offer") == 0 ? KEYING_MKI_OFFER : KEYING_MKI_NEVER;
		else if (strcmp(what, "mux") == 0)
			*(strcmp(word, "offer") == 0 ? &side->mux_offer : &side->mux_never) = true;
		else if (strcmp(what, "address") == 0)
			assert_int_equal(inet_addr_parse(&side->address, word), 0);
		else if (strcmp(what, "signalling_security") == 0)
			side->policy.signalling_security_required = true;
		else if (strcmp(what, "at_source") == 0)
			side->facts.media_at_source = true;
		else if (strcmp(what, "extensions") == 0)
			read_uri(&side->extensions, side->uris, word);
		else if (strcmp(what, "extension_encryption") == 0)
			side->extensions.encryption = wish_named(word);
		else if (strcmp(what, "cryptex") == 0)
			side->extensions.cryptex = wish_named(word);
		else if (strcmp(what, "unknown") == 0)
			c->pass_unknown = strcmp(word, "pass") == 0;
		else if (strcmp(what, "map") == 0)
			side->map.stream[side->map.n_lines++] = (uint8_t)atoi(word);
		else if (strcmp(what, "streams") == 0)
			c->n_streams = (unsigned)atoi(word);
		else
			fail_msg("unknown key %s", key);
	}
}

static void case_read(struct sdp_case *c, const char *folder)
{
	char *text, *line, *save = NULL;
	size_t len;

	sdp_case_init(c);
	c->near.policy.offer[0] = KEYING_PLAIN; // not used: the near end offers
	c->far.policy.accept[0] = KEYING_PLAIN;
	text = file_read(folder, "case", &len);
	assert_non_null(text);
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');

		if (line[0] == '#')
			continue;
		assert_non_null(space);
		*space = '\0';
		read_words(c, line, space + 1);
	}
	free(text);
	assert_null(keying_policy_fault(&c->near.policy));
	assert_null(keying_policy_fault(&c->far.policy));
}

static void describe_keying(FILE *out, const char *label, const struct keying_choice *choice)
{
	fprintf(out, "  %s %s", label, keying_mechanism_name(choice->mechanism));
	if (choice->mechanism == KEYING_SDES)
		fprintf(out, " %s", srtp_suite_name(choice->rx.suite));
	if (choice->mechanism == KEYING_DTLS_SRTP)
		fprintf(out, " %s, %u fingerprints", choice->dtls_role == DTLS_ACTIVE ? "active" : "passive",
			choice->fingerprints.n);
	fprintf(out, "\n");
}

static void describe_line(FILE *out, const struct sdp_doc *doc, size_t i, bool mux)
{
	char rtp[INET_ENDPOINT_STRLEN], rtcp[INET_ENDPOINT_STRLEN];
	struct sdp_media media;

	sdp_media_read(doc, i, &media);
	fprintf(out, "%zu %.*s %.*s %s", i, (int)media.kind.len, media.kind.s, (int)media.proto_text.len, media.proto_text.s,
		sdp_direction_name(media.direction));
	if (media.refusal != SDP_REFUSE_NONE) {
		fprintf(out, ", refused: %s\n", sdp_refusal_text[media.refusal]);
		return;
	}
	if (media.rtp.addr.family == INET_NONE) {
		fprintf(out, ", nowhere%s%s\n", media.ice ? ", ice" : "", media.held_by_address ? ", held by address" : "");
		return;
	}
	inet_endpoint_print(rtp, &media.rtp);
	inet_endpoint_print(rtcp, &media.rtcp);
	fprintf(out, ", rtp %s rtcp %s%s\n", rtp, mux ? "muxed" : rtcp, media.ice ? ", ice" : "");
}

static char *describe(const struct sdp_case *c, const struct sdp_doc *offer, const struct sdp_doc *answer, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	fprintf(out, "offer%s\n", sdp_is_hold(offer) ? " (hold)" : "");
	for (size_t i = 0; i < sdp_doc_media_count(offer); i++) {
		describe_line(out, offer, i, c->near.mux[i]);
		if (c->near.choice[i].mechanism != KEYING_UNDECIDED)
			describe_keying(out, "near", &c->near.choice[i]);
	}
	if (answer != NULL)
		fprintf(out, "answer\n");
	for (size_t i = 0; answer != NULL && i < sdp_doc_media_count(answer); i++) {
		describe_line(out, answer, i, c->far.mux[i]);
		if (c->far.choice[i].mechanism != KEYING_UNDECIDED)
			describe_keying(out, "far", &c->far.choice[i]);
	}
	fprintf(out, "lines not crossed: %u key, %u address, %u leak, %u unknown; unknown passed: %u\n", c->count.key_dropped,
		c->count.address_dropped, c->count.leak_dropped, c->count.unknown_dropped, c->count.unknown_passed);
	fclose(out);
	return text;
}

static bool text_in(struct sdp_text needle, const struct sdp_doc *hay)
{
	size_t len;
	char *body = sdp_doc_print(hay, &len);
	bool found = memmem(body, len, needle.s, needle.len) != NULL;

	sdp_body_free(body, len);
	return found;
}

static void absent(const char *folder, struct sdp_text value, const struct sdp_doc *other)
{
	if (value.len >= 4 && text_in(value, other))
		fail_msg("%s: \"%.*s\" of one side stands on the other", folder, (int)value.len, value.s);
}

// The words of a key-bearing value that must stay: key of a=crypto, digest of a=fingerprint, all of the others.
static void key_absent(const char *folder, const struct sdp_line *line, const struct sdp_doc *other)
{
	struct sdp_text rest = line->value, word;

	if (sdp_text_is(line->name, "crypto") || sdp_text_is(line->name, "fingerprint")) {
		while (sdp_text_word(&rest, &word)) {
			if (word.len >= 24 && memchr(word.s, '_', word.len) == NULL) // not the suite's name
				absent(folder, word, other);
		}
		return;
	}
	absent(folder, line->value, other);
}

static void address_absent(const char *folder, const struct sdp_line *line, const struct sdp_doc *other)
{
	struct sdp_text rest = line->value, word;

	while (sdp_text_word(&rest, &word)) {
		if (memchr(word.s, '.', word.len) != NULL && word.len >= 7)
			absent(folder, word, other);
		else if (memchr(word.s, ':', word.len) != NULL && word.len >= 7)
			absent(folder, word, other);
	}
}

// Every key- and address-bearing value of one side's description, o= and c= included, is absent from another description.
static void secrets_absent(const char *folder, const struct sdp_doc *side, const struct sdp_doc *other)
{
	const struct sdp_line *line;

	for (int s = SDP_SESSION; s < (int)sdp_doc_media_count(side); s++) {
		for (size_t i = 0; (line = sdp_doc_line(side, s, i)) != NULL; i++) {
			enum sdp_class class = sdp_line_class(line);

			if (class == SDP_CLASS_KEY)
				key_absent(folder, line, other);
			else if (class == SDP_CLASS_ADDRESS || line->type == 'c' || line->type == 'o')
				address_absent(folder, line, other);
		}
	}
}

static void run_answer(struct sdp_case *c, const char *folder, const struct sdp_doc *offer, const struct sdp_doc *ours,
		       const struct sdp_doc *answer, bool *ok)
{
	struct sdp_doc *back = NULL;
	struct sdp_error error = { 0 };
	int err = sdp_case_answer(c, offer, ours, answer, &back, &error);
	char refused[256];

	if (err < 0) {
		snprintf(refused, sizeof(refused), "answer %s: %s\n", err == -ENOTSUP ? "refused" : "wrong",
			 err == -ENOTSUP ? c->reason.text : error.text);
		*ok &= golden_compare(folder, "refused.txt", refused, strlen(refused));
		return;
	}
	*ok &= golden_compare_doc(folder, "back.sdp", back);
	secrets_absent(folder, answer, back);
	secrets_absent(folder, offer, back);
	secrets_absent(folder, answer, ours);
	secrets_absent(folder, back, ours);
	secrets_absent(folder, ours, back);
	sdp_doc_free(back);
}

static struct sdp_doc *doc_read(const char *folder, const char *name)
{
	struct sdp_doc *doc = NULL;
	struct sdp_error error;
	size_t len;
	char *text = file_read(folder, name, &len);

	if (text == NULL)
		return NULL;
	if (sdp_doc_parse(&doc, text, len, &error) < 0)
		fail_msg("%s/%s:%u:%u: %s", folder, name, error.line, error.column, error.text);
	free(text);
	return doc;
}

static void run_offer(struct sdp_case *c, const char *folder, const struct sdp_doc *offer, bool *ok)
{
	struct sdp_doc *previous = doc_read(folder, "previous.sdp"), *answer = doc_read(folder, "answer.sdp"), *ours = NULL;
	char refused[256], *text;
	size_t len;
	int err;

	err = sdp_case_offer(c, offer, previous, &ours);
	if (err < 0) {
		snprintf(refused, sizeof(refused), "488 %s\n", c->reason.text);
		assert_int_equal(err, -ENOTSUP);
		*ok &= golden_compare(folder, "refused.txt", refused, strlen(refused));
	} else {
		*ok &= golden_compare_doc(folder, "out.sdp", ours);
		secrets_absent(folder, offer, ours);
		if (answer != NULL)
			run_answer(c, folder, offer, ours, answer, ok);
		text = describe(c, offer, answer, &len);
		*ok &= golden_compare(folder, "lines.txt", text, len);
		free(text);
	}
	sdp_doc_free(ours);
	sdp_doc_free(answer);
	sdp_doc_free(previous);
}

static bool run_case(const char *folder)
{
	struct sdp_error error;
	struct sdp_doc *offer;
	struct sdp_case c;
	char refused[256];
	bool ok = true;
	size_t len;
	char *text;

	case_read(&c, folder);
	text = file_read(folder, "in.sdp", &len);
	assert_non_null(text);
	if (sdp_doc_parse(&offer, text, len, &error) < 0) {
		snprintf(refused, sizeof(refused), "400 in.sdp:%u:%u: %s\n", error.line, error.column, error.text);
		ok = golden_compare(folder, "refused.txt", refused, strlen(refused));
	} else {
		run_offer(&c, folder, offer, &ok);
		sdp_doc_free(offer);
	}
	free(text);
	sdp_case_wipe(&c);
	return ok;
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && entry->d_type == DT_DIR;
}

static void each_case(void (*visit)(const char *folder, void *ctx), void *ctx)
{
	struct dirent **entries;
	int n = scandir(GOLDEN_FOLDER, &entries, is_case, alphasort);

	assert_true(n >= 40);
	for (int i = 0; i < n; i++) {
		visit(entries[i]->d_name, ctx);
		free(entries[i]);
	}
	free(entries);
}

static void visit_run(const char *folder, void *ctx)
{
	*(int *)ctx += !run_case(folder);
}

static void goldens_come_out_as_written(void **state)
{
	int n_bad = 0;

	(void)state;
	each_case(visit_run, &n_bad);
	assert_int_equal(n_bad, 0);
}

// What is accepted prints as it came.
static bool round_trip(const char *text, size_t len)
{
	struct sdp_doc *doc, *copy;
	struct sdp_error error;
	size_t printed;
	char *body;

	if (sdp_doc_parse(&doc, text, len, &error) < 0) {
		assert_true(error.line > 0 && error.column > 0 && error.text[0] != '\0');
		return false;
	}
	body = sdp_doc_print(doc, &printed);
	assert_int_equal(printed, len);
	assert_memory_equal(body, text, len);
	sdp_body_free(body, printed);
	assert_int_equal(sdp_doc_copy(&copy, doc), 0);
	sdp_doc_free(doc);
	body = sdp_doc_print(copy, &printed);
	assert_int_equal(printed, len);
	assert_memory_equal(body, text, len);
	sdp_body_free(body, printed);
	sdp_doc_free(copy);
	return true;
}

static size_t without_cr(char *to, const char *from, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (from[i] != '\r')
			to[n++] = from[i];
	}
	return n;
}

static void visit_round_trip(const char *folder, void *ctx)
{
	static const char *const names[] = { "in.sdp", "out.sdp", "answer.sdp", "back.sdp", "previous.sdp" };
	unsigned *n_accepted = ctx, seed = 1;

	for (size_t f = 0; f < sizeof(names) / sizeof(names[0]); f++) {
		size_t len, n;
		char *text = file_read(folder, names[f], &len), *changed;

		if (text == NULL)
			continue;
		changed = malloc(len + 64);
		if (round_trip(text, len)) {
			assert_true(round_trip(changed, without_cr(changed, text, len))); // LF alone
			memcpy(changed, text, len);
			memcpy(changed + len, "a=x-odd :  spaced \t\xc3\xa9\r\n", 23);
			assert_true(round_trip(changed, len + 23)); // odd spacing, not ASCII
			memcpy(changed + len, "\r\n\r\n", 4);
			assert_true(round_trip(changed, len + 4)); // blank lines at the end
			assert_true(round_trip(text, len - 2) || text[len - 2] != '\r'); // last line not ended
		}
		for (int i = 0; i < 400; i++) {
			memcpy(changed, text, len);
			n = (size_t)(rand_r(&seed) % 3) + 1;
			while (n-- > 0)
				changed[(size_t)rand_r(&seed) % len] = (char)rand_r(&seed);
			*n_accepted += round_trip(changed, len);
		}
		free(changed);
		free(text);
	}
}

static void documents_print_as_they_came(void **state)
{
	unsigned n_accepted = 0;

	(void)state;
	each_case(visit_round_trip, &n_accepted);
	assert_true(n_accepted > 1000); // mutations that are refused prove nothing
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goldens_come_out_as_written),
		cmocka_unit_test(documents_print_as_they_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
