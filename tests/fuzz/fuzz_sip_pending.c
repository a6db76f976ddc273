// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_sip_pending.c - the record of requests without a final response, damaged anywhere: each that is taken up is whole, as nta takes
// it for granted, lies within the record, and can be copied and written out again.
//
// Input: the record as it stands in shared memory.
#include "signaling/sip_pending.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_sip_pending: %s\n", what);
	abort();
}

// What sip_pending.c and nta do with it: every header that a response repeats, and the message as it is sent.
static void take(void *ctx, const struct sip_pending_request *p, msg_t *msg)
{
	size_t *room = ctx;
	const sip_t *sip = sip_object(msg);
	su_home_t home[1] = { SU_HOME_INIT(home) };

	su_home_init(home);
	must(p->len <= *room, "a text outside of the record");
	*room -= p->len;
	must(p->tag[0] != '\0' && memchr(p->tag, 0, sizeof(p->tag)) != NULL, "a tag that is none");
	sip_method_t method = sip->sip_request->rq_method;

	must(p->outgoing ? method == sip_method_cancel || method == sip_method_bye : method == sip_method_invite, "another method");
	must(sip->sip_via->v_branch != NULL && sip->sip_via->v_host != NULL, "a Via that finds nothing");
	must(sip->sip_from->a_tag != NULL && sip->sip_to != NULL && sip->sip_call_id->i_id != NULL, "identifiers");
	must(sip->sip_cseq->cs_method == sip->sip_request->rq_method, "CSeq of another request");
	must(sip_via_copy(home, sip->sip_via) != NULL && sip_from_copy(home, sip->sip_from) != NULL &&
		     sip_to_copy(home, sip->sip_to) != NULL && sip_request_copy(home, sip->sip_request) != NULL,
	     "a copy");
	must(msg_serialize(msg, (msg_pub_t *)sip_object(msg)) >= 0 && msg_prepare(msg) > 0, "it cannot be sent");
	su_home_deinit(home);
	msg_destroy(msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_pending_head head;
	size_t room = size;
	int err = sip_pending_read(data, size, &head, take, &room);

	must(err == 0 || err == -EBADMSG, "an error that is not named");
	return 0;
}
