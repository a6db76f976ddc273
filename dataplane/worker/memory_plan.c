// SPDX-License-Identifier: GPL-3.0-or-later
// memory_plan.c - how many pools there are, on which NUMA nodes, and whose each is.
#include "dataplane/worker/dp_port.h"
#include "dataplane/worker/memory.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int number_in(const char *path)
{
	FILE *in = fopen(path, "re");
	int n = -1;

	if (in == NULL)
		return -1;
	if (fscanf(in, "%d", &n) != 1)
		n = -1;
	fclose(in);
	return n;
}

static int node_of_port(const struct dp_port_config *pc)
{
	char path[160];

	if (pc->driver == DP_DRIVER_PCI)
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", pc->device);
	else
		snprintf(path, sizeof(path), "/sys/class/net/%s/device/numa_node", pc->name);
	return number_in(path);
}

static int node_of_cpu(unsigned cpu)
{
	char path[80];

	for (int node = 0; node < MEMORY_NODES; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/node%d", cpu, node);
		if (access(path, F_OK) == 0)
			return node;
	}
	return -1;
}

void memory_topology_look(struct memory_topology *t, const struct dp_config *config)
{
	for (unsigned i = 0; i < config->n_ports; i++) {
		t->port_node[i] = node_of_port(&config->ports[i]);
		t->port_queues[i] = dp_port_queues(config, i);
	}
	for (unsigned i = 0; i < config->n_workers; i++)
		t->worker_node[i] = config->worker_cpu[i] == UINT16_MAX ? -1 : node_of_cpu(config->worker_cpu[i]);
}

// Index of the node's pool, a new one if there is none; -E2BIG.
static int pool_on(struct memory_plan *plan, int node)
{
	for (unsigned i = 0; i < plan->n_pools; i++) {
		if (plan->pools[i].node == node)
			return (int)i;
	}
	if (plan->n_pools == MEMORY_NODES)
		return -E2BIG;
	plan->pools[plan->n_pools].node = node;
	return (int)plan->n_pools++;
}

static int node_by_default(const struct dp_config *config, const struct memory_topology *t)
{
	for (unsigned i = 0; i < config->n_ports; i++) {
		if (t->port_node[i] >= 0)
			return t->port_node[i];
	}
	for (unsigned i = 0; i < config->n_workers; i++) {
		if (t->worker_node[i] >= 0)
			return t->worker_node[i];
	}
	return -1;
}

int memory_plan_make(struct memory_plan *plan, const struct dp_config *config, const struct memory_topology *t)
{
	int rest = node_by_default(config, t), pool;

	*plan = (struct memory_plan){ 0 };
	for (unsigned i = 0; i < config->n_ports; i++) {
		pool = pool_on(plan, t->port_node[i] >= 0 ? t->port_node[i] : rest);
		if (pool < 0)
			return pool;
		plan->port[i] = (uint8_t)pool;
		plan->pools[pool].packets += MEMORY_PER_QUEUE * t->port_queues[i];
	}
	for (unsigned i = 0; i < config->n_workers; i++) {
		pool = pool_on(plan, t->worker_node[i] >= 0 ? t->worker_node[i] : rest);
		if (pool < 0)
			return pool;
		plan->worker[i] = (uint8_t)pool;
		plan->pools[pool].packets += MEMORY_PER_WORKER;
	}
	if (plan->n_pools == 1)
		plan->pools[0].node = -1;
	return 0;
}
