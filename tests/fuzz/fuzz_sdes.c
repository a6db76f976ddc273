// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_sdes.c - any a=crypto value: accepted lines print to one that reads the same; refused ones leave nothing behind.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mediarelay/keying/sdes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sdes_line line, again;
	enum sdes_fault fault = SDES_FAULT_COUNT;
	char text[256];
	size_t len;
	int err;

	memset(&line, 0x5a, sizeof(line));
	err = sdes_line_parse(&line, (const char *)data, size, &fault);
	if (err < 0) {
		if ((err != -EINVAL && err != -ENOTSUP) || fault == SDES_FAULT_NONE || fault >= SDES_FAULT_COUNT)
			abort();
		for (size_t i = 0; i < sizeof(line); i++) {
			if (((const uint8_t *)&line)[i] != 0x5a)
				abort();
		}
		return 0;
	}
	if (fault != SDES_FAULT_NONE || line.n_keys != 1 || line.mki.len > SRTP_MKI_MAX)
		abort();
	len = sdes_line_print(text, sizeof(text), &line);
	if (len < 7 || sdes_line_parse(&again, text + 7, len - 7, &fault) < 0)
		abort();
	if (again.tag != line.tag || again.draft_name != line.draft_name ||
	    memcmp(&again.mki, &line.mki, sizeof(line.mki)) != 0 ||
	    memcmp(&again.master, &line.master, sizeof(line.master)) != 0)
		abort();
	return 0;
}
