// SPDX-License-Identifier: GPL-3.0-or-later
// schema.h - a table says which keys a mapping has, of what type and bounds, and where each value goes in a struct. The
// same table reads a file into the struct, fills defaults, prints the struct as a file that reads back to the same, and
// frees it.
#pragma once
#include "gateway/yaml_tree.h"
#include <stdint.h>
#include <stdio.h>

#define SCHEMA_PATH CONFIG_PATH_MAX // of a key, "realms[core].listeners"

struct schema_field;

struct schema {
	const struct schema_field *fields;
	size_t n_fields;
	size_t size;        // of the struct
	size_t node_offset; // a `const struct yaml_node *` in it: where it was read from, for later complaints
};

struct schema_word { // of an enumeration; the list ends with NULL
	const char *word;
	unsigned value;
};

// How one scalar is read and printed.
struct schema_type {
	// 0, or -EINVAL with what was expected in `expected`.
	int (*read)(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		    size_t room);
	void (*print)(FILE *to, const void *src, const struct schema_field *f);
};

struct schema_field {
	const char *key;
	size_t offset;
	const struct schema_type *type; // scalar; else
	const struct schema *group;     // mapping
	bool list;                      // of them: the destination is a struct schema_list
	size_t size;                    // of one value (list), or of a text's array
	uint32_t min, max;              // number: bounds; list: how many
	uint32_t least, most;           // list of numbers: bounds of each
	const struct schema_word *words;
	const char *fallback; // YAML of the default; NULL: the key must be there
};

struct schema_list { // destination of a list: `struct { T *items; size_t n; }` of the caller
	void *items;
	size_t n;
};

// On error `to` is as far filled as it came, and schema_free() is due all the same.
int schema_read(const struct schema *schema, void *to, const struct yaml_node *mapping, struct config_error *why);
void schema_print(const struct schema *schema, const void *from, FILE *to);
void schema_free(const struct schema *schema, void *from);
// Says the path of each value in which the two differ: "log.level", "realms[core].trusted". A list of mappings that have other
// members, or the same in another order, is one value; so is each of its mappings that has no name.
typedef void schema_differ_fn(void *ctx, const char *path);
int schema_differ(const struct schema *schema, const void *a, const void *b, schema_differ_fn *differ, void *ctx); // -ENOMEM

extern const struct schema_type schema_number; // uint32_t
extern const struct schema_type schema_switch; // bool
extern const struct schema_type schema_choice; // unsigned, one of words
extern const struct schema_type schema_text;   // char[size], printable
extern const struct schema_type schema_name;   // char[size], [A-Za-z0-9._-]+
