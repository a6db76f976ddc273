// SPDX-License-Identifier: GPL-3.0-or-later
// yaml_tree.h - a YAML file as a tree whose every node knows its line and column. The plain part of YAML: mappings,
// sequences and scalars of one document; anchors, aliases, tags and repeated keys are errors.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct config_errors;

struct config_error {          // what a person needs to mend it; line 0: the file as a whole
	unsigned line, column; // from 1
	char message[240];
	const struct yaml_node *at; // NULL: none; as long as the tree lives
	struct config_errors *all; // who reads goes on behind a mistake, and keeps it here; NULL: the first one is enough
};

#define CONFIG_ERRORS_MAX 32
#define CONFIG_PATH_MAX 160

struct config_errors {
	const struct yaml_node *root;
	size_t n;
	struct {
		struct config_error what;
		char key[CONFIG_PATH_MAX]; // "realms[core].listeners[0]"; empty: of none
	} list[CONFIG_ERRORS_MAX];
};

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column;
	const char *key; // in a mapping: its key, else NULL
	unsigned key_line, key_column;
	char *text;                     // scalar; holds no NUL inside
	bool quoted;                    // scalar: was written with quotes
	size_t begin, end;              // scalar: its place in the document, quotes included, in characters
	struct yaml_node *first, *next; // children, in order
	struct yaml_node *older;        // the tree's chain of all nodes
};

struct yaml_tree;

int yaml_tree_load(struct yaml_tree **treep, const char *path, struct config_error *why);
int yaml_tree_parse(struct yaml_tree **treep, const char *text, size_t len, struct config_error *why);
void yaml_tree_free(struct yaml_tree *tree);
const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree); // an empty document is an empty mapping
const struct yaml_node *yaml_find(const struct yaml_node *mapping, const char *key); // NULL: not there

// Fills `why` with the node's place; returns -EINVAL.
__attribute__((format(printf, 3, 4))) int config_complain(struct config_error *why, const struct yaml_node *at,
							  const char *format, ...);

// After -EINVAL: keeps the mistake that `why` holds, if all of them are wanted. False: they are not, or there is no room for more.
bool config_error_keep(struct config_error *why);
void yaml_path_of(char path[CONFIG_PATH_MAX], const struct yaml_node *root, const struct yaml_node *node); // empty: the root, or none
