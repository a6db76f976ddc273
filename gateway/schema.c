// SPDX-License-Identifier: GPL-3.0-or-later
// schema.c - walks a table: read, fill defaults, print, free.
#include "gateway/schema.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *kind_text(const struct yaml_node *n)
{
	return n->kind == YAML_MAPPING ? "a mapping" : n->kind == YAML_SEQUENCE ? "a list" : "a single value";
}

static void *at(const void *base, size_t offset)
{
	return (uint8_t *)base + offset;
}

static size_t item_size(const struct schema_field *f)
{
	return f->group != NULL ? f->group->size : f->size;
}

static int complain_unknown(const struct schema *schema, const struct yaml_node *n, struct config_error *why)
{
	char known[160] = "";

	for (size_t i = 0; i < schema->n_fields; i++) {
		size_t len = strlen(known);

		snprintf(known + len, sizeof(known) - len, "%s%s", i > 0 ? ", " : "", schema->fields[i].key);
	}
	config_complain(why, n, "unknown key \"%.40s\"; known here: %s", n->key, known);
	why->line = n->key_line;
	why->column = n->key_column;
	return -EINVAL;
}

static const struct schema_field *field_by_key(const struct schema *schema, const char *key)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		if (strcmp(schema->fields[i].key, key) == 0)
			return &schema->fields[i];
	}
	return NULL;
}

static int scalar_read(const struct schema_field *f, void *to, const struct yaml_node *n, struct config_error *why)
{
	char expected[160] = "a single value";

	if (n->kind != YAML_SCALAR)
		return config_complain(why, n, "%s: expected a single value, found %s", f->key, kind_text(n));
	if (f->type->read(to, n, f, expected, sizeof(expected)) < 0) {
		if (n->text[0] == '\0' && !n->quoted)
			return config_complain(why, n, "%s: expected %s, found nothing", f->key, expected);
		return config_complain(why, n, "%s: expected %s, found \"%.60s\"%s", f->key, expected, n->text,
				       n->quoted ? " in quotes" : "");
	}
	return 0;
}

static int group_read(const struct schema *schema, void *to, const struct yaml_node *mapping,
		      const struct yaml_node *place, struct config_error *why);

static int item_read(const struct schema_field *f, void *to, const struct yaml_node *n, struct config_error *why)
{
	if (f->group == NULL)
		return scalar_read(f, to, n, why);
	if (n->kind != YAML_MAPPING)
		return config_complain(why, n, "%s: expected a mapping, found %s", f->key, kind_text(n));
	return group_read(f->group, to, n, n, why);
}

// Behind a mistake, where all of them are wanted.
static bool goes_on(int err, struct config_error *why)
{
	return err == -EINVAL && config_error_keep(why);
}

// The values of a list of scalars are all different; anything else is a slip.
static bool item_is_repeated(const struct schema_field *f, const struct schema_list *list)
{
	const uint8_t *newest = at(list->items, (list->n - 1) * f->size);

	for (size_t i = 0; i + 1 < list->n; i++) {
		if (memcmp(at(list->items, i * f->size), newest, f->size) == 0)
			return true;
	}
	return false;
}

static int list_read(const struct schema_field *f, struct schema_list *list, const struct yaml_node *n,
		     struct config_error *why)
{
	size_t count = 0;
	int err, bad = 0;

	if (n->kind != YAML_SEQUENCE)
		return config_complain(why, n, "%s: expected a list, found %s", f->key, kind_text(n));
	for (const struct yaml_node *item = n->first; item != NULL; item = item->next)
		count++;
	if (count < f->min || count > f->max)
		return config_complain(why, n, "%s: expected a list of %u to %u values, found %zu", f->key, f->min,
				       f->max, count);
	list->items = calloc(count > 0 ? count : 1, item_size(f));
	if (list->items == NULL)
		return -ENOMEM;
	for (const struct yaml_node *item = n->first; item != NULL; item = item->next) {
		list->n++;
		err = item_read(f, at(list->items, (list->n - 1) * item_size(f)), item, why);
		if (err == 0 && bad == 0 && f->group == NULL && item_is_repeated(f, list))
			err = config_complain(why, item, "%s: \"%.60s\" is there twice", f->key, item->text);
		if (err < 0 && !goes_on(err, why))
			return err;
		bad = err < 0 ? err : bad;
	}
	return bad;
}

static int value_read(const struct schema_field *f, void *to, const struct yaml_node *n, struct config_error *why)
{
	return f->list ? list_read(f, to, n, why) : item_read(f, to, n, why);
}

// The key is not in the file. Groups take their fields' defaults; complaints about them name the enclosing mapping.
static int default_read(const struct schema_field *f, void *to, const struct yaml_node *place, struct config_error *why)
{
	struct config_error trouble;
	struct yaml_tree *tree = NULL;
	int err;

	if (f->group != NULL && !f->list)
		return group_read(f->group, to, NULL, place, why);
	if (f->fallback == NULL)
		return config_complain(why, place, "key \"%s\" is missing", f->key);
	err = yaml_tree_parse(&tree, f->fallback, strlen(f->fallback), &trouble);
	if (err == 0)
		err = value_read(f, to, yaml_tree_root(tree), why);
	yaml_tree_free(tree);
	return err;
}

static int group_read(const struct schema *schema, void *to, const struct yaml_node *mapping,
		      const struct yaml_node *place, struct config_error *why)
{
	const struct yaml_node *n;
	int err, bad = 0;

	*(const struct yaml_node **)at(to, schema->node_offset) = place;
	for (n = mapping != NULL ? mapping->first : NULL; n != NULL; n = n->next) {
		const struct schema_field *f = field_by_key(schema, n->key);

		err = f != NULL ? value_read(f, at(to, f->offset), n, why) : complain_unknown(schema, n, why);
		if (err < 0 && !goes_on(err, why))
			return err;
		bad = err < 0 ? err : bad;
	}
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct schema_field *f = &schema->fields[i];

		if (mapping != NULL && yaml_find(mapping, f->key) != NULL)
			continue;
		err = default_read(f, at(to, f->offset), place, why);
		if (err < 0 && !goes_on(err, why))
			return err;
		bad = err < 0 ? err : bad;
	}
	return bad;
}

int schema_read(const struct schema *schema, void *to, const struct yaml_node *mapping, struct config_error *why)
{
	if (mapping->kind != YAML_MAPPING)
		return config_complain(why, mapping, "expected a mapping, found %s", kind_text(mapping));
	return group_read(schema, to, mapping, mapping, why);
}

static void print_indent(FILE *to, unsigned indent)
{
	fprintf(to, "%*s", (int)indent, "");
}

static void print_group(const struct schema *schema, const void *from, FILE *to, unsigned indent, bool hung);

static void print_groups(const struct schema_field *f, const struct schema_list *list, FILE *to, unsigned indent)
{
	if (list->n == 0) {
		fputs(" []\n", to);
		return;
	}
	fputc('\n', to);
	for (size_t i = 0; i < list->n; i++) {
		print_indent(to, indent + 2);
		fputs("- ", to);
		print_group(f->group, at(list->items, i * f->group->size), to, indent + 4, true);
	}
}

static void print_values(const struct schema_field *f, const struct schema_list *list, FILE *to)
{
	fputs(" [", to);
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			fputs(", ", to);
		f->type->print(to, at(list->items, i * f->size), f);
	}
	fputs("]\n", to);
}

static void print_field(const struct schema_field *f, const void *from, FILE *to, unsigned indent)
{
	fprintf(to, "%s:", f->key);
	if (f->list && f->group != NULL) {
		print_groups(f, from, to, indent);
	} else if (f->list) {
		print_values(f, from, to);
	} else if (f->group != NULL) {
		fputc('\n', to);
		print_group(f->group, from, to, indent + 2, false);
	} else {
		fputc(' ', to);
		f->type->print(to, from, f);
		fputc('\n', to);
	}
}

// hung: the first key stands behind the dash of a list.
static void print_group(const struct schema *schema, const void *from, FILE *to, unsigned indent, bool hung)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		if (i > 0 || !hung)
			print_indent(to, indent);
		print_field(&schema->fields[i], at(from, schema->fields[i].offset), to, indent);
	}
}

void schema_print(const struct schema *schema, const void *from, FILE *to)
{
	print_group(schema, from, to, 0, false);
}

// Where two differ

struct difference {
	schema_differ_fn *tell;
	void *ctx;
};

static char *field_text(const struct schema_field *f, const void *from)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL)
		return NULL;
	print_field(f, from, to, 0);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static int same_text(const struct schema_field *f, const void *a, const void *b)
{
	char *x = field_text(f, a), *y = field_text(f, b);
	int same = x != NULL && y != NULL ? strcmp(x, y) == 0 : -ENOMEM;

	free(x);
	free(y);
	return same;
}

// A mapping's name; NULL: such mappings have none.
static const char *name_of(const struct schema *schema, const void *of)
{
	const struct schema_field *f = &schema->fields[0];

	return f->type == &schema_name && strcmp(f->key, "name") == 0 ? (const char *)at(of, f->offset) : NULL;
}

static bool same_members(const struct schema_field *f, const struct schema_list *a, const struct schema_list *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++) {
		const char *x = name_of(f->group, at(a->items, i * f->group->size));
		const char *y = name_of(f->group, at(b->items, i * f->group->size));

		if (x == NULL || strcmp(x, y) != 0)
			return false;
	}
	return a->n == b->n;
}

static int differ(const struct schema *schema, const void *a, const void *b, const char *prefix, const struct difference *d);

static int differ_members(const struct schema_field *f, const struct schema_list *a, const struct schema_list *b, const char *path,
			  const struct difference *d)
{
	int err = 0;

	for (size_t i = 0; i < a->n && err == 0; i++) {
		const void *x = at(a->items, i * f->group->size);
		char inner[SCHEMA_PATH];

		if (snprintf(inner, sizeof(inner), "%s[%s].", path, name_of(f->group, x)) >= (int)sizeof(inner))
			return -ENAMETOOLONG;
		err = differ(f->group, x, at(b->items, i * f->group->size), inner, d);
	}
	return err;
}

static int differ(const struct schema *schema, const void *a, const void *b, const char *prefix, const struct difference *d)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct schema_field *f = &schema->fields[i];
		const void *x = at(a, f->offset), *y = at(b, f->offset);
		char path[SCHEMA_PATH], inner[SCHEMA_PATH + 1];
		int same = same_text(f, x, y), err = 0;

		if (same < 0)
			return same;
		if (same)
			continue;
		if (snprintf(path, sizeof(path), "%s%s", prefix, f->key) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		snprintf(inner, sizeof(inner), "%s.", path);
		if (f->group != NULL && !f->list)
			err = differ(f->group, x, y, inner, d);
		else if (f->group != NULL && same_members(f, x, y))
			err = differ_members(f, x, y, path, d);
		else
			d->tell(d->ctx, path);
		if (err < 0)
			return err;
	}
	return 0;
}

int schema_differ(const struct schema *schema, const void *a, const void *b, schema_differ_fn *tell, void *ctx)
{
	return differ(schema, a, b, "", &(struct difference){ tell, ctx });
}

static void list_free(const struct schema_field *f, struct schema_list *list)
{
	for (size_t i = 0; f->group != NULL && i < list->n; i++)
		schema_free(f->group, at(list->items, i * f->group->size));
	free(list->items);
	*list = (struct schema_list){ .n = 0 };
}

void schema_free(const struct schema *schema, void *from)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct schema_field *f = &schema->fields[i];

		if (f->list)
			list_free(f, at(from, f->offset));
		else if (f->group != NULL)
			schema_free(f->group, at(from, f->offset));
	}
}
