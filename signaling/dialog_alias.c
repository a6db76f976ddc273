// SPDX-License-Identifier: GPL-3.0-or-later
// dialog_alias.c - the table of aliases; see dialog_alias.h. Short and rarely used, so it is a list.
#include "signaling/dialog_alias.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALIASES_MAX 512u // at once, of all peers
#define LIFE_S 180u      // from the REFER to the INVITE

static void forget_old(struct sip *sip, mono_ns now)
{
	for (struct dialog_alias **at = &sip->aliases; *at != NULL;) {
		struct dialog_alias *a = *at;

		if (a->until > now) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		free(a);
		sip->n_aliases--;
	}
}

static void swept(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip *sip = arg;

	forget_old(sip, env_now(sip->env));
	if (sip->aliases != NULL)
		su_timer_set_interval(sip->alias_sweep, swept, sip, LIFE_S * 1000);
}

int dialog_alias_make(struct sip *sip, const struct dialog_name *name, uint16_t by, uint16_t to, struct dialog_name *alias)
{
	mono_ns now = env_now(sip->env);

	forget_old(sip, now);
	if (sip->n_aliases >= ALIASES_MAX)
		return -ENOSPC;
	struct dialog_alias *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return -ENOMEM;
	sip_agent_token(sip->agent, a->token);
	a->name = *name;
	a->by = by;
	a->to = to;
	a->until = now + MONO_S(LIFE_S);
	a->next = sip->aliases;
	sip->aliases = a;
	if (sip->n_aliases++ == 0)
		su_timer_set_interval(sip->alias_sweep, swept, sip, LIFE_S * 1000);
	memset(alias, 0, sizeof(*alias));
	strcpy(alias->call_id, a->token);
	strcpy(alias->local_tag, a->token);
	strcpy(alias->remote_tag, a->token);
	alias->early_only = name->early_only;
	return 0;
}

const struct dialog_alias *dialog_alias_find(const struct sip *sip, const struct dialog_name *alias, uint16_t peer)
{
	mono_ns now = env_now(sip->env);

	for (const struct dialog_alias *a = sip->aliases; a != NULL; a = a->next) {
		if (a->to == peer && a->until > now && strcmp(a->token, alias->call_id) == 0 &&
		    strcmp(a->token, alias->local_tag) == 0 && strcmp(a->token, alias->remote_tag) == 0)
			return a;
	}
	return NULL;
}

void dialog_alias_close(struct sip *sip)
{
	while (sip->aliases != NULL) {
		struct dialog_alias *a = sip->aliases;

		sip->aliases = a->next;
		free(a);
	}
}
