// SPDX-License-Identifier: GPL-3.0-or-later
// cdr_file.h - a file of lines that others may rename, truncate or make unwritable at any time. A line is appended by one write
// and stands there whole or not at all; what cannot be written waits in a bounded buffer. One thread.
#pragma once
#include "base/clock.h"
#include <stddef.h>
#include <stdint.h>

#define CDR_BUFFER_MAX (4u << 20) // octets that wait at most
#define CDR_COMPLAINT_EVERY MONO_S(60)

struct cdr_file;

struct cdr_file_counts {
	uint64_t written, lost, failures; // lines, lines, attempts
	size_t buffered;                  // octets
};

int cdr_file_open(struct cdr_file **fp, const char *path, uint64_t max_size, uint32_t keep); // -ENOMEM
void cdr_file_close(struct cdr_file *f); // a last attempt to write what waits. NULL is fine
void cdr_file_add(struct cdr_file *f, const char *line, size_t len, mono_ns now); // line ends with its line feed
void cdr_file_retry(struct cdr_file *f, mono_ns now);  // what waits; now and then
void cdr_file_reopen(struct cdr_file *f);
void cdr_file_counts(const struct cdr_file *f, struct cdr_file_counts *counts);
