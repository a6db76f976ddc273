// SPDX-License-Identifier: GPL-3.0-or-later
// dialog_alias.h - names that stand for dialogs of another leg. A REFER that goes on names the dialog to be replaced by one of
// these, and the INVITE that it brings about comes back with it: nobody learns identifiers of a leg that is not his.
#pragma once
#include "signaling/dialog_name.h"
#include "signaling/sip_priv.h"

struct dialog_alias {
	struct dialog_alias *next;
	char token[SIP_TOKEN_LEN];
	struct dialog_name name; // as the peer that named it would have us look for it
	uint16_t by, to;         // peers: who named it, who got the alias
	mono_ns until;
};

// For some minutes. -ENOSPC: there are too many.
int dialog_alias_make(struct sip *sip, const struct dialog_name *name, uint16_t by, uint16_t to, struct dialog_name *alias);
// NULL: it is none, is over, or is another peer's.
const struct dialog_alias *dialog_alias_find(const struct sip *sip, const struct dialog_name *alias, uint16_t peer);
void dialog_alias_close(struct sip *sip);
