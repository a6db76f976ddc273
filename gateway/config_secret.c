// SPDX-License-Identifier: GPL-3.0-or-later
// config_secret.c - replaces scalars of a document where they stand.
#include "gateway/config_secret.h"
#include "gateway/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct splice {
	const char *text;
	size_t len, at;   // octets: so far is copied
	size_t character; // that begins at `at`
	FILE *to;
};

// libyaml counts characters, and a byte order mark is none.
static void copy_until(struct splice *s, size_t character, bool copy)
{
	size_t from = s->at;

	while (s->character < character && s->at < s->len) {
		s->at++;
		while (s->at < s->len && ((unsigned char)s->text[s->at] & 0xc0) == 0x80)
			s->at++;
		s->character++;
	}
	if (copy)
		fwrite(s->text + from, 1, s->at - from, s->to);
}

static void put_digest(FILE *to, const struct settings *in_force, const char *name)
{
	for (size_t i = 0; i < in_force->admin.tokens.n; i++) {
		const struct token_settings *token = &in_force->admin.tokens.items[i];

		if (strcmp(token->name, name) != 0 || !token->sha256.there)
			continue;
		fputc('"', to);
		for (size_t b = 0; b < ADMIN_DIGEST; b++)
			fprintf(to, "%02x", token->sha256.bytes[b]);
		fputc('"', to);
		return;
	}
	fputs("\"" CONFIG_SECRET "\"", to); // nobody's: whoever reads it will say so
}

// in_force NULL: hide.
static void replace(struct splice *s, const struct yaml_node *token, const struct settings *in_force)
{
	const struct yaml_node *digest = token->kind == YAML_MAPPING ? yaml_find(token, "sha256") : NULL;
	const struct yaml_node *name = token->kind == YAML_MAPPING ? yaml_find(token, "name") : NULL;

	if (digest == NULL || digest->kind != YAML_SCALAR || digest->text[0] == '\0' ||
	    (in_force != NULL && strcmp(digest->text, CONFIG_SECRET) != 0))
		return;
	copy_until(s, digest->begin, true);
	copy_until(s, digest->end, false);
	if (in_force == NULL)
		fputs("\"" CONFIG_SECRET "\"", s->to);
	else
		put_digest(s->to, in_force, name != NULL && name->kind == YAML_SCALAR ? name->text : "");
}

static char *spliced(const char *text, size_t len, const struct settings *in_force, size_t *out)
{
	struct splice s = { .text = text, .len = len };
	const struct yaml_node *admin, *tokens;
	struct yaml_tree *tree = NULL;
	struct config_error why;
	char *copy = NULL;

	if (yaml_tree_parse(&tree, text, len, &why) < 0 || (s.to = open_memstream(&copy, out)) == NULL) {
		yaml_tree_free(tree);
		return NULL;
	}
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		fwrite(text, 1, s.at = 3, s.to);
	admin = yaml_tree_root(tree)->kind == YAML_MAPPING ? yaml_find(yaml_tree_root(tree), "admin") : NULL;
	tokens = admin != NULL && admin->kind == YAML_MAPPING ? yaml_find(admin, "tokens") : NULL;
	for (const struct yaml_node *t = tokens != NULL && tokens->kind == YAML_SEQUENCE ? tokens->first : NULL; t != NULL; t = t->next)
		replace(&s, t, in_force);
	copy_until(&s, SIZE_MAX, true);
	yaml_tree_free(tree);
	if (fclose(s.to) == 0)
		return copy;
	free(copy);
	return NULL;
}

char *config_secret_hide(const char *text, size_t len, size_t *out)
{
	return spliced(text, len, NULL, out);
}

char *config_secret_fill(const char *text, size_t len, const struct settings *in_force, size_t *out)
{
	return spliced(text, len, in_force, out);
}
