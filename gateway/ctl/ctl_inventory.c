// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_inventory.c - tables of realms, peers, routes, transports and workers.
#include "gateway/ctl/ctl_put.h"
#include "gateway/ctl/ctl_show.h"
#include <stdio.h>

static void put_list(const json_t *list, int width)
{
	char text[256] = "";
	const json_t *item;
	size_t i, at = 0;

	json_array_foreach(list, i, item) {
		const char *word = json_string_value(json_is_object(item) ? json_object_get(item, "address") : item);

		if (word != NULL && at < sizeof(text))
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? " " : "", word);
	}
	ctl_put(text[0] != '\0' ? text : "-", width);
}

void ctl_show_realms(const json_t *answer)
{
	const json_t *realm;
	size_t i;

	printf("%-16s %-10s %-16s %8s %8s %6s %6s %9s %5s  %s\n", "REALM", "INTERFACE", "PROFILE", "CALLING", "CALLED", "LINES", "SILENT",
	       "JITTER ms", "MOS", "LISTENERS");
	json_array_foreach(json_object_get(answer, "realms"), i, realm) {
		const json_t *live = json_object_get(realm, "live"), *calls = json_object_get(live, "calls");
		const json_t *lines = json_object_get(live, "lines"), *quality = json_object_get(live, "quality");

		ctl_put(ctl_text(realm, "name"), 16);
		ctl_put(ctl_text(realm, "interface"), 10);
		ctl_put(ctl_text(realm, "profile"), 16);
		ctl_put_number(calls, "calling", 8);
		ctl_put_number(calls, "called", 8);
		printf("%6.0f ", ctl_number(lines, "dtls-srtp") + ctl_number(lines, "sdes") + ctl_number(lines, "plain") + ctl_number(lines, "none"));
		ctl_put_number(live, "silent_lines", 6);
		printf("%9.1f ", ctl_number(quality, "jitter_seconds") * 1000);
		ctl_put_number(quality, "mos", 5);
		putchar(' ');
		put_list(json_object_get(realm, "listeners"), 0);
		putchar('\n');
	}
}

void ctl_show_peers(const json_t *answer)
{
	const json_t *peer;
	size_t i;

	printf("%-20s %-16s %-16s %8s %8s %-36s %s\n", "PEER", "REALM", "PROFILE", "CALLING", "CALLED", "TARGET", "SOURCES");
	json_array_foreach(json_object_get(answer, "peers"), i, peer) {
		const json_t *calls = json_object_get(json_object_get(peer, "live"), "calls");

		ctl_put(ctl_text(peer, "name"), 20);
		ctl_put(ctl_text(peer, "realm"), 16);
		ctl_put(ctl_text(peer, "profile"), 16);
		ctl_put_number(calls, "calling", 8);
		ctl_put_number(calls, "called", 8);
		ctl_put(ctl_text(peer, "target"), 36);
		put_list(json_object_get(peer, "sources"), 0);
		puts(json_is_true(json_object_get(peer, "retired")) ? " (retired)" : "");
	}
}

void ctl_show_routes(const json_t *answer)
{
	const json_t *route;
	size_t i;

	printf("%4s %-16s %-20s %-24s %-20s %9s\n", "", "FROM REALM", "PEER", "USER", "TO", "REQUESTS");
	json_array_foreach(json_object_get(answer, "routes"), i, route) {
		printf("%4zu ", i + 1);
		ctl_put(ctl_text(route, "realm"), 16);
		ctl_put(json_is_string(json_object_get(route, "peer")) ? ctl_text(route, "peer") : "any", 20);
		ctl_put(ctl_text(route, "user"), 24);
		ctl_put(ctl_text(route, "to"), 20);
		ctl_put_number(json_object_get(route, "live"), "requests", 9);
		putchar('\n');
	}
}

void ctl_show_transports(const json_t *answer)
{
	const json_t *transport;
	size_t i;

	printf("%-16s %-9s %-40s %-10s %11s %8s %8s\n", "REALM", "TRANSPORT", "ADDRESS", "STATE", "CONNECTIONS", "QUEUED", "DROPPED");
	json_array_foreach(json_object_get(answer, "transports"), i, transport) {
		const json_t *live = json_object_get(transport, "live");

		ctl_put(ctl_text(transport, "realm"), 16);
		ctl_put(ctl_text(transport, "transport"), 9);
		ctl_put(ctl_text(transport, "address"), 40);
		ctl_put(ctl_text(live, "state"), 10);
		ctl_put_number(live, "connections", 11);
		ctl_put_number(live, "queued_octets", 8);
		ctl_put_number(live, "dropped", 8);
		putchar('\n');
	}
}

static void put_drops(const json_t *drops)
{
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)drops, key, value)
		printf(" %s %lld", key, (long long)json_integer_value(value));
}

static void show_rings(const json_t *worker)
{
	const json_t *ring;
	size_t i;

	json_array_foreach(json_object_get(worker, "rings"), i, ring) {
		double size = ctl_number(ring, "size_bytes");

		printf("    ring %-14s %5.1f %% of %.0f, refused %.0f\n", ctl_text(ring, "name"),
		       size > 0 ? 100 * ctl_number(ring, "used_bytes") / size : 0, size, ctl_number(ring, "refused"));
	}
}

void ctl_show_workers(const json_t *answer)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "workers"), i, item) {
		printf("worker %.0f: load %.1f %%, %.0f packets in, %.0f out, drops:", ctl_number(item, "worker"), 100 * ctl_number(item, "load"),
		       ctl_number(item, "rx_packets"), ctl_number(item, "tx_packets"));
		if (json_object_size(json_object_get(item, "drops")) == 0)
			printf(" none");
		put_drops(json_object_get(item, "drops"));
		putchar('\n');
		show_rings(item);
	}
	json_array_foreach(json_object_get(answer, "pools"), i, item)
		printf("pool %-14s %.0f of %.0f, refused %.0f\n", ctl_text(item, "name"), ctl_number(item, "used"), ctl_number(item, "size"),
		       ctl_number(item, "refused"));
	json_array_foreach(json_object_get(answer, "interfaces"), i, item)
		printf("interface %-14s %s, %.0f frames missed, %.0f of %.0f buffers free\n", ctl_text(item, "name"),
		       json_is_true(json_object_get(item, "up")) ? "up" : "down", ctl_number(item, "missed_frames"),
		       ctl_number(item, "buffers_free"), ctl_number(item, "buffers"));
}
