// SPDX-License-Identifier: GPL-3.0-or-later
// test_config_document.c - a document from somebody's hands: all its mistakes with their places, its secrets out and in again, and the
// file that it takes the place of.
#include "gateway/config.h"
#include "gateway/config_change.h"
#include "gateway/config_file.h"
#include "gateway/config_secret.h"
#include "gateway/settings.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char base[] =
	"dataplane: {interfaces: [{name: null0, driver: null}]}\n"
	"realms:\n"
	"  - {name: access, interface: null0, listeners: [\"udp:192.0.2.1:5060\"], media: [{address: 192.0.2.1}], profile: plain}\n"
	"profiles:\n"
	"  - {name: plain, keying: {accept: [none], offer: [none]}}\n";

static char *with(const char *more)
{
	static char text[8192];

	snprintf(text, sizeof(text), "%s%s", base, more);
	return text;
}

static void all_mistakes_at_once(void **state)
{
	static const struct {
		const char *key;
		unsigned line;
	} expected[] = { { "log.level", 6 }, { "log.colour", 6 }, { "limits.calls", 7 }, { "peers[pbx]", 9 }, { "peers[pbx].sources[1]", 10 }, { "nonsense", 11 } };
	const char *text = with("log: {level: loud, colour: red}\n"
				"limits: {calls: many}\n"
				"peers:\n"
				"  - name: pbx\n    sources: [192.0.2.0/24, 192.0.2.1/24]\n"
				"nonsense: 1\n");
	struct config_errors errors;
	struct config *cfg = NULL;

	assert_int_equal(config_examine(&cfg, text, strlen(text), &errors), -EINVAL);
	assert_null(cfg);
	assert_int_equal(errors.n, 6);
	for (size_t i = 0; i < 6; i++) {
		bool found = false;

		for (size_t j = 0; j < errors.n; j++) {
			found |= errors.list[j].what.line == expected[i].line && strcmp(errors.list[j].key, expected[i].key) == 0;
			assert_true(errors.list[j].what.message[0] != '\0');
		}
		if (!found)
			fail_msg("%s is not told", expected[i].key);
	}
}

// Of what the table takes, what may not stand together.
static void all_contradictions_at_once(void **state)
{
	const char *text = with("peers:\n  - {name: a, realm: nowhere}\n  - {name: b, realm: access}\nroutes:\n  - {from: x, to: b}\n  - {from: access, to: c}\n");
	struct config_errors errors;
	struct config *cfg = NULL;

	assert_int_equal(config_examine(&cfg, text, strlen(text), &errors), -EINVAL);
	assert_int_equal(errors.n, 3);
	assert_string_equal(errors.list[0].key, "peers[a].realm");
	assert_string_equal(errors.list[1].key, "routes[0].from");
	assert_string_equal(errors.list[2].key, "routes[1].to");
}

static void no_more_mistakes_than_there_is_room_for(void **state)
{
	char text[8192] = "";
	struct config_errors errors;
	struct config *cfg = NULL;

	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "wrong%d: 1\n", i);
	assert_int_equal(config_examine(&cfg, text, strlen(text), &errors), -EINVAL);
	assert_int_equal(errors.n, CONFIG_ERRORS_MAX);
	assert_int_equal(config_examine(&cfg, "a: [", 4, &errors), -EINVAL);
	assert_int_equal(errors.n, 1);
	assert_int_equal(config_examine(&cfg, "- a", 3, &errors), -EINVAL);
	assert_int_equal(errors.n, 1);
	assert_true(errors.list[0].what.message[0] != '\0');
	assert_int_equal(config_examine(&cfg, base, strlen(base), &errors), 0);
	assert_int_equal(errors.n, 0);
	config_free(cfg);
}

// Who hands in such a document shall not keep us comparing keys.
static void no_more_keys_than_anybody_needs(void **state)
{
	char *text = malloc(1 << 20);
	struct config_errors errors;
	struct config *cfg = NULL;
	size_t len = 0;

	for (int i = 0; len < (1 << 20) - 32; i++)
		len += (size_t)sprintf(text + len, "k%d: 1\n", i);
	assert_int_equal(config_examine(&cfg, text, len, &errors), -EINVAL);
	assert_int_equal(errors.n, 1);
	assert_int_equal(errors.list[0].what.line, 257);
	free(text);
}

// However it is written, and what stands around it stays.
static void secrets_out_and_in(void **state)
{
	static const struct {
		const char *shown, *written;
	} cases[] = {
		{ "admin: {tokens: [{name: a, role: viewer, sha256: \"(kept)\"}]} # \xc3\xbc\n", "admin: {tokens: [{name: a, role: viewer, sha256: " DIGEST "}]} # \xc3\xbc\n" },
		{ "# \xc3\xa9\nadmin:\n  tokens:\n    - sha256: \"(kept)\" # end\n      name: a\n      role: viewer\n", "# \xc3\xa9\nadmin:\n  tokens:\n    - sha256: '" DIGEST "' # end\n      name: a\n      role: viewer\n" },
		{ "admin: {tokens: [{name: a, role: viewer, sha256: \"(kept)\"}]}\r\n", "admin: {tokens: [{name: a, role: viewer, sha256: \"\\x30" "0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}]}\r\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *hidden, *filled, *text = strdup(with(cases[i].written));
		struct config *cfg = NULL, *again = NULL;
		struct config_change change;
		struct config_error why;
		size_t len;

		assert_int_equal(config_parse(&cfg, text, strlen(text), &why), 0);
		hidden = config_secret_hide(text, strlen(text), &len);
		assert_non_null(hidden);
		assert_int_equal(len, strlen(hidden));
		assert_string_equal(hidden, with(cases[i].shown));
		filled = config_secret_fill(hidden, len, cfg->settings, &len);
		assert_non_null(strstr(filled, DIGEST));
		assert_int_equal(config_parse(&again, filled, len, &why), 0);
		assert_int_equal(config_change(&change, cfg, again), 0);
		assert_int_equal(change.scope, CONFIG_SAME);
		config_free(cfg);
		config_free(again);
		free(hidden);
		free(filled);
		free(text);
	}
}

static void nobodys_secret_is_a_mistake(void **state)
{
	const char *text = with("admin: {tokens: [{name: b, role: viewer, sha256: \"(kept)\"}]}\n");
	struct config *cfg = NULL;
	struct config_errors errors;
	struct config_error why;
	size_t len;
	char *filled;

	assert_int_equal(config_parse(&cfg, base, strlen(base), &why), 0);
	filled = config_secret_fill(text, strlen(text), cfg->settings, &len);
	config_free(cfg);
	assert_int_equal(config_examine(&cfg, filled, len, &errors), -EINVAL);
	assert_string_equal(errors.list[0].key, "admin.tokens[b].sha256");
	free(filled);
}

static void the_file_is_written_whole(void **state)
{
	char folder[] = "/tmp/sallyport-test-XXXXXX", path[64], link_path[64], *text = NULL;
	struct stat st;
	size_t len;
	int fd;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	snprintf(link_path, sizeof(link_path), "%s/link", folder);
	fd = open(path, O_CREAT | O_WRONLY, 0640);
	assert_int_equal(write(fd, "old", 3), 3);
	fchmod(fd, 0640);
	close(fd);
	assert_int_equal(symlink(path, link_path), 0);
	assert_int_equal(config_file_write(link_path, link_path, "new", 3), 0);
	assert_int_equal(lstat(link_path, &st), 0);
	assert_true(S_ISLNK(st.st_mode)); // what it leads to has changed
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(config_file_read(path, &text, &len), 0);
	assert_string_equal(text, "new");
	free(text);
	assert_int_equal(config_file_write("/nowhere/at/all", path, "x", 1), -ENOENT);
	assert_int_equal(config_file_read(folder, &text, &len), -EINVAL);
	unlink(link_path);
	unlink(path);
	assert_int_equal(rmdir(folder), 0); // nothing is left beside it
}

// A pipe would keep root waiting; a memory that still changes would be judged as one thing and written as another.
static void what_is_handed_over_cannot_change(void **state)
{
	int pair[2], open_memory = memfd_create("test", MFD_ALLOW_SEALING), fd;
	char *text = NULL;
	size_t len;

	assert_int_equal(pipe(pair), 0);
	assert_int_equal(config_file_take(pair[0], &text, &len), -EINVAL);
	assert_int_equal(config_file_take(open_memory, &text, &len), -EINVAL);
	assert_int_equal(config_file_take(-1, &text, &len), -EINVAL);
	fd = config_file_give("text", 4);
	assert_true(fd >= 0);
	assert_true(write(fd, "x", 1) < 0);
	assert_int_equal(config_file_take(fd, &text, &len), 0);
	assert_string_equal(text, "text");
	free(text);
	close(fd);
	text = calloc(1, CONFIG_FILE_MAX + 1);
	fd = config_file_give(text, CONFIG_FILE_MAX + 1);
	free(text);
	assert_int_equal(config_file_take(fd, &text, &len), -EFBIG);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	close(open_memory);
}

static void a_mark_changes_with_both(void **state)
{
	uint64_t mark = config_file_mark("ab", 2, "c", 1);

	assert_true(mark == config_file_mark("ab", 2, "c", 1));
	assert_true(mark != config_file_mark("a", 1, "bc", 2));
	assert_true(mark != config_file_mark("ab", 2, "d", 1));
	assert_true(mark != config_file_mark("ab\n", 3, "c", 1));
}

static void keys_of_the_file_alone(void **state)
{
	assert_true(config_by_file_alone("admin"));
	assert_true(config_by_file_alone("admin.tokens[a].role"));
	assert_true(config_by_file_alone("dtls.key"));
	assert_true(config_by_file_alone("call_records.file"));
	assert_false(config_by_file_alone("call_records.keep"));
	assert_false(config_by_file_alone("dtls.mtu"));
	assert_false(config_by_file_alone("realms[admin].profile"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_mistakes_at_once),
		cmocka_unit_test(all_contradictions_at_once),
		cmocka_unit_test(no_more_mistakes_than_there_is_room_for),
		cmocka_unit_test(no_more_keys_than_anybody_needs),
		cmocka_unit_test(secrets_out_and_in),
		cmocka_unit_test(nobodys_secret_is_a_mistake),
		cmocka_unit_test(the_file_is_written_whole),
		cmocka_unit_test(what_is_handed_over_cannot_change),
		cmocka_unit_test(a_mark_changes_with_both),
		cmocka_unit_test(keys_of_the_file_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
