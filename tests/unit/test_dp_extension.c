// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_extension.c - RTP header extensions between two legs: which go on, and between a leg that encrypts them (RFC
// 6904, RFC 9335) and one that does not.
#include "tests/support/relay_alone.h"
#include "tests/support/srtp_peer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PAYLOAD 40

static struct relay_alone *ra;
static struct srtp_engine *engine; // of the peers
static struct dp_ref a, b;         // a is secured, b is plain or secured, too
static struct srtp_peer a_sends, a_hears, b_sends, b_hears;
static uint16_t seq;

static const struct alone_to from_a = { .network = 0, .source_port = 4000, .port = 16384, .source_last = 1 };
static const struct alone_to from_b = { .network = 1, .source_port = 4000, .port = 16386, .source_last = 2 };

static void keys_give(struct dp_ref ref, enum dp_direction direction, uint8_t octet, struct srtp_peer *peer,
		      enum srtp_suite suite)
{
	struct dp_keys keys = { .direction = direction, .epoch = 1, .master.suite = suite };

	memset(keys.master.key, octet, sizeof(keys.master.key));
	memset(keys.master.salt, octet + 1, sizeof(keys.master.salt));
	srtp_peer_open(peer, engine, &keys);
	dp_transport_keys(ra->client, ref, &keys);
	relay_alone_commands(ra);
}

static void legs_open(enum srtp_suite suite_a, enum srtp_suite suite_b)
{
	a = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_SRTP, DP_MODE_RTP);
	b = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", suite_b != SRTP_SUITE_NONE ? DP_SRTP : DP_PLAIN,
			    DP_MODE_RTP);
	dp_transport_edges(ra->client, a, &(struct dp_edge){ .to = b, .open = true }, 1);
	dp_transport_edges(ra->client, b, &(struct dp_edge){ .to = a, .open = true }, 1);
	keys_give(a, DP_RX, 1, &a_sends, suite_a);
	keys_give(a, DP_TX, 2, &a_hears, suite_a);
	if (suite_b != SRTP_SUITE_NONE) {
		keys_give(b, DP_RX, 3, &b_sends, suite_b);
		keys_give(b, DP_TX, 4, &b_hears, suite_b);
	}
	seq = 1;
}

static void legs_close(void)
{
	dp_transport_remove(ra->client, a);
	dp_transport_remove(ra->client, b);
	relay_alone_commands(ra);
	srtp_peer_close(&a_sends);
	srtp_peer_close(&a_hears);
	srtp_peer_close(&b_sends);
	srtp_peer_close(&b_hears);
	a_sends = a_hears = b_sends = b_hears = (struct srtp_peer){ 0 };
}

static int setup(void **state)
{
	ra = relay_alone_open(0);
	return srtp_engine_open(&engine, SRTP_ARCH_AUTO);
}

static int teardown(void **state)
{
	srtp_engine_close(engine);
	relay_alone_close(ra);
	return 0;
}

// A packet with cc CSRCs and the extension that is written in hex, "bede 0001 ..."; NULL: none.
static size_t rtp(uint8_t *dst, unsigned cc, const char *extension)
{
	size_t at = 12;

	memcpy(dst, (uint8_t[]){ (uint8_t)(0x80 | cc | (extension != NULL ? 0x10 : 0)), 96, (uint8_t)(seq >> 8),
				 (uint8_t)seq, 1, 2, 3, 4, 5, 6, 7, 8 }, 12);
	for (; at < 12 + 4 * cc; at++)
		dst[at] = (uint8_t)(0xc0 + at);
	if (extension != NULL)
		at += fixture_hex(dst + at, extension);
	for (unsigned i = 0; i < PAYLOAD; i++)
		dst[at++] = (uint8_t)(seq + i);
	return at;
}

// Sends what rtp() made and looks at what left; 0: nothing did.
static size_t through(bool by_a, const uint8_t *plain, size_t len, const struct dp_extensions *xin, uint8_t *got)
{
	const struct alone_frame *f = &ra->sent[ra->n_sent % ALONE_FRAMES];
	struct srtp_peer *from = by_a ? &a_sends : &b_sends;
	unsigned sent = ra->n_sent;
	uint8_t packet[512];

	memcpy(packet, plain, len);
	if (from->key != NULL)
		len = srtp_peer_secure(from, packet, len, 0, xin);
	assert_true(len > 0);
	relay_alone_datagram(ra, by_a ? &from_a : &from_b, packet, len);
	seq++;
	if (ra->n_sent == sent)
		return 0;
	memcpy(got, f->bytes + 42, f->len - 42u);
	return f->len - 42u;
}

static void extensions_set(struct dp_ref ref, const struct dp_extensions *x)
{
	dp_transport_extensions(ra->client, ref, x);
	relay_alone_commands(ra);
}

static void allow(struct dp_extensions *x, unsigned id)
{
	x->allowed[id / 8] |= (uint8_t)(1 << id % 8);
}

static void chosen(const struct dp_extensions *x, unsigned cc, const char *before, const char *after)
{
	uint8_t plain[512], want[512], got[512];
	size_t len = rtp(plain, cc, before), want_len = rtp(want, cc, after);

	extensions_set(a, x);
	assert_int_equal(through(true, plain, len, NULL, got), want_len);
	assert_memory_equal(got, want, want_len);
}

static void what_may_go_on_goes_on(void **state)
{
	const struct dp_extensions pass = { .mode = DP_EXTENSION_PASS }, strip = { .mode = DP_EXTENSION_STRIP };
	struct dp_extensions one = { .mode = DP_EXTENSION_FILTER };

	allow(&one, 3);
	allow(&one, 200);
	legs_open(SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_SUITE_NONE);
	for (unsigned cc = 0; cc < 16; cc += 5) {
		chosen(&pass, cc, "bede 0002 10 aa 31 bbbb 000000", "bede 0002 10 aa 31 bbbb 000000");
		chosen(&strip, cc, "bede 0002 10 aa 31 bbbb 000000", NULL);
		chosen(&strip, cc, "bede 0000", NULL);
		chosen(&strip, cc, NULL, NULL);
		chosen(&one, cc, NULL, NULL);
		chosen(&one, cc, "bede 0002 10 aa 31 bbbb 000000", "bede 0001 31 bbbb 00"); // not 1, but 3
		chosen(&one, cc, "bede 0002 31 bbbb 10 aa 000000", "bede 0001 31 bbbb 00");
		chosen(&one, cc, "bede 0002 00 31 bbbb 00 31 cccc", "bede 0002 31 bbbb 31 cccc 0000");
		chosen(&one, cc, "bede 0001 10 aa 0000", NULL);
		chosen(&one, cc, "bede 0001 31 bbbb f0", "bede 0001 31 bbbb 00"); // behind 15 nothing counts
		chosen(&one, cc, "bede 0001 31 bbbb 3f", NULL);                   // reaches beyond its end
		chosen(&one, cc, "1000 0003 01 01 aa c8 04 01020304 03 00 00", "1000 0002 c8 04 01020304 03 00");
		chosen(&one, cc, "abcd 0001 01020304", NULL); // nobody's ids
	}
	legs_close();
}

static const uint8_t *encrypted_ids(struct dp_extensions *x, unsigned id)
{
	x->encrypted[id / 8] |= (uint8_t)(1 << id % 8);
	return x->encrypted;
}

// Leg A encrypts element 3, or all (cryptex); leg B does not, or does it in another way.
static void joined(enum srtp_suite suite_a, const struct dp_extensions *xa, enum srtp_suite suite_b,
		   const struct dp_extensions *xb, unsigned cc, const char *extension)
{
	uint8_t plain[512], got[512];
	size_t len, n;

	legs_open(suite_a, suite_b);
	extensions_set(a, xa);
	extensions_set(b, xb);
	for (unsigned i = 0; i < 20; i++) {
		bool by_a = i % 2;
		struct srtp_peer *hears = by_a ? &b_hears : &a_hears;
		const struct dp_extensions *x = by_a ? xb : xa;

		len = rtp(plain, cc, extension);
		n = through(by_a, plain, len, by_a ? xa : xb, got);
		assert_true(n >= len);
		if (hears->key != NULL) {
			bool hidden = x->cryptex || x->encrypted[0] != 0;

			// The value of element 3 stands nowhere in the header as it travels.
			assert_int_equal(memmem(got, len - PAYLOAD, "\xb1\xb2\xb3\xb4", 4) == NULL, hidden);
			assert_true(!x->cryptex || cc == 0 || memcmp(got + 12, plain + 12, 4) != 0);
			n = srtp_peer_open_packet(hears, got, n, 0, x);
		}
		assert_int_equal(n, len);
		assert_memory_equal(got, plain, len);
	}
	legs_close();
}

static void encrypted_joins_what_is_not(void **state)
{
	static const enum srtp_suite suites[] = { SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_AES_256_CM_HMAC_SHA1_32,
						  SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_256_GCM };
	static const char *const forms[] = { "bede 0002 10 aa 33 b1b2b3b4 00",
					     "1000 0003 01 01 aa 03 04 b1b2b3b4 0000 00" };
	const struct dp_extensions none = { 0 }, cryptex = { .cryptex = true };
	struct dp_extensions third = { 0 };

	encrypted_ids(&third, 3);
	for (unsigned s = 0; s < 4; s++) {
		for (unsigned f = 0; f < 2; f++) {
			for (unsigned cc = 0; cc < 4; cc += 3) {
				joined(suites[s], &third, SRTP_SUITE_NONE, &none, cc, forms[f]);
				joined(suites[s], &cryptex, SRTP_SUITE_NONE, &none, cc, forms[f]);
				joined(suites[s], &third, suites[(s + 1) % 4], &none, cc, forms[f]);
				joined(suites[s], &third, suites[(s + 1) % 4], &cryptex, cc, forms[f]);
				joined(suites[s], &cryptex, suites[(s + 1) % 4], &none, cc, forms[f]);
			}
		}
	}
}

// A plain leg's element that does not fit cannot be encrypted: named, and nothing half done leaves.
static void what_cannot_be_encrypted_is_named(void **state)
{
	struct dp_extensions third = { 0 };
	uint8_t plain[512], got[512];
	size_t len;

	encrypted_ids(&third, 3);
	legs_open(SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_SUITE_NONE);
	extensions_set(a, &third);
	len = rtp(plain, 0, "bede 0001 31 bbbb 3f");
	assert_int_equal(through(false, plain, len, NULL, got), 0);
	assert_int_equal(ra->relay.map.transports[a.index].counters.drops[RELAY_DROP_EXTENSION], 1);
	len = rtp(plain, 0, "bede 0001 31 bbbb 00");
	assert_true(through(false, plain, len, NULL, got) > len);
	legs_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_go_on_goes_on),
		cmocka_unit_test(encrypted_joins_what_is_not),
		cmocka_unit_test(what_cannot_be_encrypted_is_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
