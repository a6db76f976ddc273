// SPDX-License-Identifier: GPL-3.0-or-later
// leg_drops.c - drops of the listener and of the endpoints, summed up for the leg transport that they came by.
#include "mediarelay/leg_drops.h"
#include "mediarelay/media_priv.h"

#include <string.h>

#define X(name, word, text) [LEG_DROP_##name] = word,
const char *const leg_drop_name[LEG_DROP_COUNT] = { LEG_DROPS(X) };
#undef X

void leg_drops_listener(struct leg_transport *tp, enum dtls_listener_drop drop)
{
	switch (drop) {
	case DTLS_LISTENER_KEPT:
	case DTLS_LISTENER_DROP_OVERWRITTEN: // another's, of any port
	case DTLS_LISTENER_DROP_COUNT:
		break;
	case DTLS_LISTENER_DROP_NOT_HELLO:
	case DTLS_LISTENER_DROP_BAD_COOKIE:
	case DTLS_LISTENER_DROP_TOO_LONG:
		tp->drops[LEG_DROP_UNPROVEN]++;
		break;
	case DTLS_LISTENER_DROP_MALFORMED:
	case DTLS_LISTENER_DROP_NO_VERSION:
	case DTLS_LISTENER_DROP_REFUSED:
		tp->drops[LEG_DROP_MALFORMED]++;
		break;
	}
}

static void endpoint_add(const struct dtls_endpoint *ep, uint64_t drops[LEG_DROP_COUNT])
{
	struct dtls_endpoint_info info;

	dtls_endpoint_info(ep, &info);
	drops[LEG_DROP_MALFORMED] += info.drops[DTLS_DROP_HELLO_MALFORMED];
	drops[LEG_DROP_FORGED] += info.drops[DTLS_DROP_FORGED];
	drops[LEG_DROP_ALERT] += info.drops[DTLS_DROP_PLAIN_ALERT];
	drops[LEG_DROP_APPLICATION] += info.drops[DTLS_DROP_APPLICATION];
	drops[LEG_DROP_REFUSED] += info.drops[DTLS_DROP_REFUSED];
	drops[LEG_DROP_STALE] += info.drops[DTLS_DROP_FINISHED];
}

void leg_drops_endpoint(struct leg_transport *tp, const struct dtls_endpoint *ep)
{
	endpoint_add(ep, tp->drops);
}

void leg_drops_read(const struct leg_transport *tp, uint64_t drops[LEG_DROP_COUNT])
{
	memcpy(drops, tp->drops, sizeof(tp->drops));
	for (size_t i = 0; i < LEG_DTLS_CANDIDATES; i++) {
		if (tp->candidates[i].endpoint != NULL)
			endpoint_add(tp->candidates[i].endpoint, drops);
	}
}
