// SPDX-License-Identifier: GPL-3.0-or-later
// test_leg_rtcp.c - RTCP across a session, against a packet path in memory: which port it leaves by, what is never
// plain, every drop by its name in the media summary, SSRCs changed and changed back, the round trip by a clock of the
// test's own.
#include "base/log.h"
#include "base/region.h"
#include "base/secret.h"
#include "mediarelay/call_record.h"
#include "mediarelay/media.h"
#include "mediarelay/srtcp.h"
#include "tests/support/fake_dp.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct media_realm realms[] = {
	{ .name = "access", .network = 0, .n_addresses = 1 },
	{ .name = "core", .network = 1, .n_addresses = 1 },
};
static struct media_profile profiles[] = { { .name = "test", .keying_timeout = MONO_S(5) } };
static struct media_config config = {
	.realms = realms,
	.n_realms = 2,
	.max_sessions = 2,
	.dtls_min = 0x0102,
	.dtls_max = 0x0103,
	.dtls_mtu = 1200,
};

static _Atomic mono_ns clock_at = MONO_S(1000); // stands still but for the test

static mono_ns still_now(void *ctx)
{
	return clock_at;
}

static int real_random(void *ctx, uint8_t *dst, size_t len)
{
	return env_random(&env_real, dst, len);
}

static const struct env still = { .now = still_now, .random = real_random };
static char state_dir[] = "/tmp/sallyport-rtcp-XXXXXX";
static struct region calls;
static struct media *media;
static _Atomic unsigned secured;
static int log_fd, stderr_fd;

static void on_event(void *ctx, const struct media_event *event)
{
	if (event->kind == MEDIA_EVENT_SECURED)
		secured |= 1u << event->dialog;
}

#define EVENTUALLY(condition)                                \
	do {                                                 \
		mono_ns until_ = clock_now() + MONO_S(5);    \
		while (!(condition) && clock_now() < until_) \
			usleep(1000);                        \
		assert_true(condition);                      \
	} while (0)

static int setup_group(void **state)
{
	char path[] = "/tmp/sallyport-rtcp-log-XXXXXX";

	(void)state;
	if (mkdtemp(state_dir) == NULL || (log_fd = mkstemp(path)) < 0 || unlink(path) < 0)
		return -1;
	config.state_dir = state_dir;
	for (size_t r = 0; r < 2; r++) {
		realms[r].address[0].first_port = 20000;
		realms[r].address[0].last_port = 20063;
	}
	inet_addr_parse(&realms[0].address[0].bind, "192.0.2.1");
	inet_addr_parse(&realms[1].address[0].bind, "10.0.0.1");
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "test");
	return 0;
}

static int teardown_group(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/dtls.pem", state_dir);
	unlink(path);
	close(log_fd);
	return rmdir(state_dir);
}

static int setup(void **state)
{
	struct media_start start = {
		.config = &config,
		.profiles = profiles,
		.n_profiles = 1,
		.env = &still,
		.dp_region_fd = -1,
		.relay_eventfd = -1,
		.our_eventfd = -1,
		.event = on_event,
	};

	(void)state;
	secured = 0;
	fake_dp_reset();
	if (region_create(&calls, "test-calls", call_records_footprint(config.max_sessions), false) < 0)
		return -1;
	start.call_region_fd = dup(calls.fd);
	return media_open(&media, &start);
}

static int teardown(void **state)
{
	(void)state;
	media_close(media);
	region_unmap(&calls);
	return 0;
}

// A call of two lines: `a` in access, secured or not, `b` in core.

struct call {
	uint32_t session;
	struct media_plan plan;
	struct media_line *a, *b;
	struct srtcp *rx, *tx; // of the phone at a
};

static struct inet_endpoint endpoint(const char *text)
{
	struct inet_endpoint ep;

	assert_int_equal(inet_endpoint_parse(&ep, text), 0);
	return ep;
}

static void line_agree(struct media_line *line, enum keying_mechanism mechanism, enum srtp_suite suite, bool mux,
		       const char *remote)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);

	line->agreed = line->send = line->receive = true;
	line->rtcp_mux = mux;
	line->remote = line->remote_rtcp = endpoint(remote);
	line->remote_rtcp.port++;
	line->keying.mechanism = mechanism;
	if (mechanism != KEYING_SDES)
		return;
	line->keying.rx.suite = line->keying.tx.suite = suite;
	assert_int_equal(secret_random(line->keying.rx.key, info->key_len), 0);
	assert_int_equal(secret_random(line->keying.tx.key, info->key_len), 0);
}

static void call_begin(struct call *c, enum srtp_suite suite, bool mux_a, bool mux_b)
{
	memset(c, 0, sizeof(*c));
	assert_int_equal(media_session_open(media, &c->session), 0);
	c->plan = (struct media_plan){ .session = c->session, .n_legs = 2, .n_joins = 1 };
	strcpy(c->plan.call_id_a, "a@test");
	c->plan.joins[0] = (struct media_join){ .leg_a = 0, .leg_b = 1 };
	for (unsigned i = 0; i < 2; i++) {
		c->plan.legs[i].dialog = i + 1;
		c->plan.legs[i].n_lines = 1;
		assert_int_equal(media_seat_take(media, (uint16_t)i, INET_V4, &c->plan.legs[i].lines[0].seat), 0);
	}
	c->a = &c->plan.legs[0].lines[0];
	c->b = &c->plan.legs[1].lines[0];
	line_agree(c->a, suite == SRTP_SUITE_NONE ? KEYING_PLAIN : KEYING_SDES, suite, mux_a, "192.0.2.50:4000");
	line_agree(c->b, KEYING_PLAIN, SRTP_SUITE_NONE, mux_b, "10.0.0.9:5000");
}

static void call_apply(struct call *c)
{
	assert_int_equal(media_session_apply(media, &c->plan), 0);
	EVENTUALLY(secured == 6);
	if (c->a->keying.mechanism != KEYING_SDES)
		return;
	assert_int_equal(srtcp_open(&c->rx, &c->a->keying.tx, SRTCP_RECEIVE), 0);
	assert_int_equal(srtcp_open(&c->tx, &c->a->keying.rx, SRTCP_SEND), 0);
}

static void call_open(struct call *c, enum srtp_suite suite, bool mux_a, bool mux_b)
{
	call_begin(c, suite, mux_a, mux_b);
	call_apply(c);
}

// Ends it; the summaries' lines are in `log` then.
static void call_end(struct call *c, char *log, size_t room)
{
	ssize_t got;

	fflush(stderr);
	stderr_fd = dup(STDERR_FILENO);
	assert_true(ftruncate(log_fd, 0) == 0 && lseek(log_fd, 0, SEEK_SET) == 0);
	dup2(log_fd, STDERR_FILENO);
	media_session_close(media, c->session);
	EVENTUALLY(media_session_count(media) == 0);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	got = pread(log_fd, log, room - 1, 0);
	assert_true(got >= 0);
	log[got] = '\0';
	srtcp_close(c->rx);
	srtcp_close(c->tx);
}

static void call_drop(struct call *c)
{
	char log[16384];

	call_end(c, log, sizeof(log));
}

// The summary of a leg has this text; shows the summary if it has not.
static void assert_summary(const char *log, const char *leg, const char *text)
{
	char want[64], line[4096];

	snprintf(want, sizeof(want), "\"leg\":\"%s\"", leg);
	for (const char *at = log; *at != '\0';) {
		size_t len = strcspn(at, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, at);
		if (strstr(line, "media summary") != NULL && strstr(line, want) != NULL) {
			if (strstr(line, text) == NULL)
				fail_msg("no %s in %s", text, line);
			return;
		}
		at += len + (at[len] == '\n');
	}
	fail_msg("no summary of %s in %s", leg, log);
}

static const struct inet_endpoint *rtcp_seat(const struct media_line *line)
{
	return line->rtcp_mux ? &line->seat.rtp : &line->seat.rtcp;
}

static const struct inet_endpoint *rtcp_remote(const struct media_line *line)
{
	return line->rtcp_mux ? &line->remote : &line->remote_rtcp;
}

static void from_b(const struct call *c, const void *packet, size_t len)
{
	fake_dp_punt(rtcp_seat(c->b), rtcp_remote(c->b), DP_PUNT_RTCP, packet, len);
}

static void seal(const struct call *c, uint8_t *packet, size_t *len, size_t room)
{
	assert_int_equal(srtcp_protect(c->tx, packet, len, room), 0);
}

static void from_a_at(const struct call *c, const struct inet_endpoint *source, const void *packet, size_t len)
{
	uint8_t bytes[2048];

	memcpy(bytes, packet, len);
	if (c->tx != NULL)
		seal(c, bytes, &len, sizeof(bytes));
	fake_dp_punt(rtcp_seat(c->a), source, DP_PUNT_RTCP, bytes, len);
}

static void from_a(const struct call *c, const void *packet, size_t len)
{
	from_a_at(c, rtcp_remote(c->a), packet, len);
}

// What comes out at one end is exactly that; at a, after it was opened.
static void expect(const struct call *c, const struct media_line *line, const void *packet, size_t len)
{
	struct inet_endpoint to;
	uint8_t bytes[2048];
	int got = fake_dp_sent(&to, bytes, sizeof(bytes));
	size_t size = (size_t)got;

	assert_true(got > 0);
	assert_true(inet_endpoint_equal(&to, rtcp_remote(line)));
	if (line == c->a && c->rx != NULL) {
		assert_true(size > len);
		assert_int_equal(srtcp_unprotect(c->rx, bytes, &size), 0);
	}
	assert_int_equal(size, len);
	assert_memory_equal(bytes, packet, len);
}

// Nothing has come out by now: what is sent afterwards comes first.
static void expect_nothing_before(const struct call *c)
{
	static const uint8_t marker[] = { 0x80, 204, 0, 2, 9, 9, 9, 9, 'M', 'A', 'R', 'K' };

	from_a(c, marker, sizeof(marker));
	expect(c, c->b, marker, sizeof(marker));
}

static const uint8_t receiver_report[] = { 0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef };
static const uint8_t pli[] = { 0x81, 206, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t compound_bye[] = {
	0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef, 0x81, 203, 0, 1, 0xde, 0xad, 0xbe, 0xef
};

static void test_every_pair_of_ports(void **state)
{
	struct call c;

	(void)state;
	for (unsigned secure = 0; secure < 2; secure++) {
		for (unsigned mux = 0; mux < 4; mux++) {
			secured = 0;
			call_open(&c, secure ? SRTP_AEAD_AES_128_GCM : SRTP_SUITE_NONE, mux & 1, mux & 2);
			from_a(&c, receiver_report, sizeof(receiver_report));
			expect(&c, c.b, receiver_report, sizeof(receiver_report));
			from_b(&c, pli, sizeof(pli)); // reduced-size
			expect(&c, c.a, pli, sizeof(pli));
			from_b(&c, compound_bye, sizeof(compound_bye));
			expect(&c, c.a, compound_bye, sizeof(compound_bye));
			call_drop(&c);
		}
	}
}

static void test_every_suite(void **state)
{
	struct call c;

	(void)state;
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		secured = 0;
		call_open(&c, (enum srtp_suite)suite, true, false);
		for (unsigned i = 0; i < 3; i++) {
			from_a(&c, receiver_report, sizeof(receiver_report));
			expect(&c, c.b, receiver_report, sizeof(receiver_report));
			from_b(&c, receiver_report, sizeof(receiver_report));
			expect(&c, c.a, receiver_report, sizeof(receiver_report));
		}
		call_drop(&c);
	}
}

static void test_passes_on_hold(void **state)
{
	struct call c;

	(void)state;
	call_begin(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, false);
	c.a->send = c.a->receive = c.b->send = c.b->receive = false; // RFC 3264 section 8.4: RTCP goes on
	call_apply(&c);
	from_a(&c, receiver_report, sizeof(receiver_report));
	expect(&c, c.b, receiver_report, sizeof(receiver_report));
	from_b(&c, receiver_report, sizeof(receiver_report));
	expect(&c, c.a, receiver_report, sizeof(receiver_report));
	call_drop(&c);
}

// Drops, each by its name

static void test_drops_of_a_secured_leg(void **state)
{
	static uint8_t large[1501] = { 0x80, 201, 1, 118 };
	struct inet_endpoint elsewhere = endpoint("192.0.2.66:6666");
	uint8_t packet[256], broken[] = { 0x9f, 201, 0, 1, 1, 2, 3, 4 };
	size_t len = sizeof(receiver_report);
	char log[16384];
	struct call c;

	(void)state;
	call_open(&c, SRTP_AES_CM_128_HMAC_SHA1_80, false, false);
	memcpy(packet, receiver_report, len);
	fake_dp_punt(&c.a->seat.rtcp, &c.a->remote_rtcp, DP_PUNT_RTCP, packet, len); // plain, too short: auth
	seal(&c, packet, &len, sizeof(packet));
	packet[len - 14] &= 0x7f; // E
	fake_dp_punt(&c.a->seat.rtcp, &c.a->remote_rtcp, DP_PUNT_RTCP, packet, len);
	packet[len - 14] |= 0x80;
	packet[len - 1] ^= 1;
	for (unsigned i = 0; i < 3; i++)
		fake_dp_punt(&c.a->seat.rtcp, &elsewhere, DP_PUNT_RTCP, packet, len);
	packet[len - 1] ^= 1;
	fake_dp_punt(&c.a->seat.rtcp, &c.a->remote_rtcp, DP_PUNT_RTCP, packet, len);
	expect(&c, c.b, receiver_report, sizeof(receiver_report)); // what was refused had cost it nothing
	for (unsigned i = 0; i < 2; i++)
		fake_dp_punt(&c.a->seat.rtcp, &c.a->remote_rtcp, DP_PUNT_RTCP, packet, len);
	fake_dp_punt(&c.a->seat.rtp, &c.a->remote, DP_PUNT_RTCP, packet, len);
	fake_dp_punt(&c.a->seat.rtcp, &c.a->remote_rtcp, DP_PUNT_RTCP, large, sizeof(large));
	from_a(&c, broken, sizeof(broken)); // authenticated, and malformed
	expect_nothing_before(&c);
	call_end(&c, log, sizeof(log));
	assert_summary(log, "access",
		       "rtcp_wrong_port=1,rtcp_too_big=1,rtcp_clear=1,rtcp_auth=4,rtcp_replay=2,rtcp_malformed=1");
	assert_summary(log, "access", "\"rtcp_drops\":10");
	assert_summary(log, "access", "\"rtcp_rx\":2,\"rtcp_tx\":0");
	assert_summary(log, "core", "\"rtcp_rx\":0,\"rtcp_tx\":2,\"rtcp_drops\":0");
}

static void test_drops_of_a_plain_leg(void **state)
{
	struct inet_endpoint stranger = endpoint("10.0.0.66:5001");
	uint8_t broken[] = { 0x80, 201, 0, 2, 1, 2, 3, 4 };
	char log[16384];
	struct call c;

	(void)state;
	call_open(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, false);
	fake_dp_punt(&c.b->seat.rtcp, &stranger, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	from_b(&c, broken, sizeof(broken));
	expect_nothing_before(&c);
	call_end(&c, log, sizeof(log));
	assert_summary(log, "core", "\"drops_by\":\"rtcp_wrong_source=1,rtcp_malformed=1\"");
}

static void test_nothing_plain_before_the_keys(void **state)
{
	struct inet_endpoint to;
	uint8_t bytes[2048];
	char log[16384];
	struct call c;

	(void)state;
	call_begin(&c, SRTP_SUITE_NONE, true, false);
	c.a->keying.mechanism = KEYING_DTLS_SRTP;
	c.a->keying.dtls_role = DTLS_PASSIVE;
	c.a->keying.suites[0] = SRTP_AEAD_AES_128_GCM;
	assert_int_equal(dtls_fingerprints_add(&c.a->keying.fingerprints, media_fingerprint(media),
					       strlen(media_fingerprint(media))),
			 0);
	assert_int_equal(media_session_apply(media, &c.plan), 0);
	EVENTUALLY(secured == 4);
	for (unsigned i = 0; i < 5; i++)
		from_b(&c, receiver_report, sizeof(receiver_report));
	fake_dp_punt(&c.a->seat.rtp, &c.a->remote, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	assert_int_equal(fake_dp_sent(&to, bytes, sizeof(bytes)), -1);
	call_end(&c, log, sizeof(log));
	assert_summary(log, "access", "rtcp_not_keyed=1,rtcp_tx_not_keyed=5");
}

// A plan that takes the security back, should one ever come: not a plain packet more for it.
static void test_never_falls_back_to_plain(void **state)
{
	struct call c;

	(void)state;
	call_open(&c, SRTP_AEAD_AES_128_GCM, true, false);
	c.a->keying.mechanism = KEYING_PLAIN;
	c.b->silent_allowed = true;
	assert_int_equal(media_session_apply(media, &c.plan), 0);
	from_a(&c, pli, sizeof(pli)); // in order behind the plan or before it: opened either way
	expect(&c, c.b, pli, sizeof(pli));
	usleep(50000);
	fake_dp_punt(&c.a->seat.rtp, &c.a->remote, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	from_b(&c, receiver_report, sizeof(receiver_report));
	expect(&c, c.a, receiver_report, sizeof(receiver_report)); // sealed; and the plain one went nowhere
	call_drop(&c);
}

static void test_without_an_address(void **state)
{
	char log[16384];
	struct call c;

	(void)state;
	call_begin(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, false);
	c.b->remote_rtcp = (struct inet_endpoint){ .port = 0 };
	call_apply(&c);
	from_a(&c, receiver_report, sizeof(receiver_report));
	from_a(&c, receiver_report, sizeof(receiver_report));
	usleep(20000);
	call_end(&c, log, sizeof(log));
	assert_summary(log, "core", "rtcp_no_path=2");
}

// Where RTCP goes

static bool sends_to(const struct inet_endpoint *local, const struct inet_endpoint *remote)
{
	struct fake_transport t;

	return fake_dp_at(local, &t) && inet_endpoint_equal(&t.path.remote, remote);
}

static void test_authenticated_rtcp_moves_no_media(void **state)
{
	struct inet_endpoint moved = endpoint("192.0.2.50:4444"), host = endpoint("192.0.2.66:4001");
	struct call c;

	(void)state;
	call_open(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, false);
	for (unsigned i = 0; i < 10; i++) {
		from_a_at(&c, i < 5 ? &moved : &host, receiver_report, sizeof(receiver_report));
		expect(&c, c.b, receiver_report, sizeof(receiver_report)); // it is the peer's, and passes
		clock_at += MONO_S(3);
	}
	assert_true(sends_to(&c.a->seat.rtp, &c.a->remote));
	call_drop(&c);
}

static void test_rtcp_port_follows_within_its_host(void **state)
{
	struct inet_endpoint moved = endpoint("192.0.2.50:4444"), host = endpoint("192.0.2.66:4001");
	struct call c;

	(void)state;
	call_open(&c, SRTP_AES_CM_128_HMAC_SHA1_80, false, false);
	for (unsigned i = 0; i < 5; i++) {
		from_a_at(&c, &host, receiver_report, sizeof(receiver_report));
		expect(&c, c.b, receiver_report, sizeof(receiver_report));
	}
	assert_true(sends_to(&c.a->seat.rtcp, &c.a->remote_rtcp)); // another host: media has not gone there
	from_a_at(&c, &moved, receiver_report, sizeof(receiver_report));
	expect(&c, c.b, receiver_report, sizeof(receiver_report));
	assert_true(sends_to(&c.a->seat.rtcp, &c.a->remote_rtcp)); // once is not enough
	from_a_at(&c, &moved, receiver_report, sizeof(receiver_report));
	expect(&c, c.b, receiver_report, sizeof(receiver_report));
	EVENTUALLY(sends_to(&c.a->seat.rtcp, &moved));
	assert_true(sends_to(&c.a->seat.rtp, &c.a->remote));
	call_drop(&c);
}

static void test_plain_rtcp_learns_its_port_once(void **state)
{
	struct inet_endpoint real = endpoint("10.0.0.9:5999"), other = endpoint("10.0.0.9:6999");
	struct inet_endpoint stranger = endpoint("10.0.0.66:5001");
	char log[16384];
	struct call c;

	(void)state;
	// Without NAT the port is the one that was signalled: another of that host is another's, a past call's perhaps.
	call_begin(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, false);
	c.b->sip_source = c.b->remote.addr;
	call_apply(&c);
	fake_dp_punt(&c.b->seat.rtcp, &real, DP_PUNT_RTCP, pli, sizeof(pli));
	fake_dp_punt(&c.b->seat.rtcp, &c.b->remote_rtcp, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	expect(&c, c.a, receiver_report, sizeof(receiver_report));
	call_end(&c, log, sizeof(log));
	assert_summary(log, "core", "\"drops_by\":\"rtcp_wrong_source=1\"");

	call_begin(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, false);
	c.b->sip_source = endpoint("10.0.0.7:0").addr;
	call_apply(&c);
	fake_dp_punt(&c.b->seat.rtcp, &stranger, DP_PUNT_RTCP, pli, sizeof(pli));
	fake_dp_punt(&c.b->seat.rtcp, &real, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	expect(&c, c.a, receiver_report, sizeof(receiver_report));
	EVENTUALLY(sends_to(&c.b->seat.rtcp, &real));
	fake_dp_punt(&c.b->seat.rtcp, &other, DP_PUNT_RTCP, pli, sizeof(pli));
	fake_dp_punt(&c.b->seat.rtcp, &real, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	expect(&c, c.a, receiver_report, sizeof(receiver_report));
	assert_true(sends_to(&c.b->seat.rtcp, &real));
	call_end(&c, log, sizeof(log));
	assert_summary(log, "core", "\"drops_by\":\"rtcp_wrong_source=2\"");
}

// SSRCs and figures

static void put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
}

static size_t sender_report(uint8_t p[28], uint32_t ssrc, uint32_t ntp_middle)
{
	memcpy(p, (const uint8_t[28]){ 0x80, 200, 0, 6 }, 28);
	put32(p + 4, ssrc);
	put32(p + 10, ntp_middle);
	return 28;
}

static size_t report_about(uint8_t p[32], uint32_t sender, uint32_t ssrc, uint32_t lost, uint32_t jitter, uint32_t lsr,
			   uint32_t dlsr)
{
	memcpy(p, (const uint8_t[32]){ 0x81, 201, 0, 7 }, 32);
	put32(p + 4, sender);
	put32(p + 8, ssrc);
	put32(p + 12, lost & 0xffffff);
	put32(p + 16, 1000);
	put32(p + 20, jitter);
	put32(p + 24, lsr);
	put32(p + 28, dlsr);
	return 32;
}

static void test_ssrcs_change_and_change_back(void **state)
{
	struct dp_ssrc_map map = { .in = 0xbbbb0001, .out = 0xcccc0001 };
	uint8_t sr[28], sr_out[28], rr[32], rr_out[32];
	char log[16384];
	struct call c;

	(void)state;
	call_open(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, false);
	fake_dp_set_ssrc_maps(&c.a->seat.rtp, &map, 1); // b's stream leaves by a under another SSRC
	sender_report(sr, map.in, 0x11223344);
	sender_report(sr_out, map.out, 0x11223344);
	from_b(&c, sr, sizeof(sr));
	expect(&c, c.a, sr_out, sizeof(sr_out));
	clock_at += MONO_MS(250);
	report_about(rr, 0xaaaa0001, map.out, 7, 80, 0x11223344, 65536 / 5);
	report_about(rr_out, 0xaaaa0001, map.in, 7, 80, 0x11223344, 65536 / 5);
	from_a(&c, rr, sizeof(rr));
	expect(&c, c.b, rr_out, sizeof(rr_out));
	sender_report(sr, 0xaaaa0001, 1); // the other way nothing is mapped
	from_a(&c, sr, sizeof(sr));
	expect(&c, c.b, sr, sizeof(sr));
	call_end(&c, log, sizeof(log));
	assert_summary(log, "access", "\"peer_lost\":7,\"peer_jitter_us\":10000");
	assert_summary(log, "access", "\"rtt_us\":5000"); // 250 ms - 200 ms, to a unit of DLSR
	assert_summary(log, "core", "\"rtt_us\":null");
}

static void test_figures_of_both_legs(void **state)
{
	uint8_t packet[32];
	char log[16384];
	struct call c;

	(void)state;
	call_open(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, true);
	for (uint32_t i = 1; i <= 3; i++) {
		from_a(&c, packet, sender_report(packet, 0xaaaa0001, i));
		expect(&c, c.b, packet, 28);
		clock_at += MONO_MS(10 * i);
		from_b(&c, packet, report_about(packet, 0xbbbb0001, 0xaaaa0001, i, 160, i, 0));
		expect(&c, c.a, packet, 32);
	}
	call_end(&c, log, sizeof(log));
	assert_summary(log, "core", "\"peer_reports\":3,\"peer_lost\":3,\"peer_jitter_us\":20000");
	assert_summary(log, "core", "\"rtt_us\":20000,\"rtt_min_us\":10000,\"rtt_max_us\":30000");
	assert_summary(log, "core", "\"peer_mos\":\"4.");
	assert_summary(log, "access", "\"peer_reports\":0,\"peer_lost\":null");
}

// Whoever is not the peer changes no figure.
static void test_figures_of_the_authenticated_only(void **state)
{
	struct inet_endpoint stranger = endpoint("10.0.0.66:5001");
	uint8_t packet[32], spoiled[32 + SRTCP_TRAILER_MAX];
	char log[16384];
	struct call c;
	size_t len;

	(void)state;
	call_open(&c, SRTP_AES_CM_128_HMAC_SHA1_80, true, false);
	report_about(packet, 0xbbbb0001, 0xaaaa0001, 1000, 160, 0, 0);
	fake_dp_punt(&c.b->seat.rtcp, &stranger, DP_PUNT_RTCP, packet, sizeof(packet));
	memcpy(spoiled, packet, len = sizeof(packet));
	seal(&c, spoiled, &len, sizeof(spoiled));
	spoiled[20] ^= 1;
	fake_dp_punt(&c.a->seat.rtp, &c.a->remote, DP_PUNT_RTCP, spoiled, len);
	expect_nothing_before(&c);
	call_end(&c, log, sizeof(log));
	assert_summary(log, "access", "\"peer_reports\":0");
	assert_summary(log, "core", "\"peer_reports\":0");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_every_pair_of_ports),
		T(test_every_suite),
		T(test_passes_on_hold),
		T(test_drops_of_a_secured_leg),
		T(test_drops_of_a_plain_leg),
		T(test_nothing_plain_before_the_keys),
		T(test_never_falls_back_to_plain),
		T(test_without_an_address),
		T(test_authenticated_rtcp_moves_no_media),
		T(test_rtcp_port_follows_within_its_host),
		T(test_plain_rtcp_learns_its_port_once),
		T(test_ssrcs_change_and_change_back),
		T(test_figures_of_both_legs),
		T(test_figures_of_the_authenticated_only),
	};
	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
