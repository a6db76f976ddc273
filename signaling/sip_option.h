// SPDX-License-Identifier: GPL-3.0-or-later
// sip_option.h - what becomes of each option tag of SIP: one table for Supported, Require and Proxy-Require of all messages.
#pragma once
#include "signaling/sofia.h"
#include <stdbool.h>

enum sip_option_class {
	SIP_OPTION_OURS = 1, // done here, on each leg for itself: said in Supported by us, never copied
	SIP_OPTION_END,      // end to end: crosses in Supported and Require, and the other end decides
	SIP_OPTION_TRANSFER, // end to end where both sides may transfer, else refused
	SIP_OPTION_REFUSED,  // known, and not done here: it would need what this gateway keeps apart
	SIP_OPTION_UNKNOWN,  // not in the table: refused as well
};

enum sip_option_class sip_option_class(const char *tag); // in any case
// The table itself, for the page that lists it: false after the last.
bool sip_option_at(size_t index, const char **tag, enum sip_option_class *class);

// The first tag of Require or Proxy-Require that cannot be met, or NULL. For Unsupported: the next one after `after`.
// transfers: whoever sent it may transfer calls.
const char *sip_option_unmet(const sip_t *request, const char *after, bool transfers);
// Writes Supported, and Require of a request, anew: ours where the method has use for them, and what crosses of `in` (NULL: nothing).
// A Supported that `to` has already stays alone. transfers: both sides may.
int sip_options_cross(msg_t *to, const sip_t *in, sip_method_t method, bool transfers);
// Writes Unsupported: of those that a 420 names, the ones that crossed. Returns how many.
unsigned sip_options_unsupported(msg_t *to, const sip_t *response);
