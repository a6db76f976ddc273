// SPDX-License-Identifier: GPL-3.0-or-later
// relay_main.c - sallyport-relay: the process that owns the ports. Started by the supervisor, which hands over
// descriptors by number in the environment; ends on SIGTERM or when the supervisor is gone. All that it must remember
// is in the media region, so a new one goes on where this one ended.
#include "base/clock.h"
#include "base/log.h"
#include "dataplane/worker/cryptodev/crypto_device.h"
#include "dataplane/worker/exception.h"
#include "dataplane/worker/memory.h"
#include "dataplane/worker/privilege.h"
#include "dataplane/worker/relay.h"
#include "dataplane/worker/relay_size.h"
#include "dataplane/worker/relay_report.h"
#include "dataplane/worker/relay_syscalls.h"
#include "dataplane/worker/relay_version.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <rte_version.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAG "relay"
#define SAMPLE_MS 1000

struct relay_process {
	struct relay relay;
	int region, event, supervisor, signals;
	bool mapped;
	unsigned n_started;
	mono_ns sample_next; // when to look at the ports again
	struct relay_report report;
	mono_ns last_alive; // of the relay before us; 0: we are the first
};

// ---- what the supervisor handed over

static int env_fd(const char *name, bool needed)
{
	const char *text = getenv(name);
	char *end;
	long fd;

	if (text == NULL) {
		if (needed)
			log_error(TAG, "descriptor missing", LOG_STR("variable", name));
		return -1;
	}
	fd = strtol(text, &end, 10);
	if (*end != '\0' || fd < 0 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0) {
		log_error(TAG, "not a descriptor", LOG_STR("variable", name), LOG_STR("value", text));
		return -1;
	}
	return (int)fd;
}

static void log_of_environment(void)
{
	const char *level = getenv("SALLYPORT_LOG_LEVEL"), *format = getenv("SALLYPORT_LOG_FORMAT");
	static const char *const words[] = { "debug", "info", "warning", "error" };
	enum log_level at = LOG_LEVEL_INFO;

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (level != NULL && strcmp(level, words[i]) == 0)
			at = (enum log_level)i;
	}
	log_setup(at, format != NULL && strcmp(format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, "relay");
}

static int signals_open(struct relay_process *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1); // of the threads, too: a worker's naps are no longer than it says
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals < 0 ? -errno : 0;
}

static int handed_over(struct relay_process *p)
{
	p->region = env_fd("SALLYPORT_MEDIA_REGION", true);
	p->event = env_fd("SALLYPORT_RELAY_EVENT", true);
	p->relay.control_event = env_fd("SALLYPORT_CONTROL_EVENT", true);
	p->supervisor = env_fd("SALLYPORT_SUPERVISOR", false);
	return p->region < 0 || p->event < 0 || p->relay.control_event < 0 ? -EINVAL : 0;
}

// ---- parts, in the order of their start

static int part_region(struct relay_process *p)
{
	int err = dp_map_open(&p->relay.map, p->region);

	if (err == -EPROTONOSUPPORT)
		log_error(TAG, "the media region is of another build: sallyport and sallyport-relay must be of one",
			  LOG_UINT("layout", dp_region_layout()));
	if (err < 0)
		return err;
	p->mapped = true;
	p->last_alive = atomic_load(&p->relay.map.header->relay_alive);
	atomic_fetch_add(&p->relay.map.header->relay_boot, 1);
	return 0;
}

static int part_privilege(struct relay_process *p)
{
	const struct dp_config *c = &p->relay.map.config;
	int pinned = 0;

	for (unsigned i = 0; i < c->n_workers; i++)
		pinned |= c->worker_cpu[i] != UINT16_MAX;
	return privilege_drop(pinned);
}

static int part_memory(struct relay_process *p)
{
	const struct dp_config *c = &p->relay.map.config;
	struct memory_topology topology;
	char why[256] = "too many NUMA nodes";
	int err;

	memory_topology_look(&topology, c);
	err = memory_plan_make(&p->relay.plan, c, &topology);
	if (err == 0)
		err = memory_pools_open(c, &p->relay.plan, p->relay.pools, why);
	if (err < 0)
		log_error(TAG, "packet memory", LOG_STR("why", why));
	p->relay.pool = p->relay.pools[0];
	return err;
}

// Suites that the device has, or those that it leaves to ipsec-mb; false: none.
static bool suites_list(const struct crypto_device *device, bool has, char list[256])
{
	size_t len = 0;

	list[0] = '\0';
	for (enum srtp_suite s = SRTP_SUITE_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		if (crypto_device_does(device, s) == has)
			len += (size_t)snprintf(list + len, 256 - len, "%s%s", len > 0 ? "," : "", srtp_suite_name(s));
	}
	return len > 0;
}

static int part_crypto(struct relay_process *p)
{
	const struct dp_config *c = &p->relay.map.config;
	char why[256] = "", device[256], cpu[256];
	int err;

	if (c->crypto.engine == DP_ENGINE_IPSEC_MB) {
		log_info(TAG, "crypto engine", LOG_STR("engine", "ipsec-mb"),
			 LOG_STR("why", "dataplane.crypto.engine, which is the usual one"));
		return 0;
	}
	err = crypto_device_open(&p->relay.crypto, c, why);
	if (err < 0) {
		log_error(TAG, "crypto device", LOG_STR("why", why));
		return err;
	}
	suites_list(p->relay.crypto, true, device);
	log_info(TAG, "crypto engine", LOG_STR("engine", "cryptodev"), LOG_STR("why", "dataplane.crypto.engine"),
		 LOG_STR("device", c->crypto.device), LOG_STR("driver", crypto_device_driver(p->relay.crypto)),
		 LOG_STR("suites", device));
	if (suites_list(p->relay.crypto, false, cpu))
		log_warning(TAG, "crypto device has not all suites", LOG_STR("device", c->crypto.device),
			    LOG_STR("left_to_ipsec_mb", cpu));
	return 0;
}

static void setting_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		log_warning(TAG, "kernel setting", LOG_STR("path", path), LOG_STR("value", value), LOG_ERRNO(-errno));
	if (fd >= 0)
		close(fd);
}

// What we send into lo comes in as from outside with a source address of this very host: Linux must take it.
static void loopback_settings(void)
{
	setting_write("/proc/sys/net/ipv4/conf/lo/accept_local", "1");
	setting_write("/proc/sys/net/ipv4/conf/lo/route_localnet", "1");
}

static void ports_close(struct relay_process *p)
{
	for (unsigned i = 0; i < DP_PORTS_MAX; i++) {
		dp_port_close(p->relay.ports[i]);
		p->relay.ports[i] = NULL;
	}
}

static int port_open(struct relay_process *p, unsigned i, char why[256])
{
	const struct dp_config *c = &p->relay.map.config;
	char name[32];
	int map = -1, err;

	snprintf(name, sizeof(name), "SALLYPORT_XSKMAP_%u", i);
	if (c->ports[i].driver == DP_DRIVER_AF_XDP) {
		map = env_fd(name, true);
		if (map < 0)
			return -EINVAL;
	}
	err = dp_port_open(&p->relay.ports[i], c, i, map, p->relay.pools[p->relay.plan.port[i]], why);
	if (err < 0)
		return err;
	if (p->relay.ports[i]->loopback)
		loopback_settings();
	dp_port_say(p->relay.ports[i]);
	return 0;
}

static int part_ports(struct relay_process *p)
{
	char why[256] = "";
	int err = 0;

	for (unsigned i = 0; i < p->relay.map.config.n_ports && err == 0; i++)
		err = port_open(p, i, why);
	if (err < 0)
		log_error(TAG, "port cannot be opened", LOG_STR("why", why));
	return err;
}

static int part_table(struct relay_process *p)
{
	return relay_table_open(&p->relay.table, &p->relay.map.config);
}

static int part_nexthops(struct relay_process *p)
{
	return nexthops_open(&p->relay.hops, &p->relay.map, p->relay.table, p->relay.ports, p->relay.control_event);
}

static int part_workers(struct relay_process *p)
{
	int err = relay_outboxes_open(&p->relay);

	for (unsigned i = 0; i < p->relay.map.config.n_workers && err == 0; i++)
		err = relay_worker_open(&p->relay.workers[i], &p->relay, i);
	if (err == -EILSEQ)
		log_error(TAG, "crypto engine", LOG_STR("why", "what it computes of known packets is not SRTP"));
	return err;
}

static int part_syscalls(struct relay_process *p)
{
	return relay_syscalls_confine();
}

static int part_threads(struct relay_process *p)
{
	struct dp_event back = { .kind = DP_EVENT_RELAY_BACK };
	int err = nexthops_start(p->relay.hops);

	if (err == 0)
		err = exceptions_start(&p->relay.exceptions, &p->relay);
	if (err < 0)
		return err;
	if (p->last_alive != 0) {
		mono_ns now = clock_now();

		back.gap = now > p->last_alive ? now - p->last_alive : 0;
		relay_event(p->relay.workers[0], &back); // its thread is not there yet
		// Who died may have told control something and not have woken it: nobody else would, for the ring says that it is awake.
		p->relay.workers[0]->control_wants_wake = true;
		relay_wakes(p->relay.workers[0]);
	}
	for (unsigned i = 0; i < p->relay.map.config.n_workers && err == 0; i++) {
		err = relay_worker_start(p->relay.workers[i]);
		p->n_started += err == 0;
	}
	return err;
}

static const struct {
	const char *name;
	int (*start)(struct relay_process *p);
} parts[] = {
	{ "region", part_region },     { "privileges", part_privilege }, { "memory", part_memory },
	{ "crypto", part_crypto },     { "ports", part_ports },          { "table", part_table },
	{ "next hops", part_nexthops }, { "workers", part_workers },     { "system calls", part_syscalls },
	{ "threads", part_threads },
};

static int parts_start(struct relay_process *p)
{
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int err = parts[i].start(p);

		if (err < 0) {
			log_error(TAG, "cannot start", LOG_STR("part", parts[i].name), LOG_ERRNO(err));
			return err;
		}
	}
	return 0;
}

static void crypto_say(const struct relay_process *p)
{
	struct crypto_counters sum = { 0 };

	for (unsigned i = 0; p->relay.crypto != NULL && i < p->n_started; i++) {
		const struct crypto_counters *c = crypto_device_counters(p->relay.crypto, i);

		sum.jobs += c->jobs;
		sum.failed += c->failed;
		sum.stalled += c->stalled;
		sum.late += c->late;
		sum.no_session += c->no_session;
	}
	if (p->relay.crypto != NULL)
		log_info(TAG, "crypto device stopped", LOG_STR("device", p->relay.map.config.crypto.device),
			 LOG_UINT("jobs", sum.jobs), LOG_UINT("failed", sum.failed), LOG_UINT("stalled", sum.stalled),
			 LOG_UINT("late", sum.late), LOG_UINT("no_session", sum.no_session));
}

static void parts_stop(struct relay_process *p)
{
	atomic_store(&p->relay.stop, true);
	for (unsigned i = 0; i < p->n_started; i++)
		relay_worker_join(p->relay.workers[i]);
	crypto_say(p);
	if (p->n_started > 0)
		relay_report_end(&p->relay.map);
	exceptions_stop(p->relay.exceptions);
	nexthops_close(p->relay.hops);
	relay_outboxes_close(&p->relay);
	for (unsigned i = 0; i < DP_WORKERS_MAX; i++)
		relay_worker_close(p->relay.workers[i]);
	ports_close(p);
	crypto_device_close(p->relay.crypto);
	relay_table_close(p->relay.table);
	memory_pools_close(p->relay.pools);
	if (p->mapped)
		dp_map_close(&p->relay.map);
}

// ---- the main thread: wakes for the workers, and the end

static bool has_ended(int fd)
{
	char text[16];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n == 7 && memcmp(text, "level ", 6) == 0 && text[6] >= '0' + LOG_LEVEL_DEBUG && text[6] <= '0' + LOG_LEVEL_ERROR)
		log_set_level((enum log_level)(text[6] - '0')); // all that it ever says
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

// At most so often, however often we are woken.
static void ports_sample(struct relay_process *p)
{
	mono_ns now = clock_now();

	if (now < p->sample_next)
		return;
	p->sample_next = now + MONO_MS(SAMPLE_MS);
	for (unsigned i = 0; i < p->relay.map.config.n_ports; i++)
		dp_port_sample(p->relay.ports[i], &p->relay.map.ports[i]);
	relay_report_look(&p->report, &p->relay.map, now);
}

static void serve(struct relay_process *p)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = p->event, .events = POLLIN },
			{ .fd = p->signals, .events = POLLIN },
			{ .fd = p->supervisor, .events = POLLIN },
		};
		uint64_t ticks;

		if (poll(fds, 3, SAMPLE_MS) < 0)
			continue;
		ports_sample(p);
		if (fds[0].revents != 0 && read(p->event, &ticks, sizeof(ticks)) > 0) {
			for (unsigned i = 0; i < p->n_started; i++)
				relay_worker_wake(p->relay.workers[i]);
		}
		if (fds[1].revents != 0 || (fds[2].revents != 0 && has_ended(p->supervisor)))
			return;
	}
}

static void say_ready(const struct relay_process *p)
{
	static const char ready[] = "ready\n";

	log_info(TAG, "relay ready", LOG_UINT("workers", p->n_started), LOG_UINT("ports", p->relay.map.config.n_ports),
		 LOG_STR("crypto", srtp_engine_arch(p->relay.workers[0]->engine)), LOG_STR("dpdk", rte_version()),
		 LOG_UINT("boot", atomic_load(&p->relay.map.header->relay_boot)));
	if (p->supervisor >= 0 && write(p->supervisor, ready, sizeof(ready) - 1) < 0)
		log_warning(TAG, "supervisor does not listen", LOG_ERRNO(-errno));
}

int main(int argc, char **argv)
{
	static struct relay_process p = { .region = -1, .event = -1, .supervisor = -1, .signals = -1 };
	int err;

	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		return relay_version_print(stdout);
	if (argc > 1 && strcmp(argv[1], "--size") == 0)
		return relay_size_print(stdout, argc > 2 && strcmp(argv[2], "--json") == 0);
	log_of_environment();
	err = handed_over(&p);
	if (err == 0)
		err = signals_open(&p);
	if (err == 0)
		err = parts_start(&p);
	if (err == 0) {
		say_ready(&p);
		serve(&p);
	}
	parts_stop(&p);
	return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
