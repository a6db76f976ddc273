// SPDX-License-Identifier: GPL-3.0-or-later
// sip_refer.c - headers and bodies of transfers; see sip_refer.h.
#include "signaling/sip_refer.h"
#include "signaling/dialog_alias.h"
#include "signaling/sip_check.h"
#include "signaling/sip_header.h"
#include "signaling/sip_peer.h"
#include <ctype.h>
#include <errno.h>
#include <sofia-sip/sip_status.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_ROOM (3 * DIALOG_NAME_MAX + 64)

static const struct sip_policy *policy_of(const struct sip_dialog *d)
{
	return &d->sip->config->policies[d->profile];
}

bool sip_refer_between(const struct sip_dialog *a, const struct sip_dialog *b)
{
	return a != NULL && b != NULL && policy_of(a)->transfer != SIP_TRANSFER_REFUSE &&
	       policy_of(b)->transfer != SIP_TRANSFER_REFUSE;
}

bool sip_refer_allowed(const struct sip_dialog *d)
{
	if (policy_of(d)->transfer == SIP_TRANSFER_PASS)
		return sip_refer_between(d, d->joined) && !d->joined->no_refer;
	return policy_of(d)->transfer == SIP_TRANSFER_RESOLVE;
}

static int read_header(struct refer_target *target, const char *name, const char *value)
{
	enum dialog_naming naming = dialog_naming_of(name);

	if (strcasecmp(name, "Require") == 0)
		target->required = true;
	if (naming == DIALOG_NAMED_BY_NOTHING)
		return 0; // none of those that a URI may set (RFC 3261 section 19.1.5) crosses
	if (target->naming != DIALOG_NAMED_BY_NOTHING)
		return 400;
	target->naming = naming;
	return dialog_name_read(&target->dialog, naming, value) < 0 ? 400 : 0;
}

static unsigned count_refer_to(const sip_t *request)
{
	unsigned n = 0;

	for (const msg_header_t *h = (const msg_header_t *)request->sip_request; h != NULL; h = h->sh_succ)
		n += h->sh_class == sip_refer_to_class;
	return n;
}

int sip_refer_read(struct refer_target *target, const sip_t *request)
{
	const sip_refer_to_t *to = request->sip_refer_to;
	char name[32], value[NAME_ROOM], method[16];
	int err, status = 0;

	memset(target, 0, sizeof(*target));
	if (to == NULL || count_refer_to(request) != 1) // RFC 3515 section 2.1
		return 400;
	if (to->r_url->url_type != url_sip)
		return 416;
	if (url_param(to->r_url->url_params, "method", method, sizeof(method)) > 0 && strcasecmp(method, "INVITE") != 0)
		return 403; // it is calls that are transferred
	if (to->r_url->url_user != NULL &&
	    sip_target_expand("{user}", to->r_url->url_user, target->user, sizeof(target->user)) < 0)
		return 400;
	for (const char *headers = to->r_url->url_headers; status == 0;) {
		err = uri_header_next(&headers, name, sizeof(name), value, sizeof(value));
		if (err == -ENOENT)
			break;
		status = err < 0 ? 400 : read_header(target, name, value);
	}
	return status;
}

struct sip_dialog *sip_refer_dialog(struct sip *sip, const struct dialog_name *name)
{
	sip_replaces_t replaces[1];

	sip_replaces_init(replaces);
	replaces->rp_call_id = name->call_id;
	replaces->rp_to_tag = name->local_tag;
	replaces->rp_from_tag = name->remote_tag;
	nta_leg_t *leg = nta_leg_by_replaces(sip_agent_nta(sip->agent), replaces);
	struct sip_dialog *d = leg != NULL ? nta_leg_magic(leg, call_request_in) : NULL;

	// The library finds a leg without tags as well.
	if (d == NULL || d->call->closing || d->joined == NULL || d->joined->leg == NULL ||
	    strcmp(d->call_id, name->call_id) != 0 || strcmp(d->local_tag, name->local_tag) != 0 ||
	    strcmp(d->remote_tag, name->remote_tag) != 0)
		return NULL;
	return d;
}

// As its own peer would look for it.
static void name_of(const struct sip_dialog *d, struct dialog_name *name)
{
	strcpy(name->call_id, d->call_id);
	strcpy(name->local_tag, d->remote_tag);
	strcpy(name->remote_tag, d->local_tag);
}

static int write_named(msg_t *msg, enum dialog_naming naming, const struct dialog_name *name)
{
	char value[NAME_ROOM];

	if (dialog_name_write(value, sizeof(value), naming, name) < 0)
		return -ENAMETOOLONG;
	sip_message_header(msg, dialog_naming_text(naming), "%s", value);
	return 0;
}

// The user of a place that is known by its dialog: who is there, whatever the Refer-To calls it.
static void user_of(const struct sip_dialog *d, char *user, size_t room)
{
	url_t *url = url_hdup(NULL, (const url_t *)d->remote_uri);

	if (url != NULL && url->url_user != NULL && strlen(url->url_user) < room)
		strcpy(user, url->url_user);
	su_free(NULL, url);
}

static int write_target(msg_t *msg, const struct refer_target *target, const struct sip_dialog *from, const struct sip_dialog *to)
{
	struct sip *sip = to->sip;
	char user[sizeof(target->user)], uri[SIP_URI_MAX], value[NAME_ROOM], header[3 * NAME_ROOM] = "";
	const struct sip_dialog *named = NULL;
	struct dialog_name alias;

	strcpy(user, target->user);
	if (target->naming != DIALOG_NAMED_BY_NOTHING) {
		named = sip_refer_dialog(sip, &target->dialog);
		if (named != NULL && named->peer != from->peer)
			return 403; // identifiers of somebody else's
		if (named != NULL)
			user_of(named->joined, user, sizeof(user));
		int err = dialog_alias_make(sip, &target->dialog, from->peer, to->peer, &alias);

		if (err < 0)
			return err == -ENOSPC ? 503 : 500;
		if (dialog_name_write(value, sizeof(value), target->naming, &alias) < 0 ||
		    uri_header_write(header, sizeof(header), dialog_naming_text(target->naming), value) < 0)
			return 400;
	}
	if (sip_agent_contact(sip->agent, to->hop.listener, user, uri, sizeof(uri)) < 0)
		return 400;
	const char *place = user[0] != '\0' ? uri : NULL;
	char bare[SIP_URI_MAX];

	if (place == NULL) { // no user: "sip:@host" is none
		snprintf(bare, sizeof(bare), "sip:%s", uri + strlen("sip:@"));
		place = bare;
	}
	sip_refer_to_t *refer = sip_refer_to_format(msg_home(msg), "<%s%s%s>", place, header[0] != '\0' ? "?" : "", header);

	return refer != NULL && msg_header_insert(msg, NULL, (msg_header_t *)refer) == 0 ? 0 : 500;
}

void sip_refer_by(msg_t *msg, const sip_t *request, const struct sip_dialog *to)
{
	const sip_referred_by_t *by = request->sip_referred_by;
	char host[INET_ENDPOINT_STRLEN], user[128];

	if (msg == NULL || by == NULL || by->b_url->url_user == NULL ||
	    sip_target_expand("{user}", by->b_url->url_user, user, sizeof(user)) < 0)
		return;
	// Who, not where. A signature over it (RFC 3892 section 4) would not hold any more, and stays behind.
	sip_agent_host(to->sip->agent, to->hop.listener, host);
	sip_message_header(msg, "Referred-By", "<sip:%s@%s>", user, host);
}

static const char *sub_word(const sip_t *message)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };

	su_home_init(home);
	const char *value = sip_header_value(home, message, "Refer-Sub");
	const char *word = value == NULL ? NULL : strncasecmp(value, "false", 5) == 0 ? "false" : "true";

	su_home_deinit(home);
	return word;
}

void sip_refer_sub(msg_t *msg, const sip_t *message)
{
	const char *word = sub_word(message);

	if (word != NULL)
		sip_message_header(msg, "Refer-Sub", "%s", word);
}

bool sip_refer_no_sub(const sip_t *message)
{
	const char *word = sub_word(message);

	return word != NULL && strcmp(word, "false") == 0;
}

int sip_refer_write(msg_t *msg, const sip_t *request, const struct refer_target *target, const struct sip_dialog *from,
		    const struct sip_dialog *to)
{
	if (msg == NULL)
		return 500;
	sip_refer_by(msg, request, to);
	sip_refer_sub(msg, request);
	sip_refer_target_dialog(msg, request, from, to);
	return write_target(msg, target, from, to);
}

bool sip_refer_event(const sip_t *message, uint32_t *id)
{
	const sip_event_t *o = message->sip_event;

	if (o == NULL || o->o_type == NULL || strcasecmp(o->o_type, "refer") != 0)
		return false;
	*id = o->o_id != NULL ? (uint32_t)strtoul(o->o_id, NULL, 10) : 0;
	return true;
}

// In place of what it has.
static void event_write(msg_t *msg, uint32_t id)
{
	if (msg == NULL)
		return;
	sip_t *sip = sip_object(msg);

	if (sip->sip_event != NULL)
		msg_header_remove(msg, NULL, (msg_header_t *)sip->sip_event);
	if (id != 0)
		sip_message_header(msg, "Event", "refer;id=%u", id);
	else
		sip_message_header(msg, "Event", "refer");
}

// The status in the body of a NOTIFY; 0: there is none.
static int fragment_status(const sip_t *notify)
{
	static const char version[] = "SIP/2.0 ";
	const sip_payload_t *body = notify->sip_payload;

	if (body == NULL || body->pl_len < sizeof(version) + 2 || strncasecmp(body->pl_data, version, sizeof(version) - 1) != 0)
		return 0;
	const char *digits = body->pl_data + sizeof(version) - 1;

	if (!isdigit((unsigned char)digits[0]) || !isdigit((unsigned char)digits[1]) || !isdigit((unsigned char)digits[2]))
		return 0;
	return (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
}

// The first line alone, and with a phrase of ours: what may follow it are headers of another leg (RFC 3420).
msg_t *sip_refer_fragment_write(msg_t *msg, int status)
{
	char body[96];
	const char *phrase = sip_status_phrase(status);
	int n = snprintf(body, sizeof(body), "SIP/2.0 %d %.60s\r\n", status, phrase != NULL ? phrase : "Status");

	return sip_message_body(msg, "message/sipfrag;version=2.0", body, (size_t)n);
}

bool sip_refer_notify_is_sound(const sip_t *notify)
{
	return notify->sip_subscription_state != NULL && fragment_status(notify) != 0;
}

msg_t *sip_refer_event_on(struct sip_dialog *from, struct sip_dialog *to, nta_incoming_t *irq, const sip_t *request, uint32_t id)
{
	msg_t *msg = sip_request_bare(to, sip_check_hops(request), true);

	sip_request_headers(msg, irq, from, to);
	event_write(msg, id);
	if (msg == NULL || request->sip_request->rq_method != sip_method_notify)
		return msg;
	sip_t *sip = sip_object(msg);

	if (sip->sip_content_type != NULL)
		msg_header_remove(msg, NULL, (msg_header_t *)sip->sip_content_type);
	return sip_refer_fragment_write(msg, fragment_status(request));
}

// d: what was found of the name that `by` has given it; NULL: a dialog within his network, if it is one, and good there alone.
static void set_named(struct dialog_named *named, enum dialog_naming naming, const struct dialog_name *name, struct sip_dialog *d,
		      int by)
{
	*named = (struct dialog_named){ .naming = naming, .name = *name, .only_peer = d == NULL ? by : -1 };
	if (d == NULL)
		return;
	named->target = d->joined;
	name_of(d->joined, &named->name);
}

int sip_refer_target_named(struct sip *sip, const struct refer_target *target, int peer, struct dialog_named *named)
{
	struct sip_dialog *d = NULL;

	*named = (struct dialog_named){ .only_peer = -1 };
	if (target->naming == DIALOG_NAMED_BY_NOTHING)
		return 0;
	d = sip_refer_dialog(sip, &target->dialog);
	if (d != NULL && d->peer != peer)
		return 403; // identifiers of somebody else's
	set_named(named, target->naming, &target->dialog, d, peer);
	return 0;
}

static int find_named(struct sip *sip, enum dialog_naming naming, const char *value, int peer, struct dialog_named *named)
{
	struct dialog_name name;
	int by = peer;

	if (dialog_name_read(&name, naming, value) < 0)
		return 400;
	const struct dialog_alias *alias = dialog_alias_find(sip, &name, (uint16_t)peer);
	bool early_only = name.early_only;

	if (alias != NULL) {
		name = alias->name;
		by = alias->by;
	}
	struct sip_dialog *d = sip_refer_dialog(sip, &name);

	// Whoever names a dialog must be its peer, or have had it from him.
	if (d != NULL && (d->peer != by || policy_of(d->joined)->transfer == SIP_TRANSFER_REFUSE))
		return 481;
	if (d == NULL && alias == NULL)
		return 481; // RFC 3891 section 3
	early_only |= name.early_only;
	set_named(named, naming, &name, d, by);
	named->name.early_only = early_only;
	return 0;
}

int sip_refer_named(struct sip *sip, const sip_t *request, int peer, struct dialog_named *named)
{
	static const enum dialog_naming namings[] = { DIALOG_NAMED_BY_REPLACES, DIALOG_NAMED_BY_JOIN };
	su_home_t home[1] = { SU_HOME_INIT(home) };
	int status = 0;

	*named = (struct dialog_named){ .only_peer = -1 };
	if (sip->config->policies[sip->config->peers[peer].profile].transfer == SIP_TRANSFER_REFUSE)
		return 0;
	su_home_init(home);
	for (size_t i = 0; i < sizeof(namings) / sizeof(namings[0]) && status == 0; i++) {
		const char *value = sip_header_value(home, request, dialog_naming_text(namings[i]));

		if (value != NULL && named->naming != DIALOG_NAMED_BY_NOTHING)
			status = 400; // RFC 3911 section 4
		else if (value != NULL)
			status = find_named(sip, namings[i], value, peer, named);
	}
	su_home_deinit(home);
	return status;
}

void sip_refer_named_write(msg_t *msg, const struct dialog_named *named)
{
	if (msg != NULL && named->naming != DIALOG_NAMED_BY_NOTHING)
		write_named(msg, named->naming, &named->name);
}

struct sip_dialog *sip_refer_outside(struct sip *sip, const sip_t *request, int peer)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	struct dialog_name name;
	struct sip_dialog *d = NULL;

	su_home_init(home);
	const char *value = sip_header_value(home, request, "Target-Dialog");

	if (value != NULL && dialog_name_read(&name, DIALOG_NAMED_BY_TARGET, value) == 0)
		d = sip_refer_dialog(sip, &name);
	su_home_deinit(home);
	return d != NULL && d->peer == peer ? d->joined : NULL;
}

void sip_refer_target_dialog(msg_t *msg, const sip_t *request, const struct sip_dialog *from, const struct sip_dialog *to)
{
	const struct sip_dialog *there;
	struct dialog_name name = { .early_only = false };

	if (msg == NULL || !sip_refer_between(from, to))
		return;
	there = sip_refer_outside(from->sip, request, from->peer);
	if (there == NULL || there->peer != to->peer) // what is not a dialog of both would authorize nobody
		return;
	name_of(there, &name);
	write_named(msg, DIALOG_NAMED_BY_TARGET, &name);
}
