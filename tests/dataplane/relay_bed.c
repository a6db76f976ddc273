// SPDX-License-Identifier: GPL-3.0-or-later
// relay_bed.c - plays supervisor, control and the peers' hosts.
#include "tests/dataplane/relay_bed.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

const char *bed_relay_path = "sallyport-relay";

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "test bed: %s: %s\n", what, strerror(errno));
	exit(99);
}

void bed_run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	must(system(command) == 0, command);
}

static void enter(const struct bed *bed, enum bed_ns ns)
{
	must(setns(bed->ns[ns], CLONE_NEWNET) == 0, "setns");
}

// ---- networks

static struct bed *current; // for the end by a failed assertion

static void networks_remove(void)
{
	char command[128];

	if (current == NULL)
		return;
	if (current->relay > 0)
		kill(current->relay, SIGKILL);
	for (unsigned i = 0; i < BED_NS; i++) {
		snprintf(command, sizeof(command), "ip netns del %s 2>/dev/null", current->ns_name[i]);
		if (system(command) != 0)
			continue;
	}
	current = NULL;
}

static void namespaces_make(struct bed *bed)
{
	static const char letter[BED_NS] = { 'a', 'b', 'g' };
	char path[64];

	for (unsigned i = 0; i < BED_NS; i++) {
		snprintf(bed->ns_name[i], sizeof(bed->ns_name[i]), "dataplane-%d%c", getpid(), letter[i]);
		bed_run("ip netns add %s && ip -n %s link set lo up", bed->ns_name[i], bed->ns_name[i]);
		snprintf(path, sizeof(path), "/run/netns/%s", bed->ns_name[i]);
		bed->ns[i] = open(path, O_RDONLY | O_CLOEXEC);
		must(bed->ns[i] >= 0, path);
	}
}

void bed_networks(struct bed *bed)
{
	static const char *const gw_name[] = { "acc", "cor" };
	const char *gw;

	current = bed;
	atexit(networks_remove);
	namespaces_make(bed);
	gw = bed->ns_name[BED_GW];
	for (unsigned i = 0; i < 2; i++) {
		const char *peer = bed->ns_name[i];

		bed_run("ip -n %s link add %s type veth peer name eth0 netns %s", gw, gw_name[i], peer);
		bed_run("ip -n %s addr add 10.77.%u.1/24 dev %s", gw, i + 1, gw_name[i]);
		bed_run("ip -n %s addr add fd77:%u::1/64 dev %s nodad", gw, i + 1, gw_name[i]);
		bed_run("ip -n %s addr add 10.77.%u.2/24 dev eth0", peer, i + 1);
		bed_run("ip -n %s addr add fd77:%u::2/64 dev eth0 nodad", peer, i + 1);
		bed_run("ip -n %s link set %s up && ip -n %s link set eth0 up", gw, gw_name[i], peer);
	}
	enter(bed, BED_GW);
}

void bed_config(struct dp_config *c)
{
	static const char *const names[] = { "acc", "cor" };
	const char *device = getenv("SALLYPORT_CRYPTO_DEVICE");

	*c = (struct dp_config){
		.n_ports = 2, .n_networks = 2, .n_workers = 1, .max_transports = 256, .replay_window = 128
	};
	for (unsigned i = 0; i < 2; i++) {
		snprintf(c->ports[i].name, sizeof(c->ports[i].name), "%s", names[i]);
		c->ports[i].driver = DP_DRIVER_AF_XDP;
		c->networks[i].port = (uint8_t)i;
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct dp_address *a = &c->addresses[c->n_addresses++];
			char text[32];

			snprintf(text, sizeof(text), v6 ? "fd77:%u::1" : "10.77.%u.1", i + 1);
			*a = (struct dp_address){ .network = (uint8_t)i, .first_port = 16384, .last_port = 17383 };
			must(inet_addr_parse(&a->addr, text) == 0, text);
		}
	}
	for (unsigned i = 0; i < DP_WORKERS_MAX; i++)
		c->worker_cpu[i] = UINT16_MAX;
	if (device != NULL) {
		c->crypto.engine = DP_ENGINE_CRYPTODEV;
		snprintf(c->crypto.device, sizeof(c->crypto.device), "%s", device);
	}
}

// ---- processes

static void env_number(const char *name, int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", fd);
	setenv(name, text, 1);
	must(fcntl(fd, F_SETFD, 0) == 0, name);
}

static void relay_exec(const struct bed *bed, int supervisor)
{
	char name[32];

	if (bed->log[0] != '\0') {
		int fd = open(bed->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		must(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0, bed->log);
	}
	env_number("SALLYPORT_MEDIA_REGION", bed->region.fd);
	env_number("SALLYPORT_RELAY_EVENT", bed->relay_event);
	env_number("SALLYPORT_CONTROL_EVENT", bed->control_event);
	env_number("SALLYPORT_SUPERVISOR", supervisor);
	for (unsigned i = 0; i < bed->config.n_ports; i++) {
		int fd = bed->steering != NULL ? steering_map_fd(bed->steering, i) : -1;

		snprintf(name, sizeof(name), "SALLYPORT_XSKMAP_%u", i);
		if (fd >= 0)
			env_number(name, fd);
	}
	execlp(bed_relay_path, "sallyport-relay", (char *)NULL);
	must(false, bed_relay_path);
}

bool bed_relay_try(struct bed *bed)
{
	char line[16] = "";
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	bed->relay = fork();
	must(bed->relay >= 0, "fork");
	if (bed->relay == 0)
		relay_exec(bed, ends[1]);
	close(ends[1]);
	bed->supervisor = ends[0];
	must(poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, 20000) == 1, "relay says nothing");
	if (read(ends[0], line, sizeof(line) - 1) > 0 && strcmp(line, "ready\n") == 0)
		return true;
	bed_relay_kill(bed, SIGKILL);
	return false;
}

void bed_relay_start(struct bed *bed)
{
	must(bed_relay_try(bed), "relay did not start");
}

void bed_relay_kill(struct bed *bed, int signal)
{
	int status;

	kill(bed->relay, signal);
	must(waitpid(bed->relay, &status, 0) == bed->relay, "waitpid");
	if (signal == SIGTERM && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
		fprintf(stderr, "relay ended with status %x\n", status);
		exit(99);
	}
	close(bed->supervisor);
	bed->relay = 0;
}

static void on_event(void *ctx, const struct dp_event *event)
{
	struct bed *bed = ctx;

	if (bed->n_events < BED_EVENTS)
		bed->events[bed->n_events++] = *event;
}

static void on_punt(void *ctx, const struct dp_punt *punt)
{
	struct bed *bed = ctx;
	struct bed_punt *p = &bed->punts[bed->n_punts];

	if (bed->n_punts == BED_PUNTS || punt->len > sizeof(p->bytes))
		return;
	p->punt = *punt;
	memcpy(p->bytes, punt->payload, punt->len);
	p->punt.payload = p->bytes;
	bed->n_punts++;
}

void bed_start(struct bed *bed)
{
	const struct dp_callbacks callbacks = { .punt = on_punt, .event = on_event, .ctx = bed };
	bool xdp = false;
	char why[256];

	errno = -region_create(&bed->region, "media", dp_region_size(&bed->config), bed->huge);
	must(errno == 0, "region");
	errno = -dp_region_format(bed->region.base, bed->region.size, &bed->config);
	must(errno == 0, "format");
	bed->relay_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	bed->control_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (unsigned i = 0; i < bed->config.n_ports; i++)
		xdp |= bed->config.ports[i].driver == DP_DRIVER_AF_XDP;
	if (xdp) {
		errno = -steering_open(&bed->steering, &bed->config, why);
		must(errno == 0, why);
	}
	bed_relay_start(bed);
	errno = -dp_client_open(&bed->dp, dup(bed->region.fd), bed->relay_event, bed->control_event, &callbacks);
	must(errno == 0, "client");
	errno = -dp_map_open(&bed->map, dup(bed->region.fd));
	must(errno == 0, "map");
	for (unsigned w = 0; w < bed->config.n_workers; w++)
		must(byte_ring_attach(&bed->commands[w], bed->map.commands[w], DP_COMMAND_RING, BYTE_RING_PRODUCER) ==
			     0,
		     "ring");
}

static bool words_in(const char *line, const char *word, va_list rest)
{
	for (; word != NULL; word = va_arg(rest, const char *)) {
		if (strstr(line, word) == NULL)
			return false;
	}
	return true;
}

const char *bed_log_line(struct bed *bed, unsigned ms, const char *word, ...)
{
	static char found[2048];
	mono_ns end = clock_now() + MONO_MS(ms);

	found[0] = '\0';
	do {
		FILE *in = fopen(bed->log, "re");
		char line[2048];

		while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
			va_list rest;

			va_start(rest, word);
			if (words_in(line, word, rest))
				memcpy(found, line, sizeof(found));
			va_end(rest);
		}
		if (in != NULL)
			fclose(in);
		if (found[0] == '\0')
			bed_pump(bed, 5);
	} while (found[0] == '\0' && clock_now() < end);
	return found;
}

void bed_stop(struct bed *bed)
{
	if (bed->relay > 0)
		bed_relay_kill(bed, SIGTERM);
	if (bed->log[0] != '\0')
		unlink(bed->log);
	dp_client_close(bed->dp);
	dp_map_close(&bed->map);
	steering_close(bed->steering);
	region_unmap(&bed->region);
	networks_remove();
}

// ---- control

static bool told_all(const struct bed *bed)
{
	for (unsigned w = 0; w < bed->config.n_workers; w++) {
		if (byte_ring_used(&bed->commands[w]) > 0)
			return false;
	}
	return true;
}

void bed_pump(struct bed *bed, unsigned ms)
{
	mono_ns end = clock_now() + MONO_MS(ms), latest = end + MONO_S(5), now;

	while ((now = clock_now()) < end || (bed->relay > 0 && now < latest && !told_all(bed))) {
		struct pollfd fd = { .fd = dp_client_fd(bed->dp), .events = POLLIN };

		if (poll(&fd, 1, now < end ? (int)((end - now) / 1000000) + 1 : 1) > 0)
			dp_client_dispatch(bed->dp);
	}
}

bool bed_event(struct bed *bed, enum dp_event_kind kind, unsigned ms, struct dp_event *event)
{
	mono_ns end = clock_now() + MONO_MS(ms);

	do {
		for (unsigned i = 0; i < bed->n_events; i++) {
			if (bed->events[i].kind != kind)
				continue;
			if (event != NULL)
				*event = bed->events[i];
			memmove(&bed->events[i], &bed->events[i + 1], (--bed->n_events - i) * sizeof(bed->events[0]));
			return true;
		}
		bed_pump(bed, 1);
	} while (clock_now() < end);
	return false;
}

const struct bed_punt *bed_punt(struct bed *bed, unsigned ms)
{
	mono_ns end = clock_now() + MONO_MS(ms);

	bed->n_punts = 0;
	while (bed->n_punts == 0 && clock_now() < end)
		bed_pump(bed, 1);
	return bed->n_punts > 0 ? &bed->punts[0] : NULL;
}

struct dp_ref bed_transport(struct bed *bed, unsigned network, const char *local, uint16_t port, enum dp_mode mode,
			    enum dp_security security, const struct inet_endpoint *remote)
{
	struct dp_transport_conf conf = {
		.network = (uint16_t)network, .local = bed_endpoint(local, port), .mode = mode, .session = 7
	};
	struct dp_ref ref;

	must(dp_transport_alloc(bed->dp, &ref) == 0, "alloc");
	dp_transport_publish(bed->dp, ref, &conf);
	if (security != 0)
		dp_transport_secure(bed->dp, ref, security);
	if (remote != NULL)
		dp_transport_path(bed->dp, ref, &(struct dp_path){ .remote = *remote, .dscp = 46 });
	return ref;
}

void bed_join(struct bed *bed, struct dp_ref a, struct dp_ref b)
{
	dp_transport_edges(bed->dp, a, &(struct dp_edge){ .to = b, .open = true }, 1);
	dp_transport_edges(bed->dp, b, &(struct dp_edge){ .to = a, .open = true }, 1);
	bed_pump(bed, 20);
}

uint64_t bed_drops(struct bed *bed, struct dp_ref ref, enum relay_drop drop)
{
	struct dp_stats stats;

	return dp_transport_stats(bed->dp, ref, &stats) < 0 ? UINT64_MAX : stats.drops[drop];
}

// ---- peers

struct inet_endpoint bed_endpoint(const char *address, uint16_t port)
{
	struct inet_endpoint ep = { .port = port };

	must(inet_addr_parse(&ep.addr, address) == 0, address);
	return ep;
}

int bed_socket(struct bed *bed, enum bed_ns ns, const char *address, uint16_t port)
{
	struct inet_endpoint ep = bed_endpoint(address, port);
	struct sockaddr_storage ss;
	socklen_t len = inet_endpoint_to_sockaddr(&ss, &ep);
	int fd;

	enter(bed, ns);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&ss, len) == 0, "peer's socket");
	enter(bed, BED_GW);
	return fd;
}

void bed_send(int fd, const struct inet_endpoint *to, const void *bytes, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = inet_endpoint_to_sockaddr(&ss, to);

	must(sendto(fd, bytes, len, 0, (struct sockaddr *)&ss, ss_len) == (ssize_t)len, "sendto");
}

ssize_t bed_receive(int fd, void *bytes, size_t size, unsigned ms, struct inet_endpoint *from)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	ssize_t n;

	if (poll(&pfd, 1, (int)ms) <= 0)
		return -EAGAIN;
	n = recvfrom(fd, bytes, size, 0, (struct sockaddr *)&ss, &len);
	if (n < 0)
		return -errno;
	if (from != NULL)
		inet_endpoint_from_sockaddr(from, (struct sockaddr *)&ss);
	return n;
}

size_t bed_rtp(uint8_t *dst, uint32_t ssrc, uint16_t seq, size_t payload)
{
	uint32_t stamp = htonl(seq * 160u), id = htonl(ssrc);

	dst[0] = 0x80;
	dst[1] = 0;
	dst[2] = (uint8_t)(seq >> 8);
	dst[3] = (uint8_t)seq;
	memcpy(dst + 4, &stamp, 4);
	memcpy(dst + 8, &id, 4);
	for (size_t i = 0; i < payload; i++)
		dst[12 + i] = (uint8_t)(seq + i);
	return 12 + payload;
}
