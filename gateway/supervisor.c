// SPDX-License-Identifier: GPL-3.0-or-later
// supervisor.c - start in order, watch, stop in the reverse order.
#include "gateway/supervisor_priv.h"
#include "base/log.h"
#include "dataplane/steering/steering.h"
#include "gateway/heartbeat.h"
#include "gateway/instance.h"
#include "gateway/service.h"
#include "gateway/snapshot.h"
#include "gateway/state_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAG "supervisor"
#define CLAIM_TIME MONO_S(2)
#define START_TIME MONO_S(60)           // of one child, at the first start
#define CONTROL_STOP_TIME MONO_MS(4400) // BYE and its answers; all of a stop is done within five seconds
#define RELAY_STOP_TIME MONO_MS(400)
#define HANG_TIME MONO_S(5) // a worker that takes longer for one round will not come back by itself
#define HANG_CHECK MONO_S(1)

static int instance_start(struct supervisor *sv)
{
	mono_ns until = clock_now() + CLAIM_TIME;

	// Our children hold the claim, too: after a crash of the supervisor before us it is free when the last of them
	// has ended and with it what would be in our way, its sockets.
	while ((sv->instance = instance_claim()) == -EADDRINUSE && clock_now() < until)
		poll(NULL, 0, 10);
	if (sv->instance == -EADDRINUSE)
		log_error(TAG, "another gateway runs in this network namespace");
	return sv->instance < 0 ? sv->instance : 0;
}

static void instance_stop(struct supervisor *sv)
{
	close(sv->instance);
}

static int signals_start(struct supervisor *sv)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	signal(SIGPIPE, SIG_IGN); // a log reader that went away must not end calls
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	sv->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return sv->signals < 0 ? -errno : 0;
}

static void signals_stop(struct supervisor *sv)
{
	close(sv->signals);
}

// The relay reads no configuration file.
static int environment_start(struct supervisor *sv)
{
	static const char *const levels[] = { "debug", "info", "warning", "error" };

	if (setenv("SALLYPORT_LOG_LEVEL", levels[sv->cfg->log_level], 1) < 0 ||
	    setenv("SALLYPORT_LOG_FORMAT", sv->cfg->log_format == LOG_FORMAT_JSON ? "json" : "text", 1) < 0)
		return -errno;
	return 0;
}

static int state_start(struct supervisor *sv)
{
	int err = state_dir_make(sv->cfg->state_dir, sv->cfg->user);

	if (err < 0)
		log_error(TAG, "state directory", LOG_STR("path", sv->cfg->state_dir), LOG_STR("user", sv->cfg->user),
			  LOG_ERRNO(err));
	return err;
}

// Control writes and rotates them as its user.
static int call_records_start(struct supervisor *sv)
{
	char folder[sizeof(sv->cfg->call_records.file)];
	char *slash;
	int err;

	snprintf(folder, sizeof(folder), "%s", sv->cfg->call_records.file);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return 0;
	*slash = '\0';
	err = state_dir_make(folder, sv->cfg->user);
	if (err < 0) // calls are worth more than their records: control tries again, and says so
		log_warning(TAG, "folder of call records", LOG_STR("path", folder), LOG_STR("user", sv->cfg->user), LOG_ERRNO(err));
	return 0;
}

static int regions_start(struct supervisor *sv)
{
	return regions_open(&sv->regions, sv->cfg);
}

static void regions_stop(struct supervisor *sv)
{
	service_unstore("media-region"); // a stop in order leaves nothing behind
	service_unstore("call-region");
	regions_close(&sv->regions);
}

static int events_start(struct supervisor *sv)
{
	sv->relay_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sv->control_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return sv->relay_event < 0 || sv->control_event < 0 ? -errno : 0;
}

static void events_stop(struct supervisor *sv)
{
	close(sv->relay_event);
	close(sv->control_event);
}

// The file may change while we run; every life of control gets the configuration that is in force.
static int snapshot_start(struct supervisor *sv)
{
	sv->snapshot = snapshot_make(sv->cfg);
	if (sv->snapshot < 0)
		return sv->snapshot;
	snprintf(sv->snapshot_path, sizeof(sv->snapshot_path), "/proc/self/fd/%d", sv->snapshot);
	return 0;
}

static void snapshot_stop(struct supervisor *sv)
{
	supervisor_forget_changes(sv);
	close(sv->snapshot);
}

// Of an interface's program in the descriptor store.
static const char *program_name(const struct supervisor *sv, unsigned port, char name[40])
{
	snprintf(name, 40, "xdp-%s", sv->cfg->dataplane.ports[port].name);
	return name;
}

// What a supervisor that was killed has left on the interfaces: with the unit's capabilities only who has kept the program may know it.
static void detach_stored(struct supervisor *sv)
{
	int programs[DP_PORTS_MAX];
	char name[40];

	for (unsigned i = 0; i < sv->cfg->dataplane.n_ports; i++)
		programs[i] = service_stored(program_name(sv, i, name)); // all, before one is closed: they are counted from the first
	for (unsigned i = 0; i < sv->cfg->dataplane.n_ports; i++) {
		if (programs[i] < 0)
			continue;
		steering_detach(sv->cfg->dataplane.ports[i].name, programs[i]);
		service_unstore(program_name(sv, i, name));
		close(programs[i]);
	}
}

static int steering_start(struct supervisor *sv)
{
	char why[256] = "", name[40];
	int err;

	detach_stored(sv);
	err = steering_open(&sv->steering, &sv->cfg->dataplane, why);
	if (err < 0)
		log_error(TAG, "steering", LOG_STR("cause", why), LOG_ERRNO(err));
	for (unsigned i = 0; err == 0 && i < sv->cfg->dataplane.n_ports; i++) {
		if (steering_program_fd(sv->steering, i) >= 0)
			service_store(program_name(sv, i, name), steering_program_fd(sv->steering, i));
	}
	return err;
}

static void log_steering(const struct supervisor *sv, unsigned port)
{
	uint64_t counts[STEERING_COUNTERS];
	struct log_field fields[STEERING_COUNTERS + 3] = {
		LOG_STR("interface", sv->cfg->dataplane.ports[port].name),
		LOG_STR("xdp", steering_native(sv->steering, port) ? "native" : "generic"),
	};

	if (steering_map_fd(sv->steering, port) < 0 || steering_counters(sv->steering, port, counts) < 0)
		return;
	for (unsigned i = 0; i < STEERING_COUNTERS; i++)
		fields[i + 2] = (struct log_field)LOG_UINT(steering_counter_name[i], counts[i]);
	log_emit(LOG_LEVEL_INFO, TAG, "steering", fields); // the last field is zero: the end
}

static void steering_stop(struct supervisor *sv)
{
	char name[40];

	for (unsigned i = 0; i < sv->cfg->dataplane.n_ports; i++) {
		log_steering(sv, i);
		if (steering_program_fd(sv->steering, i) >= 0)
			service_unstore(program_name(sv, i, name));
	}
	steering_close(sv->steering);
}

static int heartbeat_start(struct supervisor *sv)
{
	return heartbeat_open(&sv->heartbeat, sv->regions.media.fd);
}

static void heartbeat_stop(struct supervisor *sv)
{
	heartbeat_close(sv->heartbeat);
}

static struct child *child_by_pid(struct supervisor *sv, pid_t pid)
{
	return pid == sv->relay.pid ? &sv->relay : pid == sv->control.pid ? &sv->control : NULL;
}

static void reap(struct supervisor *sv)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = child_by_pid(sv, pid);

		if (c != NULL && sv->stopping && status == 0)
			child_forget(c); // as it was told to
		else if (c != NULL)
			child_ended(c, status);
		if (c == &sv->control && !sv->stopping)
			supervisor_control_ended(sv);
	}
}

static void hear_signals(struct supervisor *sv)
{
	struct signalfd_siginfo si;

	while (read(sv->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD) {
			reap(sv);
		} else if (si.ssi_signo == SIGHUP) {
			supervisor_reload(sv);
		} else if (si.ssi_signo == SIGUSR2) {
			supervisor_replace(sv);
		} else if (si.ssi_signo == SIGUSR1) {
			supervisor_drain(sv, !sv->draining);
		} else {
			sv->stop++;
			log_info(TAG, sv->stop == 1 ? "stopping" : "stopping at once",
				 LOG_STR("signal", si.ssi_signo == SIGTERM ? "TERM" : "INT"));
		}
	}
}

// For control's figures; a line of the environment is all that it takes.
static void tell_restarts(const struct supervisor *sv)
{
	char text[32];

	snprintf(text, sizeof(text), "%u %u", sv->control.restarts, sv->relay.restarts);
	setenv("SALLYPORT_RESTARTS", text, 1);
}

static void restart_due(struct supervisor *sv)
{
	struct child *children[] = { &sv->relay, &sv->control };

	for (size_t i = 0; i < 2; i++) {
		struct child *c = children[i];
		int err;

		// One that was never ready has no calls to come back for: its start has failed.
		if (sv->stopping || sv->stop > 0 || !c->was_ready || clock_now() < c->restart_at)
			continue;
		c->restarts++;
		tell_restarts(sv);
		err = child_start(c);
		if (err < 0) {
			log_error(TAG, "cannot start", LOG_STR("child", c->name), LOG_ERRNO(err));
			c->restart_at = clock_now() + MONO_S(1);
		}
	}
}

static void kill_hanging_relay(struct supervisor *sv)
{
	struct child *c = &sv->relay;
	mono_ns now = clock_now(), beat;

	if (!c->ready || sv->stopping || sv->stop > 0)
		return;
	beat = heartbeat_oldest(sv->heartbeat);
	beat = beat > c->ready_since ? beat : c->ready_since;
	if (now < beat + HANG_TIME)
		return;
	log_error(TAG, "child hangs", LOG_STR("child", c->name), LOG_INT("pid", c->pid),
		  LOG_UINT("silent_ms", (now - beat) / MONO_MS(1)));
	child_signal(c, SIGKILL);
	c->ready = false; // once is enough
}

static int poll_timeout(mono_ns until)
{
	mono_ns now = clock_now(), ms;

	if (until == MONO_NEVER)
		return -1;
	ms = until <= now ? 0 : (until - now + MONO_MS(1) - 1) / MONO_MS(1);
	return ms > 3600000 ? 3600000 : (int)ms;
}

static mono_ns earlier(mono_ns a, mono_ns b)
{
	return a < b ? a : b;
}

static void hear(struct supervisor *sv, struct child *c)
{
	char text[LINK_TEXT];
	int attached;

	while (child_hear(c, text, &attached)) {
		if (c == &sv->control && strcmp(text, "ready") == 0)
			supervisor_control_ready(sv);
		else if (c == &sv->control && !sv->stopping)
			supervisor_heard(sv, text, attached);
		if (attached >= 0)
			close(attached);
	}
}

// Who hangs in here is killed by systemd and started anew; what it had stored with it keeps the calls.
static void tell_alive(struct supervisor *sv)
{
	mono_ns now = clock_now();

	if (now < sv->alive_at)
		return;
	service_alive();
	sv->alive_at = now + sv->alive_every;
}

// Waits for one thing to happen, `until` at the latest, and deals with it.
static void watch(struct supervisor *sv, mono_ns until)
{
	struct pollfd fds[] = {
		{ .fd = sv->signals, .events = POLLIN },
		{ .fd = sv->relay.ready_fd, .events = POLLIN },
		{ .fd = sv->control.ready_fd, .events = POLLIN },
	};

	if (!sv->stopping && sv->stop == 0)
		until = earlier(until, earlier(sv->relay.restart_at, sv->control.restart_at));
	if (sv->relay.ready)
		until = earlier(until, clock_now() + HANG_CHECK);
	until = earlier(until, earlier(sv->drain_until, sv->alive_at));
	if (poll(fds, 3, poll_timeout(until)) < 0)
		return;
	tell_alive(sv);
	// Before the signals: what a child said is heard before its end is.
	if (fds[1].revents != 0)
		hear(sv, &sv->relay);
	if (fds[2].revents != 0)
		hear(sv, &sv->control);
	if (fds[0].revents != 0)
		hear_signals(sv);
	kill_hanging_relay(sv);
	supervisor_drain_look(sv);
	restart_due(sv);
}

static int start_child(struct supervisor *sv, struct child *c)
{
	mono_ns until = clock_now() + START_TIME;
	int err = child_start(c);

	if (err < 0)
		return err;
	while (!c->ready && c->pid > 0 && sv->stop == 0 && clock_now() < until)
		watch(sv, until);
	if (c->ready)
		return 0;
	if (sv->stop == 0)
		log_error(TAG, "child did not start", LOG_STR("child", c->name),
			  LOG_STR("cause", c->pid > 0 ? "timeout" : "it ended; its own lines say why"));
	return sv->stop > 0 ? -EINTR : -ECHILD;
}

// SIGTERM, some time, SIGKILL. Safe on one that is not running.
static void stop_child(struct supervisor *sv, struct child *c, mono_ns time)
{
	mono_ns until = clock_now() + time;

	sv->stopping = true;
	child_signal(c, SIGTERM);
	while (c->pid > 0 && sv->stop < 2 && clock_now() < until)
		watch(sv, until);
	if (c->pid > 0 && sv->stop < 2)
		log_warning(TAG, "child killed", LOG_STR("child", c->name), LOG_STR("cause", "it did not end in time"));
	child_signal(c, SIGKILL);
	if (c->pid > 0)
		waitpid(c->pid, NULL, 0);
	child_forget(c);
}

static int relay_start(struct supervisor *sv)
{
	struct child *c = &sv->relay;
	int err;

	child_init(c, "relay", &sv->programs->relay, sv->snapshot_path);
	child_give(c, "SALLYPORT_INSTANCE", sv->instance);
	child_give(c, "SALLYPORT_MEDIA_REGION", sv->regions.media.fd);
	child_give(c, "SALLYPORT_RELAY_EVENT", sv->relay_event);
	child_give(c, "SALLYPORT_CONTROL_EVENT", sv->control_event);
	for (unsigned i = 0; i < sv->cfg->dataplane.n_ports; i++) {
		char variable[40];

		snprintf(variable, sizeof(variable), "SALLYPORT_XSKMAP_%u", i);
		if (steering_map_fd(sv->steering, i) >= 0)
			child_give(c, variable, steering_map_fd(sv->steering, i));
	}
	err = start_child(sv, c);
	if (err < 0)
		stop_child(sv, c, 0);
	return err;
}

static void relay_stop(struct supervisor *sv)
{
	stop_child(sv, &sv->relay, RELAY_STOP_TIME);
}

static int control_start(struct supervisor *sv)
{
	struct child *c = &sv->control;
	int err;

	child_init(c, "control", &sv->programs->control, sv->snapshot_path);
	child_give(c, "SALLYPORT_INSTANCE", sv->instance);
	child_give(c, "SALLYPORT_MEDIA_REGION", sv->regions.media.fd);
	child_give(c, "SALLYPORT_CALL_REGION", sv->regions.call.fd);
	child_give(c, "SALLYPORT_RELAY_EVENT", sv->relay_event);
	child_give(c, "SALLYPORT_CONTROL_EVENT", sv->control_event);
	child_give(c, "SALLYPORT_SNAPSHOT", sv->snapshot); // what SALLYPORT_CONFIG names
	err = start_child(sv, c);
	if (err < 0)
		stop_child(sv, c, 0);
	return err;
}

static void control_stop(struct supervisor *sv)
{
	stop_child(sv, &sv->control, CONTROL_STOP_TIME);
}

// The order of start; stop is its mirror.
static const struct supervisor_part {
	const char *name;
	int (*start)(struct supervisor *sv);
	void (*stop)(struct supervisor *sv);
} parts[] = {
	{ "signals", signals_start, signals_stop },
	{ "instance", instance_start, instance_stop },
	{ "environment", environment_start, NULL },
	{ "state directory", state_start, NULL },
	{ "call records", call_records_start, NULL },
	{ "regions", regions_start, regions_stop },
	{ "events", events_start, events_stop },
	{ "configuration snapshot", snapshot_start, snapshot_stop },
	{ "steering", steering_start, steering_stop },
	{ "heartbeat", heartbeat_start, heartbeat_stop },
	{ "relay", relay_start, relay_stop },
	{ "control", control_start, control_stop }, // last: calls only when all below is up
};
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static void stop_parts(struct supervisor *sv, size_t n)
{
	while (n-- > 0) {
		if (parts[n].stop != NULL)
			parts[n].stop(sv);
	}
}

static int start_parts(struct supervisor *sv)
{
	for (size_t i = 0; i < N_PARTS; i++) {
		int err = parts[i].start(sv);

		if (err == 0)
			continue;
		if (err != -EINTR)
			log_error(
				TAG, "start failed", LOG_STR("part", parts[i].name),
				LOG_STR("error", err == -ECHILD ? "the process did not become ready" : log_errno(err)));
		stop_parts(sv, i);
		return err;
	}
	return 0;
}

int supervisor_run(const struct config *cfg, const struct supervisor_programs *programs)
{
	struct supervisor sv = { .cfg = cfg, .first_cfg = cfg, .programs = programs, .next_snapshot = -1 };
	mono_ns began = clock_now();
	int err;

	sv.relay.ready_fd = sv.control.ready_fd = -1;
	sv.relay.restart_at = sv.control.restart_at = sv.drain_until = MONO_NEVER;
	sv.alive_every = service_watchdog();
	sv.alive_at = sv.alive_every == MONO_NEVER ? MONO_NEVER : began;
	err = start_parts(&sv);
	if (err < 0)
		return err == -EINTR ? 0 : 1;
	log_info(TAG, "gateway ready", LOG_STR("version", SALLYPORT_VERSION), LOG_INT("pid", getpid()),
		 LOG_UINT("after_ms", (clock_now() - began) / MONO_MS(1)));
	service_ready("calls are served");
	while (sv.stop == 0)
		watch(&sv, MONO_NEVER);
	service_stopping();
	began = clock_now();
	stop_parts(&sv, N_PARTS);
	log_info(TAG, "gateway stopped", LOG_UINT("after_ms", (clock_now() - began) / MONO_MS(1)));
	return 0;
}
