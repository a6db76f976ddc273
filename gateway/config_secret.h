// SPDX-License-Identifier: GPL-3.0-or-later
// config_secret.h - a configuration document for eyes that may not see what is secret in it, and back: in the place of a token's
// digest stands a word, and a document that comes back with the word gets the digest that is in force.
#pragma once
#include <stddef.h>

#define CONFIG_SECRET "(kept)"

struct settings;

// Both: a malloc'ed text, zero-terminated, its length in *out; NULL: no memory, or it is not YAML. All else stays as it was written.
char *config_secret_hide(const char *text, size_t len, size_t *out);
char *config_secret_fill(const char *text, size_t len, const struct settings *in_force, size_t *out);
