// SPDX-License-Identifier: GPL-3.0-or-later
// file.h - what it takes for a file to be there whole after a crash: all octets, and the name.
#pragma once
#include <stddef.h>

int file_write(int fd, const void *bytes, size_t len); // all of them; 0 or negative errno
int file_sync_folder(const char *path);                // the folder of path: its new name survives, too; 0 or negative errno
