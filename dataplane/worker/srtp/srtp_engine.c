// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_engine.c - birth and death of an engine: which crypto code this CPU can run, and the proof that it is right.
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ipsec-mb has a fallback without AES-NI: table look-ups, neither fast nor constant in time.
#define FEATURES_NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SSE4_2)

static const struct {
	void (*init)(IMB_MGR *);
	uint64_t features;
	const char *name;
} levels[] = {
	[SRTP_ARCH_SSE] = { init_mb_mgr_sse, IMB_CPUFLAGS_SSE, "SSE" },
	[SRTP_ARCH_AVX] = { init_mb_mgr_avx, IMB_CPUFLAGS_AVX, "AVX" },
	[SRTP_ARCH_AVX2] = { init_mb_mgr_avx2, IMB_CPUFLAGS_AVX2, "AVX2" },
	[SRTP_ARCH_AVX512] = { init_mb_mgr_avx512, IMB_CPUFLAGS_AVX512, "AVX512" },
};

#define LEVEL_COUNT (sizeof(levels) / sizeof(levels[0]))

static int engine_choose(struct srtp_engine *engine, enum srtp_arch arch)
{
	uint64_t features = engine->mgr->features;
	unsigned level = arch;

	if (arch == SRTP_ARCH_AUTO) {
		for (level = LEVEL_COUNT - 1; level > 1; level--) {
			if ((features & levels[level].features) == levels[level].features)
				break;
		}
	}
	if (level >= LEVEL_COUNT || (features & levels[level].features) != levels[level].features ||
	    (features & FEATURES_NEEDED) != FEATURES_NEEDED)
		return -ENOTSUP;
	levels[level].init(engine->mgr);
	if (imb_get_errno(engine->mgr) != 0)
		return -ENOTSUP;
	engine->arch = level;
	return 0;
}

// Expanded keys are laid out as the code wants them that was chosen by library version, level and CPU features.
static uint32_t engine_stamp(const struct srtp_engine *engine)
{
	uint64_t what = engine->mgr->features << 28 ^ (uint64_t)engine->arch << 24 ^ imb_get_version();

	return (uint32_t)(what * UINT64_C(0x9e3779b97f4a7c15) >> 32) | 1;
}

// The vectors again: ipsec-mb has computed them, so it is the other that is wrong if one is.
static int engine_hand_over(struct srtp_engine *engine, struct srtp_offload *offload)
{
	engine->handover = calloc(1, sizeof(*engine->handover));
	if (!engine_hands_over(engine))
		return -ENOMEM;
	engine->handover->to = offload;
	return srtp_selftest(engine);
}

int srtp_engine_open_with(struct srtp_engine **enginep, enum srtp_arch arch, struct srtp_offload *offload)
{
	struct srtp_engine *engine;
	int err;

	if (enginep == NULL)
		return -EINVAL;
	engine = aligned_alloc(alignof(struct srtp_engine), sizeof(*engine));
	if (engine == NULL)
		return -ENOMEM;
	memset(engine, 0, sizeof(*engine));
	engine->mgr = alloc_mb_mgr(0);
	err = engine->mgr != NULL ? engine_choose(engine, arch) : -ENOMEM;
	if (err < 0)
		goto out;
	engine->stamp = engine_stamp(engine);
	srtp_cm_init(engine);
	srtp_hash_init(engine);
	err = srtp_selftest(engine);
	if (err == 0 && offload != NULL)
		err = engine_hand_over(engine, offload);
	if (err < 0)
		goto out;
	*enginep = engine;
	engine = NULL;
out:
	srtp_engine_close(engine);
	return err;
}

int srtp_engine_open(struct srtp_engine **enginep, enum srtp_arch arch)
{
	return srtp_engine_open_with(enginep, arch, NULL);
}

void srtp_engine_tend(struct srtp_engine *engine)
{
	if (engine_hands_over(engine))
		engine->handover->to->ops->tend(engine->handover->to);
}

void srtp_engine_close(struct srtp_engine *engine)
{
	if (engine == NULL)
		return;
	if (engine->mgr != NULL)
		free_mb_mgr(engine->mgr);
	free(engine->handover);
	explicit_bzero(engine, sizeof(*engine));
	free(engine);
}

const char *srtp_engine_arch(const struct srtp_engine *engine)
{
	return levels[engine->arch].name;
}
