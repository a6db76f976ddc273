// SPDX-License-Identifier: GPL-3.0-or-later
// control_orders.c - what the supervisor asks of a control that serves: another configuration, a closed door, room for another
// control. All of it on the main thread.
#include "gateway/admin/admin.h"
#include "gateway/config_change.h"
#include "gateway/control_priv.h"
#include "gateway/event_drop.h"
#include "gateway/link.h"
#include "gateway/snapshot.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TAG "control"
#define LEAVE_PATIENCE MONO_S(30) // for calls in set-up, which would not live on
#define LEAVE_LOOK_US 20000
#define LAST_RECORDS MONO_S(1) // for what media has still to say of calls that have ended

// The supervisor has checked it; this is a process of another user, and checks again. The order: media must know each profile that
// a plan may name. Nothing has changed when this fails.
static int take_config(struct control *ct, struct config *next)
{
	struct config_change change;
	int err = config_change(&change, ct->cfg, next);

	if (err == 0 && change.scope > CONFIG_LIVE)
		err = -EPERM;
	if (err == 0)
		err = config_follow(next, ct->cfg);
	if (err < 0)
		return err;
	media_configure(ct->media, &next->media, next->sip.profiles, next->sip.n_profiles);
	err = sip_configure(ct->sip, &next->sip);
	if (err < 0) {
		media_configure(ct->media, &ct->cfg->media, ct->cfg->sip.profiles, ct->cfg->sip.n_profiles);
		return err;
	}
	cdr_configure(ct->cdr, &next->call_records);
	admin_configure(ct->admin, next, change.keys);
	log_set_level(next->log_level);
	log_info(TAG, "configuration changed", LOG_STR("keys", change.keys), LOG_UINT("profiles", next->sip.n_profiles),
		 LOG_UINT("peers", next->sip.n_peers));
	return 0;
}

static void on_config(struct control *ct, int fd)
{
	struct config_error why = { .line = 0 };
	struct config *next = NULL, *old = ct->cfg;
	char text[LINK_TEXT];
	int err = ct->draining || ct->leaving ? -EBUSY : fd < 0 ? -EBADF : snapshot_load(&next, fd, &why);

	if (err == 0)
		err = take_config(ct, next);
	if (err == 0) {
		ct->cfg = next;
		config_free(old); // neither thread looks at it any more
		admin_reread(ct->admin);
		link_say(ct->supervisor, "applied", -1);
		return;
	}
	config_free(next);
	snprintf(text, sizeof(text), "refused %.200s", err == -ENOSPC ? "too many changes since control began: replace it (SIGUSR2)" :
						       why.message[0] != '\0' ? why.message : log_errno(err));
	link_say(ct->supervisor, text, -1);
}

static void set_door(struct control *ct)
{
	sip_close_door(ct->sip, ct->door_closed || ct->leaving);
	admin_draining(ct->admin, ct->door_closed);
}

void orders_sip_empty(void *ctx)
{
	struct control *ct = ctx;

	eventfd_write(ct->empty, 1);
}

static void on_empty(evutil_socket_t fd, short what, void *ctx)
{
	struct control *ct = ctx;
	eventfd_t count;

	if (eventfd_read(fd, &count) == 0 && ct->door_closed)
		link_say(ct->supervisor, "empty", -1);
}

static void stay(struct control *ct, unsigned setting_up)
{
	char text[LINK_TEXT];

	snprintf(text, sizeof(text), "staying calls in set-up: %u", setting_up);
	ct->leaving = false;
	set_door(ct);
	link_say(ct->supervisor, text, -1);
}

// The calls are in their records: nobody is told anything, and media goes on. Records of calls that have ended are written.
static void leave(struct control *ct)
{
	mono_ns until = clock_now() + LAST_RECORDS;

	log_info(TAG, "leaving", LOG_UINT("sessions", media_session_count(ct->media)));
	event_del(ct->on_supervisor);
	event_del(ct->on_empty);
	ct->draining = true; // a SIGTERM changes nothing any more
	admin_close(ct->admin); // it asks sip
	ct->admin = NULL;
	sip_end(ct->sip);
	do {
		event_base_loop(ct->base, EVLOOP_NONBLOCK);
	} while (!cdr_is_idle(ct->cdr) && clock_now() < until && usleep(1000) == 0);
	cdr_close(ct->cdr);
	link_say(ct->supervisor, "leaving", -1);
	_exit(0); // media_close() would end what goes on
}

static void look_whether_to_leave(evutil_socket_t fd, short what, void *ctx)
{
	static const struct timeval soon = { .tv_usec = LEAVE_LOOK_US };
	struct control *ct = ctx;
	struct sip_counts counts;

	if (!ct->leaving || ct->draining)
		return;
	sip_counts(ct->sip, &counts);
	if (counts.setting_up > 0 && !ct->leave_told)
		log_info(TAG, "waiting to leave", LOG_UINT("setting_up", counts.setting_up));
	ct->leave_told = true;
	if (counts.setting_up == 0)
		leave(ct);
	else if (clock_now() >= ct->leave_until)
		stay(ct, counts.setting_up);
	else
		evtimer_add(ct->on_leave, &soon);
}

static void on_leave_order(struct control *ct)
{
	if (ct->draining || ct->leaving)
		return;
	ct->leaving = true;
	ct->leave_told = false;
	ct->leave_until = clock_now() + LEAVE_PATIENCE;
	set_door(ct); // so that there will be a moment without a call in set-up
	event_active(ct->on_leave, EV_TIMEOUT, 0);
}

// The kernel kills us when the supervisor dies, but only after it has closed the supervisor's sockets, and before that a
// child is ended by nothing. Nothing is taken down: the next supervisor may have the regions, and then the calls go on.
_Noreturn static void supervisor_gone(void)
{
	log_error(TAG, "supervisor is gone");
	_exit(1);
}

static void obey(struct control *ct, const char *text, int fd)
{
	if (link_word(text, "config") != NULL) {
		on_config(ct, fd);
	} else if (link_word(text, "reopen") != NULL) {
		cdr_reopen(ct->cdr);
		admin_reread(ct->admin);
	} else if (link_word(text, "leave") != NULL) {
		on_leave_order(ct);
	} else if (link_word(text, "drain") != NULL || link_word(text, "resume") != NULL) {
		ct->door_closed = text[0] == 'd';
		set_door(ct);
	} else if (link_word(text, "document") != NULL || link_word(text, "outcome") != NULL) {
		admin_heard(ct->admin, text, fd);
	}
	if (fd >= 0)
		close(fd);
}

static void on_supervisor(evutil_socket_t link, short what, void *ctx)
{
	char text[LINK_TEXT];
	int fd, n;

	while ((n = link_hear(link, text, &fd)) > 0)
		obey(ctx, text, fd);
	if (n != -EAGAIN)
		supervisor_gone();
}

int orders_start(struct control *ct)
{
	ct->empty = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ct->empty < 0)
		return -errno;
	ct->on_supervisor = event_new(ct->base, ct->supervisor, EV_READ | EV_PERSIST, on_supervisor, ct);
	ct->on_empty = event_new(ct->base, ct->empty, EV_READ | EV_PERSIST, on_empty, ct);
	ct->on_leave = evtimer_new(ct->base, look_whether_to_leave, ct);
	if (ct->on_supervisor == NULL || ct->on_empty == NULL || ct->on_leave == NULL)
		return -ENOMEM;
	return event_add(ct->on_supervisor, NULL) < 0 || event_add(ct->on_empty, NULL) < 0 ? -EIO : 0;
}

void orders_stop(struct control *ct)
{
	struct event *events[] = { ct->on_leave, ct->on_empty, ct->on_supervisor };

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		event_drop(events[i]);
	if (ct->empty >= 0)
		close(ct->empty);
}
