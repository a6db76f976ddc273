// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_show.c - tables. What strangers chose (URIs, Call-IDs, SDP) reaches the terminal as printable characters alone.
#include "gateway/ctl/ctl_show.h"
#include <stdio.h>
#include <string.h>

static void put(const char *text, int width)
{
	int n = 0;

	for (; *text != '\0' && (width == 0 || n < width); text++, n++)
		putchar((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e ? '?' : *text);
	for (; n < width; n++)
		putchar(' ');
	if (width != 0)
		putchar(' ');
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void put_number(const json_t *object, const char *key, int width)
{
	const json_t *value = json_object_get(object, key);
	char text[32] = "-";

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(text, sizeof(text), "%.2f", json_real_value(value));
	printf("%*s ", width, text);
}

void ctl_show_status(const json_t *status)
{
	const json_t *calls = json_object_get(status, "calls"), *restarts = json_object_get(status, "restarts"), *realm;
	size_t i;

	printf("sallyport ");
	put(text_of(status, "version"), 0);
	printf(", %s, %s, up %.0f s\n", text_of(status, "state"),
	       json_is_true(json_object_get(status, "ready")) ? "ready" : text_of(status, "reason"), number_of(status, "uptime_seconds"));
	printf("calls %.0f of %.0f, subscriptions %.0f, restarts: control %.0f, relay %.0f\n\n", number_of(calls, "now"),
	       number_of(calls, "limit"), number_of(status, "subscriptions"), number_of(restarts, "control"), number_of(restarts, "relay"));
	printf("%-20s %9s %9s %9s %9s %9s\n", "REALM", "DTLS-SRTP", "SDES", "PLAIN", "NO KEYS", "SILENT");
	json_array_foreach(json_object_get(status, "realms"), i, realm) {
		const json_t *lines = json_object_get(realm, "lines");

		put(text_of(realm, "name"), 20);
		put_number(lines, "dtls-srtp", 9);
		put_number(lines, "sdes", 9);
		put_number(lines, "plain", 9);
		put_number(lines, "none", 9);
		put_number(realm, "silent_lines", 9);
		putchar('\n');
	}
}

void ctl_show_calls(const json_t *list)
{
	const json_t *row, *next = json_object_get(list, "next_before");
	size_t i;

	printf("%8s %-11s %8s %-12s %-30s %-12s %-30s\n", "CALL", "STATE", "UP s", "FROM", "", "TO", "");
	json_array_foreach(json_object_get(list, "calls"), i, row) {
		const json_t *caller = json_object_get(row, "caller"), *callee = json_object_get(row, "callee");

		put_number(row, "id", 8);
		put(text_of(row, "state"), 11);
		put_number(row, "answered_seconds", 8);
		put(text_of(caller, "realm"), 12);
		put(text_of(caller, "uri"), 30);
		put(text_of(callee, "realm"), 12);
		put(text_of(callee, "uri"), 30);
		putchar('\n');
	}
	if (json_is_integer(next))
		printf("... more: --before %lld\n", (long long)json_integer_value(next));
}

static void show_line(const json_t *line)
{
	const json_t *keying = json_object_get(line, "keying"), *traffic = json_object_get(line, "traffic");
	const json_t *quality = json_object_get(line, "quality"), *value;
	const char *key;

	printf("    line %.0f  %s  us %s  peer %s\n", number_of(line, "index"), text_of(line, "direction"), text_of(line, "local"),
	       text_of(line, "remote"));
	printf("      keying   %s, %s, suite %s", text_of(keying, "mechanism"), text_of(keying, "state"), text_of(keying, "suite"));
	if (json_is_string(json_object_get(keying, "dtls_version")))
		printf(", DTLS %s as %s, %s", text_of(keying, "dtls_version"), text_of(keying, "dtls_role"), text_of(keying, "dtls_cipher"));
	if (json_is_string(json_object_get(keying, "seen_fingerprint")))
		printf("\n      seen     %s\n      signalled %s", text_of(keying, "seen_fingerprint"), text_of(keying, "expected_fingerprints"));
	printf("\n      packets  %.0f in, %.0f out, %.0f lost, jitter %.1f ms, MOS ", number_of(traffic, "rx_packets"),
	       number_of(traffic, "tx_packets"), number_of(quality, "lost"), number_of(quality, "jitter_us") / 1000);
	put_number(quality, "mos", 0);
	printf("\n");
	if (json_object_size(json_object_get(line, "drops")) == 0)
		return;
	printf("      drops   ");
	json_object_foreach((json_t *)json_object_get(line, "drops"), key, value)
		printf(" %s %lld", key, (long long)json_integer_value(value));
	putchar('\n');
}

static void show_leg(const json_t *leg)
{
	const json_t *line;
	size_t i;

	printf("\n  %s in ", text_of(leg, "side"));
	put(text_of(leg, "realm"), 0);
	printf(" (%s, peer ", text_of(leg, "state"));
	put(text_of(leg, "peer"), 0);
	printf(", from %s)\n    Call-ID  ", text_of(leg, "source"));
	put(text_of(leg, "call_id"), 0);
	printf("\n    peer     ");
	put(text_of(leg, "remote_uri"), 0);
	putchar('\n');
	json_array_foreach(json_object_get(leg, "lines"), i, line)
		show_line(line);
}

void ctl_show_call(const json_t *call)
{
	const json_t *item;
	size_t i;

	printf("call %.0f, %s, began %.0f s ago, session %.0f\n", number_of(call, "id"), text_of(call, "state"),
	       number_of(call, "age_seconds"), number_of(call, "session"));
	json_array_foreach(json_object_get(call, "legs"), i, item)
		show_leg(item);
	printf("\n");
	json_array_foreach(json_object_get(call, "media"), i, item) {
		printf("  %s -> %s, line %.0f: %s\n    ", text_of(item, "from"), text_of(item, "to"), number_of(item, "line"),
		       json_is_true(json_object_get(item, "flows")) ? "flows" : text_of(item, "reason"));
		put(text_of(item, "explanation"), 0);
		putchar('\n');
	}
}

void ctl_show_flat(const json_t *object)
{
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value) {
		if (!json_is_string(value))
			continue;
		printf("%-10s ", key);
		put(json_string_value(value), 0);
		putchar('\n');
	}
}
