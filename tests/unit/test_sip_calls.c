// SPDX-License-Identifier: GPL-3.0-or-later
// test_sip_calls.c - what is taken out of a description before somebody else sees it.
#include "signaling/sip_calls.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void secrets_are_hidden(void **state)
{
	static const char *const rows[][2] = {
		{ "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 KDR=1\r\ns=-\r\n",
		  "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:(removed)|2^20|1:4 KDR=1\r\ns=-\r\n" },
		{ "a=crypto:1 X inline:AAAAAAAAAAAAAAAA;inline:BBBBBBBBBBBBBBBBBBBB|1:1\r\n", "a=crypto:1 X inline:(removed);inline:(removed)|1:1\r\n" },
		{ "a=CRYPTO:1 X INLINE:AAAAAAAAAAAAAAAA", "a=CRYPTO:1 X INLINE:(removed)" },
		{ "a=crypto:1 X inline:abc\r\n", "a=crypto:1 X inline:***\r\n" }, // no room for more
		{ "a=crypto:1 X inline:\r\na=b\r\n", "a=crypto:1 X inline:\r\na=b\r\n" },
		{ "a=ice-ufrag:abcd\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n", "a=ice-ufrag:abcd\r\na=ice-pwd:(removed)\r\n" },
		{ "k=base64:bm90IHZlcnkgc2VjcmV0\r\nm=audio 1 RTP/AVP 0\n", "k=(removed)\r\nm=audio 1 RTP/AVP 0\n" },
		{ "a=key-mgmt:mikey AQAFgM0XflABAAAAAAAAAAAA\r\n", "a=key-mgmt:(removed)\r\n" },
		{ "s=a=crypto:1 X inline:kept that is a name\r\n", "s=a=crypto:1 X inline:kept that is a name\r\n" },
		{ "a=fingerprint:sha-256 AA:BB\r\na=tool:inline:x\r\n", "a=fingerprint:sha-256 AA:BB\r\na=tool:inline:x\r\n" },
		{ "a=crypto:", "a=crypto:" }, { "", "" }, { "k=", "k=" }, { "\n\n", "\n\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = strdup(rows[i][0]);

		assert_non_null(text);
		sip_calls_hide_secrets(text);
		assert_string_equal(text, rows[i][1]);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(secrets_are_hidden) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
