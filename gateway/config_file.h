// SPDX-License-Identifier: GPL-3.0-or-later
// config_file.h - the configuration document as octets: read whole, and put in the place of the file in one step.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define CONFIG_FILE_MAX (1u << 20)

// malloc'ed, zero-terminated. -EFBIG.
int config_file_read(const char *path, char **text, size_t *len);
// The same from a sealed memfd that somebody handed over. -EINVAL: it is none, or can still change.
int config_file_take(int fd, char **text, size_t *len);
int config_file_give(const char *text, size_t len); // a sealed memfd, or -errno

// A crash leaves the old one or the new one, whole. `like`: a file whose owner and mode it gets; path itself may be a link.
int config_file_write(const char *path, const char *like, const char *text, size_t len);

// Changes with each of the two texts.
uint64_t config_file_mark(const char *file, size_t file_len, const char *in_force, size_t in_force_len);
