// SPDX-License-Identifier: GPL-3.0-or-later
// allocator.c - jemalloc in place of the C library's malloc(), in memory of huge pages (decision 0129). A sanitizer brings its own.
#include "gateway/allocator.h"
#ifdef SALLYPORT_JEMALLOC
#include <jemalloc/jemalloc.h>

// jemalloc reads it before its first allocation.
const char *malloc_conf = "thp:always,metadata_thp:auto";

const char *allocator_version(void)
{
	const char *version = "?";
	size_t len = sizeof(version);

	mallctl("version", &version, &len, NULL, 0);
	return version;
}
#else
const char *allocator_version(void)
{
	return "none: the sanitizer's";
}
#endif
