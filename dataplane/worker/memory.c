// SPDX-License-Identifier: GPL-3.0-or-later
// memory.c - EAL with as little as can be: no other process, no files, no PCI scan unless a port needs it.
#include "dataplane/worker/memory.h"
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#define CACHE 256
#define ELEMENT 4096 // of the pool, for the estimate: without hugepages none crosses a page

static unsigned free_hugepages(void)
{
	FILE *in = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned n = 0;

	if (in == NULL)
		return 0;
	if (fscanf(in, "%u", &n) != 1)
		n = 0;
	fclose(in);
	return n;
}

static unsigned megabytes(const struct dp_config *config, unsigned n_packets)
{
	unsigned need = (unsigned)(((uint64_t)n_packets * ELEMENT >> 20) + 24);

	return config->memory_mb > need ? config->memory_mb : need;
}

static bool wants_pci(const struct dp_config *config)
{
	for (unsigned i = 0; i < config->n_ports; i++) {
		if (config->ports[i].driver == DP_DRIVER_PCI)
			return true;
	}
	return false;
}

static int eal_start(const struct dp_config *config, unsigned mb, bool huge, char why[256])
{
	char lcores[32], mem[16];
	const char *argv[16];
	int argc = 0, err;

	// One EAL core that may run anywhere: workers are threads of our own, pinned as the configuration says.
	snprintf(lcores, sizeof(lcores), "0@(0-%d)", get_nprocs_conf() - 1);
	snprintf(mem, sizeof(mem), "%u", mb);
	argv[argc++] = "sallyport-relay";
	argv[argc++] = "--lcores";
	argv[argc++] = lcores;
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--log-level=*:error";
	argv[argc++] = "--iova-mode=va"; // no device here needs more, and physical addresses need privileges
	if (!wants_pci(config))
		argv[argc++] = "--no-pci";
	if (huge) {
		argv[argc++] = "--in-memory";
		argv[argc++] = "--single-file-segments";
	} else {
		argv[argc++] = "--no-huge";
		argv[argc++] = "--no-shconf";
		argv[argc++] = "-m";
		argv[argc++] = mem;
	}
	err = rte_eal_init(argc, (char **)(uintptr_t)argv);
	if (err < 0) {
		snprintf(why, 256, "DPDK cannot start (%s, %u MB): %s", huge ? "hugepages" : "no hugepages", mb,
			 strerror(rte_errno));
		return -rte_errno;
	}
	return 0;
}

int memory_open(const struct dp_config *config, unsigned n_packets, struct rte_mempool **poolp, char why[256])
{
	unsigned mb = megabytes(config, n_packets);
	bool room = free_hugepages() >= (mb + 1) / 2 + 8;
	int err;

	if (config->hugepages == DP_HUGEPAGES_ON && !room) {
		snprintf(why, 256, "%u MB of 2 MB hugepages wanted, %u pages free: sysctl vm.nr_hugepages=%u", mb,
			 free_hugepages(), (mb + 1) / 2 + 8);
		return -ENOMEM;
	}
	err = eal_start(config, mb, room && config->hugepages != DP_HUGEPAGES_OFF, why);
	if (err < 0)
		return err;
	*poolp = rte_pktmbuf_pool_create("packets", n_packets, CACHE, 0, MEMORY_FRAME, SOCKET_ID_ANY);
	if (*poolp == NULL) {
		snprintf(why, 256, "no memory for %u packets (%u MB): %s", n_packets, mb, strerror(rte_errno));
		rte_eal_cleanup();
		return -ENOMEM;
	}
	return 0;
}

void memory_close(struct rte_mempool *pool)
{
	if (pool == NULL)
		return;
	rte_mempool_free(pool);
	rte_eal_cleanup();
}
