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
#define pthread_mutex_trylock sorry_no_lock_here
#define pthread_rwlock_rdlock sorry_no_lock_here
#define pthread_rwlock_wrlock sorry_no_lock_here
#define pthread_spin_lock sorry_no_lock_here
#define pthread_cond_wait sorry_no_lock_here
#define rte_spinlock_lock sorry_no_lock_here
#define rte_rwlock_read_lock sorry_no_lock_here
#define rte_rwlock_write_lock sorry_no_lock_here
#define rte_malloc sorry_no_malloc_here_use_a_pool
#define rte_zmalloc sorry_no_malloc_here_use_a_pool
#define rte_free sorry_no_free_here_use_a_pool
#define aligned_alloc sorry_no_malloc_here_use_a_pool
#define strdup sorry_no_malloc_here_use_a_pool
#define puts sorry_no_puts_here_use_a_counter
#define perror sorry_no_perror_here_use_a_counter
#define fopen sorry_no_files_here
#define rte_log sorry_no_log_here_use_a_counter
#define syscall sorry_no_system_call_here
#define mmap sorry_no_system_call_here
#define munmap sorry_no_system_call_here
#define ioctl sorry_no_system_call_here
#define usleep sorry_no_sleep_here
#define nanosleep sorry_no_sleep_here
#define sleep sorry_no_sleep_here
