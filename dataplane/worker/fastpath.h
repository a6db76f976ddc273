// SPDX-License-Identifier: GPL-3.0-or-later
// fastpath.h - include last in every file that runs between two bursts: no allocation, no output, no lock, no exit
// there.
#pragma once

#undef malloc
#undef calloc
#undef free
#undef printf
#undef fprintf
#undef abort
#define malloc sorry_no_malloc_here_use_a_pool
#define calloc sorry_no_calloc_here_use_a_pool
#define realloc sorry_no_realloc_here_use_a_pool
#define free sorry_no_free_here_use_a_pool
#define printf sorry_no_printf_here_use_a_counter
#define fprintf sorry_no_fprintf_here_use_a_counter
#define log_emit sorry_no_log_here_use_a_counter
#define pthread_mutex_lock sorry_no_lock_here
#define sleep sorry_no_sleep_here
