// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_sip_secrets.c - any message, and any stream cut anywhere: what is crossed out stays so, and nothing else is touched the second
// time; each message of a stream lies in what came.
#include "signaling/sip_raw.h"
#include "signaling/sip_secrets.h"
#include "signaling/sip_stream.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy_of(const void *bytes, size_t len)
{
	char *copy = malloc(len); // of its size, so that who reads on is seen

	if (len > 0 && copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static void check_secrets(const uint8_t *data, size_t size)
{
	char *text = copy_of(data, size), *again;
	size_t head = sip_raw_head(text, size);
	struct sip_secret found;

	sip_secrets_blank(text, size, true);
	again = copy_of(text, size);
	sip_secrets_blank(again, size, true);
	if (size > 0 && memcmp(text, again, size) != 0)
		abort();
	for (size_t at = 0; sdp_secret_next(text + head, size - head, at, &found); at = found.at + found.len) {
		if (found.len == 0 || found.at + found.len > size - head)
			abort();
		for (size_t i = 0; i < found.len; i++) {
			if (strchr("x=\r\n", text[head + found.at + i]) == NULL)
				abort();
		}
	}
	free(again);
	free(text);
}

static void message_came(void *ctx, char *message, size_t len)
{
	size_t *total = ctx;

	*total += len;
	if (len == 0 || message[0] < 'A' || message[0] > 'Z')
		abort();
	sip_secrets_blank(message, len, false); // as its taker does
}

static void check_stream(const uint8_t *data, size_t size)
{
	struct sip_streams *streams = sip_streams_new();
	size_t total = 0, step = size > 0 ? data[0] % 64u + 1 : 1;

	if (streams == NULL)
		abort();
	for (size_t at = 1; at < size; at += step) {
		size_t len = size - at < step ? size - at : step;
		char *piece = copy_of(data + at, len);

		sip_stream_feed(streams, &(struct sip_stream_name){ .fd = 3 }, piece, len, message_came, &total);
		free(piece);
	}
	if (total > size)
		abort();
	sip_streams_free(streams);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 16384)
		return 0;
	check_secrets(data, size);
	check_stream(data, size);
	return 0;
}
