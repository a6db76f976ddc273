// SPDX-License-Identifier: GPL-3.0-or-later
// config_change.c - each key's scope.
#include "gateway/config_change.h"
#include "gateway/config_priv.h"
#include <stdio.h>
#include <string.h>

// [] stands for any name; a key stands for all below it. What is not here is the relay's, or that of both.
static const struct {
	const char *key;
	enum config_scope scope;
} scopes[] = {
	{ "log.level", CONFIG_LIVE },
	{ "process.drain_timeout", CONFIG_LIVE },
	{ "limits.calls", CONFIG_LIVE },
	{ "limits.capacity", CONFIG_LIVE }, // as long as it is the same number
	{ "limits.subscriptions", CONFIG_LIVE },
	{ "call_records", CONFIG_LIVE },
	{ "sip", CONFIG_LIVE },
	{ "dtls", CONFIG_CONTROL },
	{ "admin", CONFIG_CONTROL },
	{ "realms[].listeners", CONFIG_CONTROL },
	{ "realms[].trusted", CONFIG_LIVE },
	{ "realms[].profile", CONFIG_LIVE },
	{ "realms[].dscp", CONFIG_LIVE },
	{ "profiles", CONFIG_LIVE },
	{ "peers", CONFIG_LIVE },
	{ "routes", CONFIG_LIVE },
};

struct teller {
	config_change_fn *tell;
	void *ctx;
	bool other_capacity;
};

// "realms[core].trusted" without the name.
static void without_names(char *dst, const char *path)
{
	bool inside = false;

	for (; *path != '\0'; path++) {
		inside &= *path != ']';
		if (!inside)
			*dst++ = *path;
		inside |= *path == '[';
	}
	*dst = '\0';
}

static enum config_scope scope_of(const char *path)
{
	char key[SCHEMA_PATH];

	without_names(key, path);
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		size_t len = strlen(scopes[i].key);

		if (strncmp(key, scopes[i].key, len) == 0 && strchr(".[", key[len]) != NULL) // its end counts, too
			return scopes[i].scope;
	}
	return CONFIG_RELAY;
}

static void name_key(char *list, size_t size, const char *path)
{
	size_t at = strlen(list);

	if (at + strlen(path) + sizeof(", , ...") < size)
		snprintf(list + at, size - at, "%s%s", at > 0 ? ", " : "", path);
	else if (at < 3 || strcmp(list + at - 3, "...") != 0)
		snprintf(list + at, size - at, ", ...");
}

static void tell(void *ctx, const char *path)
{
	struct teller *t = ctx;
	bool size = strcmp(path, "limits.calls") == 0 || strcmp(path, "limits.capacity") == 0;

	t->tell(t->ctx, path, t->other_capacity && size ? CONFIG_RELAY : scope_of(path));
}

int config_change_each(const struct config *from, const struct config *to, config_change_fn *each, void *ctx)
{
	struct teller t = { each, ctx, config_capacity(from->settings) != config_capacity(to->settings) };

	return schema_differ(&settings_schema, from->settings, to->settings, tell, &t);
}

static void collect(void *ctx, const char *path, enum config_scope scope)
{
	struct config_change *change = ctx;

	name_key(change->keys, sizeof(change->keys), path);
	if (scope > change->scope) {
		change->scope = scope;
		change->refused[0] = '\0';
	}
	if (scope > CONFIG_LIVE && scope == change->scope)
		name_key(change->refused, sizeof(change->refused), path);
}

int config_change(struct config_change *change, const struct config *from, const struct config *to)
{
	*change = (struct config_change){ .scope = CONFIG_SAME };
	return config_change_each(from, to, collect, change);
}

bool config_by_file_alone(const char *key)
{
	static const char *const keys[] = { "admin", "call_records.file", "dtls.certificate", "dtls.key" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i]);

		if (strncmp(key, keys[i], len) == 0 && (key[len] == '\0' || strchr(".[", key[len]) != NULL))
			return true;
	}
	return false;
}

const char *config_scope_name(enum config_scope scope)
{
	static const char *const names[] = { "same", "live", "control", "relay" };

	return names[scope];
}
