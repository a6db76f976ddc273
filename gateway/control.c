// SPDX-License-Identifier: GPL-3.0-or-later
// control.c - start in order, serve until SIGTERM, say BYE to all, stop in the reverse order. The main thread waits for
// signals; the media thread and the sip thread do the work.
#include "gateway/control.h"
#include "base/log.h"
#include "base/secret.h"
#include "gateway/admin/admin.h"
#include "gateway/control_priv.h"
#include "gateway/control_syscalls.h"
#include "gateway/event_drop.h"
#include "gateway/inherited.h"
#include "gateway/link.h"
#include "gateway/privileges.h"
#include "gateway/trace/traces.h"
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define TAG "control"
#define DRAIN_TIME_S 4 // of the five that a stop may take
#define DESCRIPTORS 65536

static int configuration_start(struct control *ct)
{
	const char *path = inherited_config();
	struct config_error why;
	int err;

	if (path == NULL)
		return -EINVAL;
	err = config_load(&ct->cfg, path, &why);
	if (err < 0) {
		log_error(TAG, "configuration", LOG_UINT("line", why.line), LOG_STR("cause", why.message));
		return err;
	}
	log_setup(ct->cfg->log_level, ct->cfg->log_format, "control");
	return 0;
}

static void configuration_stop(struct control *ct)
{
	config_free(ct->cfg);
}

// As long as we may take any port and read any file. The regions' descriptor is media_open()'s later.
static int door_start(struct control *ct)
{
	ct->media_region = fcntl(inherited_fd("SALLYPORT_MEDIA_REGION"), F_DUPFD_CLOEXEC, 0);
	if (ct->media_region < 0)
		return -errno;
	return admin_door_open(&ct->door, ct->cfg);
}

static void door_stop(struct control *ct)
{
	admin_door_close(ct->door);
	close(ct->media_region);
}

static bool has_low_listener(const struct sip_config *sip)
{
	for (size_t r = 0; r < sip->n_realms; r++) {
		for (size_t i = 0; i < sip->realms[r].n_listeners; i++) {
			if (sip->realms[r].listeners[i].bind.port < 1024)
				return true;
		}
	}
	return false;
}

static int privileges_start(struct control *ct)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTORS) {
		files.rlim_cur = files.rlim_max < DESCRIPTORS ? files.rlim_max : DESCRIPTORS;
		setrlimit(RLIMIT_NOFILE, &files); // each TCP connection is one
	}
	return privileges_drop(ct->cfg->user, has_low_listener(&ct->cfg->sip));
}

static int confine(struct control *ct)
{
	return control_syscalls_confine();
}

static void drain_begin(evutil_socket_t number, short what, void *arg)
{
	static const struct timeval patience = { .tv_sec = DRAIN_TIME_S };
	struct control *ct = arg;

	if (ct->draining)
		return; // the supervisor's second signal is SIGKILL
	ct->draining = true;
	admin_draining(ct->admin, true);
	log_info(TAG, "draining", LOG_UINT("sessions", media_session_count(ct->media)));
	evtimer_add(ct->on_drain_timeout, &patience);
	sip_drain(ct->sip);
}

static void drain_end(evutil_socket_t fd, short what, void *arg)
{
	struct control *ct = arg;

	if (what & EV_TIMEOUT)
		log_warning(TAG, "drain timeout", LOG_UINT("sessions", media_session_count(ct->media)));
	event_base_loopbreak(ct->base);
}

static int loop_start(struct control *ct)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); // a terminal's Ctrl-C is the supervisor's affair
	signal(SIGHUP, SIG_IGN);
	ct->drained = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ct->base = event_base_new();
	if (ct->drained < 0 || ct->base == NULL)
		return -ENOMEM;
	ct->on_term = evsignal_new(ct->base, SIGTERM, drain_begin, ct);
	ct->on_drain_timeout = evtimer_new(ct->base, drain_end, ct);
	ct->on_drained = event_new(ct->base, ct->drained, EV_READ, drain_end, ct);
	if (ct->on_term == NULL || ct->on_drain_timeout == NULL || ct->on_drained == NULL)
		return -ENOMEM;
	if (evsignal_add(ct->on_term, NULL) < 0 || event_add(ct->on_drained, NULL) < 0)
		return -EIO;
	return 0;
}

static void loop_stop(struct control *ct)
{
	event_drop(ct->on_drained);
	event_drop(ct->on_drain_timeout);
	event_drop(ct->on_term);
	if (ct->base != NULL)
		event_base_free(ct->base);
	if (ct->drained >= 0)
		close(ct->drained);
}

static int records_start(struct control *ct)
{
	int fd = fcntl(inherited_fd("SALLYPORT_CALL_REGION"), F_DUPFD_CLOEXEC, 0); // media_open() takes the other

	if (fd < 0)
		return -errno;
	return call_records_open(&ct->records, fd, ct->cfg->media.max_sessions);
}

static void records_stop(struct control *ct)
{
	call_records_close(ct->records);
}

static int cdr_start_part(struct control *ct)
{
	const struct cdr_start start = {
		.config = &ct->cfg->call_records,
		.base = ct->base,
		.env = &env_real,
		.max_sessions = ct->cfg->media.max_sessions,
	};

	return cdr_open(&ct->cdr, &start);
}

static void cdr_stop(struct control *ct)
{
	cdr_close(ct->cdr);
}

static int traces_start_part(struct control *ct)
{
	return traces_open(&ct->traces, ct->base);
}

static void traces_stop(struct control *ct)
{
	traces_close(ct->traces);
}

static void media_report(void *ctx, struct media_report *report)
{
	struct control *ct = ctx;

	cdr_media(ct->cdr, report);
}

// On the media thread. Events are about sessions, and only the sip thread opens those.
static void media_event(void *ctx, const struct media_event *event)
{
	struct control *ct = ctx;
	struct sip *sip = ct->sip;

	if (sip != NULL)
		sip_media_event(sip, event);
}

static void media_notice(void *ctx, const struct media_notice *notice)
{
	const struct control *ct = ctx;

	admin_door_media(ct->door, notice);
}

static int media_start(struct control *ct)
{
	const struct media_start start = {
		.config = &ct->cfg->media,
		.profiles = ct->cfg->sip.profiles,
		.n_profiles = ct->cfg->sip.n_profiles,
		.env = &env_real,
		.dp_region_fd = inherited_fd("SALLYPORT_MEDIA_REGION"),
		.relay_eventfd = inherited_fd("SALLYPORT_RELAY_EVENT"),
		.our_eventfd = inherited_fd("SALLYPORT_CONTROL_EVENT"),
		.call_region_fd = inherited_fd("SALLYPORT_CALL_REGION"),
		.event = media_event,
		.report = media_report,
		.traced = ct->door != NULL ? traces_media_packet : NULL,
		.trace_ctx = ct->traces,
		.notice = ct->door != NULL ? media_notice : NULL,
		.ctx = ct,
	};

	return media_open(&ct->media, &start);
}

static void media_stop(struct control *ct)
{
	media_close(ct->media);
	sip_close(ct->sip); // whom media has told of sessions until now
}

// On the sip thread.
static void sip_is_drained(void *ctx)
{
	struct control *ct = ctx;

	eventfd_write(ct->drained, 1);
}

static int sip_start_part(struct control *ct)
{
	const struct sip_trace_sink trace = traces_sip_sink(ct->traces);
	const struct sip_start start = {
		.config = &ct->cfg->sip,
		.media = ct->media,
		.env = &env_real,
		.records = ct->records,
		.drained = sip_is_drained,
		.empty = orders_sip_empty,
		.ctx = ct,
		.report = cdr_call,
		.report_ctx = ct->cdr,
		.notice = ct->door != NULL ? admin_door_sip : NULL,
		.notice_ctx = ct->door,
		.trace = ct->door != NULL ? &trace : NULL,
	};
	struct sip *sip = NULL;
	int err = sip_open(&sip, &start);

	ct->sip = sip;
	return err;
}

static void sip_stop(struct control *ct)
{
	sip_end(ct->sip);
}

static int pass_order(void *ctx, const char *text, int attached)
{
	const struct control *ct = ctx;

	return link_say(ct->supervisor, text, attached);
}

static int admin_start_part(struct control *ct)
{
	struct admin_start start = {
		.config = ct->cfg,
		.base = ct->base,
		.media = ct->media,
		.sip = ct->sip,
		.traces = ct->traces,
		.media_region_fd = ct->media_region,
		.order = pass_order,
		.ctx = ct,
	};

	if (ct->door == NULL)
		return 0;
	traces_serve(ct->traces, ct->sip, ct->media);
	inherited_restarts(&start.control_restarts, &start.relay_restarts);
	return admin_open(&ct->admin, ct->door, &start);
}

static void admin_stop(struct control *ct)
{
	admin_close(ct->admin);
	traces_serve(ct->traces, NULL, NULL);
}

// The order of start; stop is its mirror.
static const struct control_part {
	const char *name;
	int (*start)(struct control *ct);
	void (*stop)(struct control *ct);
} parts[] = {
	{ "configuration", configuration_start, configuration_stop },
	{ "management door", door_start, door_stop },
	{ "privileges", privileges_start, NULL },
	{ "system calls", confine, NULL },
	{ "loop", loop_start, loop_stop },
	{ "call records", records_start, records_stop },
	{ "call record file", cdr_start_part, cdr_stop }, // ends when both that tell it have ended
	{ "traces", traces_start_part, traces_stop }, // the same
	{ "media", media_start, media_stop },
	{ "sip", sip_start_part, sip_stop }, // calls only when all below is up
	{ "orders", orders_start, orders_stop },
	{ "admin", admin_start_part, admin_stop },
};
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static void stop_parts(struct control *ct, size_t n)
{
	while (n-- > 0) {
		if (parts[n].stop != NULL)
			parts[n].stop(ct);
	}
}

// Signals are for the main thread: the threads that the parts start inherit the mask.
static int start_parts(struct control *ct)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < N_PARTS && err == 0; i++) {
		err = parts[i].start(ct);
		if (err < 0) {
			log_error(TAG, "start failed", LOG_STR("part", parts[i].name), LOG_ERRNO(err));
			stop_parts(ct, i);
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

// Of libevent's buffers, through which tokens and keys come in at the management door.
static void free_wiped(void *memory)
{
	if (memory != NULL)
		secret_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

int control_main(void)
{
	struct control ct = { .drained = -1, .empty = -1, .media_region = -1 };
	int err;

	prctl(PR_SET_NAME, "sallyport-ctl"); // threads name themselves
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "control");
	ct.supervisor = inherited_fd("SALLYPORT_SUPERVISOR");
	if (ct.supervisor < 0) {
		log_error(TAG, "not started by the supervisor");
		return 1;
	}
	event_set_mem_functions(malloc, realloc, free_wiped);
	evthread_use_pthreads();
	if (start_parts(&ct) < 0)
		return 1;
	err = link_say(ct.supervisor, "ready", -1);
	if (err < 0)
		log_warning(TAG, "supervisor does not listen", LOG_ERRNO(err));
	event_base_dispatch(ct.base);
	stop_parts(&ct, N_PARTS);
	libevent_global_shutdown();
	return 0;
}
