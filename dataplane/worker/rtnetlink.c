// SPDX-License-Identifier: GPL-3.0-or-later
// rtnetlink.c - libmnl: one socket for questions, one for news.
#include "dataplane/worker/rtnetlink.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <net/if.h>

#ifndef NTF_EXT_MANAGED
#define NTF_EXT_MANAGED (1 << 0) // Linux 5.16
#endif

#define BUFFER 16384

struct rtnetlink {
	struct mnl_socket *ask, *news;
	uint32_t sequence;
	bool managed; // the kernel knows NTF_EXT_MANAGED
	alignas(8) char answers[BUFFER];
	alignas(8) char told[BUFFER]; // two: news lead to questions
};

static const int news_groups[] = {
	RTNLGRP_LINK,       RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,
};

static int socket_make(struct mnl_socket **sp, int flags)
{
	*sp = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	if (*sp == NULL || mnl_socket_bind(*sp, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return 0;
}

int rtnetlink_open(struct rtnetlink **rtp)
{
	struct rtnetlink *rt = calloc(1, sizeof(*rt));
	int err;

	if (rt == NULL)
		return -ENOMEM;
	rt->managed = true;
	err = socket_make(&rt->ask, 0);
	if (err == 0)
		err = socket_make(&rt->news, SOCK_NONBLOCK);
	for (size_t i = 0; i < sizeof(news_groups) / sizeof(news_groups[0]) && err == 0; i++) {
		int group = news_groups[i];

		if (mnl_socket_setsockopt(rt->news, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			err = -errno;
	}
	if (err < 0)
		rtnetlink_close(rt);
	else
		*rtp = rt;
	return err;
}

void rtnetlink_close(struct rtnetlink *rt)
{
	if (rt == NULL)
		return;
	if (rt->ask != NULL)
		mnl_socket_close(rt->ask);
	if (rt->news != NULL)
		mnl_socket_close(rt->news);
	free(rt);
}

int rtnetlink_fd(const struct rtnetlink *rt)
{
	return mnl_socket_get_fd(rt->news);
}

// ---- helpers

static uint8_t af_of(const struct inet_addr *a)
{
	return a->family == INET_V4 ? AF_INET : AF_INET6;
}

static size_t size_of(const struct inet_addr *a)
{
	return a->family == INET_V4 ? 4 : 16;
}

static void addr_from(struct inet_addr *a, const struct nlattr *attr)
{
	size_t len = mnl_attr_get_payload_len(attr);

	*a = (struct inet_addr){ .family = INET_NONE };
	if (len != 4 && len != 16)
		return;
	a->family = len == 4 ? INET_V4 : INET_V6;
	memcpy(a->bytes, mnl_attr_get_payload(attr), len);
}

struct attrs {
	const struct nlattr *at[64];
};

static int attr_note(const struct nlattr *attr, void *data)
{
	struct attrs *attrs = data;
	unsigned type = mnl_attr_get_type(attr);

	if (type < sizeof(attrs->at) / sizeof(attrs->at[0]))
		attrs->at[type] = attr;
	return MNL_CB_OK;
}

// Sends one question; each answer goes to `cb`, the error or end is the result.
static int ask(struct rtnetlink *rt, struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	unsigned portid = mnl_socket_get_portid(rt->ask);
	ssize_t n;
	int more = MNL_CB_OK;

	nlh->nlmsg_seq = ++rt->sequence;
	if (mnl_socket_sendto(rt->ask, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(rt->ask, rt->answers, sizeof(rt->answers));
		if (n < 0)
			return -errno;
		more = mnl_cb_run(rt->answers, (size_t)n, rt->sequence, portid, cb, data);
		if (more < 0)
			return -errno;
	}
	return 0;
}

// ---- routes

static int route_answer(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct rt_route *route = data;
	struct attrs attrs = { 0 };

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*rtm), attr_note, &attrs);
	route->local = rtm->rtm_type == RTN_LOCAL;
	if (rtm->rtm_type != RTN_UNICAST && rtm->rtm_type != RTN_LOCAL) {
		errno = ENETUNREACH; // unreachable, prohibit, blackhole, broadcast, multicast
		return MNL_CB_ERROR;
	}
	if (attrs.at[RTA_OIF] != NULL)
		route->ifindex = (int)mnl_attr_get_u32(attrs.at[RTA_OIF]);
	if (attrs.at[RTA_GATEWAY] != NULL)
		addr_from(&route->gateway, attrs.at[RTA_GATEWAY]);
	if (attrs.at[RTA_VIA] != NULL) { // IPv4 over an IPv6 next hop: RFC 5549
		const struct rtvia *via = mnl_attr_get_payload(attrs.at[RTA_VIA]);

		if (via->rtvia_family == AF_INET6 && mnl_attr_get_payload_len(attrs.at[RTA_VIA]) >= sizeof(*via) + 16) {
			route->gateway = (struct inet_addr){ .family = INET_V6 };
			memcpy(route->gateway.bytes, via->rtvia_addr, 16);
		}
	}
	if (attrs.at[RTA_METRICS] != NULL) {
		struct attrs metrics = { 0 };

		mnl_attr_parse_nested(attrs.at[RTA_METRICS], attr_note, &metrics);
		if (metrics.at[RTAX_MTU] != NULL && mnl_attr_get_u32(metrics.at[RTAX_MTU]) <= UINT16_MAX)
			route->mtu = (uint16_t)mnl_attr_get_u32(metrics.at[RTAX_MTU]);
	}
	return MNL_CB_STOP;
}

static int route_ask(struct rtnetlink *rt, const struct inet_addr *to, const struct inet_addr *source, int ifindex,
		     unsigned flags, struct rt_route *route)
{
	alignas(8) char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rtm->rtm_family = af_of(to);
	rtm->rtm_flags = flags;
	rtm->rtm_dst_len = (unsigned char)(size_of(to) * 8);
	mnl_attr_put(nlh, RTA_DST, size_of(to), to->bytes);
	if (source->family == to->family) {
		rtm->rtm_src_len = (unsigned char)(size_of(source) * 8);
		mnl_attr_put(nlh, RTA_SRC, size_of(source), source->bytes);
	}
	if (ifindex != 0)
		mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)ifindex);
	*route = (struct rt_route){ 0 };
	return ask(rt, nlh, route_answer, route);
}

int rtnetlink_route(struct rtnetlink *rt, const struct inet_addr *to, const struct inet_addr *source, int ifindex,
		    struct rt_route *route)
{
	// With an interface named, IPv4 takes every address for one on the link when no route matches. First ask for
	// the route itself, then where it leads.
	if (ifindex != 0 && to->family == INET_V4) {
		int err = route_ask(rt, to, source, ifindex, RTM_F_FIB_MATCH, route);

		if (err < 0)
			return err == -EHOSTUNREACH ? -ENETUNREACH : err;
	}
	return route_ask(rt, to, source, ifindex, 0, route);
}

// ---- neighbours

static bool neighbour_read(const struct nlmsghdr *nlh, struct rt_neighbour *n)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct attrs attrs = { 0 };

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm) ||
	    (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6))
		return false;
	mnl_attr_parse(nlh, sizeof(*ndm), attr_note, &attrs);
	if (attrs.at[NDA_DST] == NULL)
		return false;
	*n = (struct rt_neighbour){ .ifindex = ndm->ndm_ifindex };
	addr_from(&n->addr, attrs.at[NDA_DST]);
	n->failed = nlh->nlmsg_type == RTM_DELNEIGH || (ndm->ndm_state & NUD_FAILED) != 0;
	n->valid = nlh->nlmsg_type == RTM_NEWNEIGH && attrs.at[NDA_LLADDR] != NULL &&
		   mnl_attr_get_payload_len(attrs.at[NDA_LLADDR]) == 6 &&
		   (ndm->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)) !=
			   0;
	n->fixed = (ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0;
	if (n->valid)
		memcpy(n->mac, mnl_attr_get_payload(attrs.at[NDA_LLADDR]), 6);
	return true;
}

static struct nlmsghdr *neighbour_question(char *buf, uint16_t type, uint16_t flags, const struct inet_addr *addr,
					   int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	ndm->ndm_family = af_of(addr);
	ndm->ndm_ifindex = ifindex;
	mnl_attr_put(nlh, NDA_DST, size_of(addr), addr->bytes);
	return nlh;
}

int rtnetlink_neighbour_keep(struct rtnetlink *rt, const struct inet_addr *addr, int ifindex, bool keep)
{
	alignas(8) char buf[256];
	struct nlmsghdr *nlh = neighbour_question(buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, addr,
						  ifindex);
	struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	int err;

	ndm->ndm_flags = keep ? NTF_USE : 0;
	if (!keep && !rt->managed)
		return 0;
	if (keep && rt->managed)
		mnl_attr_put_u32(nlh, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	if (!keep)
		ndm->ndm_state = NUD_STALE;
	err = ask(rt, nlh, NULL, NULL);
	if (err < 0 && keep && rt->managed && err != -ENOENT && err != -ENODEV) {
		rt->managed = false; // an older kernel: NTF_USE alone, and the entry may age
		return rtnetlink_neighbour_keep(rt, addr, ifindex, keep);
	}
	return err;
}

static int neighbour_answer(const struct nlmsghdr *nlh, void *data)
{
	if (nlh->nlmsg_type == RTM_NEWNEIGH)
		neighbour_read(nlh, data);
	return MNL_CB_STOP;
}

int rtnetlink_neighbour_get(struct rtnetlink *rt, const struct inet_addr *addr, int ifindex, struct rt_neighbour *n)
{
	alignas(8) char buf[256];
	struct nlmsghdr *nlh = neighbour_question(buf, RTM_GETNEIGH, 0, addr, ifindex);

	*n = (struct rt_neighbour){ 0 };
	return ask(rt, nlh, neighbour_answer, n);
}

// ---- addresses

struct address_search {
	void (*found)(void *ctx, const struct inet_addr *addr);
	void *ctx;
};

static int address_answer(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct address_search *s = data;
	struct attrs attrs = { 0 };
	const struct nlattr *at;
	struct inet_addr addr;
	uint32_t flags = ifa->ifa_flags;

	if (nlh->nlmsg_type != RTM_NEWADDR)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*ifa), attr_note, &attrs);
	if (attrs.at[IFA_FLAGS] != NULL)
		flags = mnl_attr_get_u32(attrs.at[IFA_FLAGS]);
	at = attrs.at[IFA_LOCAL] != NULL ? attrs.at[IFA_LOCAL]
					 : attrs.at[IFA_ADDRESS]; // the latter is a peer's, if both are there
	if (at == NULL || ((flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0 && (flags & IFA_F_OPTIMISTIC) == 0))
		return MNL_CB_OK;
	addr_from(&addr, at);
	s->found(s->ctx, &addr);
	return MNL_CB_OK;
}

int rtnetlink_addresses(struct rtnetlink *rt, void (*found)(void *ctx, const struct inet_addr *addr), void *ctx)
{
	struct address_search s = { found, ctx };
	alignas(8) char buf[128];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_UNSPEC;
	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	return ask(rt, nlh, address_answer, &s);
}

// ---- links

static int link_answer(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct attrs attrs = { 0 };
	struct rt_link *link = data;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_STOP;
	mnl_attr_parse(nlh, sizeof(*ifi), attr_note, &attrs);
	link->up = (ifi->ifi_flags & IFF_UP) != 0 && (ifi->ifi_flags & IFF_RUNNING) != 0;
	if (attrs.at[IFLA_MTU] != NULL && mnl_attr_get_u32(attrs.at[IFLA_MTU]) <= UINT16_MAX)
		link->mtu = (uint16_t)mnl_attr_get_u32(attrs.at[IFLA_MTU]);
	return MNL_CB_STOP;
}

int rtnetlink_link(struct rtnetlink *rt, int ifindex, struct rt_link *link)
{
	alignas(8) char buf[128];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	*link = (struct rt_link){ 0 };
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = ifindex;
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	return ask(rt, nlh, link_answer, link);
}

struct vlan_search {
	int parent, found;
	uint16_t vlan;
};

static int vlan_answer(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct attrs attrs = { 0 }, info = { 0 }, vlan = { 0 };
	struct vlan_search *s = data;

	mnl_attr_parse(nlh, sizeof(*ifi), attr_note, &attrs);
	if (attrs.at[IFLA_LINK] == NULL || attrs.at[IFLA_LINKINFO] == NULL ||
	    (int)mnl_attr_get_u32(attrs.at[IFLA_LINK]) != s->parent)
		return MNL_CB_OK;
	mnl_attr_parse_nested(attrs.at[IFLA_LINKINFO], attr_note, &info);
	if (info.at[IFLA_INFO_KIND] == NULL || info.at[IFLA_INFO_DATA] == NULL ||
	    strcmp(mnl_attr_get_str(info.at[IFLA_INFO_KIND]), "vlan") != 0)
		return MNL_CB_OK;
	mnl_attr_parse_nested(info.at[IFLA_INFO_DATA], attr_note, &vlan);
	if (vlan.at[IFLA_VLAN_ID] != NULL && mnl_attr_get_u16(vlan.at[IFLA_VLAN_ID]) == s->vlan)
		s->found = ifi->ifi_index;
	return MNL_CB_OK;
}

int rtnetlink_vlan_of(struct rtnetlink *rt, int parent, uint16_t vlan)
{
	struct vlan_search s = { .parent = parent, .vlan = vlan };
	alignas(8) char buf[128];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	int err;

	ifi->ifi_family = AF_UNSPEC;
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	err = ask(rt, nlh, vlan_answer, &s);
	if (err < 0)
		return err;
	return s.found != 0 ? s.found : -ENODEV;
}

// ---- news

struct news_round {
	const struct rt_news *news;
	bool routes;
};

static int news_message(const struct nlmsghdr *nlh, void *data)
{
	struct news_round *round = data;
	struct rt_neighbour n;

	if (nlh->nlmsg_type == RTM_NEWNEIGH || nlh->nlmsg_type == RTM_DELNEIGH) {
		if (neighbour_read(nlh, &n))
			round->news->neighbour(round->news->ctx, &n);
	} else {
		round->routes = true;
	}
	return MNL_CB_OK;
}

void rtnetlink_news(struct rtnetlink *rt, const struct rt_news *news)
{
	struct news_round round = { .news = news };
	ssize_t n;

	while ((n = mnl_socket_recvfrom(rt->news, rt->told, sizeof(rt->told))) > 0)
		mnl_cb_run(rt->told, (size_t)n, 0, 0, news_message, &round);
	if (n < 0 && errno == ENOBUFS)
		news->lost(news->ctx);
	else if (round.routes)
		news->routes(news->ctx);
}
