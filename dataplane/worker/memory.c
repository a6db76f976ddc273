// SPDX-License-Identifier: GPL-3.0-or-later
// memory.c - EAL with as little as can be: no other process, no files, no PCI scan unless a port needs it.
#include "dataplane/worker/memory.h"
#include "dataplane/worker/cryptodev/crypto_device.h"
#include "dataplane/worker/dp_port.h"
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

// The longest frame of all ports fits: a packet may leave by another than it came in by.
static uint16_t frame_room(const struct dp_config *config)
{
	uint16_t room = MEMORY_FRAME;

	for (unsigned i = 0; i < config->n_ports; i++) {
		if (config->ports[i].mtu + MEMORY_AROUND > room)
			room = (uint16_t)(config->ports[i].mtu + MEMORY_AROUND);
	}
	return room;
}

static unsigned megabytes(const struct dp_config *config, unsigned n_packets)
{
	unsigned element = ELEMENT + frame_room(config) - MEMORY_FRAME;
	unsigned need = (unsigned)(((uint64_t)n_packets * element >> 20) + 24);

	if (config->crypto.engine == DP_ENGINE_CRYPTODEV)
		need += crypto_device_megabytes(config);
	return config->memory_mb > need ? config->memory_mb : need;
}

// Devices of PCI that EAL may touch, each as one argument; all others stay as they are.
static unsigned pci_devices(const struct dp_config *config, char list[DP_PORTS_MAX + 1][192])
{
	unsigned n = 0;

	for (unsigned i = 0; i < config->n_ports; i++) {
		const struct dp_port_config *pc = &config->ports[i];
		char device[64];

		if (ethdev_device(pc, device))
			snprintf(list[n++], sizeof(list[0]), "%s%s%s", device, pc->devargs[0] != '\0' ? "," : "",
				 pc->devargs);
	}
	if (config->crypto.engine == DP_ENGINE_CRYPTODEV && crypto_device_address(&config->crypto, list[n]))
		n++;
	return n;
}

static int eal_start(const struct dp_config *config, unsigned mb, bool huge, char why[256])
{
	char lcores[32], mem[16], devices[DP_PORTS_MAX + 1][192];
	const char *argv[18 + 2 * DP_PORTS_MAX];
	unsigned n_devices = pci_devices(config, devices);
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
	if (n_devices == 0)
		argv[argc++] = "--no-pci";
	for (unsigned i = 0; i < n_devices; i++) {
		argv[argc++] = "-a";
		argv[argc++] = devices[i];
	}
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

static void pool_name(char name[32], unsigned index)
{
	snprintf(name, 32, "packets%u", index);
}

static int pools_make(const struct dp_config *config, const struct memory_plan *plan, struct rte_mempool *pools[MEMORY_NODES], char why[256])
{
	char name[32];

	for (unsigned i = 0; i < plan->n_pools; i++) {
		int node = plan->pools[i].node;

		pool_name(name, i);
		pools[i] = rte_pktmbuf_pool_create(name, plan->pools[i].packets, CACHE, 0, frame_room(config),
						   node < 0 ? SOCKET_ID_ANY : node);
		if (pools[i] == NULL) {
			snprintf(why, 256, "no memory for %u packets (%u MB) on NUMA node %d: %s",
				 plan->pools[i].packets, megabytes(config, plan->pools[i].packets),
				 node < 0 ? 0 : node, strerror(rte_errno));
			return -ENOMEM;
		}
	}
	return 0;
}

int memory_pools_open(const struct dp_config *config, const struct memory_plan *plan,
		      struct rte_mempool *pools[MEMORY_NODES], char why[256])
{
	unsigned n_packets = 0, mb;
	bool room;
	int err;

	for (unsigned i = 0; i < plan->n_pools; i++)
		n_packets += plan->pools[i].packets;
	mb = megabytes(config, n_packets);
	room = free_hugepages() >= (mb + 1) / 2 + 8;
	if (config->hugepages == DP_HUGEPAGES_ON && !room) {
		snprintf(why, 256, "%u MB of 2 MB hugepages wanted, %u pages free: sysctl vm.nr_hugepages=%u", mb,
			 free_hugepages(), (mb + 1) / 2 + 8);
		return -ENOMEM;
	}
	err = eal_start(config, mb, room && config->hugepages != DP_HUGEPAGES_OFF, why);
	if (err < 0)
		return err;
	err = pools_make(config, plan, pools, why);
	if (err < 0) {
		for (unsigned i = 0; i < plan->n_pools; i++)
			rte_mempool_free(pools[i]);
		rte_eal_cleanup();
	}
	return err;
}

void memory_pools_close(struct rte_mempool *pools[MEMORY_NODES])
{
	if (pools[0] == NULL)
		return;
	for (unsigned i = 0; i < MEMORY_NODES; i++)
		rte_mempool_free(pools[i]);
	rte_eal_cleanup();
}

int memory_open(const struct dp_config *config, unsigned n_packets, struct rte_mempool **poolp, char why[256])
{
	const struct memory_plan plan = { .n_pools = 1, .pools = { { .node = -1, .packets = n_packets } } };
	struct rte_mempool *pools[MEMORY_NODES] = { NULL };
	int err = memory_pools_open(config, &plan, pools, why);

	*poolp = pools[0];
	return err;
}

void memory_close(struct rte_mempool *pool)
{
	struct rte_mempool *pools[MEMORY_NODES] = { pool };

	memory_pools_close(pools);
}

#define LINE_PAIR 128u
#define HUGE_PAGE (2u << 20)

void *memory_table(size_t size)
{
	size_t align = size < HUGE_PAGE / 2 ? LINE_PAIR : HUGE_PAGE;
	void *table;

	size = (size + align - 1) / align * align;
	table = aligned_alloc(align, size);
	if (table == NULL)
		return NULL;
	if (align == HUGE_PAGE)
		(void)madvise(table, size, MADV_HUGEPAGE);
	memset(table, 0, size);
	return table;
}

void memory_table_free(void *table)
{
	free(table);
}
