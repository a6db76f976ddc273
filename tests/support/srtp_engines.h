// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_engines.h - the engine that a test of SRTP runs against. The same sources are built twice: with ipsec-mb alone,
// and with a crypto device of DPDK's (SALLYPORT_TEST_DEVICE; the environment's SALLYPORT_CRYPTO_DEVICE names it).
#pragma once
#include "dataplane/worker/srtp/srtp_engine.h"

// CPU levels to run through: with a device the one that the product would choose, since the rest is ipsec-mb's affair.
#ifdef SALLYPORT_TEST_DEVICE
#define TEST_ARCH_FIRST SRTP_ARCH_AUTO
#define TEST_ARCH_LAST SRTP_ARCH_AUTO
void test_eal_open(void); // DPDK, without hugepages; once
int test_engine_open(struct srtp_engine **enginep, enum srtp_arch arch);
void test_engine_close(struct srtp_engine *engine); // fails if the device had an error, or nothing to do
#else
#define TEST_ARCH_FIRST SRTP_ARCH_SSE
#define TEST_ARCH_LAST SRTP_ARCH_AVX512
static inline int test_engine_open(struct srtp_engine **enginep, enum srtp_arch arch)
{
	return srtp_engine_open(enginep, arch);
}

static inline void test_engine_close(struct srtp_engine *engine)
{
	srtp_engine_close(engine);
}
#endif
