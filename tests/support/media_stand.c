// SPDX-License-Identifier: GPL-3.0-or-later
// media_stand.c - a media thread for tests.
#include "tests/support/media_stand.h"
#include "base/region.h"
#include "base/secret.h"
#include "mediarelay/call_record.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

struct media *media;
_Atomic mono_ns stand_ahead;

static struct media_realm realms[] = {
	{ .name = "access", .network = 0, .dscp = 46, .n_addresses = 1 },
	{ .name = "core", .network = 1, .n_addresses = 1 },
};
struct media_profile stand_profile = {
	.name = "test",
	.keying = { .suites = { SRTP_AEAD_AES_256_GCM, SRTP_AEAD_AES_128_GCM, SRTP_AES_CM_128_HMAC_SHA1_80 } },
	.keying_timeout = MONO_MS(600),
	.media_timeout = MONO_S(1),
};
static struct media_config config = {
	.realms = realms,
	.n_realms = 2,
	.max_sessions = 4,
	.dtls_min = 0x0102,
	.dtls_max = 0x0103,
	.dtls_mtu = 1200,
};
static char state_dir[] = "/tmp/sallyport-test-XXXXXX";
static struct region calls;

static mono_ns shifted_now(void *ctx)
{
	(void)ctx;
	return clock_now() + stand_ahead;
}

static int shifted_random(void *ctx, uint8_t *dst, size_t len)
{
	(void)ctx;
	return env_random(&env_real, dst, len);
}

static const struct env shifted = { .now = shifted_now, .random = shifted_random };

// Events

#define EVENTS 64
static struct media_event events[EVENTS];
static unsigned n_events;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;

static void on_event(void *ctx, const struct media_event *event)
{
	(void)ctx;
	pthread_mutex_lock(&lock);
	if (n_events < EVENTS)
		events[n_events++] = *event;
	pthread_cond_broadcast(&came);
	pthread_mutex_unlock(&lock);
}

struct media_event wait_event(enum media_event_kind kind, uint32_t dialog)
{
	struct media_event found = { 0 };
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	pthread_mutex_lock(&lock);
	while (err == 0 && found.kind == 0) {
		for (unsigned i = 0; i < n_events && found.kind == 0; i++) {
			if (events[i].kind == kind && events[i].dialog == dialog) {
				found = events[i];
				events[i].kind = 0;
			}
		}
		if (found.kind == 0)
			err = pthread_cond_timedwait(&came, &lock, &until);
	}
	pthread_mutex_unlock(&lock);
	assert_int_equal(found.kind, kind);
	return found;
}

bool told(enum media_event_kind kind, uint32_t dialog)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < n_events; i++)
		found |= events[i].kind == kind && events[i].dialog == dialog;
	pthread_mutex_unlock(&lock);
	return found;
}

void stand_forget_events(void)
{
	pthread_mutex_lock(&lock);
	n_events = 0;
	pthread_mutex_unlock(&lock);
}

// Birth and end

struct media *stand_open(void)
{
	struct media_start start = {
		.config = &config,
		.profiles = &stand_profile,
		.n_profiles = 1,
		.env = &shifted,
		.dp_region_fd = -1,
		.relay_eventfd = -1,
		.our_eventfd = -1,
		.call_region_fd = dup(calls.fd),
		.event = on_event,
	};
	struct media *m;

	assert_int_equal(media_open(&m, &start), 0);
	return m;
}

int stand_group_setup(void **state)
{
	(void)state;
	if (mkdtemp(state_dir) == NULL)
		return -1;
	config.state_dir = state_dir;
	for (size_t r = 0; r < 2; r++) {
		realms[r].address[0].first_port = 20000;
		realms[r].address[0].last_port = 20063;
	}
	inet_addr_parse(&realms[ACCESS].address[0].bind, "192.0.2.1");
	inet_addr_parse(&realms[ACCESS].address[0].advertise, "198.51.100.1");
	inet_addr_parse(&realms[CORE].address[0].bind, "10.0.0.1");
	return 0;
}

int stand_group_teardown(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/dtls.pem", state_dir);
	unlink(path);
	return rmdir(state_dir);
}

int stand_setup(void **state)
{
	(void)state;
	stand_forget_events();
	stand_ahead = 0;
	fake_dp_reset();
	if (region_create(&calls, "test-calls", call_records_footprint(config.max_sessions), false) < 0)
		return -1;
	media = stand_open();
	return 0;
}

struct call_records *stand_records(void)
{
	struct call_records *cr;

	assert_int_equal(call_records_open(&cr, dup(calls.fd), config.max_sessions), 0);
	return cr;
}

int stand_teardown(void **state)
{
	(void)state;
	media_close(media);
	region_unmap(&calls);
	return 0;
}

// Plans

struct media_seat seat(uint16_t realm)
{
	struct media_seat s;

	assert_int_equal(media_seat_take(media, realm, INET_V4, &s), 0);
	return s;
}

struct inet_endpoint endpoint(const char *text)
{
	struct inet_endpoint ep;

	assert_int_equal(inet_endpoint_parse(&ep, text), 0);
	return ep;
}

struct media_plan two_legs(uint32_t session)
{
	struct media_plan plan = { .session = session, .n_legs = 2, .n_joins = 1 };

	strcpy(plan.call_id_a, "a@test");
	strcpy(plan.call_id_b, "b@test");
	for (unsigned i = 0; i < 2; i++) {
		struct media_line *line = &plan.legs[i].lines[0];

		plan.legs[i].dialog = i + 1;
		plan.legs[i].n_lines = 1;
		line->seat = seat((uint16_t)i);
		line->send = line->receive = true;
	}
	plan.joins[0] = (struct media_join){ .leg_a = 0, .leg_b = 1 };
	return plan;
}

void agree_plain(struct media_line *line, const char *remote)
{
	line->agreed = true;
	line->keying.mechanism = KEYING_PLAIN;
	line->remote = line->remote_rtcp = endpoint(remote);
	line->remote_rtcp.port++;
}

void agree_sdes(struct media_line *line, const char *remote)
{
	agree_plain(line, remote);
	line->keying.mechanism = KEYING_SDES;
	line->keying.rx.suite = line->keying.tx.suite = SRTP_AES_CM_128_HMAC_SHA1_80;
	assert_int_equal(secret_random(line->keying.rx.key, 16), 0);
	assert_int_equal(secret_random(line->keying.tx.key, 16), 0);
}

struct fake_transport at(const struct inet_endpoint *local)
{
	struct fake_transport t;

	assert_true(fake_dp_at(local, &t));
	return t;
}

bool sends_to(const struct inet_endpoint *local, const struct inet_endpoint *remote)
{
	struct fake_transport t = at(local);

	return inet_endpoint_equal(&t.path.remote, remote);
}

void apply(const struct media_plan *plan)
{
	assert_int_equal(media_session_apply(media, plan), 0);
}

void end_session(uint32_t session)
{
	media_session_close(media, session);
	EVENTUALLY(media_session_count(media) == 0);
	assert_int_equal(fake_dp_live(), 0);
}

void agree_dtls(struct media_line *line, enum dtls_role role, const struct inet_endpoint *remote,
		       const char *fingerprint)
{
	line->agreed = true;
	line->rtcp_mux = true;
	line->keying.mechanism = KEYING_DTLS_SRTP;
	line->keying.dtls_role = role;
	memcpy(line->keying.suites, stand_profile.keying.suites, sizeof(stand_profile.keying.suites));
	assert_int_equal(dtls_fingerprints_add(&line->keying.fingerprints, fingerprint, strlen(fingerprint)), 0);
	line->remote = *remote;
}

struct media_plan one_leg(uint32_t session, uint32_t dialog, uint16_t realm)
{
	struct media_plan plan = { .session = session, .n_legs = 1 };

	strcpy(plan.call_id_a, "dtls@test");
	plan.legs[0].dialog = dialog;
	plan.legs[0].n_lines = 1;
	plan.legs[0].lines[0].seat = seat(realm);
	plan.legs[0].lines[0].send = plan.legs[0].lines[0].receive = true;
	return plan;
}

void pair_open(struct dtls_pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(media_session_open(media, &p->session[i]), 0);
		p->plan[i] = one_leg(p->session[i], i + 1, (uint16_t)i);
		p->line[i] = &p->plan[i].legs[0].lines[0];
	}
}

void pair_end(struct dtls_pair *p)
{
	media_session_close(media, p->session[0]);
	end_session(p->session[1]);
}

void assert_cross_keys(const struct dtls_pair *p)
{
	struct fake_transport a = at(&p->line[0]->seat.rtp), b = at(&p->line[1]->seat.rtp);

	assert_int_equal(a.rx.master.suite, SRTP_AEAD_AES_256_GCM); // our first choice
	assert_memory_equal(&a.rx.master, &b.tx.master, sizeof(a.rx.master));
	assert_memory_equal(&a.tx.master, &b.rx.master, sizeof(a.tx.master));
	assert_memory_not_equal(&a.tx.master.key, &a.rx.master.key, 32);
	assert_true(inet_endpoint_equal(&a.path.remote, &p->line[1]->seat.rtp));
}
