// SPDX-License-Identifier: GPL-3.0-or-later
// dp_config.h - what the packet path is told at start. Plain values: the supervisor writes it into the media region,
// relay and control read it there. Immutable while the relay lives.
#pragma once
#include "base/inet.h"
#include <stdbool.h>

#define DP_NAME_MAX 32
#define DP_PORTS_MAX 16
#define DP_NETWORKS_MAX 32
#define DP_ADDRESSES_MAX 64
#define DP_WORKERS_MAX 16

// PCI: DPDK owns the whole NIC, a TAP interface of the port's name stands for it in Linux. BIFURCATED: Linux keeps the
// NIC, whose hardware leads media to us by rte_flow.
enum dp_driver {
	DP_DRIVER_AF_XDP = 1,
	DP_DRIVER_AF_PACKET,
	DP_DRIVER_NULL,
	DP_DRIVER_MEMIF,
	DP_DRIVER_PCI,
	DP_DRIVER_BIFURCATED
};
enum dp_xdp_mode { DP_XDP_AUTO = 0, DP_XDP_NATIVE, DP_XDP_GENERIC };
enum dp_zero_copy { DP_ZERO_COPY_AUTO = 0, DP_ZERO_COPY_ON, DP_ZERO_COPY_OFF };
enum dp_tx_checksum { DP_TX_CHECKSUM_AUTO = 0, DP_TX_CHECKSUM_SOFTWARE, DP_TX_CHECKSUM_ZERO };
enum dp_poll { DP_POLL_ADAPTIVE = 0, DP_POLL_BUSY };
enum dp_hugepages { DP_HUGEPAGES_AUTO = 0, DP_HUGEPAGES_ON, DP_HUGEPAGES_OFF };

#define DP_CRYPTO_NAME 64
enum dp_engine { DP_ENGINE_IPSEC_MB = 0, DP_ENGINE_CRYPTODEV };

struct dp_crypto { // what computes SRTP
	enum dp_engine engine;
	char device[DP_CRYPTO_NAME]; // CRYPTODEV: DPDK's name of it, such as crypto_aesni_mb, 0000:3d:01.0_qat_sym
	char devargs[128];           // of one in software
};

struct dp_port_config { // one network interface that carries media
	char name[DP_NAME_MAX];   // interface, or the device's name
	enum dp_driver driver;
	enum dp_xdp_mode xdp_mode;
	enum dp_zero_copy zero_copy; // AF_XDP
	enum dp_tx_checksum tx_checksum;
	uint16_t queues;          // 0: AF_XDP: as many as the interface has; else one a worker
	uint16_t busy_poll;       // AF_XDP: packets a poll of the device by the worker itself; 0: off
	uint16_t busy_poll_us;    // and for how long
	uint16_t mtu;             // 0: the interface's, or 1,500 without one. Not AF_XDP, whose packets lie in a page
	char device[64];          // PCI, BIFURCATED: PCI address, or a virtual device of DPDK's ("net_tap0")
	char devargs[128];        // for drivers that are not AF_XDP
};

struct dp_network { // an interface and VLAN in which media addresses are unique
	uint8_t port;     // index of ports[]
	uint16_t vlan;    // 0: untagged
	char realm[DP_NAME_MAX];
};

struct dp_address { // a media address of ours
	uint8_t network;
	bool floating; // need not be on the host
	struct inet_addr addr;
	uint16_t first_port, last_port; // first even
};

struct dp_config {
	struct dp_port_config ports[DP_PORTS_MAX];
	struct dp_network networks[DP_NETWORKS_MAX];
	struct dp_address addresses[DP_ADDRESSES_MAX];
	uint8_t n_ports, n_networks, n_addresses, n_workers;
	uint16_t worker_cpu[DP_WORKERS_MAX]; // UINT16_MAX: any
	enum dp_poll poll;
	enum dp_hugepages hugepages;
	uint32_t max_transports; // leg transports at once
	uint32_t memory_mb;      // of the relay's DPDK heap; 0: chosen from the rest
	uint16_t replay_window;  // packets, 64..1024
	struct dp_crypto crypto;
};
