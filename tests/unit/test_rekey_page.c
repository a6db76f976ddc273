// SPDX-License-Identifier: GPL-3.0-or-later
// test_rekey_page.c - docs/offer-answer.md says what a re-offer makes of an association or a key: each combination of what may
// change stands in one row, and the media side decides as it says.
#include "mediarelay/leg_rekey.h"
#include "mediarelay/media_priv.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PAGE "docs/offer-answer.md"
#define ROWS_MAX 32u
#define CELL_MAX 64u

enum column { KEYING, KEY, TLS_ID, ROLE, TRANSPORT, OUTCOME, COLUMNS };

static char rows[ROWS_MAX][COLUMNS][CELL_MAX];
static size_t n_rows;

static void take_row(char *line)
{
	char *rest = line + 1;
	int column = 0;

	for (char *cell = strsep(&rest, "|"); cell != NULL && column < COLUMNS; cell = strsep(&rest, "|"), column++) {
		cell += strspn(cell, " ");
		cell[strcspn(cell, "\n")] = '\0';
		for (size_t len = strlen(cell); len > 0 && cell[len - 1] == ' '; len--)
			cell[len - 1] = '\0';
		snprintf(rows[n_rows][column], CELL_MAX, "%s", cell);
	}
	assert_int_equal(column, COLUMNS);
	n_rows++;
}

static int read_page(void **state)
{
	char line[1024];
	FILE *f = fopen(PAGE, "re");

	if (f == NULL)
		fail_msg("%s: %s", PAGE, strerror(errno));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (n_rows < ROWS_MAX && (strncmp(line, "| DTLS |", 8) == 0 || strncmp(line, "| SDES |", 8) == 0))
			take_row(line);
	}
	fclose(f);
	return 0;
}

// Whether the word is one of a cell's, which are set apart by commas.
static bool cell_has(const char *cell, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(cell, word); at != NULL; at = strstr(at + 1, word)) {
		if ((at == cell || at[-1] == ' ') && (at[len] == '\0' || at[len] == ','))
			return true;
	}
	return false;
}

static const char *row_for(const char *const said[OUTCOME])
{
	const char *outcome = NULL;

	for (size_t i = 0; i < n_rows; i++) {
		bool all = true;

		for (int column = 0; column < OUTCOME; column++)
			all &= cell_has(rows[i][column], said[column]);
		if (!all)
			continue;
		if (outcome != NULL)
			fail_msg("two rows for %s %s %s %s %s", said[KEYING], said[KEY], said[TLS_ID], said[ROLE], said[TRANSPORT]);
		outcome = rows[i][OUTCOME];
	}
	if (outcome == NULL)
		fail_msg("no row for %s %s %s %s %s", said[KEYING], said[KEY], said[TLS_ID], said[ROLE], said[TRANSPORT]);
	return outcome;
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static struct inet_endpoint endpoint(const char *address, uint16_t port)
{
	struct inet_endpoint at = { .port = port };

	assert_int_equal(inet_addr_parse(&at.addr, address), 0);
	return at;
}

// A line that is up, and the plan that says what is told here.
static void make(struct leg_line *line, struct media_line *plan, const char *const said[OUTCOME], enum dtls_role role)
{
	struct keying_choice *old = &line->plan.keying;

	memset(line, 0, sizeof(*line));
	line->plan.agreed = true;
	line->plan.remote = line->transports[LEG_RTP].signalled = endpoint("192.0.2.7", 4000);
	line->transports[LEG_RTP].ref.generation = 1;
	old->mechanism = is(said[KEYING], "DTLS") ? KEYING_DTLS_SRTP : KEYING_SDES;
	old->rx.suite = old->tx.suite = SRTP_AES_CM_128_HMAC_SHA1_80;
	if (old->mechanism == KEYING_DTLS_SRTP) {
		old->dtls_role = role;
		old->fingerprints = (struct dtls_fingerprints){ .n = 1, .list = { { .hash = DTLS_HASH_SHA256, .len = 32 } } };
		strcpy(old->tls_id, is(said[TLS_ID], "none") || is(said[TLS_ID], "comes") ? "" : "abcdefghijklmnopqrst");
	}
	*plan = line->plan;
	if (is(said[KEY], "changed"))
		*(old->mechanism == KEYING_SDES ? plan->keying.rx.key : plan->keying.fingerprints.list[0].digest) ^= 1;
	if (is(said[TLS_ID], "changed") || is(said[TLS_ID], "comes"))
		strcpy(plan->keying.tls_id, "ABCDEFGHIJKLMNOPQRST");
	else if (is(said[TLS_ID], "goes"))
		plan->keying.tls_id[0] = '\0';
	if (is(said[ROLE], "changed"))
		plan->keying.dtls_role = role == DTLS_ACTIVE ? DTLS_PASSIVE : DTLS_ACTIVE;
}

static void check(const char *const said[OUTCOME], enum dtls_role role, const struct inet_endpoint *moved)
{
	const char *expected = row_for(said);
	static struct leg_line line;
	struct media_line plan;
	char outcome[CELL_MAX];

	make(&line, &plan, said, role);
	if (is(said[TRANSPORT], "changed"))
		plan.remote = *moved;
	enum leg_change change = leg_rekey_change(&line, &plan);

	if (change == LEG_CHANGE_NONE)
		strcpy(outcome, inet_endpoint_equal(&plan.remote, &line.plan.remote) ? "kept" : "moves");
	else
		snprintf(outcome, sizeof(outcome), "new: %s", leg_change_name(change));
	if (!is(outcome, expected))
		fail_msg("%s %s %s %s %s: %s, the page says %s", said[KEYING], said[KEY], said[TLS_ID], said[ROLE], said[TRANSPORT],
			 outcome, expected);
}

static void each_combination(void **state)
{
	static const char *const two[] = { "same", "changed" };
	static const char *const tls_ids[] = { "none", "same", "changed", "comes", "goes" };
	const struct inet_endpoint moved[] = { endpoint("192.0.2.7", 4002), endpoint("192.0.2.8", 4000) };

	assert_true(n_rows > 0);
	for (unsigned i = 0; i < 2 * 2 * 2 * 5 * 2 * 2; i++) {
		const char *said[OUTCOME] = { "DTLS", two[i % 2], tls_ids[i / 2 % 5], two[i / 10 % 2], two[i / 20 % 2] };

		check(said, i / 40 % 2 ? DTLS_ACTIVE : DTLS_PASSIVE, &moved[i / 80]);
	}
	for (unsigned i = 0; i < 2 * 2 * 2; i++) {
		const char *said[OUTCOME] = { "SDES", two[i % 2], "none", "same", two[i / 2 % 2] };

		check(said, DTLS_ACTIVE, &moved[i / 4]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_combination) };

	return cmocka_run_group_tests(tests, read_page, NULL);
}
