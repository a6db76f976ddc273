// SPDX-License-Identifier: GPL-3.0-or-later
// config_check_keying.c - a profile's keying policy: what cannot be done, or not yet.
#include "dataplane/srtp_suite.h"
#include "gateway/config_priv.h"

static bool names_mechanism(const struct keying_settings *k, unsigned mechanism)
{
	for (size_t i = 0; i < k->accept.n; i++) {
		if (k->accept.items[i] == mechanism)
			return true;
	}
	for (size_t i = 0; i < k->offer.n; i++) {
		if (k->offer.items[i] == mechanism)
			return true;
	}
	return false;
}

static bool offers_plain(const struct keying_settings *k)
{
	for (size_t i = 0; i < k->offer.n; i++) {
		if (k->offer.items[i] == KEYING_PLAIN)
			return true;
	}
	return false;
}

static bool has_dtls_suite(const struct keying_settings *k)
{
	for (size_t i = 0; i < k->suites.n; i++) {
		const struct srtp_suite_info *info = srtp_suite_info(k->suites.items[i]);

		if (info != NULL && info->dtls_profile != 0)
			return true;
	}
	return false;
}

int config_check_keying(const struct keying_settings *k, struct config_error *why)
{
	if (k->form == SETTING_FORM_OSRTP)
		return config_complain(why, config_at(k->node, "form", -1),
				       "form: osrtp is not yet supported; say strict");
	if (k->retry.n > 0)
		return config_complain(why, config_at(k->node, "retry", -1),
				       "retry: not yet supported; leave it empty");
	// One m-line of form strict has one proto: plain RTP beside a secured mechanism would be OSRTP.
	if (offers_plain(k) && k->offer.n > 1)
		return config_complain(why, config_at(k->node, "offer", -1),
				       "offer: none stands alone with form strict (RTP/AVP carries no keys)");
	if (names_mechanism(k, KEYING_DTLS_SRTP) && !has_dtls_suite(k))
		return config_complain(why, config_at(k->node, "suites", -1),
				       "suites: none of these can be negotiated by dtls-srtp (RFC 5764, 7714)");
	return 0;
}
