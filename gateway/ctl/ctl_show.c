// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_show.c - status and calls for people.
#include "gateway/ctl/ctl_show.h"
#include "gateway/ctl/ctl_put.h"
#include <stdio.h>

void ctl_show_status(const json_t *status)
{
	const json_t *calls = json_object_get(status, "calls"), *restarts = json_object_get(status, "restarts"), *realm;
	size_t i;

	printf("sallyport ");
	ctl_put(ctl_text(status, "version"), 0);
	printf(", %s, %s, up %.0f s\n", ctl_text(status, "state"),
	       json_is_true(json_object_get(status, "ready")) ? "ready" : ctl_text(status, "reason"), ctl_number(status, "uptime_seconds"));
	printf("calls %.0f of %.0f, subscriptions %.0f, restarts: control %.0f, relay %.0f\n\n", ctl_number(calls, "now"),
	       ctl_number(calls, "limit"), ctl_number(status, "subscriptions"), ctl_number(restarts, "control"), ctl_number(restarts, "relay"));
	printf("%-20s %9s %9s %9s %9s %9s\n", "REALM", "DTLS-SRTP", "SDES", "PLAIN", "NO KEYS", "SILENT");
	json_array_foreach(json_object_get(status, "realms"), i, realm) {
		const json_t *lines = json_object_get(realm, "lines");

		ctl_put(ctl_text(realm, "name"), 20);
		ctl_put_number(lines, "dtls-srtp", 9);
		ctl_put_number(lines, "sdes", 9);
		ctl_put_number(lines, "plain", 9);
		ctl_put_number(lines, "none", 9);
		ctl_put_number(realm, "silent_lines", 9);
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

		ctl_put_number(row, "id", 8);
		ctl_put(ctl_text(row, "state"), 11);
		ctl_put_number(row, "answered_seconds", 8);
		ctl_put(ctl_text(caller, "realm"), 12);
		ctl_put(ctl_text(caller, "uri"), 30);
		ctl_put(ctl_text(callee, "realm"), 12);
		ctl_put(ctl_text(callee, "uri"), 30);
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

	printf("    line %.0f  %s  us %s  peer %s\n", ctl_number(line, "index"), ctl_text(line, "direction"), ctl_text(line, "local"),
	       ctl_text(line, "remote"));
	printf("      keying   %s, %s, suite %s", ctl_text(keying, "mechanism"), ctl_text(keying, "state"), ctl_text(keying, "suite"));
	if (json_is_string(json_object_get(keying, "dtls_version")))
		printf(", DTLS %s as %s, %s", ctl_text(keying, "dtls_version"), ctl_text(keying, "dtls_role"), ctl_text(keying, "dtls_cipher"));
	if (json_is_string(json_object_get(keying, "seen_fingerprint")))
		printf("\n      seen     %s\n      signalled %s", ctl_text(keying, "seen_fingerprint"), ctl_text(keying, "expected_fingerprints"));
	printf("\n      packets  %.0f in, %.0f out, %.0f lost, jitter %.1f ms, MOS ", ctl_number(traffic, "rx_packets"),
	       ctl_number(traffic, "tx_packets"), ctl_number(quality, "lost"), ctl_number(quality, "jitter_us") / 1000);
	ctl_put_number(quality, "mos", 0);
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

	printf("\n  %s in ", ctl_text(leg, "side"));
	ctl_put(ctl_text(leg, "realm"), 0);
	printf(" (%s, peer ", ctl_text(leg, "state"));
	ctl_put(ctl_text(leg, "peer"), 0);
	printf(", from %s)\n    Call-ID  ", ctl_text(leg, "source"));
	ctl_put(ctl_text(leg, "call_id"), 0);
	printf("\n    peer     ");
	ctl_put(ctl_text(leg, "remote_uri"), 0);
	putchar('\n');
	json_array_foreach(json_object_get(leg, "lines"), i, line)
		show_line(line);
}

void ctl_show_call(const json_t *call)
{
	const json_t *item;
	size_t i;

	printf("call %.0f, %s, began %.0f s ago, session %.0f\n", ctl_number(call, "id"), ctl_text(call, "state"),
	       ctl_number(call, "age_seconds"), ctl_number(call, "session"));
	json_array_foreach(json_object_get(call, "legs"), i, item)
		show_leg(item);
	printf("\n");
	json_array_foreach(json_object_get(call, "media"), i, item) {
		printf("  %s -> %s, line %.0f: %s\n    ", ctl_text(item, "from"), ctl_text(item, "to"), ctl_number(item, "line"),
		       json_is_true(json_object_get(item, "flows")) ? "flows" : ctl_text(item, "reason"));
		ctl_put(ctl_text(item, "explanation"), 0);
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
		ctl_put(json_string_value(value), 0);
		putchar('\n');
	}
}
