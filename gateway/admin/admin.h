// SPDX-License-Identifier: GPL-3.0-or-later
// admin.h - the management door: REST under /v1, health, metrics. Runs on control's main loop; what belongs to the sip and the
// media thread is read from counters that they write, or asked of them by message and waited for without holding up anybody.
#pragma once
#include "gateway/admin_config.h"

struct admin;
struct config;
struct event_base;
struct media;
struct media_notice;
struct sip;
struct sip_notice;
struct traces;

// The part that needs privileges: the listening socket and the tokens' files. *doorp is NULL where neither a token nor a
// certificate is configured that might come in.
struct admin_door;
int admin_door_open(struct admin_door **doorp, const struct config *config);
void admin_door_close(struct admin_door *door); // when no thread is left that tells it something; NULL is fine
// For sip_start.notice and media_start.notice, with the door as ctx.
void admin_door_sip(void *door, const struct sip_notice *notice);
void admin_door_media(void *door, const struct media_notice *notice);

struct admin_start {
	const struct config *config; // as long as no other is given
	struct event_base *base;
	struct media *media;
	struct sip *sip;
	struct traces *traces;
	int media_region_fd; // the relay's heartbeat is read from it; stays the caller's
	int (*order)(void *ctx, const char *text, int attached); // passes it on to the supervisor (gateway/link.h)
	void *ctx;
	unsigned control_restarts, relay_restarts; // before this life of control
};

int admin_open(struct admin **adminp, struct admin_door *door, const struct admin_start *start);
void admin_configure(struct admin *admin, const struct config *config, const char *keys); // after a reload, of these keys; NULL is fine
void admin_heard(struct admin *admin, const char *text, int attached); // what the supervisor answers to it; NULL is fine
// The certificate's files, which may be others now; of those that are not good the log says why, and all is as it was. NULL is fine, and so
// is a door in clear.
int admin_reread(struct admin *admin);
void admin_draining(struct admin *admin, bool draining); // what it says from now on; NULL is fine
void admin_close(struct admin *admin);    // NULL is fine
