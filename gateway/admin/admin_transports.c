// SPDX-License-Identifier: GPL-3.0-or-later
// admin_transports.c - the sockets that SIP listens on, as the kernel has them: found among our own descriptors, since Sofia-SIP
// tells neither how many connections a listener has nor what it has lost.
#include "gateway/admin/admin_priv.h"
#include <dirent.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct listener {
	const struct sip_realm *realm;
	const struct sip_listener *at;
	bool open;
	uint64_t connections, waiting, dropped;
};

struct listeners {
	size_t n;
	struct listener list[];
};

static struct listeners *listeners_of(const struct sip_config *sip)
{
	struct listeners *all;
	size_t n = 0;

	for (size_t r = 0; r < sip->n_realms; r++)
		n += sip->realms[r].n_listeners;
	all = calloc(1, sizeof(*all) + n * sizeof(all->list[0]));
	for (size_t r = 0; all != NULL && r < sip->n_realms; r++) {
		for (size_t i = 0; i < sip->realms[r].n_listeners; i++)
			all->list[all->n++] = (struct listener){ .realm = &sip->realms[r], .at = &sip->realms[r].listeners[i] };
	}
	return all;
}

static int option_of(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : 0;
}

static void take_queue(struct listener *l, int fd)
{
	uint32_t memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(memory);

	l->open = true;
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) < 0)
		return;
	l->waiting += memory[SK_MEMINFO_RMEM_ALLOC];
	l->dropped += memory[SK_MEMINFO_DROPS];
}

// A connection that a peer has opened has our listener's address and port.
static void take_socket(struct listeners *all, int fd)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	struct inet_endpoint at;
	int type;

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0 || (name.ss_family != AF_INET && name.ss_family != AF_INET6))
		return;
	inet_endpoint_from_sockaddr(&at, (struct sockaddr *)&name);
	type = option_of(fd, SO_TYPE);
	for (size_t i = 0; i < all->n; i++) {
		struct listener *l = &all->list[i];

		if (type != (l->at->transport == SIP_UDP ? SOCK_DGRAM : SOCK_STREAM) || !inet_endpoint_equal(&at, &l->at->bind))
			continue;
		if (type == SOCK_DGRAM || option_of(fd, SO_ACCEPTCONN) != 0)
			take_queue(l, fd);
		else
			l->connections++;
	}
}

static void take_sockets(struct listeners *all)
{
	DIR *folder = opendir("/proc/self/fd");

	for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			take_socket(all, (int)strtol(entry->d_name, NULL, 10));
	}
	if (folder != NULL)
		closedir(folder);
}

static json_t *listener_json(const struct listener *l)
{
	char bind[INET_ENDPOINT_STRLEN], advertise[INET_ADDR_STRLEN];
	bool tcp = l->at->transport == SIP_TCP;

	return json_pack("{s:s, s:s, s:s, s:o, s:{s:s, s:o, s:I, s:I}}", "realm", l->realm->name, "transport", tcp ? "tcp" : "udp", "address",
			 inet_endpoint_print(bind, &l->at->bind), "advertise",
			 l->at->advertise.family != INET_NONE ? json_string(inet_addr_print(advertise, &l->at->advertise)) : json_null(),
			 "live", "state", l->open ? "listening" : "closed", "connections",
			 tcp ? json_integer((json_int_t)l->connections) : json_null(), "queued_octets", (json_int_t)l->waiting, "dropped",
			 (json_int_t)l->dropped);
}

void admin_transports(struct admin_request *rq)
{
	struct listeners *all = listeners_of(&rq->admin->start.config->sip);
	json_t *list = json_array();

	if (all == NULL) {
		json_decref(list);
		admin_problem(rq, 503, "no memory");
		return;
	}
	take_sockets(all);
	for (size_t i = 0; i < all->n; i++)
		json_array_append_new(list, listener_json(&all->list[i]));
	free(all);
	admin_answer_json(rq, 200, json_pack("{s:o}", "transports", list));
}
