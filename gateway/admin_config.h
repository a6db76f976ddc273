// SPDX-License-Identifier: GPL-3.0-or-later
// admin_config.h - the management door as the configuration has it: where it is, and who may come in.
#pragma once
#include "base/inet.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMIN_DIGEST 32 // SHA-256

// Each may what those before it may, but for the last, which is a viewer that may trace calls, media included.
enum admin_role { ADMIN_NOBODY, ADMIN_VIEWER, ADMIN_OPERATOR, ADMIN_WIRETAP };

struct admin_place {
	struct inet_endpoint tcp; // a loopback address, if the door is in clear; no family: path
	char path[104];           // of a unix socket
};

struct admin_token {
	char name[32]; // for the audit log
	enum admin_role role;
	uint8_t digest[ADMIN_DIGEST];
	const char *file; // where the token itself is, to be read at the start; NULL: `digest` is its digest
};

struct admin_certificate { // of a client, that stands for a token
	char name[32];
	enum admin_role role;
	char subject[128]; // its common name, or one of its alternative names
};

struct admin_tls { // paths, read as the process's user; NULL: none
	const char *certificate, *key; // NULL: the door is in clear
	const char *clients;           // authorities, of whose certificates a client must show one
};

struct admin_config {
	struct admin_place place;
	uint32_t connections;
	struct admin_tls tls;
	struct admin_token *tokens; // without any, and without certificates, there is no door
	size_t n_tokens;
	struct admin_certificate *certificates;
	size_t n_certificates;
};
