// SPDX-License-Identifier: GPL-3.0-or-later
// privilege.h - the capabilities that the relay keeps: it alone has the network's.
#pragma once

// To be called before threads start. CAP_NET_ADMIN (neighbours), NET_RAW (AF_XDP, af_packet), BPF (socket map),
// IPC_LOCK (packet memory), and SYS_NICE when workers are pinned. No core file, no new privileges by exec.
int privilege_drop(int pinned);
