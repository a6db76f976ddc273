// SPDX-License-Identifier: GPL-3.0-or-later
// config.c - load: file to tree, tree to settings by the table, check, build. And back: print.
#include "gateway/config_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int tree_to_config(struct config **cfgp, struct yaml_tree *tree, struct config_error *why)
{
	struct config *cfg = calloc(1, sizeof(*cfg));
	struct settings *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (cfg == NULL || s == NULL) {
		free(cfg);
		free(s);
		yaml_tree_free(tree);
		return err;
	}
	cfg->settings = s;
	cfg->tree = tree;
	err = schema_read(&settings_schema, s, yaml_tree_root(tree), why);
	if (err == 0)
		err = config_check(s, why);
	if (err == 0)
		err = config_build(cfg, s, why);
	if (err < 0) {
		config_error_keep(why); // as long as its place is there
		goto out;
	}
	*cfgp = cfg;
	cfg = NULL;
out:
	config_free(cfg);
	return err;
}

static int finish(int err, struct config_error *why)
{
	if (err < 0 && why->message[0] == '\0')
		config_complain(why, NULL, "%s", strerrordesc_np(-err));
	return err;
}

int config_load(struct config **cfgp, const char *path, struct config_error *why)
{
	struct yaml_tree *tree;
	int err = yaml_tree_load(&tree, path, why);

	if (err == 0)
		err = tree_to_config(cfgp, tree, why);
	return finish(err, why);
}

int config_parse(struct config **cfgp, const char *text, size_t len, struct config_error *why)
{
	struct yaml_tree *tree;
	int err = yaml_tree_parse(&tree, text, len, why);

	if (err == 0)
		err = tree_to_config(cfgp, tree, why);
	return finish(err, why);
}

int config_examine(struct config **cfgp, const char *text, size_t len, struct config_errors *errors)
{
	struct config_error why;
	struct yaml_tree *tree;
	int err = yaml_tree_parse(&tree, text, len, &why);

	*errors = (struct config_errors){ .root = err == 0 ? yaml_tree_root(tree) : NULL };
	why.all = errors;
	if (err == 0)
		err = tree_to_config(cfgp, tree, &why);
	errors->root = NULL; // gone, or somebody else's from now on
	if (err < 0 && errors->n == 0) {
		finish(err, &why);
		why.at = NULL;
		config_error_keep(&why);
	}
	return err;
}

void config_free(struct config *cfg)
{
	if (cfg == NULL)
		return;
	schema_free(&settings_schema, cfg->settings);
	free(cfg->settings);
	yaml_tree_free(cfg->tree);
	free(cfg->admin.tokens);
	free(cfg->admin.certificates);
	free(cfg->media.realms);
	free(cfg->sip.realms);
	free(cfg->sip.peers);
	free(cfg->sip.routes);
	free(cfg->sip.profiles);
	free(cfg->sip.policies);
	free(cfg->retired_uris);
	free(cfg);
}

int config_print(const struct config *cfg, FILE *to)
{
	schema_print(&settings_schema, cfg->settings, to);
	return fflush(to) == 0 && !ferror(to) ? 0 : -EIO;
}

void config_error_print(const struct config_error *why, const char *path, FILE *to)
{
	if (why->line > 0)
		fprintf(to, "%s:%u:%u: %s\n", path, why->line, why->column, why->message);
	else
		fprintf(to, "%s: %s\n", path, why->message);
}

const struct yaml_node *config_at(const struct yaml_node *mapping, const char *key, int index)
{
	const struct yaml_node *n = yaml_find(mapping, key);

	if (n == NULL)
		return mapping;
	if (index < 0 || n->kind != YAML_SEQUENCE || n->first == NULL)
		return n;
	for (n = n->first; index > 0 && n->next != NULL; index--)
		n = n->next;
	return n;
}

void config_text(char *dst, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		len = size - 1;
	memcpy(dst, text, len);
	dst[len] = '\0';
}

const struct realm_settings *config_realm(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->realms.n; i++) {
		if (strcmp(s->realms.items[i].name, name) == 0)
			return &s->realms.items[i];
	}
	return NULL;
}

const struct profile_settings *config_profile(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->profiles.n; i++) {
		if (strcmp(s->profiles.items[i].name, name) == 0)
			return &s->profiles.items[i];
	}
	return NULL;
}

const struct peer_settings *config_peer(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->peers.n; i++) {
		if (strcmp(s->peers.items[i].name, name) == 0)
			return &s->peers.items[i];
	}
	return NULL;
}
