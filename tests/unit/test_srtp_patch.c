// SPDX-License-Identifier: GPL-3.0-or-later
// The SRTCP index that our patch lets be set in libsrtp2 (deploy/patches): a stream goes on where another one ended.
#include <arpa/inet.h>
#include <setjmp.h>
#include <srtp2/srtp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SSRC UINT32_C(0xcafe0001)
#define INDEX_MAX UINT32_C(0x7fffffff)

static uint8_t master[64] = { 1, 2, 3, 4, 5 };

static srtp_t session_open(srtp_ssrc_type_t type, srtp_profile_t profile)
{
	srtp_policy_t policy = { .ssrc = { .type = type }, .key = master, .window_size = 128 };
	srtp_t session = NULL;

	assert_int_equal(srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, profile), srtp_err_status_ok);
	assert_int_equal(srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, profile), srtp_err_status_ok);
	assert_int_equal(srtp_create(&session, &policy), srtp_err_status_ok);
	return session;
}

// An empty receiver report, protected in place. Returns libsrtp's status; *len is what goes out.
static srtp_err_status_t send_report(srtp_t session, uint8_t packet[128], int *len)
{
	const uint32_t ssrc = htonl(SSRC);

	memset(packet, 0, 128);
	memcpy(packet, (const uint8_t[]){ 0x80, 201, 0, 1 }, 4);
	memcpy(packet + 4, &ssrc, 4);
	*len = 8;
	return srtp_protect_rtcp(session, packet, len);
}

// RFC 3711 section 3.4: E flag and index stand before the tag (RFC 7714 section 9: at the end).
static uint32_t index_of(const uint8_t *packet, int len, srtp_profile_t profile)
{
	uint32_t word;

	memcpy(&word, packet + len - (profile == srtp_profile_aead_aes_128_gcm ? 4 : 14), 4);
	return ntohl(word) & INDEX_MAX;
}

static void check_takeover(srtp_profile_t profile)
{
	srtp_t first = session_open(ssrc_any_outbound, profile), second = session_open(ssrc_any_outbound, profile);
	srtp_t receiver = session_open(ssrc_any_inbound, profile);
	uint8_t packet[128];
	uint32_t index;
	int len;

	for (int i = 1; i <= 3; i++) {
		assert_int_equal(send_report(first, packet, &len), srtp_err_status_ok);
		assert_int_equal(index_of(packet, len, profile), i);
		assert_int_equal(srtp_unprotect_rtcp(receiver, packet, &len), srtp_err_status_ok);
	}
	assert_int_equal(srtp_get_stream_rtcp_index(first, SSRC, &index), srtp_err_status_ok);
	assert_int_equal(index, 3);

	// The stream does not exist in the second session yet: its first packet must go on all the same.
	assert_int_equal(srtp_set_stream_rtcp_index(second, SSRC, 1000), srtp_err_status_ok);
	assert_int_equal(send_report(second, packet, &len), srtp_err_status_ok);
	assert_int_equal(index_of(packet, len, profile), 1001);
	assert_int_equal(srtp_unprotect_rtcp(receiver, packet, &len), srtp_err_status_ok);
	assert_int_equal(srtp_get_stream_rtcp_index(second, SSRC, &index), srtp_err_status_ok);
	assert_int_equal(index, 1001);
	assert_int_equal(srtp_get_stream_rtcp_index(receiver, SSRC, &index), srtp_err_status_ok);
	assert_int_equal(index, 1001);
	srtp_dealloc(first);
	srtp_dealloc(second);
	srtp_dealloc(receiver);
}

static void sender_goes_on(void **state)
{
	check_takeover(srtp_profile_aes128_cm_sha1_80);
	check_takeover(srtp_profile_aead_aes_128_gcm);
}

static void receiver_refuses_what_was_seen(void **state)
{
	srtp_t sender = session_open(ssrc_any_outbound, srtp_profile_aes128_cm_sha1_80);
	srtp_t receiver = session_open(ssrc_any_inbound, srtp_profile_aes128_cm_sha1_80);
	uint8_t packets[3][128];
	int len[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(send_report(sender, packets[i], &len[i]), srtp_err_status_ok);
	assert_int_equal(srtp_set_stream_rtcp_index(receiver, SSRC, 2), srtp_err_status_ok);
	assert_int_equal(srtp_unprotect_rtcp(receiver, packets[0], &len[0]), srtp_err_status_replay_old);
	assert_int_equal(srtp_unprotect_rtcp(receiver, packets[1], &len[1]), srtp_err_status_replay_fail);
	assert_int_equal(srtp_unprotect_rtcp(receiver, packets[2], &len[2]), srtp_err_status_ok);
	srtp_dealloc(sender);
	srtp_dealloc(receiver);
}

static void last_index_ends_the_key(void **state)
{
	srtp_t sender = session_open(ssrc_any_outbound, srtp_profile_aes128_cm_sha1_80);
	uint8_t packet[128];
	int len;

	assert_int_equal(srtp_set_stream_rtcp_index(sender, SSRC, INDEX_MAX - 1), srtp_err_status_ok);
	assert_int_equal(send_report(sender, packet, &len), srtp_err_status_ok);
	assert_int_equal(index_of(packet, len, srtp_profile_aes128_cm_sha1_80), INDEX_MAX);
	assert_int_equal(send_report(sender, packet, &len), srtp_err_status_key_expired);
	assert_int_equal(srtp_set_stream_rtcp_index(sender, SSRC, INDEX_MAX + 1), srtp_err_status_bad_param);
	srtp_dealloc(sender);
}

static void nothing_to_set(void **state)
{
	srtp_policy_t policy = { .ssrc = { .type = ssrc_specific, .value = SSRC }, .key = master };
	srtp_t session = NULL;
	uint32_t index;

	srtp_crypto_policy_set_rtp_default(&policy.rtp);
	srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
	assert_int_equal(srtp_create(&session, &policy), srtp_err_status_ok);
	assert_int_equal(srtp_get_stream_rtcp_index(session, SSRC, &index), srtp_err_status_ok);
	assert_int_equal(index, 0);
	assert_int_equal(srtp_set_stream_rtcp_index(session, SSRC + 1, 5), srtp_err_status_bad_param);
	assert_int_equal(srtp_get_stream_rtcp_index(session, SSRC + 1, &index), srtp_err_status_bad_param);
	assert_int_equal(srtp_set_stream_rtcp_index(NULL, SSRC, 5), srtp_err_status_bad_param);
	srtp_dealloc(session);
}

static int start(void **state)
{
	return srtp_init() == srtp_err_status_ok ? 0 : -1;
}

static int stop(void **state)
{
	return srtp_shutdown() == srtp_err_status_ok ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sender_goes_on),
		cmocka_unit_test(receiver_refuses_what_was_seen),
		cmocka_unit_test(last_index_ends_the_key),
		cmocka_unit_test(nothing_to_set),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
