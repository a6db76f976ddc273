// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_engines.c - engines with a crypto device of their own each.
#include "tests/support/srtp_engines.h"
#include "dataplane/worker/cryptodev/crypto_device.h"
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>

#define ENGINES 8
#define KEYS 1024 // that a test has in use at once

static struct test_engine {
	struct srtp_engine *engine;
	struct crypto_device *device;
	uint64_t selftest; // jobs at start
} engines[ENGINES];

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "srtp_engines: %s\n", what);
	abort();
}

void test_eal_open(void)
{
	static const char *argv[] = { "test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
				"--log-level=*:error", "-m", "192", "--lcores=0@(0-1)" };
	static bool open;

	if (open)
		return;
	must(rte_eal_init(sizeof(argv) / sizeof(argv[0]), (char **)(uintptr_t)argv) >= 0, "EAL");
	open = true;
}

static struct test_engine *engine_free(void)
{
	for (unsigned i = 0; i < ENGINES; i++) {
		if (engines[i].engine == NULL)
			return &engines[i];
	}
	return NULL;
}

int test_engine_open(struct srtp_engine **enginep, enum srtp_arch arch)
{
	const char *driver = getenv("SALLYPORT_CRYPTO_DEVICE");
	struct test_engine *t = engine_free();
	struct dp_config config = { .n_workers = 1, .max_transports = KEYS, .crypto.engine = DP_ENGINE_CRYPTODEV };
	char why[256] = "";
	int err;

	must(driver != NULL && t != NULL, "SALLYPORT_CRYPTO_DEVICE, or too many engines");
	test_eal_open();
	snprintf(config.crypto.device, sizeof(config.crypto.device), "%s%u", driver, (unsigned)(t - engines));
	must(crypto_device_open(&t->device, &config, why) == 0, why);
	err = srtp_engine_open_with(&t->engine, arch, crypto_device_queue(t->device, 0));
	if (err < 0) {
		crypto_device_close(t->device);
		t->engine = NULL;
		return err;
	}
	t->selftest = crypto_device_counters(t->device, 0)->jobs;
	must(t->selftest > 0, "the device had no part in the self-test");
	*enginep = t->engine;
	return 0;
}

void test_engine_close(struct srtp_engine *engine)
{
	for (unsigned i = 0; i < ENGINES && engine != NULL; i++) {
		struct test_engine *t = &engines[i];
		const struct crypto_counters *c;

		if (t->engine != engine)
			continue;
		c = crypto_device_counters(t->device, 0);
		must(c->failed == 0 && c->stalled == 0 && c->late == 0, "the device had errors");
		must(c->no_session == 0, "the device had no session left");
		printf("%s: %lu jobs by the device\n", crypto_device_driver(t->device), c->jobs - t->selftest);
		srtp_engine_close(engine);
		crypto_device_close(t->device);
		*t = (struct test_engine){ 0 };
	}
}
