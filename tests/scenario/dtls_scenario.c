// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_scenario.c - plays DTLS scenarios: two endpoints, a wire with chosen losses, fake time.
//
// usage: dtls_scenario FILE...        A file is lines of words; # starts a comment.
//
//   for NAME VALUE...             plays the file once for each value; $NAME stands for it (several: every combination)
//   given END version 1.2|1.3|any               END is client (active) or server (passive)
//   given END mtu N | knows right|wrong | retransmit MS | limit MS | alerts yes | post-quantum yes
//   start                         the client speaks
//   pass                          all datagrams, to and fro, until nothing is under way
//   deliver to END                what is under way to that end
//   lose to END [N]               the first N datagrams under way to that end, or all of them
//   lose flight to END N times    what is under way is lost, time passes until it is sent again: N times
//   duplicate to END              every datagram under way comes twice
//   reverse to END                the last datagram under way comes first
//   wait MS                       time passes; what is due is sent, nothing is delivered
//   run                           pass and wait until both ends have left the handshake
//   claim END right|wrong         the fingerprint is known now
//   forge to END alert|close_notify|hello_request|application|garbage
//   close END                     says close_notify
//   expect END handshaking|parked|secured|failed|closed
//   expect END reason NAME        a name of DTLS_FAILURES
//   expect END version 1.2|1.3
//   expect END sent again N|at-least N|at-most N     flights sent again
//   expect END drops NAME N       a name of DTLS_DROPS
//   expect END deadline never|MS  from now
//   expect under-way to END N|at-least N
//   expect keys equal             takes the keys of both ends
//   expect no keys END
//   expect elapsed at-most MS     since the start
#include "tests/support/dtls_link.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 12
#define VARIABLES 4
#define VALUES 8

struct variable {
	char name[24];
	size_t n, at;
	char values[VALUES][24];
};

struct play {
	const char *file;
	int line;
	struct variable vars[VARIABLES];
	size_t n_vars;
	struct dtls_link *l;
	bool open;
	mono_ns began;
	struct dtls_fingerprints lists[2];
	char words[WORDS][64];
	int n;
};

static bool fail(struct play *p, const char *why, long long got)
{
	fprintf(stderr, "%s:%d: %s (is %lld)", p->file, p->line, why, got);
	for (size_t i = 0; i < p->n_vars; i++)
		fprintf(stderr, " %s=%s", p->vars[i].name, p->vars[i].values[p->vars[i].at]);
	fprintf(stderr, "\n  ");
	for (int i = 0; i < p->n; i++)
		fprintf(stderr, " %s", p->words[i]);
	if (p->open)
		fprintf(stderr, "\n   client: status %d, %s; server: status %d, %s",
			dtls_endpoint_status(p->l->end[CLIENT]),
			dtls_failure_text(dtls_endpoint_failure(p->l->end[CLIENT])),
			dtls_endpoint_status(p->l->end[SERVER]),
			dtls_failure_text(dtls_endpoint_failure(p->l->end[SERVER])));
	fprintf(stderr, "\n");
	return false;
}

static bool is(const struct play *p, int i, const char *word)
{
	return i < p->n && strcmp(p->words[i], word) == 0;
}

static int end_at(const struct play *p, int i)
{
	return is(p, i, "client") ? CLIENT : is(p, i, "server") ? SERVER : -1;
}

// Splits a line into words, with $variables replaced.
static void split(struct play *p, char *line)
{
	char *save = NULL;

	line[strcspn(line, "#\n")] = 0;
	p->n = 0;
	for (char *w = strtok_r(line, " \t", &save); w != NULL && p->n < WORDS; w = strtok_r(NULL, " \t", &save)) {
		const char *text = w;

		for (size_t i = 0; *w == '$' && i < p->n_vars; i++)
			if (strcmp(w + 1, p->vars[i].name) == 0)
				text = p->vars[i].values[p->vars[i].at];
		snprintf(p->words[p->n++], sizeof(p->words[0]), "%s", text);
	}
}

static bool do_given(struct play *p)
{
	int end = end_at(p, 1);
	struct dtls_endpoint_config *c = end < 0 ? NULL : &p->l->config[end];

	if (c == NULL || p->n < 4 || p->open)
		return fail(p, "given what?", p->n);
	if (is(p, 2, "version"))
		c->min_version = c->max_version = is(p, 3, "1.2")   ? DTLS_VERSION_1_2
						  : is(p, 3, "1.3") ? DTLS_VERSION_1_3
								    : DTLS_VERSION_ANY;
	else if (is(p, 2, "mtu"))
		c->mtu = (uint16_t)atoi(p->words[3]);
	else if (is(p, 2, "retransmit"))
		c->retransmit_ms = (uint32_t)atoi(p->words[3]);
	else if (is(p, 2, "limit"))
		c->handshake_ms = (uint32_t)atoi(p->words[3]);
	else if (is(p, 2, "alerts"))
		c->send_alerts = is(p, 3, "yes");
	else if (is(p, 2, "post-quantum"))
		c->post_quantum = is(p, 3, "yes");
	else if (is(p, 2, "knows")) {
		link_expect(p->l, is(p, 3, "right") ? !end : end, &p->lists[end], DTLS_HASH_SHA256);
		c->expected = &p->lists[end];
	} else {
		return fail(p, "given what?", 0);
	}
	return true;
}

static void drop_first(struct link_queue *q, size_t n)
{
	n = n < q->n ? n : q->n;
	q->n -= n;
	memmove(q->d, q->d + n, q->n * sizeof(q->d[0]));
}

// Time passes until something is due and sent.
static bool wait_for_datagram(struct play *p, int to)
{
	while (p->l->to[to].n == 0) {
		if (link_deadline(p->l) == MONO_NEVER)
			return fail(p, "nothing is sent any more", 0);
		if (link_deadline(p->l) > p->l->now)
			p->l->now = link_deadline(p->l);
		link_tick(p->l);
	}
	return true;
}

static bool do_lose(struct play *p)
{
	int flight = is(p, 1, "flight"), end = end_at(p, 2 + flight);

	if (end < 0)
		return fail(p, "lose what?", 0);
	if (p->l->to[end].n == 0)
		return fail(p, "nothing is under way", 0);
	if (!flight) {
		drop_first(&p->l->to[end], p->n > 3 ? (size_t)atoi(p->words[3]) : LINK_QUEUE);
		return true;
	}
	for (int i = atoi(p->words[4]); i > 0; i--) {
		link_discard(p->l, end);
		if (!wait_for_datagram(p, end))
			return false;
	}
	return true;
}

static bool do_order(struct play *p)
{
	int end = end_at(p, 2);
	struct link_queue *q = end < 0 ? NULL : &p->l->to[end];
	size_t n = q == NULL ? 0 : q->n;

	if (n == 0)
		return fail(p, "nothing is under way", 0);
	if (is(p, 0, "duplicate")) {
		if (n > LINK_QUEUE / 2)
			return fail(p, "too many to duplicate", (long long)n);
		for (size_t i = n; i-- > 0;)
			q->d[2 * i] = q->d[2 * i + 1] = q->d[i];
		q->n = 2 * n;
		return true;
	}
	for (size_t i = 0; i < n / 2; i++) {
		struct link_datagram d = q->d[i];

		q->d[i] = q->d[n - 1 - i];
		q->d[n - 1 - i] = d;
	}
	return true;
}

static bool do_forge(struct play *p)
{
	static const struct {
		const char *name;
		size_t len;
		uint8_t bytes[32];
	} forgeries[] = {
		{ "alert", 15, { 21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 32, 0, 2, 2, 40 } },
		{ "close_notify", 15, { 21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 32, 0, 2, 1, 0 } },
		{ "hello_request", 25, { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 32, 0, 12 } },
		{ "application", 16, { 23, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 32, 0, 3, 1, 2, 3 } },
		{ "garbage", 32, { 22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 32, 0, 19, 1, 2, 3 } },
	};
	int end = end_at(p, 2);

	for (size_t i = 0; end >= 0 && i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		if (is(p, 3, forgeries[i].name)) {
			dtls_endpoint_input(p->l->end[end], forgeries[i].bytes, forgeries[i].len, &p->l->out[end]);
			return true;
		}
	}
	return fail(p, "forge what?", 0);
}

// "N", "at-least N" or "at-most N" at word i.
static bool check_count(struct play *p, int i, long long got)
{
	bool least = is(p, i, "at-least"), most = is(p, i, "at-most");
	long long n = i + least + most < p->n ? atoll(p->words[i + least + most]) : -1;

	if (n < 0 || (least ? got < n : most ? got > n : got != n))
		return fail(p, "another number was expected", got);
	return true;
}

static bool expect_status(struct play *p, int end)
{
	static const char *const names[] = { "handshaking", "parked", "secured", "failed", "closed" };
	enum dtls_status status = dtls_endpoint_status(p->l->end[end]);

	return is(p, 2, names[status]) || fail(p, "is in another state, or no such expectation", status);
}

static bool expect_drops(struct play *p, const struct dtls_endpoint_info *info)
{
#define X(name, text) #name,
	static const char *const names[] = { DTLS_DROPS(X) };
#undef X

	for (int i = 0; i < DTLS_DROP_COUNT; i++)
		if (is(p, 3, names[i]))
			return check_count(p, 4, info->drops[i]);
	return fail(p, "no such drop", 0);
}

static bool expect_reason(struct play *p, int end)
{
#define X(name, fault, text) #name,
	static const char *const names[] = { DTLS_FAILURES(X) };
#undef X
	enum dtls_failure failure = dtls_endpoint_failure(p->l->end[end]);

	return is(p, 3, names[failure]) || fail(p, "failed for another reason", failure);
}

static bool expect_keys_equal(struct play *p)
{
	struct dtls_srtp_keys rx[2], tx[2];

	for (int end = CLIENT; end <= SERVER; end++) {
		int err = dtls_endpoint_take_keys(p->l->end[end], &rx[end], &tx[end]);

		if (err < 0)
			return fail(p, "no keys", err);
	}
	if (memcmp(&rx[CLIENT], &tx[SERVER], sizeof(rx[0])) != 0 ||
	    memcmp(&tx[CLIENT], &rx[SERVER], sizeof(rx[0])) != 0)
		return fail(p, "keys differ", 0);
	return true;
}

static bool do_expect(struct play *p)
{
	struct dtls_endpoint_info info;
	struct dtls_srtp_keys keys;
	int end = end_at(p, 1);
	mono_ns deadline;

	if (is(p, 1, "keys"))
		return expect_keys_equal(p);
	if (is(p, 1, "no") && end_at(p, 3) >= 0)
		return dtls_endpoint_take_keys(p->l->end[end_at(p, 3)], &keys, &keys) < 0 ||
		       fail(p, "there are keys", 0);
	if (is(p, 1, "under-way") && end_at(p, 3) >= 0)
		return check_count(p, 4, (long long)p->l->to[end_at(p, 3)].n);
	if (is(p, 1, "elapsed"))
		return check_count(p, 2, (long long)((p->l->now - p->began) / 1000000));
	if (end < 0)
		return fail(p, "expect what?", 0);
	dtls_endpoint_info(p->l->end[end], &info);
	if (is(p, 2, "reason"))
		return expect_reason(p, end);
	if (is(p, 2, "version"))
		return (info.version != NULL && is(p, 3, info.version)) || fail(p, "another version", 0);
	if (is(p, 2, "sent"))
		return check_count(p, 4, info.retransmissions);
	if (is(p, 2, "drops"))
		return expect_drops(p, &info);
	if (!is(p, 2, "deadline"))
		return expect_status(p, end);
	deadline = dtls_endpoint_deadline(p->l->end[end]);
	if (is(p, 3, "never") || deadline == MONO_NEVER)
		return (is(p, 3, "never") && deadline == MONO_NEVER) ||
		       fail(p, "another deadline", (long long)deadline);
	return check_count(p, 3, (long long)(deadline - p->l->now) / 1000000);
}

static bool do_claim(struct play *p)
{
	int end = end_at(p, 1), err;
	struct dtls_fingerprints list;

	if (end < 0)
		return fail(p, "claim what?", 0);
	link_expect(p->l, is(p, 2, "right") ? !end : end, &list, DTLS_HASH_SHA256);
	err = dtls_endpoint_claim(p->l->end[end], &list);
	return (err == 0) == is(p, 2, "right") || fail(p, "claimed otherwise", err);
}

static bool step(struct play *p)
{
	if (is(p, 0, "given"))
		return do_given(p);
	if (!p->open) {
		link_open(p->l);
		p->open = true;
		p->began = p->l->now;
	}
	if (is(p, 0, "start"))
		return dtls_endpoint_start(p->l->end[CLIENT], &p->l->out[CLIENT]) == 0;
	if (is(p, 0, "pass"))
		return link_pass(p->l), true;
	if (is(p, 0, "run"))
		return link_run(p->l), true;
	if (is(p, 0, "wait"))
		return link_wait(p->l, MONO_MS(atoi(p->words[1]))), true;
	if (is(p, 0, "deliver") && end_at(p, 2) >= 0)
		return p->l->to[end_at(p, 2)].n == 0 ? fail(p, "nothing is under way", 0)
						     : (link_deliver(p->l, end_at(p, 2)), true);
	if (is(p, 0, "lose"))
		return do_lose(p);
	if (is(p, 0, "duplicate") || is(p, 0, "reverse"))
		return do_order(p);
	if (is(p, 0, "claim"))
		return do_claim(p);
	if (is(p, 0, "forge"))
		return do_forge(p);
	if (is(p, 0, "close") && end_at(p, 1) >= 0)
		return dtls_endpoint_close_notify(p->l->end[end_at(p, 1)], &p->l->out[end_at(p, 1)]) == 0 ||
		       fail(p, "not open", 0);
	if (is(p, 0, "expect"))
		return do_expect(p);
	return fail(p, "what?", 0);
}

// Reads the `for` lines, which stand first.
static void read_variables(struct play *p, FILE *f)
{
	char line[256];

	while (fgets(line, sizeof(line), f) != NULL) {
		struct variable *v = &p->vars[p->n_vars];

		split(p, line);
		if (!is(p, 0, "for") || p->n_vars == VARIABLES)
			continue;
		*v = (struct variable){ .n = (size_t)p->n - 2 };
		memcpy(v->name, p->words[1], sizeof(v->name) - 1);
		for (size_t i = 0; i < v->n && i < VALUES; i++)
			memcpy(v->values[i], p->words[2 + i], sizeof(v->values[0]) - 1);
		p->n_vars++;
	}
}

static bool play_once(struct play *p, FILE *f)
{
	bool good = true, any = false;
	char line[256];

	rewind(f);
	p->l = link_new(DTLS_VERSION_ANY, DTLS_VERSION_ANY);
	p->open = false;
	for (p->line = 1; good && fgets(line, sizeof(line), f) != NULL; p->line++) {
		split(p, line);
		if (p->n == 0 || is(p, 0, "for"))
			continue;
		any |= is(p, 0, "expect");
		good = step(p);
	}
	link_free(p->l);
	return good && (any || fail(p, "nothing is expected in this file", 0));
}

// The next combination of values; false after the last.
static bool next_combination(struct play *p)
{
	for (size_t i = 0; i < p->n_vars; i++) {
		if (++p->vars[i].at < p->vars[i].n)
			return true;
		p->vars[i].at = 0;
	}
	return false;
}

static int play_file(const char *path, int *plays)
{
	struct play p = { .file = path };
	FILE *f = fopen(path, "r");
	int failed = 0;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	read_variables(&p, f);
	do {
		failed += !play_once(&p, f);
		++*plays;
	} while (next_combination(&p));
	fclose(f);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0, plays = 0;

	for (int i = 1; i < argc; i++)
		failed += play_file(argv[i], &plays);
	printf("%d scenarios in %d files, %d failed\n", plays, argc - 1, failed);
	return failed > 0 || plays == 0;
}
