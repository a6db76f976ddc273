// SPDX-License-Identifier: GPL-3.0-or-later
// dp_way.c - what the kernel says of the way to an address: a socket that is connected there and sends nothing.
#include "dataplane/client/dp_client_priv.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

uint16_t dp_transport_way_mtu(const struct dp_client *dp, struct dp_ref ref, const struct inet_endpoint *to)
{
	struct inet_endpoint from = { .port = 0 };
	struct sockaddr_storage here, there;
	socklen_t here_len, there_len = inet_endpoint_to_sockaddr(&there, to), len = sizeof(int);
	bool v4 = to->addr.family == INET_V4;
	int fd, mtu = 0;

	if (ref.index >= dp->map.n_transports)
		return 0;
	from.addr = dp->map.transports[ref.index].local.addr; // the route may depend on it
	if (from.addr.family != to->addr.family)
		return 0;
	here_len = inet_endpoint_to_sockaddr(&here, &from);
	fd = socket(there.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	if (bind(fd, (struct sockaddr *)&here, here_len) < 0 || connect(fd, (struct sockaddr *)&there, there_len) < 0 ||
	    getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &len) < 0)
		mtu = 0;
	close(fd);
	return mtu > 0 && mtu <= UINT16_MAX ? (uint16_t)mtu : 0;
}
