// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_config_secret.c - any bytes as a document that is handed in: every mistake told within bounds; what is hidden in it is hidden,
// stays YAML, and is there again when it is filled in.
#include "gateway/config.h"
#include "gateway/config_secret.h"
#include "gateway/settings.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_errors(const char *text, size_t len, int expected)
{
	struct config_errors errors;
	struct config *cfg = NULL;
	int err = config_examine(&cfg, text, len, &errors);

	if ((err < 0) != (errors.n > 0) || errors.n > CONFIG_ERRORS_MAX || (err < 0) != (expected < 0))
		abort();
	if (err == 0)
		config_free(cfg);
}

// What had been there before is there again, and the document says the same.
static void check_round(const struct config *cfg, const char *text, size_t len)
{
	struct config *again = NULL;
	struct config_error why;
	size_t hidden_len, filled_len;
	char *hidden = config_secret_hide(text, len, &hidden_len), *filled;

	if (hidden == NULL)
		abort();
	filled = config_secret_fill(hidden, hidden_len, cfg->settings, &filled_len);
	if (filled == NULL || config_parse(&again, filled, filled_len, &why) < 0)
		abort();
	for (size_t i = 0; i < cfg->settings->admin.tokens.n; i++) {
		if (memcmp(&cfg->settings->admin.tokens.items[i].sha256, &again->settings->admin.tokens.items[i].sha256,
			   sizeof(struct digest_setting)) != 0)
			abort();
	}
	config_free(again);
	free(hidden);
	free(filled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *cfg = NULL;
	struct config_error why;
	const char *text = (const char *)data;
	int err = config_parse(&cfg, text, size, &why);
	size_t len;

	check_errors(text, size, err);
	if (err == 0)
		check_round(cfg, text, size);
	else
		free(config_secret_hide(text, size, &len));
	config_free(cfg);
	return 0;
}
