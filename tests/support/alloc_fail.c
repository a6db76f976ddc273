// SPDX-License-Identifier: GPL-3.0-or-later
// alloc_fail.c - malloc and its kin, counted and failed on demand; and the last words of a process that did not bear it.
#include "tests/support/alloc_fail.h"
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef SALLYPORT_SANITIZE_ADDRESS
#include <sanitizer/lsan_interface.h>
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t n, size_t size);
void *REAL(realloc)(void *p, size_t size);

#define FRAMES 24

static _Atomic unsigned long counted, target;
static atomic_bool struck;
static _Thread_local bool exempt, inside;

// Innermost first, as module+offset; exported names are added. Called from a signal handler, too: the process ends there.
static void say_where(const char *what, unsigned skip)
{
	void *frames[FRAMES];
	char line[3000];
	int depth = backtrace(frames, FRAMES), used = snprintf(line, sizeof(line), "%s:", what);

	for (int i = (int)skip; i < depth && used < (int)sizeof(line) - 300; i++) {
		Dl_info info = { 0 };
		const char *module;

		dladdr(frames[i], &info);
		module = info.dli_fname != NULL ? strrchr(info.dli_fname, '/') : NULL;
		used += snprintf(line + used, sizeof(line) - (size_t)used, " %.60s+%#lx(%.60s)",
				 module != NULL ? module + 1 : "?", (unsigned long)((uintptr_t)frames[i] - (uintptr_t)info.dli_fbase),
				 info.dli_sname != NULL ? info.dli_sname : "");
	}
	line[used++] = '\n';
	(void)!write(STDERR_FILENO, line, (size_t)used);
}

static void on_crash(int number)
{
	say_where(number == SIGSEGV ? "crashed by SIGSEGV" : "crashed by SIGABRT", 0);
	_exit(70);
}

__attribute__((constructor)) static void prepare(void)
{
	void *frames[2];

	// The first one loads a library, for good.
#ifdef SALLYPORT_SANITIZE_ADDRESS
	__lsan_disable();
#endif
	backtrace(frames, 2);
#ifdef SALLYPORT_SANITIZE_ADDRESS
	__lsan_enable();
#endif
	signal(SIGSEGV, on_crash);
	signal(SIGABRT, on_crash);
}

static bool failing(void)
{
	unsigned long n;

	if (exempt || inside)
		return false;
	n = atomic_fetch_add(&counted, 1) + 1;
	if (n != atomic_load(&target))
		return false;
	inside = true;
	atomic_store(&struck, true);
	say_where("allocation fails", 1);
	inside = false;
	errno = ENOMEM;
	return true;
}

__attribute__((noinline)) void *malloc(size_t size) // a frame of its own, by which the caller is found
{
	return failing() ? NULL : REAL(malloc)(size);
}

__attribute__((noinline)) void *calloc(size_t n, size_t size)
{
	return failing() ? NULL : REAL(calloc)(n, size);
}

__attribute__((noinline)) void *realloc(void *p, size_t size)
{
	return failing() ? NULL : REAL(realloc)(p, size);
}

bool alloc_fail_here(void)
{
	return failing();
}

void alloc_fail_pause(bool pause)
{
	inside = pause;
}

void alloc_fail_exempt(void)
{
	exempt = true;
}

void alloc_fail_arm(unsigned long n)
{
	atomic_store(&target, 0);
	atomic_store(&counted, 0);
	atomic_store(&struck, false);
	atomic_store(&target, n);
}

unsigned long alloc_fail_counted(void)
{
	return atomic_load(&counted);
}

bool alloc_fail_struck(void)
{
	return atomic_load(&struck);
}
