// SPDX-License-Identifier: GPL-3.0-or-later
// sip_option.c - the table of option tags, and the writing of Supported and Require that follows it.
#include "signaling/sip_option.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIST_MAX 512 // octets of a header that we write; what does not fit is not supported

static const struct {
	const char *tag;
	enum sip_option_class class;
} options[] = {
	{ "timer", SIP_OPTION_OURS },             // RFC 4028: call_timer.c
	{ "privacy", SIP_OPTION_OURS },           // RFC 3323: sip_privacy.c
	{ "100rel", SIP_OPTION_OURS },            // RFC 3262: call_reliable.c
	// Said by one user to the other, or about bodies that pass as they are.
	{ "answermode", SIP_OPTION_END },         // RFC 5373
	{ "eventlist", SIP_OPTION_END },          // RFC 4662
	{ "histinfo", SIP_OPTION_END },           // RFC 7044
	{ "precondition", SIP_OPTION_END },       // RFC 3312: its attributes cross as they are
	{ "pref", SIP_OPTION_END },               // RFC 3840
	{ "resource-priority", SIP_OPTION_END },  // RFC 4412
	{ "uui", SIP_OPTION_END },                // RFC 7433
	{ "join", SIP_OPTION_TRANSFER },          // RFC 3911: names of dialogs are translated (sip_refer.c)
	{ "norefersub", SIP_OPTION_TRANSFER },    // RFC 4488
	{ "replaces", SIP_OPTION_TRANSFER },      // RFC 3891
	{ "tdialog", SIP_OPTION_TRANSFER },       // RFC 4538
	// Known, and not offered: dialogs, registrations and descriptions of one side mean nothing on the other.
	{ "early-session", SIP_OPTION_REFUSED },
	{ "from-change", SIP_OPTION_REFUSED },
	{ "gruu", SIP_OPTION_REFUSED },
	{ "multiple-refer", SIP_OPTION_REFUSED },
	{ "nosub", SIP_OPTION_REFUSED },
	{ "outbound", SIP_OPTION_REFUSED },
	{ "path", SIP_OPTION_REFUSED },
	{ "sdp-anat", SIP_OPTION_REFUSED },
	{ "sec-agree", SIP_OPTION_REFUSED },
	{ "trickle-ice", SIP_OPTION_REFUSED },
};

enum sip_option_class sip_option_class(const char *tag)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcasecmp(options[i].tag, tag) == 0)
			return options[i].class;
	}
	return SIP_OPTION_UNKNOWN;
}

bool sip_option_at(size_t index, const char **tag, enum sip_option_class *class)
{
	if (index >= sizeof(options) / sizeof(options[0]))
		return false;
	*tag = options[index].tag;
	*class = options[index].class;
	return true;
}

static bool is_met(const char *tag, bool transfers)
{
	enum sip_option_class class = sip_option_class(tag);

	return class == SIP_OPTION_OURS || class == SIP_OPTION_END || (class == SIP_OPTION_TRANSFER && transfers);
}

static const char *unmet(const msg_list_t *list, const char **after, bool transfers)
{
	for (; list != NULL; list = list->k_next) {
		for (const msg_param_t *item = list->k_items; item != NULL && *item != NULL; item++) {
			if (*after == *item)
				*after = NULL;
			else if (*after == NULL && !is_met(*item, transfers))
				return *item;
		}
	}
	return NULL;
}

const char *sip_option_unmet(const sip_t *request, const char *after, bool transfers)
{
	const char *tag = unmet(request->sip_require, &after, transfers);

	return tag != NULL ? tag : unmet(request->sip_proxy_require, &after, transfers);
}

// Methods that set up or change a session, or ask what one could have.
static bool has_session(sip_method_t method)
{
	return method == sip_method_invite || method == sip_method_update || method == sip_method_options ||
	       method == sip_method_prack;
}

static void list_add(char list[LIST_MAX], const char *tag)
{
	size_t used = strlen(list);

	if (strpbrk(tag, " \t\r\n,;") == NULL && used + strlen(tag) + 3 < LIST_MAX)
		sprintf(list + used, "%s%s", used > 0 ? ", " : "", tag);
}

static bool crosses(const char *tag, bool transfers)
{
	enum sip_option_class class = sip_option_class(tag);

	return class == SIP_OPTION_END || (class == SIP_OPTION_TRANSFER && transfers);
}

static void list_cross(char list[LIST_MAX], const msg_list_t *in, bool transfers)
{
	for (; in != NULL; in = in->k_next) {
		for (const msg_param_t *item = in->k_items; item != NULL && *item != NULL; item++) {
			if (crosses(*item, transfers))
				list_add(list, *item);
		}
	}
}

static int list_write(msg_t *to, const char *name, const char *list)
{
	if (list[0] == '\0')
		return 0;
	sip_unknown_t *un = sip_unknown_format(msg_home(to), "%s: %s", name, list);

	return un != NULL && msg_header_insert(to, NULL, (msg_header_t *)un) == 0 ? 0 : -ENOMEM;
}

static bool has_supported(msg_t *msg)
{
	for (const sip_unknown_t *un = sip_object(msg)->sip_unknown; un != NULL; un = un->un_next) {
		if (strcasecmp(un->un_name, "Supported") == 0)
			return true;
	}
	return false;
}

// RFC 3323 has privacy in Proxy-Require alone; 100rel depends on the exchange (call_invite.c).
static bool is_said_always(const char *tag)
{
	return strcmp(tag, "privacy") != 0 && strcmp(tag, "100rel") != 0;
}

int sip_options_cross(msg_t *to, const sip_t *in, sip_method_t method, bool transfers)
{
	char supported[LIST_MAX] = "", require[LIST_MAX] = "";
	int err;

	if (has_supported(to))
		return 0;
	for (size_t i = 0; has_session(method) && i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].class == SIP_OPTION_OURS && is_said_always(options[i].tag))
			list_add(supported, options[i].tag);
	}
	if (in != NULL)
		list_cross(supported, in->sip_supported, transfers);
	if (in != NULL && in->sip_request != NULL)
		list_cross(require, in->sip_require, transfers);
	err = list_write(to, "Supported", supported);
	return err == 0 ? list_write(to, "Require", require) : err;
}

unsigned sip_options_unsupported(msg_t *to, const sip_t *response)
{
	char list[LIST_MAX] = "";
	unsigned n = 0;

	for (const sip_unsupported_t *u = response->sip_unsupported; u != NULL; u = u->k_next) {
		for (const msg_param_t *item = u->k_items; item != NULL && *item != NULL; item++) {
			if (!crosses(*item, true))
				continue;
			list_add(list, *item);
			n++;
		}
	}
	list_write(to, "Unsupported", list);
	return n;
}
