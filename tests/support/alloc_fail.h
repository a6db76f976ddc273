// SPDX-License-Identifier: GPL-3.0-or-later
// alloc_fail.h - an allocation that fails, once, in a program of several threads and other people's libraries. Linking
// alloc_fail.c replaces malloc and its kin for the whole process, shared libraries included; the allocator behind stays
// the C library's, or the sanitizer's. A process that crashes says where, on standard error, and exits with 70.
#pragma once
#include <stdbool.h>

void alloc_fail_exempt(void);       // the calling thread's are from now on neither counted nor failed
void alloc_fail_arm(unsigned long n); // the n-th from now on fails and says on standard error where; 0: none does
unsigned long alloc_fail_counted(void); // since it was armed
bool alloc_fail_struck(void);
bool alloc_fail_here(void);       // counts as one allocation; true: this is the one that fails
void alloc_fail_pause(bool pause); // of this thread: neither counted nor failed
