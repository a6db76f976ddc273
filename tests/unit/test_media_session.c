// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_session.c - plans become ports, keys, paths and edges: the media thread against a packet path in memory.
#include "base/region.h"
#include "base/secret.h"
#include "mediarelay/call_record.h"
#include "mediarelay/media.h"
#include "mediarelay/srtcp.h"
#include "tests/support/fake_dp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { ACCESS, CORE };

static struct media_realm realms[] = {
	{ .name = "access", .network = 0, .dscp = 46, .n_addresses = 1 },
	{ .name = "core", .network = 1, .n_addresses = 1 },
};
static struct media_profile profiles[] = {
	{
		.name = "test",
		.keying = { .suites = { SRTP_AEAD_AES_256_GCM, SRTP_AEAD_AES_128_GCM, SRTP_AES_CM_128_HMAC_SHA1_80 } },
		.keying_timeout = MONO_MS(600),
		.media_timeout = MONO_S(1),
	},
};
static struct media_config config = {
	.realms = realms,
	.n_realms = 2,
	.max_sessions = 4,
	.dtls_min = 0x0102,
	.dtls_max = 0x0103,
	.dtls_mtu = 1200,
	.n_workers = 1,
};
static char state_dir[] = "/tmp/sallyport-test-XXXXXX";
static struct region calls;
static struct media *media;

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

// Waits for an event of the dialog; fails the test after five seconds.
static struct media_event wait_event(enum media_event_kind kind, uint32_t dialog)
{
	struct media_event found = { 0 };
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
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

// Polls what the media thread does asynchronously: true within five seconds, or the test fails.
#define EVENTUALLY(condition)                                 \
	do {                                                  \
		mono_ns until_ = clock_now() + MONO_S(5);     \
		while (!(condition) && clock_now() < until_)  \
			usleep(1000);                         \
		assert_true(condition);                       \
	} while (0)

static struct media *open_media(void)
{
	struct media_start start = {
		.config = &config,
		.profiles = profiles,
		.n_profiles = 1,
		.env = &env_real,
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

static int setup_group(void **state)
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

static int teardown_group(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/dtls.pem", state_dir);
	unlink(path);
	return rmdir(state_dir);
}

static int setup(void **state)
{
	(void)state;
	n_events = 0;
	fake_dp_reset();
	if (region_create(&calls, "test-calls", call_records_footprint(config.max_sessions), false) < 0)
		return -1;
	media = open_media();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	media_close(media);
	region_unmap(&calls);
	return 0;
}

static struct media_seat seat(uint16_t realm)
{
	struct media_seat s;

	assert_int_equal(media_seat_take(media, realm, INET_V4, &s), 0);
	return s;
}

static struct inet_endpoint endpoint(const char *text)
{
	struct inet_endpoint ep;

	assert_int_equal(inet_endpoint_parse(&ep, text), 0);
	return ep;
}

static struct media_plan two_legs(uint32_t session)
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

static void agree_plain(struct media_line *line, const char *remote)
{
	line->agreed = true;
	line->keying.mechanism = KEYING_PLAIN;
	line->remote = line->remote_rtcp = endpoint(remote);
	line->remote_rtcp.port++;
}

static void agree_sdes(struct media_line *line, const char *remote)
{
	agree_plain(line, remote);
	line->keying.mechanism = KEYING_SDES;
	line->keying.rx.suite = line->keying.tx.suite = SRTP_AES_CM_128_HMAC_SHA1_80;
	assert_int_equal(secret_random(line->keying.rx.key, 16), 0);
	assert_int_equal(secret_random(line->keying.tx.key, 16), 0);
}

static struct fake_transport at(const struct inet_endpoint *local)
{
	struct fake_transport t;

	assert_true(fake_dp_at(local, &t));
	return t;
}

static bool sends_to(const struct inet_endpoint *local, const struct inet_endpoint *remote)
{
	struct fake_transport t = at(local);

	return inet_endpoint_equal(&t.path.remote, remote);
}

static void end_session(uint32_t session)
{
	media_session_close(media, session);
	EVENTUALLY(media_session_count(media) == 0);
	assert_int_equal(fake_dp_live(), 0);
}

static void test_prepared_is_closed(void **state)
{
	struct fake_transport t;
	struct media_plan plan;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	assert_int_equal(media_session_apply(media, &plan), 0);
	EVENTUALLY(fake_dp_live() == 4); // RTP and RTCP of two lines
	t = at(&plan.legs[0].lines[0].seat.rtp);
	assert_int_equal(t.security, 0); // neither, until it is agreed: no media passes
	assert_int_equal(t.path.remote.addr.family, INET_NONE);
	EVENTUALLY(at(&plan.legs[0].lines[0].seat.rtp).n_edges == 1);
	assert_false(at(&plan.legs[0].lines[0].seat.rtp).edges[0].open);
	end_session(session);
}

static void test_plain_flows(void **state)
{
	struct media_plan plan;
	struct media_line *a, *b;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	a = &plan.legs[0].lines[0], b = &plan.legs[1].lines[0];
	agree_plain(a, "192.0.2.50:4000");
	agree_plain(b, "10.0.0.9:5000");
	assert_int_equal(media_session_apply(media, &plan), 0);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	EVENTUALLY(at(&a->seat.rtp).n_edges == 1 && at(&a->seat.rtp).edges[0].open);
	assert_true(at(&b->seat.rtp).edges[0].open);
	assert_int_equal(at(&a->seat.rtp).security, DP_PLAIN);
	assert_true(sends_to(&b->seat.rtp, &b->remote));
	assert_int_equal(at(&a->seat.rtp).path.dscp, 46);

	a->send = false; // hold: the far side's media is no longer wanted here
	assert_int_equal(media_session_apply(media, &plan), 0);
	EVENTUALLY(!at(&b->seat.rtp).edges[0].open);
	assert_true(at(&a->seat.rtp).edges[0].open);
	end_session(session);
}

static void test_mux_closes_rtcp_port(void **state)
{
	struct media_plan plan;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	plan.legs[0].lines[0].rtcp_mux = true;
	agree_plain(&plan.legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	assert_int_equal(media_session_apply(media, &plan), 0);
	wait_event(MEDIA_EVENT_SECURED, 2);
	EVENTUALLY(fake_dp_live() == 3);
	end_session(session);
}

static void test_sdes_keys(void **state)
{
	struct fake_transport t;
	struct media_plan plan;
	struct media_line *a;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	a = &plan.legs[0].lines[0];
	agree_sdes(a, "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	assert_int_equal(media_session_apply(media, &plan), 0);
	wait_event(MEDIA_EVENT_SECURED, 1);
	t = at(&a->seat.rtp);
	assert_int_equal(t.security, DP_SRTP);
	assert_memory_equal(t.rx.master.key, a->keying.rx.key, 16);
	assert_memory_equal(t.tx.master.key, a->keying.tx.key, 16);
	assert_int_equal(t.rx.epoch, 1);

	assert_int_equal(media_session_apply(media, &plan), 0); // the same again: no new key
	secret_random(a->keying.tx.key, 16);
	assert_int_equal(media_session_apply(media, &plan), 0);
	EVENTUALLY(at(&a->seat.rtp).tx.epoch == 2);
	assert_int_equal(at(&a->seat.rtp).n_tx, 2);
	end_session(session);
}

// DTLS: two sessions of ours talk to each other through the packet path in memory.

static void agree_dtls(struct media_line *line, enum dtls_role role, const struct inet_endpoint *remote,
		       const char *fingerprint)
{
	line->agreed = true;
	line->rtcp_mux = true;
	line->keying.mechanism = KEYING_DTLS_SRTP;
	line->keying.dtls_role = role;
	memcpy(line->keying.suites, profiles[0].keying.suites, sizeof(profiles[0].keying.suites));
	assert_int_equal(dtls_fingerprints_add(&line->keying.fingerprints, fingerprint, strlen(fingerprint)), 0);
	line->remote = *remote;
}

static struct media_plan one_leg(uint32_t session, uint32_t dialog, uint16_t realm)
{
	struct media_plan plan = { .session = session, .n_legs = 1 };

	strcpy(plan.call_id_a, "dtls@test");
	plan.legs[0].dialog = dialog;
	plan.legs[0].n_lines = 1;
	plan.legs[0].lines[0].seat = seat(realm);
	plan.legs[0].lines[0].send = plan.legs[0].lines[0].receive = true;
	return plan;
}

struct dtls_pair {
	uint32_t session[2];
	struct media_plan plan[2];
	struct media_line *line[2];
};

static void pair_open(struct dtls_pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(media_session_open(media, &p->session[i]), 0);
		p->plan[i] = one_leg(p->session[i], i + 1, (uint16_t)i);
		p->line[i] = &p->plan[i].legs[0].lines[0];
	}
}

static void pair_end(struct dtls_pair *p)
{
	media_session_close(media, p->session[0]);
	end_session(p->session[1]);
}

static void assert_cross_keys(const struct dtls_pair *p)
{
	struct fake_transport a = at(&p->line[0]->seat.rtp), b = at(&p->line[1]->seat.rtp);

	assert_int_equal(a.rx.master.suite, SRTP_AEAD_AES_256_GCM); // our first choice
	assert_memory_equal(&a.rx.master, &b.tx.master, sizeof(a.rx.master));
	assert_memory_equal(&a.tx.master, &b.rx.master, sizeof(a.tx.master));
	assert_memory_not_equal(&a.tx.master.key, &a.rx.master.key, 32);
	assert_true(inet_endpoint_equal(&a.path.remote, &p->line[1]->seat.rtp));
}

static void test_dtls_both_roles(void **state)
{
	struct dtls_pair p;

	(void)state;
	pair_open(&p);
	agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, media_fingerprint(media));
	agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
	assert_int_equal(media_session_apply(media, &p.plan[0]), 0);
	assert_int_equal(media_session_apply(media, &p.plan[1]), 0);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	assert_cross_keys(&p);
	pair_end(&p);
}

static void test_dtls_lost_datagrams(void **state)
{
	struct dtls_pair p;

	(void)state;
	profiles[0].keying_timeout = MONO_S(5);
	pair_open(&p);
	agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, media_fingerprint(media));
	agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
	fake_dp_lose(4);
	assert_int_equal(media_session_apply(media, &p.plan[0]), 0);
	assert_int_equal(media_session_apply(media, &p.plan[1]), 0);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	assert_cross_keys(&p);
	pair_end(&p);
	profiles[0].keying_timeout = MONO_MS(600);
}

static void test_dtls_before_the_answer(void **state)
{
	struct dtls_pair p;

	(void)state;
	pair_open(&p);
	assert_int_equal(media_session_apply(media, &p.plan[0]), 0); // prepared: our offer is out
	EVENTUALLY(fake_dp_live() == 2);
	agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
	assert_int_equal(media_session_apply(media, &p.plan[1]), 0);
	wait_event(MEDIA_EVENT_SECURED, 2); // the handshake is through
	assert_int_equal(at(&p.line[0]->seat.rtp).n_rx, 0); // parked: nothing left the endpoint
	assert_int_equal(at(&p.line[0]->seat.rtp).path.remote.addr.family, INET_NONE);

	agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, media_fingerprint(media));
	assert_int_equal(media_session_apply(media, &p.plan[0]), 0);
	wait_event(MEDIA_EVENT_SECURED, 1);
	assert_cross_keys(&p);
	pair_end(&p);
}

static void test_dtls_wrong_certificate(void **state)
{
	static const char wrong[] = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
				    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
	struct media_event failed;
	struct dtls_pair p;

	(void)state;
	for (int parked = 0; parked < 2; parked++) {
		pair_open(&p);
		if (!parked)
			agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, wrong);
		agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
		assert_int_equal(media_session_apply(media, &p.plan[0]), 0);
		assert_int_equal(media_session_apply(media, &p.plan[1]), 0);
		if (parked) {
			wait_event(MEDIA_EVENT_SECURED, 2);
			agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, wrong);
			assert_int_equal(media_session_apply(media, &p.plan[0]), 0);
		}
		failed = wait_event(MEDIA_EVENT_FAILED, 1);
		assert_non_null(strstr(failed.cause, "fingerprint"));
		assert_int_equal(at(&p.line[0]->seat.rtp).n_rx, 0);
		assert_int_equal(at(&p.line[0]->seat.rtp).n_tx, 0);
		pair_end(&p);
		n_events = 0;
	}
}

static void test_nobody_shakes_hands(void **state)
{
	struct inet_endpoint nowhere = endpoint("192.0.2.77:9");
	struct dtls_pair p;

	(void)state;
	pair_open(&p);
	agree_dtls(p.line[0], DTLS_ACTIVE, &nowhere, media_fingerprint(media));
	agree_dtls(p.line[1], DTLS_PASSIVE, &nowhere, media_fingerprint(media));
	assert_int_equal(media_session_apply(media, &p.plan[0]), 0);
	assert_int_equal(media_session_apply(media, &p.plan[1]), 0);
	wait_event(MEDIA_EVENT_FAILED, 1);
	wait_event(MEDIA_EVENT_FAILED, 2);
	pair_end(&p);
}

// RTCP

static const uint8_t receiver_report[] = { 0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef };

static void test_rtcp_is_sealed_and_opened(void **state)
{
	struct media_plan plan;
	struct media_line *a, *b;
	struct srtcp *theirs_rx, *theirs_tx;
	struct inet_endpoint to;
	uint8_t packet[256];
	uint32_t session;
	size_t len;
	int got;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	a = &plan.legs[0].lines[0], b = &plan.legs[1].lines[0];
	agree_sdes(a, "192.0.2.50:4000");
	agree_plain(b, "10.0.0.9:5000");
	assert_int_equal(media_session_apply(media, &plan), 0);
	wait_event(MEDIA_EVENT_SECURED, 2);
	assert_int_equal(srtcp_open(&theirs_rx, &a->keying.tx, SRTCP_RECEIVE), 0);
	assert_int_equal(srtcp_open(&theirs_tx, &a->keying.rx, SRTCP_SEND), 0);

	fake_dp_punt(&b->seat.rtcp, &b->remote_rtcp, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	got = fake_dp_sent(&to, packet, sizeof(packet));
	assert_int_equal(got, sizeof(receiver_report) + 14); // index and tag
	assert_true(inet_endpoint_equal(&to, &a->remote_rtcp));
	
	len = (size_t)got;
	assert_int_equal(srtcp_unprotect(theirs_rx, packet, &len), 0);
	assert_int_equal(len, sizeof(receiver_report));
	assert_memory_equal(packet, receiver_report, len);

	memcpy(packet, receiver_report, sizeof(receiver_report)); // plain on a secured leg: ends here
	fake_dp_punt(&a->seat.rtcp, &a->remote_rtcp, DP_PUNT_RTCP, packet, sizeof(receiver_report));
	len = sizeof(receiver_report);
	assert_int_equal(srtcp_protect(theirs_tx, packet, &len, sizeof(packet)), 0);
	fake_dp_punt(&a->seat.rtcp, &a->remote_rtcp, DP_PUNT_RTCP, packet, len);
	fake_dp_punt(&a->seat.rtcp, &a->remote_rtcp, DP_PUNT_RTCP, packet, len); // replayed
	got = fake_dp_sent(&to, packet, sizeof(packet));
	assert_int_equal(got, sizeof(receiver_report));
	assert_true(inet_endpoint_equal(&to, &b->remote_rtcp));
	fake_dp_punt(&b->seat.rtcp, &a->remote, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report)); // a stranger
	assert_int_equal(fake_dp_sent(&to, packet, sizeof(packet)), -1); // one came through, once
	srtcp_close(theirs_rx);
	srtcp_close(theirs_tx);
	end_session(session);
}

// The path moves

static void test_secured_leg_follows_authenticated_source(void **state)
{
	struct inet_endpoint moved = endpoint("192.0.2.51:4444"), thief = endpoint("192.0.2.66:6666");
	struct media_plan plan;
	struct media_line *a;
	uint32_t session;
	unsigned told;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	a = &plan.legs[0].lines[0];
	agree_sdes(a, "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	assert_int_equal(media_session_apply(media, &plan), 0);
	wait_event(MEDIA_EVENT_SECURED, 2);
	fake_dp_source(&a->seat.rtp, &moved, true);
	fake_dp_source(&a->seat.rtp, &moved, true);
	EVENTUALLY(sends_to(&a->seat.rtp, &moved));
	fake_dp_source(&a->seat.rtp, &thief, false);
	fake_dp_source(&a->seat.rtp, &thief, false);
	fake_dp_source(&a->seat.rtp, &thief, true); // at most once in two seconds
	fake_dp_source(&a->seat.rtp, &thief, true);
	assert_int_equal(media_session_apply(media, &plan), 0); // the same plan keeps the address that was found
	a->silent_allowed = true;
	told = at(&a->seat.rtp).n_paths;
	assert_int_equal(media_session_apply(media, &plan), 0);
	EVENTUALLY(at(&a->seat.rtp).n_paths > told);
	assert_true(sends_to(&a->seat.rtp, &moved));
	end_session(session);
}

// A plain call whose core peer says `signalled` in its SDP and speaks SIP from 10.0.0.9; agreed, its window open or not.
static void begin_plain(struct media_plan *plan, uint32_t *session, const char *signalled)
{
	assert_int_equal(media_session_open(media, session), 0);
	*plan = two_legs(*session);
	agree_plain(&plan->legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan->legs[1].lines[0], signalled);
	plan->legs[1].lines[0].sip_source = endpoint("10.0.0.9:0").addr;
	assert_int_equal(media_session_apply(media, plan), 0);
	wait_event(MEDIA_EVENT_SECURED, 2);
}

// The media thread has taken up all that the relay said so far.
static void caught_up(struct media_plan *plan, struct media_line *line)
{
	unsigned told = at(&line->seat.rtp).n_paths;

	line->silent_allowed = !line->silent_allowed;
	assert_int_equal(media_session_apply(media, plan), 0);
	EVENTUALLY(at(&line->seat.rtp).n_paths > told);
}

static void twice_from(const struct media_line *line, const struct inet_endpoint *source)
{
	fake_dp_source(&line->seat.rtp, source, false);
	fake_dp_source(&line->seat.rtp, source, false);
}

static void test_plain_leg_learns_once(void **state)
{
	struct inet_endpoint real = endpoint("10.0.0.9:5555"), thief = endpoint("10.0.0.66:6666");
	struct media_plan plan;
	struct media_line *b = &plan.legs[1].lines[0];
	uint32_t session;

	(void)state;
	begin_plain(&plan, &session, "192.168.1.5:5000");
	assert_true(at(&b->seat.rtp).path.learn);
	twice_from(b, &thief); // not where the SIP comes from
	caught_up(&plan, b);
	assert_true(sends_to(&b->seat.rtp, &b->remote));
	twice_from(b, &real);
	EVENTUALLY(sends_to(&b->seat.rtp, &real));
	thief = endpoint("10.0.0.9:6666"); // the same NAT's
	twice_from(b, &thief);
	caught_up(&plan, b);
	assert_true(sends_to(&b->seat.rtp, &real));
	fake_dp_source(&b->seat.rtp, &b->remote, false); // the signalled address goes before what was learned
	EVENTUALLY(sends_to(&b->seat.rtp, &b->remote));
	EVENTUALLY(!at(&b->seat.rtp).path.learn);
	end_session(session);
}

static void test_heard_peer_closes_the_window(void **state)
{
	struct inet_endpoint other = endpoint("10.0.0.9:6666");
	struct media_plan plan;
	struct media_line *b = &plan.legs[1].lines[0];
	uint32_t session;

	(void)state;
	begin_plain(&plan, &session, "192.168.1.5:5000");
	fake_dp_set_last_rx(&b->seat.rtp, clock_now());
	twice_from(b, &other);
	EVENTUALLY(!at(&b->seat.rtp).path.learn);
	assert_true(sends_to(&b->seat.rtp, &b->remote));
	// Another signalled address opens it anew, whatever was heard before.
	b->remote = endpoint("192.168.1.5:7000");
	assert_int_equal(media_session_apply(media, &plan), 0);
	EVENTUALLY(at(&b->seat.rtp).path.learn);
	twice_from(b, &other);
	EVENTUALLY(sends_to(&b->seat.rtp, &other));
	end_session(session);
}

static void test_plain_learning_by_policy(void **state)
{
	static const struct {
		enum media_learn learn;
		const char *signalled;
		bool window;
	} cases[] = {
		{ MEDIA_LEARN_NAT, "10.0.0.9:5000", false }, // no NAT: nothing else is the peer's
		{ MEDIA_LEARN_NAT, "192.168.1.5:5000", true },
		{ MEDIA_LEARN_NEVER, "192.168.1.5:5000", false },
		{ MEDIA_LEARN_ANY, "10.0.0.9:5000", true },
	};
	struct inet_endpoint other = endpoint("10.0.0.66:6666");
	struct media_plan plan;
	struct media_line *b = &plan.legs[1].lines[0];
	uint32_t session;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		profiles[0].learn = cases[i].learn;
		begin_plain(&plan, &session, cases[i].signalled);
		assert_int_equal(at(&b->seat.rtp).path.learn, cases[i].window);
		twice_from(b, &other);
		caught_up(&plan, b);
		assert_true(sends_to(&b->seat.rtp, &b->remote)); // in no mode at once
		if (cases[i].learn == MEDIA_LEARN_ANY) {
			usleep(1100000);
			fake_dp_source(&b->seat.rtp, &other, false);
			EVENTUALLY(sends_to(&b->seat.rtp, &other));
		}
		end_session(session);
	}
	profiles[0].learn = MEDIA_LEARN_NAT;
}

// Ends

static void test_silence_is_told(void **state)
{
	struct media_event silent;
	struct media_plan plan;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	agree_plain(&plan.legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	plan.legs[1].lines[0].silent_allowed = true; // on hold: says nothing, and may
	assert_int_equal(media_session_apply(media, &plan), 0);
	silent = wait_event(MEDIA_EVENT_SILENT, 1);
	assert_non_null(strstr(silent.cause, "access"));
	for (unsigned i = 0; i < n_events; i++)
		assert_false(events[i].kind == MEDIA_EVENT_SILENT && events[i].dialog == 2);
	end_session(session);
}

static void test_limits_and_return(void **state)
{
	struct media_seat seats[40];
	uint32_t sessions[5];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(media_session_open(media, &sessions[i]), 0);
	assert_int_equal(media_session_open(media, &sessions[4]), -ENOSPC);
	for (unsigned i = 0; i < 4; i++)
		media_session_close(media, sessions[i]);
	EVENTUALLY(media_session_count(media) == 0);
	while (n < 40 && media_seat_take(media, ACCESS, INET_V4, &seats[n]) == 0)
		n++;
	assert_int_equal(n, 32); // 64 ports, two a seat
	assert_int_equal(media_seat_take(media, ACCESS, INET_V6, &seats[n]), -ENOSPC);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = i + 1; j < n; j++)
			assert_int_not_equal(seats[i].rtp.port, seats[j].rtp.port);
		assert_int_equal(seats[i].rtp.port % 2, 0);
		assert_int_equal(strlen(seats[i].tls_id), 32);
	}
	media_seat_return(media, &seats[7]); // never was live: no rest
	assert_int_equal(media_seat_take(media, ACCESS, INET_V4, &seats[39]), 0);
	assert_int_equal(seats[39].rtp.port, seats[7].rtp.port);
}

static void test_number_waits_for_the_relay(void **state)
{
	struct media_plan plan;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	assert_int_equal(media_session_apply(media, &plan), 0);
	EVENTUALLY(fake_dp_live() == 4);
	fake_dp_hold_removals(true);
	media_session_close(media, session);
	EVENTUALLY(fake_dp_live() == 0);
	assert_int_equal(media_session_count(media), 1);
}

// A control that dies leaves flows and records; the next one goes on with them.

static void child_makes_a_call(uint32_t *session, struct media_plan *plan)
{
	media = open_media();
	assert_int_equal(media_session_open(media, session), 0);
	*plan = two_legs(*session);
	agree_sdes(&plan->legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan->legs[1].lines[0], "10.0.0.9:5000");
	assert_int_equal(media_session_apply(media, plan), 0);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
}

static void test_adopt_after_death(void **state)
{
	struct { uint32_t session; struct media_plan plan; } call;
	struct media_line *a;
	struct srtcp *theirs;
	struct inet_endpoint to;
	uint8_t packet[256];
	int pipefd[2], status, got, tries = 0;
	size_t len;
	pid_t pid;

	(void)state;
	media_close(media);
	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		struct inet_endpoint ignored;

		child_makes_a_call(&call.session, &call.plan);
		fake_dp_punt(&call.plan.legs[1].lines[0].seat.rtcp, &call.plan.legs[1].lines[0].remote_rtcp,
			     DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
		fake_dp_sent(&ignored, packet, sizeof(packet)); // SRTCP index 1 is used
		_exit(write(pipefd[1], &call, sizeof(call)) == sizeof(call) ? 0 : 1);
	}
	for (size_t at = 0; at < sizeof(call); at += (size_t)got) { // a plan is larger than a pipe
		got = (int)read(pipefd[0], (uint8_t *)&call + at, sizeof(call) - at);
		assert_true(got > 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(pipefd[0]);
	close(pipefd[1]);

	media = open_media();
	assert_int_equal(fake_dp_live(), 4);
	assert_int_equal(media_session_count(media), 1); // its number is taken
	assert_int_equal(media_session_adopt(media, call.session), 0);
	a = &call.plan.legs[0].lines[0];
	assert_int_equal(srtcp_open(&theirs, &a->keying.tx, SRTCP_RECEIVE), 0);
	do // until the adoption is through, nobody knows the port
		fake_dp_punt(&call.plan.legs[1].lines[0].seat.rtcp, &call.plan.legs[1].lines[0].remote_rtcp,
			     DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	while ((got = fake_dp_sent(&to, packet, sizeof(packet))) < 0 && ++tries < 3);
	assert_int_equal(got, sizeof(receiver_report) + 14);
	// E flag and index: far beyond the 1 that the dead control used, so no index comes twice
	assert_true((ntohl(*(uint32_t *)(void *)(packet + sizeof(receiver_report))) & 0x7fffffff) > 1);
	len = (size_t)got;
	assert_int_equal(srtcp_unprotect(theirs, packet, &len), 0);
	srtcp_close(theirs);
	end_session(call.session);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_prepared_is_closed),
		T(test_plain_flows),
		T(test_mux_closes_rtcp_port),
		T(test_sdes_keys),
		T(test_dtls_both_roles),
		T(test_dtls_lost_datagrams),
		T(test_dtls_before_the_answer),
		T(test_dtls_wrong_certificate),
		T(test_nobody_shakes_hands),
		T(test_rtcp_is_sealed_and_opened),
		T(test_secured_leg_follows_authenticated_source),
		T(test_plain_leg_learns_once),
		T(test_heard_peer_closes_the_window),
		T(test_plain_learning_by_policy),
		T(test_silence_is_told),
		T(test_limits_and_return),
		T(test_number_waits_for_the_relay),
		T(test_adopt_after_death),
	};
	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
