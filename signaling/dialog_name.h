// SPDX-License-Identifier: GPL-3.0-or-later
// dialog_name.h - how a message names a dialog that it does not belong to: Replaces (RFC 3891), Join (RFC 3911) and Target-Dialog
// (RFC 4538), in a header or among the headers of a Refer-To (RFC 3515). Text in, values out; no table of dialogs here.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define DIALOG_NAME_MAX 256 // of each part, with its zero byte; a longer one is no name

enum dialog_naming {
	DIALOG_NAMED_BY_NOTHING,
	DIALOG_NAMED_BY_REPLACES,
	DIALOG_NAMED_BY_JOIN,
	DIALOG_NAMED_BY_TARGET,
	DIALOG_NAMINGS,
};

struct dialog_name { // as whoever is to look for it sees it
	char call_id[DIALOG_NAME_MAX], local_tag[DIALOG_NAME_MAX], remote_tag[DIALOG_NAME_MAX];
	bool early_only; // of Replaces
};

const char *dialog_naming_text(enum dialog_naming naming); // the header's name
enum dialog_naming dialog_naming_of(const char *header);   // in any case
int dialog_name_read(struct dialog_name *name, enum dialog_naming naming, const char *value); // -EBADMSG
int dialog_name_write(char *dst, size_t room, enum dialog_naming naming, const struct dialog_name *name); // -ENAMETOOLONG

// The next header of those that a URI brings along ("Replaces=..&Require=.."), unescaped. *headers moves on behind it.
// 0, -ENOENT: there is none, -EBADMSG.
int uri_header_next(const char **headers, char *name, size_t name_room, char *value, size_t value_room);
// Escaped, as it stands in a URI. -ENAMETOOLONG.
int uri_header_write(char *dst, size_t room, const char *name, const char *value);
