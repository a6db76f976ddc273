// SPDX-License-Identifier: GPL-3.0-or-later
// settings.c - the table of all keys: type, bounds, default. conf/sallyport.yaml shows each with a comment.
#include "gateway/settings.h"
#include "base/log.h"
#include "dataplane/dp_config.h"
#include "dataplane/srtp_suite.h"
#include "mediarelay/media_config.h"
#include "signaling/sip_config.h"
#include <stddef.h>
#include <string.h>

#define WORDS(...) .words = (const struct schema_word[]){ __VA_ARGS__, { NULL } }
#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define LIST_AT(type, member) .list = true, .offset = offsetof(type, member), .size = sizeof(*((type *)0)->member.items)
#define SCHEMA(type, table) \
	{ .fields = (table), .n_fields = sizeof(table) / sizeof((table)[0]), .size = sizeof(type), \
	  .node_offset = offsetof(type, node) }

// clang-format off
static const struct schema_field log_fields[] = {
	{ "level", AT(struct log_settings, level), .type = &schema_choice, .fallback = "info",
	  WORDS({ "debug", LOG_LEVEL_DEBUG }, { "info", LOG_LEVEL_INFO }, { "warning", LOG_LEVEL_WARNING },
		{ "error", LOG_LEVEL_ERROR }) },
	{ "format", AT(struct log_settings, format), .type = &schema_choice, .fallback = "text",
	  WORDS({ "text", LOG_FORMAT_TEXT }, { "json", LOG_FORMAT_JSON }) },
};
static const struct schema log_schema = SCHEMA(struct log_settings, log_fields);

static const struct schema_field process_fields[] = {
	{ "user", AT(struct process_settings, user), .type = &schema_name, .fallback = "sallyport" },
	{ "state_dir", AT(struct process_settings, state_dir), .type = &setting_path, .fallback = "/var/lib/sallyport" },
	{ "drain_timeout", AT(struct process_settings, drain_timeout), .type = &schema_number, .min = 1, .max = 7 * 86400,
	  .fallback = "3600" },
};
static const struct schema process_schema = SCHEMA(struct process_settings, process_fields);

static const struct schema_field limit_fields[] = {
	{ "calls", AT(struct limit_settings, calls), .type = &schema_number, .min = 1, .max = 100000,
	  .fallback = "1000" },
	{ "capacity", AT(struct limit_settings, capacity), .type = &schema_number, .max = 100000, .fallback = "0" },
	{ "subscriptions", AT(struct limit_settings, subscriptions), .type = &schema_number, .max = 100000,
	  .fallback = "1000" },
};
static const struct schema limit_schema = SCHEMA(struct limit_settings, limit_fields);

static const struct schema_field call_record_fields[] = {
	{ "file", AT(struct call_record_settings, file), .type = &setting_path, .fallback = "\"\"" },
	{ "max_size_mb", AT(struct call_record_settings, max_size_mb), .type = &schema_number, .max = 1u << 20,
	  .fallback = "100" },
	{ "keep", AT(struct call_record_settings, keep), .type = &schema_number, .min = 1, .max = 1000, .fallback = "10" },
};
static const struct schema call_record_schema = SCHEMA(struct call_record_settings, call_record_fields);

static const struct schema_field sip_fields[] = {
	{ "server_name", AT(struct sip_settings, server_name), .type = &schema_text, .fallback = "\"\"" },
	// RFC 3261 16.6 step 11: more than three minutes. Less is for testing.
	{ "timer_c", AT(struct sip_settings, timer_c), .type = &schema_number, .min = 10, .max = 3600,
	  .fallback = "181" },
};
static const struct schema sip_schema = SCHEMA(struct sip_settings, sip_fields);

static const struct schema_field dtls_fields[] = {
	{ "certificate", AT(struct dtls_settings, certificate), .type = &setting_path, .fallback = "\"\"" },
	{ "key", AT(struct dtls_settings, key), .type = &setting_path, .fallback = "\"\"" },
	{ "versions", LIST_AT(struct dtls_settings, versions), .type = &schema_choice, .min = 1, .max = 2,
	  .fallback = "[\"1.2\", \"1.3\"]", WORDS({ "1.2", 0x0102 }, { "1.3", 0x0103 }) },
	{ "mtu", AT(struct dtls_settings, mtu), .type = &schema_number, .min = 576, .max = 1460, .fallback = "1200" },
};
static const struct schema dtls_schema = SCHEMA(struct dtls_settings, dtls_fields);

static const struct schema_field token_fields[] = {
	{ "name", AT(struct token_settings, name), .type = &schema_name },
	{ "role", AT(struct token_settings, role), .type = &schema_choice,
	  WORDS({ "viewer", ADMIN_VIEWER }, { "operator", ADMIN_OPERATOR }, { "wiretap", ADMIN_WIRETAP }) },
	{ "sha256", AT(struct token_settings, sha256), .type = &setting_digest, .fallback = "\"\"" },
	{ "file", AT(struct token_settings, file), .type = &setting_path, .fallback = "\"\"" },
};
static const struct schema token_schema = SCHEMA(struct token_settings, token_fields);

static const struct schema_field client_fields[] = {
	{ "name", AT(struct client_settings, name), .type = &schema_name },
	{ "role", AT(struct client_settings, role), .type = &schema_choice,
	  WORDS({ "viewer", ADMIN_VIEWER }, { "operator", ADMIN_OPERATOR }, { "wiretap", ADMIN_WIRETAP }) },
	{ "subject", AT(struct client_settings, subject), .type = &schema_text },
};
static const struct schema client_schema = SCHEMA(struct client_settings, client_fields);

static const struct schema_field admin_tls_fields[] = {
	{ "certificate", AT(struct admin_tls_settings, certificate), .type = &setting_path, .fallback = "\"\"" },
	{ "key", AT(struct admin_tls_settings, key), .type = &setting_path, .fallback = "\"\"" },
	{ "clients", AT(struct admin_tls_settings, clients), .type = &setting_path, .fallback = "\"\"" },
};
static const struct schema admin_tls_schema = SCHEMA(struct admin_tls_settings, admin_tls_fields);

static const struct schema_field admin_fields[] = {
	{ "listen", AT(struct admin_settings, listen), .type = &setting_place, .fallback = "\"127.0.0.1:8780\"" },
	{ "connections", AT(struct admin_settings, connections), .type = &schema_number, .min = 8, .max = 4096,
	  .fallback = "256" },
	{ "tls", AT(struct admin_settings, tls), .group = &admin_tls_schema },
	{ "certificates", LIST_AT(struct admin_settings, certificates), .group = &client_schema, .max = 64, .fallback = "[]" },
	{ "tokens", LIST_AT(struct admin_settings, tokens), .group = &token_schema, .max = 64, .fallback = "[]" },
};
static const struct schema admin_schema = SCHEMA(struct admin_settings, admin_fields);

static const struct schema_field interface_fields[] = {
	{ "name", AT(struct interface_settings, name), .type = &schema_name },
	{ "driver", AT(struct interface_settings, driver), .type = &schema_choice, .fallback = "af_xdp",
	  WORDS({ "af_xdp", DP_DRIVER_AF_XDP }, { "af_packet", DP_DRIVER_AF_PACKET }, { "null", DP_DRIVER_NULL },
		{ "memif", DP_DRIVER_MEMIF }, { "pci", DP_DRIVER_PCI }, { "bifurcated", DP_DRIVER_BIFURCATED }) },
	{ "xdp_mode", AT(struct interface_settings, xdp_mode), .type = &schema_choice, .fallback = "auto",
	  WORDS({ "auto", DP_XDP_AUTO }, { "native", DP_XDP_NATIVE }, { "generic", DP_XDP_GENERIC }) },
	{ "zero_copy", AT(struct interface_settings, zero_copy), .type = &schema_choice, .fallback = "auto",
	  WORDS({ "auto", DP_ZERO_COPY_AUTO }, { "on", DP_ZERO_COPY_ON }, { "off", DP_ZERO_COPY_OFF }) },
	{ "queues", AT(struct interface_settings, queues), .type = &schema_number, .max = 64, .fallback = "0" },
	{ "busy_poll", AT(struct interface_settings, busy_poll), .type = &schema_number, .max = 1024, .fallback = "0" },
	{ "busy_poll_us", AT(struct interface_settings, busy_poll_us), .type = &schema_number, .min = 1, .max = 1000,
	  .fallback = "20" },
	{ "mtu", AT(struct interface_settings, mtu), .type = &schema_number, .max = 9600, .fallback = "0" },
	{ "tx_checksum", AT(struct interface_settings, tx_checksum), .type = &schema_choice, .fallback = "auto",
	  WORDS({ "auto", DP_TX_CHECKSUM_AUTO }, { "software", DP_TX_CHECKSUM_SOFTWARE }, { "zero", DP_TX_CHECKSUM_ZERO }) },
	{ "device", AT(struct interface_settings, device), .type = &schema_text, .fallback = "\"\"" },
	{ "devargs", AT(struct interface_settings, devargs), .type = &schema_text, .fallback = "\"\"" },
};
static const struct schema interface_schema = SCHEMA(struct interface_settings, interface_fields);

static const struct schema_field crypto_fields[] = {
	{ "engine", AT(struct crypto_settings, engine), .type = &schema_choice, .fallback = "ipsec-mb",
	  WORDS({ "ipsec-mb", DP_ENGINE_IPSEC_MB }, { "cryptodev", DP_ENGINE_CRYPTODEV }) },
	{ "device", AT(struct crypto_settings, device), .type = &schema_text, .fallback = "\"\"" },
	{ "devargs", AT(struct crypto_settings, devargs), .type = &schema_text, .fallback = "\"\"" },
};
static const struct schema crypto_schema = SCHEMA(struct crypto_settings, crypto_fields);

static const struct schema_field dataplane_fields[] = {
	{ "workers", AT(struct dataplane_settings, workers), .type = &schema_number, .min = 1, .max = DP_WORKERS_MAX,
	  .fallback = "1" },
	{ "cpus", LIST_AT(struct dataplane_settings, cpus), .type = &schema_number, .max = DP_WORKERS_MAX, .most = 1023,
	  .fallback = "[]" },
	{ "poll", AT(struct dataplane_settings, poll), .type = &schema_choice, .fallback = "adaptive",
	  WORDS({ "adaptive", DP_POLL_ADAPTIVE }, { "busy", DP_POLL_BUSY }) },
	{ "hugepages", AT(struct dataplane_settings, hugepages), .type = &schema_choice, .fallback = "auto",
	  WORDS({ "auto", DP_HUGEPAGES_AUTO }, { "on", DP_HUGEPAGES_ON }, { "off", DP_HUGEPAGES_OFF }) },
	{ "memory_mb", AT(struct dataplane_settings, memory_mb), .type = &schema_number, .max = 1u << 20,
	  .fallback = "0" },
	{ "replay_window", AT(struct dataplane_settings, replay_window), .type = &schema_number, .min = 64, .max = 1024,
	  .fallback = "128" },
	{ "crypto", AT(struct dataplane_settings, crypto), .group = &crypto_schema },
	{ "interfaces", LIST_AT(struct dataplane_settings, interfaces), .group = &interface_schema, .max = DP_PORTS_MAX,
	  .fallback = "[]" },
};
static const struct schema dataplane_schema = SCHEMA(struct dataplane_settings, dataplane_fields);

static const struct schema_field media_fields[] = {
	{ "address", AT(struct media_settings, address), .type = &setting_address },
	{ "advertise", AT(struct media_settings, advertise), .type = &setting_address, .fallback = "\"\"" },
	{ "floating", AT(struct media_settings, floating), .type = &schema_switch, .fallback = "false" },
	{ "ports", AT(struct media_settings, ports), .type = &setting_ports, .fallback = "16384-32767" },
};
static const struct schema media_schema = SCHEMA(struct media_settings, media_fields);

static const struct schema_field realm_fields[] = {
	{ "name", AT(struct realm_settings, name), .type = &schema_name },
	{ "interface", AT(struct realm_settings, interface), .type = &schema_name },
	{ "vlan", AT(struct realm_settings, vlan), .type = &schema_number, .max = 4094, .fallback = "0" },
	{ "listeners", LIST_AT(struct realm_settings, listeners), .type = &setting_listener, .min = 1, .max = 8 },
	{ "media", LIST_AT(struct realm_settings, media), .group = &media_schema, .min = 1, .max = 8 },
	{ "dscp", AT(struct realm_settings, dscp), .type = &schema_number, .max = 63, .fallback = "46" },
	{ "trusted", AT(struct realm_settings, trusted), .type = &schema_switch, .fallback = "false" },
	{ "profile", AT(struct realm_settings, profile), .type = &schema_name },
};
static const struct schema realm_schema = SCHEMA(struct realm_settings, realm_fields);

#define MECHANISM_WORDS \
	WORDS({ "dtls-srtp", KEYING_DTLS_SRTP }, { "sdes", KEYING_SDES }, { "none", KEYING_PLAIN })

static const struct schema_field keying_fields[] = {
	{ "accept", LIST_AT(struct keying_settings, accept), .type = &schema_choice, .min = 1, .max = 3, MECHANISM_WORDS },
	{ "offer", LIST_AT(struct keying_settings, offer), .type = &schema_choice, .min = 1, .max = 3, MECHANISM_WORDS },
	{ "form", AT(struct keying_settings, form), .type = &schema_choice, .fallback = "strict",
	  WORDS({ "strict", SETTING_FORM_STRICT }, { "osrtp", SETTING_FORM_OSRTP }) },
	{ "retry", LIST_AT(struct keying_settings, retry), .type = &schema_choice, .max = 3, .fallback = "[]",
	  MECHANISM_WORDS },
	{ "role", AT(struct keying_settings, role), .type = &schema_choice, .fallback = "auto",
	  WORDS({ "auto", KEYING_ROLE_AUTO }, { "active", KEYING_ROLE_ACTIVE }, { "passive", KEYING_ROLE_PASSIVE }) },
	{ "mki", AT(struct keying_settings, mki), .type = &schema_choice, .fallback = "accept",
	  WORDS({ "accept", KEYING_MKI_ACCEPT }, { "offer", KEYING_MKI_OFFER }, { "never", KEYING_MKI_NEVER }) },
	{ "signalling_security", AT(struct keying_settings, signalling_security), .type = &schema_choice,
	  .fallback = "any", WORDS({ "any", SETTING_SIGNALLING_ANY }, { "required", SETTING_SIGNALLING_REQUIRED }) },
	{ "far_leg", AT(struct keying_settings, far_leg), .type = &schema_choice, .fallback = "any",
	  WORDS({ "any", SETTING_FAR_LEG_ANY }, { "secured", SETTING_FAR_LEG_SECURED }) },
	{ "suites", LIST_AT(struct keying_settings, suites), .type = &schema_choice, .min = 1, .max = KEYING_SUITES_MAX,
	  .fallback = "[AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80]",
	  WORDS({ "AEAD_AES_256_GCM", SRTP_AEAD_AES_256_GCM }, { "AEAD_AES_128_GCM", SRTP_AEAD_AES_128_GCM },
		{ "AES_256_CM_HMAC_SHA1_80", SRTP_AES_256_CM_HMAC_SHA1_80 },
		{ "AES_256_CM_HMAC_SHA1_32", SRTP_AES_256_CM_HMAC_SHA1_32 },
		{ "AES_192_CM_HMAC_SHA1_80", SRTP_AES_192_CM_HMAC_SHA1_80 },
		{ "AES_192_CM_HMAC_SHA1_32", SRTP_AES_192_CM_HMAC_SHA1_32 },
		{ "AES_CM_128_HMAC_SHA1_80", SRTP_AES_CM_128_HMAC_SHA1_80 },
		{ "AES_CM_128_HMAC_SHA1_32", SRTP_AES_CM_128_HMAC_SHA1_32 },
		{ "NULL_HMAC_SHA1_80", SRTP_NULL_HMAC_SHA1_80 }, { "NULL_HMAC_SHA1_32", SRTP_NULL_HMAC_SHA1_32 }) },
};
static const struct schema keying_schema = SCHEMA(struct keying_settings, keying_fields);

#define WISH_WORDS \
	WORDS({ "accept", MEDIA_WISH_ACCEPT }, { "offer", MEDIA_WISH_OFFER }, { "never", MEDIA_WISH_NEVER })

static const struct schema_field session_timer_fields[] = {
	{ "expires", AT(struct session_timer_settings, expires), .type = &schema_number, .max = 86400,
	  .fallback = "1800" },
	{ "min", AT(struct session_timer_settings, min), .type = &schema_number, .min = 90, .max = 86400, // RFC 4028 section 4
	  .fallback = "90" },
};
static const struct schema session_timer_schema = SCHEMA(struct session_timer_settings, session_timer_fields);

static const struct schema_field profile_fields[] = {
	{ "name", AT(struct profile_settings, name), .type = &schema_name },
	{ "keying", AT(struct profile_settings, keying), .group = &keying_schema },
	{ "header_extensions", LIST_AT(struct profile_settings, header_extensions), .type = &setting_uri, .max = 16,
	  .fallback = "[" SETTING_EXTENSIONS_ALL "]" },
	{ "header_extension_encryption", AT(struct profile_settings, header_extension_encryption),
	  .type = &schema_choice, .fallback = "accept", WISH_WORDS },
	{ "cryptex", AT(struct profile_settings, cryptex), .type = &schema_choice, .fallback = "accept", WISH_WORDS },
	{ "rtcp_mux", AT(struct profile_settings, rtcp_mux), .type = &schema_choice, .fallback = "accept",
	  WORDS({ "accept", MEDIA_MUX_ACCEPT }, { "offer", MEDIA_MUX_OFFER }, { "never", MEDIA_MUX_NEVER }) },
	{ "feedback", AT(struct profile_settings, feedback), .type = &schema_choice, .fallback = "never",
	  WORDS({ "never", MEDIA_FEEDBACK_NEVER }, { "pass", MEDIA_FEEDBACK_PASS }, { "always", MEDIA_FEEDBACK_ALWAYS }) },
	{ "learn", AT(struct profile_settings, learn), .type = &schema_choice, .fallback = "nat",
	  WORDS({ "nat", MEDIA_LEARN_NAT }, { "never", MEDIA_LEARN_NEVER }, { "any", MEDIA_LEARN_ANY }) },
	{ "unknown_attributes", AT(struct profile_settings, unknown_attributes), .type = &schema_choice,
	  .fallback = "pass", WORDS({ "pass", SETTING_UNKNOWN_PASS }, { "drop", SETTING_UNKNOWN_DROP }) },
	{ "keying_timeout", AT(struct profile_settings, keying_timeout), .type = &schema_number, .min = 1, .max = 120,
	  .fallback = "10" },
	{ "media_timeout", AT(struct profile_settings, media_timeout), .type = &schema_number, .max = 86400,
	  .fallback = "60" },
	{ "session_timer", AT(struct profile_settings, session_timer), .group = &session_timer_schema },
	{ "early_media", AT(struct profile_settings, early_media), .type = &schema_choice, .fallback = "both",
	  WORDS({ "both", SIP_EARLY_MEDIA_BOTH }, { "backward", SIP_EARLY_MEDIA_BACKWARD },
		{ "none", SIP_EARLY_MEDIA_NONE }) },
	{ "delayed_offer", AT(struct profile_settings, delayed_offer), .type = &schema_choice, .fallback = "pass",
	  WORDS({ "pass", SIP_DELAYED_PASS }, { "insert", SIP_DELAYED_INSERT }) },
	{ "codecs", LIST_AT(struct profile_settings, codecs), .type = &schema_choice, .min = 1, .max = SIP_CODEC_COUNT,
	  .fallback = "[PCMA, PCMU, telephone-event]",
	  WORDS({ "PCMU", SIP_CODEC_PCMU }, { "PCMA", SIP_CODEC_PCMA }, { "G722", SIP_CODEC_G722 },
		{ "G729", SIP_CODEC_G729 }, { "opus", SIP_CODEC_OPUS }, { "telephone-event", SIP_CODEC_EVENTS }) },
	{ "relay", LIST_AT(struct profile_settings, relay), .type = &schema_choice, .max = 4, .fallback = "[info]",
	  WORDS({ "info", SIP_RELAY_INFO }, { "message", SIP_RELAY_MESSAGE }, { "subscribe", SIP_RELAY_SUBSCRIBE },
		{ "publish", SIP_RELAY_PUBLISH }) },
	{ "forking", AT(struct profile_settings, forking), .type = &schema_choice, .fallback = "single",
	  WORDS({ "single", SIP_FORKING_SINGLE }, { "parallel", SIP_FORKING_PARALLEL }) },
	{ "redirect", AT(struct profile_settings, redirect), .type = &schema_choice, .fallback = "pass",
	  WORDS({ "pass", SIP_REDIRECT_PASS }, { "follow", SIP_REDIRECT_FOLLOW }) },
	{ "transfer", AT(struct profile_settings, transfer), .type = &schema_choice, .fallback = "refuse",
	  WORDS({ "refuse", SIP_TRANSFER_REFUSE }, { "pass", SIP_TRANSFER_PASS }, { "resolve", SIP_TRANSFER_RESOLVE }) },
	{ "refer_out_of_dialog", AT(struct profile_settings, refer_out_of_dialog), .type = &schema_choice, .fallback = "refuse",
	  WORDS({ "refuse", SETTING_REFER_REFUSE }, { "allow", SETTING_REFER_ALLOW }) },
	{ "history", AT(struct profile_settings, history), .type = &schema_choice, .fallback = "hide",
	  WORDS({ "hide", SIP_HISTORY_HIDE }, { "pass", SIP_HISTORY_PASS }, { "strip", SIP_HISTORY_STRIP }) },
	{ "body_parts", AT(struct profile_settings, body_parts), .type = &schema_choice, .fallback = "pass",
	  WORDS({ "pass", SETTING_PARTS_PASS }, { "drop", SETTING_PARTS_DROP }) },
};
static const struct schema profile_schema = SCHEMA(struct profile_settings, profile_fields);

static const struct schema_field peer_fields[] = {
	{ "name", AT(struct peer_settings, name), .type = &schema_name },
	{ "realm", AT(struct peer_settings, realm), .type = &schema_name },
	{ "sources", LIST_AT(struct peer_settings, sources), .type = &setting_prefix, .max = 16, .fallback = "[]" },
	{ "target", AT(struct peer_settings, target), .type = &schema_text, .fallback = "\"\"" },
	{ "profile", AT(struct peer_settings, profile), .type = &schema_text, .fallback = "\"\"" }, // "": the realm's
};
static const struct schema peer_schema = SCHEMA(struct peer_settings, peer_fields);

static const struct schema_field route_fields[] = {
	{ "from", AT(struct route_settings, from), .type = &schema_name },
	{ "user", AT(struct route_settings, user), .type = &schema_text, .fallback = "\"*\"" },
	{ "to", AT(struct route_settings, to), .type = &schema_name },
};
static const struct schema route_schema = SCHEMA(struct route_settings, route_fields);

static const struct schema_field settings_fields[] = {
	{ "log", AT(struct settings, log), .group = &log_schema },
	{ "process", AT(struct settings, process), .group = &process_schema },
	{ "limits", AT(struct settings, limits), .group = &limit_schema },
	{ "call_records", AT(struct settings, call_records), .group = &call_record_schema },
	{ "sip", AT(struct settings, sip), .group = &sip_schema },
	{ "dtls", AT(struct settings, dtls), .group = &dtls_schema },
	{ "admin", AT(struct settings, admin), .group = &admin_schema },
	{ "dataplane", AT(struct settings, dataplane), .group = &dataplane_schema },
	{ "realms", LIST_AT(struct settings, realms), .group = &realm_schema, .min = 1, .max = DP_NETWORKS_MAX },
	{ "profiles", LIST_AT(struct settings, profiles), .group = &profile_schema, .min = 1, .max = 256 },
	{ "peers", LIST_AT(struct settings, peers), .group = &peer_schema, .max = 4096, .fallback = "[]" },
	{ "routes", LIST_AT(struct settings, routes), .group = &route_schema, .max = 4096, .fallback = "[]" },
};
const struct schema settings_schema = SCHEMA(struct settings, settings_fields);
// clang-format on

const struct schema *settings_part(const char *key)
{
	for (size_t i = 0; i < settings_schema.n_fields; i++) {
		if (strcmp(settings_fields[i].key, key) == 0)
			return settings_fields[i].group;
	}
	return NULL;
}
