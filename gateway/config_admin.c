// SPDX-License-Identifier: GPL-3.0-or-later
// config_admin.c - the management door: its scalars, what may not stand together, and what control is given.
#include "gateway/config_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int place_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected, size_t room)
{
	struct admin_place place;
	const char *text = scalar->text;

	memset(&place, 0, sizeof(place)); // values are compared as bytes
	snprintf(expected, room, "an address and port such as 127.0.0.1:8780, or unix:/run/sallyport/admin.sock");
	if (strncmp(text, "unix:/", 6) == 0) {
		if (strlen(text + 5) >= sizeof(place.path))
			return -EINVAL;
		config_text(place.path, sizeof(place.path), text + 5);
	} else if (inet_endpoint_parse(&place.tcp, text) < 0 || place.tcp.port == 0) {
		return -EINVAL;
	}
	memcpy(dst, &place, sizeof(place));
	return 0;
}

static void place_print(FILE *to, const void *src, const struct schema_field *f)
{
	const struct admin_place *place = src;
	char text[INET_ENDPOINT_STRLEN];

	if (place->path[0] != '\0')
		fprintf(to, "\"unix:%s\"", place->path);
	else
		fprintf(to, "\"%s\"", inet_endpoint_print(text, &place->tcp));
}

const struct schema_type setting_place = { place_read, place_print };

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int digest_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected, size_t room)
{
	struct digest_setting digest = { .there = scalar->text[0] != '\0' };

	snprintf(expected, room, "a SHA-256 digest, 64 lower-case hexadecimal digits");
	if (strlen(scalar->text) != (digest.there ? 2 * sizeof(digest.bytes) : 0))
		return -EINVAL;
	for (size_t i = 0; digest.there && i < sizeof(digest.bytes); i++) {
		int high = nibble(scalar->text[2 * i]), low = nibble(scalar->text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		digest.bytes[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(dst, &digest, sizeof(digest));
	return 0;
}

static void digest_print(FILE *to, const void *src, const struct schema_field *f)
{
	const struct digest_setting *digest = src;

	fputc('"', to);
	for (size_t i = 0; digest->there && i < sizeof(digest->bytes); i++)
		fprintf(to, "%02x", digest->bytes[i]);
	fputc('"', to);
}

const struct schema_type setting_digest = { digest_read, digest_print };

static bool is_loopback(const struct inet_addr *addr)
{
	static const uint8_t v6[16] = { [15] = 1 };

	return addr->family == INET_V4 ? addr->bytes[0] == 127 : memcmp(addr->bytes, v6, sizeof(v6)) == 0;
}

static int check_token(const struct admin_settings *a, size_t n, struct config_error *why)
{
	const struct token_settings *token = &a->tokens.items[n];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(a->tokens.items[i].name, token->name) == 0)
			return config_complain(why, config_at(token->node, "name", -1), "token \"%s\" is there twice",
					       token->name);
	}
	if (token->sha256.there == (token->file[0] != '\0'))
		return config_complain(why, config_at(token->node, "name", -1),
				       "token \"%s\": expected sha256 or file, one of them", token->name);
	return 0;
}

static int check_tls(const struct admin_settings *a, struct config_error *why)
{
	const struct admin_tls_settings *t = &a->tls;

	if ((t->certificate[0] == '\0') != (t->key[0] == '\0'))
		return config_complain(why, config_at(t->node, t->key[0] == '\0' ? "certificate" : "key", -1),
				       "certificate and key come together, or neither (the port is in clear)");
	if (t->clients[0] != '\0' && t->certificate[0] == '\0')
		return config_complain(why, config_at(t->node, "clients", -1), "clients: there is no certificate of ours");
	// Tokens cross the port.
	if (t->certificate[0] == '\0' && a->listen.path[0] == '\0' && !is_loopback(&a->listen.tcp.addr))
		return config_complain(why, config_at(a->node, "listen", -1),
				       "listen: expected a loopback address or a unix socket, or tls: with a certificate");
	return 0;
}

static int check_client(const struct admin_settings *a, size_t n, struct config_error *why)
{
	const struct client_settings *client = &a->certificates.items[n];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(a->certificates.items[i].subject, client->subject) == 0)
			return config_complain(why, config_at(client->node, "subject", -1), "subject \"%s\" is there twice",
					       client->subject);
	}
	if (client->subject[0] == '\0')
		return config_complain(why, config_at(client->node, "subject", -1), "subject: expected a name in a certificate");
	if (a->tls.clients[0] == '\0')
		return config_complain(why, config_at(client->node, "subject", -1),
				       "certificates: nobody shows one without tls: clients:");
	return 0;
}

int config_check_admin(const struct admin_settings *a, struct config_error *why)
{
	int err = check_tls(a, why);

	for (size_t i = 0; i < a->tokens.n && err == 0; i++)
		err = check_token(a, i, why);
	for (size_t i = 0; i < a->certificates.n && err == 0; i++)
		err = check_client(a, i, why);
	return err;
}

static const char *path_or_none(const char *path)
{
	return path[0] != '\0' ? path : NULL;
}

int config_build_admin(struct admin_config *to, const struct admin_settings *a)
{
	to->place = a->listen;
	to->connections = a->connections;
	to->tls = (struct admin_tls){ path_or_none(a->tls.certificate), path_or_none(a->tls.key), path_or_none(a->tls.clients) };
	to->tokens = calloc(a->tokens.n + 1, sizeof(*to->tokens)); // calloc(0) may return NULL
	to->certificates = calloc(a->certificates.n + 1, sizeof(*to->certificates));
	if (to->tokens == NULL || to->certificates == NULL)
		return -ENOMEM;
	to->n_tokens = a->tokens.n;
	for (size_t i = 0; i < a->tokens.n; i++) {
		const struct token_settings *token = &a->tokens.items[i];

		config_text(to->tokens[i].name, sizeof(to->tokens[i].name), token->name);
		to->tokens[i].role = token->role;
		to->tokens[i].file = path_or_none(token->file);
		memcpy(to->tokens[i].digest, token->sha256.bytes, sizeof(to->tokens[i].digest));
	}
	to->n_certificates = a->certificates.n;
	for (size_t i = 0; i < a->certificates.n; i++) {
		const struct client_settings *client = &a->certificates.items[i];

		config_text(to->certificates[i].name, sizeof(to->certificates[i].name), client->name);
		config_text(to->certificates[i].subject, sizeof(to->certificates[i].subject), client->subject);
		to->certificates[i].role = client->role;
	}
	return 0;
}
