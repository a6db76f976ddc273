// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_attr.h - one table says of each line and attribute we know whose affair it is.
#pragma once
#include "signaling/sdp/sdp_doc.h"

enum sdp_class {
	SDP_CLASS_UNKNOWN = 0, // not in the table: the profile decides
	SDP_CLASS_END_TO_END,  // the ends' affair: passes
	SDP_CLASS_OURS,        // of this dialog only: read by us, written anew
	SDP_CLASS_KEY,         // bears keys or what vouches for them: never crosses
	SDP_CLASS_ADDRESS,     // bears addresses or names of one side: never crosses
};

enum sdp_class sdp_attr_class(struct sdp_text name); // of an attribute by its name alone
// Of a line: u=, e=, p= and k= have classes too, and some attributes are judged by their value (ssrc cname, group).
enum sdp_class sdp_line_class(const struct sdp_line *line);
const char *sdp_class_name(enum sdp_class class);
