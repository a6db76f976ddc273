// SPDX-License-Identifier: GPL-3.0-or-later
// admin_settings.c - the table that reads the file (gateway/schema.h), walked once more.
#include "gateway/admin/admin_settings.h"
#include "gateway/config_secret.h"
#include "gateway/json_text.h"
#include "gateway/settings.h"
#include <stdlib.h>
#include <string.h>

static const void *at(const void *base, size_t offset)
{
	return (const uint8_t *)base + offset;
}

// As the file would have it, and read back: quotes and escapes are YAML's affair.
static json_t *printed(const struct schema_field *f, const void *from)
{
	struct config_error why;
	struct yaml_tree *tree = NULL;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	json_t *value = NULL;

	if (to == NULL)
		return NULL;
	f->type->print(to, from, f);
	if (fclose(to) == 0 && yaml_tree_parse(&tree, text, len, &why) == 0 && yaml_tree_root(tree)->kind == YAML_SCALAR)
		value = json_text(yaml_tree_root(tree)->text);
	yaml_tree_free(tree);
	free(text);
	return value;
}

static json_t *scalar(const struct schema_field *f, const void *from)
{
	if (f->type == &setting_digest)
		return json_string(((const struct digest_setting *)from)->there ? CONFIG_SECRET : "");
	if (f->type == &schema_number)
		return json_integer(*(const uint32_t *)from);
	if (f->type == &schema_switch)
		return json_boolean(*(const bool *)from);
	return printed(f, from);
}

static json_t *value(const struct schema_field *f, const void *from)
{
	const struct schema_list *list = from;
	size_t size = f->group != NULL ? f->group->size : f->size;
	json_t *array;

	if (!f->list)
		return f->group != NULL ? admin_settings_json(f->group, from) : scalar(f, from);
	array = json_array();
	for (size_t i = 0; i < list->n && array != NULL; i++) {
		const void *item = at(list->items, i * size);

		if (json_array_append_new(array, f->group != NULL ? admin_settings_json(f->group, item) : scalar(f, item)) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

json_t *admin_settings_json(const struct schema *schema, const void *from)
{
	json_t *object = json_object();

	for (size_t i = 0; i < schema->n_fields && object != NULL; i++) {
		const struct schema_field *f = &schema->fields[i];

		if (json_object_set_new(object, f->key, value(f, at(from, f->offset))) < 0) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}
