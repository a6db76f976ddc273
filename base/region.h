// SPDX-License-Identifier: GPL-3.0-or-later
// region.h - sealed shared memory: made by the supervisor, mapped by its children, passed as a file descriptor.
// Hugepages where there are any, locked where the limit allows, kept out of core files.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct region {
	void *base;
	size_t size; // rounded up to the page size in use
	int fd;
	bool huge;
};

int region_create(struct region *r, const char *name, size_t size, bool try_huge);
int region_map(struct region *r, int fd); // size from the descriptor; refuses one without its seals
void region_unmap(struct region *r);      // closes the descriptor, too
