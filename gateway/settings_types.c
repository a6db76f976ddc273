// SPDX-License-Identifier: GPL-3.0-or-later
// settings_types.c - scalars of the network: addresses, prefixes, listeners, port ranges, URIs; and paths.
#include "gateway/settings.h"
#include "signaling/sip_config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool may_be_empty(const struct schema_field *f, const char *text)
{
	return text[0] == '\0' && f->fallback != NULL && strcmp(f->fallback, "\"\"") == 0;
}

static int address_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
			size_t room)
{
	struct inet_addr addr = { .family = INET_NONE };

	snprintf(expected, room, "an IPv4 or IPv6 address of one host");
	if (!may_be_empty(f, scalar->text) && (inet_addr_parse(&addr, scalar->text) < 0 || inet_addr_is_any(&addr)))
		return -EINVAL;
	memcpy(dst, &addr, sizeof(addr));
	return 0;
}

static void address_print(FILE *to, const void *src, const struct schema_field *f)
{
	const struct inet_addr *addr = src;
	char text[INET_ADDR_STRLEN];

	fprintf(to, "\"%s\"", addr->family == INET_NONE ? "" : inet_addr_print(text, addr));
}

const struct schema_type setting_address = { address_read, address_print };

static int prefix_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		       size_t room)
{
	struct inet_prefix prefix;
	int err = inet_prefix_parse(&prefix, scalar->text);

	if (err == -EDOM)
		snprintf(expected, room, "a network whose host bits are zero");
	else
		snprintf(expected, room, "an address or a network such as 10.0.0.0/24");
	if (err < 0)
		return -EINVAL;
	memcpy(dst, &prefix, sizeof(prefix));
	return 0;
}

static void prefix_print(FILE *to, const void *src, const struct schema_field *f)
{
	const struct inet_prefix *prefix = src;
	char text[INET_ADDR_STRLEN];

	fprintf(to, "\"%s/%u\"", inet_addr_print(text, &prefix->addr), prefix->len);
}

const struct schema_type setting_prefix = { prefix_read, prefix_print };

static int listener_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
			 size_t room)
{
	struct listener_setting listener;

	memset(&listener, 0, sizeof(listener)); // values are compared as bytes
	snprintf(expected, room, "a listener such as udp:192.0.2.1:5060 or tcp:[2001:db8::1]:5060");
	if (strncmp(scalar->text, "udp:", 4) == 0)
		listener.transport = SIP_UDP;
	else if (strncmp(scalar->text, "tcp:", 4) == 0)
		listener.transport = SIP_TCP;
	else
		return -EINVAL;
	if (inet_endpoint_parse(&listener.bind, scalar->text + 4) < 0 || listener.bind.port == 0 ||
	    inet_addr_is_any(&listener.bind.addr))
		return -EINVAL;
	memcpy(dst, &listener, sizeof(listener));
	return 0;
}

static void listener_print(FILE *to, const void *src, const struct schema_field *f)
{
	const struct listener_setting *listener = src;
	char text[INET_ENDPOINT_STRLEN];

	fprintf(to, "\"%s:%s\"", listener->transport == SIP_UDP ? "udp" : "tcp",
		inet_endpoint_print(text, &listener->bind));
}

const struct schema_type setting_listener = { listener_read, listener_print };

// One number of 1024..65535 that ends with `end`.
static const char *port_read(uint16_t *port, const char *text, char end)
{
	char *rest;
	unsigned long value;

	if (*text < '1' || *text > '9')
		return NULL;
	value = strtoul(text, &rest, 10);
	if (value < 1024 || value > UINT16_MAX || *rest != end)
		return NULL;
	*port = (uint16_t)value;
	return rest + 1;
}

static int ports_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		      size_t room)
{
	struct ports_setting ports;
	const char *rest;

	// RFC 3550 section 11: RTP takes the even port of a pair.
	snprintf(expected, room, "a range of ports such as 16384-32767, even first, odd last, from 1024 to 65535");
	rest = port_read(&ports.first, scalar->text, '-');
	if (rest == NULL || port_read(&ports.last, rest, '\0') == NULL)
		return -EINVAL;
	if (ports.first % 2 != 0 || ports.last % 2 != 1 || ports.first > ports.last)
		return -EINVAL;
	memcpy(dst, &ports, sizeof(ports));
	return 0;
}

static void ports_print(FILE *to, const void *src, const struct schema_field *f)
{
	const struct ports_setting *ports = src;

	fprintf(to, "%u-%u", ports->first, ports->last);
}

const struct schema_type setting_ports = { ports_read, ports_print };

static int path_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		     size_t room)
{
	int err = schema_text.read(dst, scalar, f, expected, room);

	snprintf(expected, room, "an absolute path of at most %zu characters", f->size - 1);
	if (err < 0 || (scalar->text[0] != '/' && !may_be_empty(f, scalar->text)))
		return -EINVAL;
	return 0;
}

static void path_print(FILE *to, const void *src, const struct schema_field *f)
{
	schema_text.print(to, src, f);
}

const struct schema_type setting_path = { path_read, path_print };

// RFC 3986: a scheme, a colon, and characters that need no quotes in SDP either.
static bool is_uri(const char *text)
{
	size_t scheme = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.");

	if (scheme == 0 || text[scheme] != ':' || text[scheme + 1] == '\0')
		return false;
	for (const char *c = text; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~' || strchr("\"<>\\^`{|}", *c) != NULL)
			return false;
	}
	return true;
}

static int uri_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected, size_t room)
{
	struct media_uri uri = { "" };

	snprintf(expected, room, "a URI of at most %zu characters, or " SETTING_EXTENSIONS_ALL, sizeof(uri.text) - 1);
	if (strlen(scalar->text) >= sizeof(uri.text) ||
	    (!is_uri(scalar->text) && strcmp(scalar->text, SETTING_EXTENSIONS_ALL) != 0))
		return -EINVAL;
	snprintf(uri.text, sizeof(uri.text), "%s", scalar->text);
	memcpy(dst, &uri, sizeof(uri));
	return 0;
}

static void uri_print(FILE *to, const void *src, const struct schema_field *f)
{
	fprintf(to, "\"%s\"", ((const struct media_uri *)src)->text);
}

const struct schema_type setting_uri = { uri_read, uri_print };
