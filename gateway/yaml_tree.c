// SPDX-License-Identifier: GPL-3.0-or-later
// yaml_tree.c - libyaml's events to a tree. All nodes are freed together with the tree.
#include "gateway/yaml_tree.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define FILE_MAX (1u << 20)
#define DEPTH_MAX 16
#define KEYS_MAX 256 // of one mapping: each new one is compared with all before it

struct yaml_tree {
	struct yaml_node *root;
	struct yaml_node *newest; // chain of all nodes, keys included
};

struct reader {
	yaml_parser_t parser;
	struct yaml_tree *tree;
	struct config_error *why;
};

int config_complain(struct config_error *why, const struct yaml_node *at, const char *format, ...)
{
	va_list ap;

	why->at = at;
	why->line = at != NULL ? at->line : 0;
	why->column = at != NULL ? at->column : 0;
	va_start(ap, format);
	vsnprintf(why->message, sizeof(why->message), format, ap);
	va_end(ap);
	return -EINVAL;
}

static int complain_at(struct reader *r, yaml_mark_t mark, const char *message)
{
	r->why->line = (unsigned)mark.line + 1;
	r->why->column = (unsigned)mark.column + 1;
	snprintf(r->why->message, sizeof(r->why->message), "%s", message);
	return -EINVAL;
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	char message[200];

	if (yaml_parser_parse(&r->parser, event))
		return 0;
	if (r->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	snprintf(message, sizeof(message), "not YAML: %s%s%s", r->parser.context != NULL ? r->parser.context : "",
		 r->parser.context != NULL ? ", " : "", r->parser.problem != NULL ? r->parser.problem : "?");
	if (r->parser.error == YAML_READER_ERROR) { // has an offset, but no mark
		config_complain(r->why, NULL, "%s at byte %zu", message, r->parser.problem_offset);
		return -EINVAL;
	}
	return complain_at(r, r->parser.problem_mark, message);
}

static int node_new(struct reader *r, struct yaml_node **nodep, enum yaml_kind kind, yaml_mark_t at)
{
	struct yaml_node *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return -ENOMEM;
	n->kind = kind;
	n->line = (unsigned)at.line + 1;
	n->column = (unsigned)at.column + 1;
	n->older = r->tree->newest;
	r->tree->newest = n;
	*nodep = n;
	return 0;
}

void yaml_tree_free(struct yaml_tree *tree)
{
	struct yaml_node *n, *older;

	if (tree == NULL)
		return;
	for (n = tree->newest; n != NULL; n = older) {
		older = n->older;
		free(n->text);
		free(n);
	}
	free(tree);
}

static int text_copy(struct reader *r, char **textp, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (memchr(value, '\0', len) != NULL)
		return complain_at(r, event->start_mark, "a text must not hold a NUL character");
	*textp = strndup(value, len);
	return *textp != NULL ? 0 : -ENOMEM;
}

static int scalar_read(struct reader *r, struct yaml_node **nodep, const yaml_event_t *event)
{
	int err;

	if (event->data.scalar.anchor != NULL)
		return complain_at(r, event->start_mark, "anchors (&) are not supported here");
	if (event->data.scalar.tag != NULL)
		return complain_at(r, event->start_mark, "tags (!) are not supported here");
	err = node_new(r, nodep, YAML_SCALAR, event->start_mark);
	if (err < 0)
		return err;
	(*nodep)->begin = event->start_mark.index;
	(*nodep)->end = event->end_mark.index;
	(*nodep)->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return text_copy(r, &(*nodep)->text, event);
}

static int node_read(struct reader *r, struct yaml_node **nodep, const yaml_event_t *event, unsigned depth);

// Reads a mapping's or sequence's children up to `end`. In a mapping every other event is a key.
static int child_read(struct reader *r, struct yaml_node *parent, struct yaml_node **childp, yaml_event_t *event,
		      unsigned depth)
{
	struct yaml_node *key = NULL, *child = NULL;
	int err;

	if (parent->kind == YAML_MAPPING) {
		if (event->type != YAML_SCALAR_EVENT)
			return complain_at(r, event->start_mark, "a key must be a plain word");
		err = scalar_read(r, &key, event);
		if (err < 0)
			return err;
		if (yaml_find(parent, key->text) != NULL) {
			char message[128];

			snprintf(message, sizeof(message), "key \"%.60s\" is there twice", key->text);
			return complain_at(r, event->start_mark, message);
		}
		yaml_event_delete(event);
		err = next_event(r, event);
		if (err < 0)
			return err;
	}
	err = node_read(r, &child, event, depth + 1);
	if (err < 0)
		return err;
	if (key != NULL) {
		child->key = key->text;
		child->key_line = key->line;
		child->key_column = key->column;
	}
	*childp = child;
	return 0;
}

static int children_read(struct reader *r, struct yaml_node *parent, yaml_event_type_t end, unsigned depth)
{
	struct yaml_node **last = &parent->first;
	yaml_event_t event;
	int err;

	for (size_t n = 0;; n++) {
		err = next_event(r, &event);
		if (err < 0)
			return err;
		if (event.type == end) {
			yaml_event_delete(&event);
			return 0;
		}
		if (parent->kind == YAML_MAPPING && n == KEYS_MAX)
			err = complain_at(r, event.start_mark, "too many keys in one mapping");
		else
			err = child_read(r, parent, last, &event, depth);
		yaml_event_delete(&event);
		if (err < 0)
			return err;
		last = &(*last)->next;
	}
}

static int collection_read(struct reader *r, struct yaml_node **nodep, const yaml_event_t *event, unsigned depth)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	const void *anchor = mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	const void *tag = mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	int err;

	if (anchor != NULL)
		return complain_at(r, event->start_mark, "anchors (&) are not supported here");
	if (tag != NULL)
		return complain_at(r, event->start_mark, "tags (!) are not supported here");
	if (depth > DEPTH_MAX)
		return complain_at(r, event->start_mark, "nested too deeply");
	err = node_new(r, nodep, mapping ? YAML_MAPPING : YAML_SEQUENCE, event->start_mark);
	if (err < 0)
		return err;
	return children_read(r, *nodep, mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, depth);
}

static int node_read(struct reader *r, struct yaml_node **nodep, const yaml_event_t *event, unsigned depth)
{
	if (event->type == YAML_ALIAS_EVENT)
		return complain_at(r, event->start_mark, "aliases (*) are not supported here");
	if (event->type == YAML_SCALAR_EVENT)
		return scalar_read(r, nodep, event);
	return collection_read(r, nodep, event, depth);
}

// STREAM-START, then no document or one, then STREAM-END.
static int stream_read(struct reader *r)
{
	yaml_event_t event;
	bool done = false;
	int err = 0;

	while (err == 0 && !done) {
		err = next_event(r, &event);
		if (err < 0)
			return err;
		if (event.type == YAML_DOCUMENT_START_EVENT && r->tree->root != NULL)
			err = complain_at(r, event.start_mark, "a second document: only one is allowed");
		else if (event.type == YAML_STREAM_END_EVENT)
			done = true;
		else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
			 event.type != YAML_DOCUMENT_END_EVENT)
			err = node_read(r, &r->tree->root, &event, 0);
		yaml_event_delete(&event);
	}
	return err;
}

// A file of comments only, or nothing at all.
static int empty_root(struct reader *r)
{
	return node_new(r, &r->tree->root, YAML_MAPPING, (yaml_mark_t){ .line = 0 });
}

int yaml_tree_parse(struct yaml_tree **treep, const char *text, size_t len, struct config_error *why)
{
	struct reader r = { .why = why };
	int err;

	memset(why, 0, sizeof(*why));
	r.tree = calloc(1, sizeof(*r.tree));
	if (r.tree == NULL || !yaml_parser_initialize(&r.parser)) {
		free(r.tree);
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	err = stream_read(&r);
	if (err == 0 && r.tree->root == NULL)
		err = empty_root(&r);
	if (err < 0)
		goto out;
	*treep = r.tree;
	r.tree = NULL;
out:
	yaml_parser_delete(&r.parser);
	yaml_tree_free(r.tree);
	if (err == -ENOMEM)
		config_complain(why, NULL, "out of memory");
	return err;
}

// The whole file, or -EFBIG. The caller frees *textp.
static int file_read(FILE *f, char **textp, size_t *lenp)
{
	char *text = malloc(FILE_MAX + 1);
	size_t len;

	if (text == NULL)
		return -ENOMEM;
	len = fread(text, 1, FILE_MAX + 1, f);
	if (ferror(f) || len > FILE_MAX) {
		int err = ferror(f) ? -EIO : -EFBIG;

		free(text);
		return err;
	}
	*textp = text;
	*lenp = len;
	return 0;
}

int yaml_tree_load(struct yaml_tree **treep, const char *path, struct config_error *why)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t len;
	int err;

	memset(why, 0, sizeof(*why));
	if (f == NULL) {
		err = -errno;
		config_complain(why, NULL, "%s", strerrordesc_np(-err));
		return err;
	}
	err = file_read(f, &text, &len);
	if (err < 0)
		config_complain(why, NULL, "%s", strerrordesc_np(-err));
	else
		err = yaml_tree_parse(treep, text, len, why);
	free(text);
	fclose(f);
	return err;
}

const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree)
{
	return tree->root;
}

const struct yaml_node *yaml_find(const struct yaml_node *mapping, const char *key)
{
	for (const struct yaml_node *n = mapping->first; n != NULL; n = n->next) {
		if (n->key != NULL && strcmp(n->key, key) == 0)
			return n;
	}
	return NULL;
}

// Its name, where it has one, says more than its number.
static void path_of_member(char *path, size_t size, const char *before, const struct yaml_node *member, size_t index)
{
	const struct yaml_node *name = member->kind == YAML_MAPPING ? yaml_find(member, "name") : NULL;

	if (name != NULL && name->kind == YAML_SCALAR)
		snprintf(path, size, "%s[%.32s]", before, name->text);
	else
		snprintf(path, size, "%s[%zu]", before, index);
}

static bool path_within(char path[CONFIG_PATH_MAX], const struct yaml_node *parent, const char *before, const struct yaml_node *node)
{
	size_t index = 0;

	for (const struct yaml_node *n = parent->first; n != NULL; n = n->next, index++) {
		char here[CONFIG_PATH_MAX];

		if (n->key != NULL)
			snprintf(here, sizeof(here), "%.90s%s%.60s", before, before[0] != '\0' ? "." : "", n->key);
		else
			path_of_member(here, sizeof(here), before, n, index);
		if (n == node)
			memcpy(path, here, sizeof(here));
		if (n == node || path_within(path, n, here, node))
			return true;
	}
	return false;
}

void yaml_path_of(char path[CONFIG_PATH_MAX], const struct yaml_node *root, const struct yaml_node *node)
{
	path[0] = '\0';
	path_within(path, root, "", node);
}

bool config_error_keep(struct config_error *why)
{
	struct config_errors *all = why->all;

	if (all == NULL)
		return false;
	if (why->message[0] != '\0' && all->n < CONFIG_ERRORS_MAX) {
		all->list[all->n].what = *why;
		all->list[all->n].key[0] = '\0';
		if (all->root != NULL && why->at != NULL)
			yaml_path_of(all->list[all->n].key, all->root, why->at);
		all->list[all->n].what.at = NULL; // the tree goes
		all->n++;
	}
	why->message[0] = '\0';
	return all->n < CONFIG_ERRORS_MAX;
}
