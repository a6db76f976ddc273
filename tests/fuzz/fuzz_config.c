// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_config.c - any bytes as a configuration file: refused with a message, or taken, and then printed to a file that is
// taken, too, and prints the same.
#include "gateway/config.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *printed(const struct config *cfg, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (config_print(cfg, f) < 0)
		abort();
	fclose(f);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *cfg = NULL, *again = NULL;
	struct config_error why;
	char *once, *twice;
	size_t once_len, twice_len;

	if (config_parse(&cfg, (const char *)data, size, &why) < 0) {
		if (why.message[0] == '\0' || cfg != NULL)
			abort();
		return 0;
	}
	once = printed(cfg, &once_len);
	if (config_parse(&again, once, once_len, &why) < 0)
		abort();
	twice = printed(again, &twice_len);
	if (once_len != twice_len || memcmp(once, twice, once_len) != 0)
		abort();
	config_free(again);
	config_free(cfg);
	free(once);
	free(twice);
	return 0;
}
