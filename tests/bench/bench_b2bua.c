// SPDX-License-Identifier: GPL-3.0-or-later
// bench_b2bua.c - the least back-to-back user agent that Sofia's nta can be: the bound of what a gateway built on it can do.
//
//   bench_b2bua udp|tcp NEAR FAR CALLEE
//
// Listens at port 5060 of NEAR and FAR; every call that comes goes to CALLEE. Descriptions pass as they are; nothing is logged,
// checked, counted, limited, timed or kept but what the two dialogs need. Ends with its standard input.
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct call;
#define NTA_LEG_MAGIC_T struct call
#define NTA_INCOMING_MAGIC_T struct call
#define NTA_OUTGOING_MAGIC_T struct call
#define NTA_AGENT_MAGIC_T void
#define SU_ROOT_MAGIC_T void
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport_tag.h>

struct call {
	nta_leg_t *in, *out;
	nta_incoming_t *invite_in;
	nta_outgoing_t *invite_out, *bye_out;
};

static nta_agent_t *agent;
static const char *transport;
static char route[128], contact_near[128], contact_far[128], near_ident[] = "near", far_ident[] = "far";

static const url_string_t *url(const char *text)
{
	return (const url_string_t *)text;
}

static void call_free(struct call *c)
{
	if (c->invite_in != NULL)
		nta_incoming_destroy(c->invite_in);
	if (c->invite_out != NULL)
		nta_outgoing_destroy(c->invite_out);
	if (c->bye_out != NULL)
		nta_outgoing_destroy(c->bye_out);
	if (c->in != NULL)
		nta_leg_destroy(c->in);
	if (c->out != NULL)
		nta_leg_destroy(c->out);
	free(c);
}

static int on_bye_response(struct call *c, nta_outgoing_t *orq, const sip_t *sip)
{
	if (sip->sip_status->st_status >= 200)
		call_free(c);
	return 0;
}

static nta_outgoing_t *within(struct call *c, nta_response_f *on, sip_method_t method, const char *name)
{
	return nta_outgoing_tcreate(c->out, on, c, url(route), method, name, NULL, TPTAG_IDENT(far_ident), TAG_END());
}

static int on_request(struct call *c, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
	if (sip->sip_request->rq_method == sip_method_bye && leg == c->in && c->bye_out == NULL) {
		c->bye_out = within(c, on_bye_response, SIP_METHOD_BYE);
		return 200;
	}
	return sip->sip_request->rq_method == sip_method_ack ? 0 : 501;
}

static int on_ack(struct call *c, nta_incoming_t *irq, const sip_t *sip)
{
	// An ACK that comes after the BYE would be given the BYE's CSeq, and has nothing more to tell the other side.
	if (sip != NULL && sip->sip_request->rq_method == sip_method_ack && c->bye_out == NULL) {
		nta_outgoing_t *ack = within(c, NULL, SIP_METHOD_ACK);

		if (ack != NULL)
			nta_outgoing_destroy(ack);
	}
	return 0;
}

static int on_answer(struct call *c, nta_outgoing_t *orq, const sip_t *sip)
{
	int status = sip->sip_status->st_status;

	if (status < 180 || c->invite_in == NULL)
		return 0;
	if (status >= 200 && status < 300) {
		nta_leg_rtag(c->out, sip->sip_to->a_tag);
		nta_leg_client_route(c->out, sip->sip_record_route, sip->sip_contact);
	}
	nta_incoming_treply(c->invite_in, status, sip->sip_status->st_phrase, SIPTAG_CONTACT_STR(contact_near),
			    SIPTAG_CONTENT_TYPE(sip->sip_content_type), SIPTAG_PAYLOAD(sip->sip_payload), TAG_END());
	if (status >= 300)
		call_free(c);
	return 0;
}

static int on_invite(nta_incoming_t *irq, const sip_t *sip)
{
	struct call *c = calloc(1, sizeof(*c));
	char uri[160];

	if (c == NULL)
		return 500;
	snprintf(uri, sizeof(uri), "sip:%s@%s", sip->sip_request->rq_url->url_user, route + 4);
	c->invite_in = irq;
	c->in = nta_leg_tcreate(agent, on_request, c, SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(sip->sip_to),
				SIPTAG_TO(sip->sip_from), TAG_END());
	nta_leg_tag(c->in, NULL);
	nta_incoming_tag(irq, nta_leg_get_tag(c->in));
	nta_leg_server_route(c->in, sip->sip_record_route, sip->sip_contact);
	nta_incoming_bind(irq, on_ack, c);
	nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
	c->out = nta_leg_tcreate(agent, on_request, c, SIPTAG_FROM(sip->sip_from), SIPTAG_TO(sip->sip_to), TAG_END());
	nta_leg_tag(c->out, NULL);
	c->invite_out = nta_outgoing_tcreate(c->out, on_answer, c, url(route), SIP_METHOD_INVITE, url(uri),
					     TPTAG_IDENT(far_ident), SIPTAG_CONTACT_STR(contact_far),
					     SIPTAG_MAX_FORWARDS_STR("69"), SIPTAG_CONTENT_TYPE(sip->sip_content_type),
					     SIPTAG_PAYLOAD(sip->sip_payload), TAG_END());
	if (c->invite_out == NULL) {
		c->invite_in = NULL;
		call_free(c);
		return 500;
	}
	return 0;
}

static int outside(struct call *none, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
	if (sip->sip_request->rq_method == sip_method_invite && sip->sip_to->a_tag == NULL)
		return on_invite(irq, sip);
	return sip->sip_request->rq_method == sip_method_ack ? 0 : 481;
}

static void listen_at(const char *host, char *ident, char contact[128])
{
	char at[128];

	snprintf(at, sizeof(at), "sip:%s:5060;transport=%s", host, transport);
	snprintf(contact, 128, "<sip:%s:5060;transport=%s>", host, transport);
	if (nta_agent_add_tport(agent, url(at), TPTAG_IDENT(ident), TPTAG_QUEUESIZE(2048), TPTAG_UDP_RMEM(4u << 20),
				TAG_END()) < 0)
		errx(1, "cannot listen at %s", at);
}

int main(int argc, char **argv)
{
	su_root_t *root;

	if (argc != 5)
		errx(64, "usage: bench_b2bua udp|tcp NEAR FAR CALLEE");
	transport = argv[1];
	snprintf(route, sizeof(route), "sip:%s:5060;transport=%s", argv[4], transport);
	su_init();
	root = su_root_create(NULL);
	agent = nta_agent_create(root, url((const char *)-1), NULL, NULL, NTATAG_UA(1), NTATAG_UDP_MTU(65535), TAG_END());
	if (root == NULL || agent == NULL || nta_leg_tcreate(agent, outside, NULL, NTATAG_NO_DIALOG(1), TAG_END()) == NULL)
		errx(1, "no agent");
	listen_at(argv[2], near_ident, contact_near);
	listen_at(argv[3], far_ident, contact_far);
	printf("{\"ready\":true}\n");
	fflush(stdout);
	for (struct pollfd led = { STDIN_FILENO, POLLIN, 0 }; poll(&led, 1, 0) == 0;)
		for (unsigned i = 0; i < 256; i++)
			su_root_step(root, 100);
	return 0;
}
