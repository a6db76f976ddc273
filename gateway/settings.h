// SPDX-License-Identifier: GPL-3.0-or-later
// settings.h - the configuration file as a struct, value for value, defaults filled in. `node` is where a mapping was
// written. settings.c has the table; config_check.c says what values may stand together; config_build.c turns them into
// what each folder is given.
#pragma once
#include "base/inet.h"
#include "gateway/admin_config.h"
#include "gateway/schema.h"
#include "mediarelay/media_config.h"
#include <net/if.h>

#define SETTINGS_NAME 32
#define SETTINGS_PATH 256
#define SETTINGS_LIST(type) struct { type *items; size_t n; }

struct listener_setting {
	unsigned transport; // enum sip_transport
	struct inet_endpoint bind;
};

struct ports_setting {
	uint16_t first, last;
};

struct log_settings {
	const struct yaml_node *node;
	unsigned level, format;
};

struct process_settings {
	const struct yaml_node *node;
	char user[SETTINGS_NAME], state_dir[SETTINGS_PATH];
	uint32_t drain_timeout;
};

struct limit_settings {
	const struct yaml_node *node;
	uint32_t calls, capacity, subscriptions;
};

struct call_record_settings {
	const struct yaml_node *node;
	char file[SETTINGS_PATH];
	uint32_t max_size_mb, keep;
};

struct sip_settings {
	const struct yaml_node *node;
	char server_name[64];
	uint32_t timer_c;
};

struct dtls_settings {
	const struct yaml_node *node;
	char certificate[SETTINGS_PATH], key[SETTINGS_PATH];
	SETTINGS_LIST(unsigned) versions;
	uint32_t mtu;
};

struct digest_setting {
	bool there;
	uint8_t bytes[ADMIN_DIGEST];
};

struct token_settings { // of admin
	const struct yaml_node *node;
	char name[SETTINGS_NAME], file[SETTINGS_PATH];
	unsigned role; // enum admin_role
	struct digest_setting sha256;
};

struct client_settings { // of admin: a certificate that stands for a token
	const struct yaml_node *node;
	char name[SETTINGS_NAME], subject[128];
	unsigned role; // enum admin_role
};

struct admin_tls_settings {
	const struct yaml_node *node;
	char certificate[SETTINGS_PATH], key[SETTINGS_PATH], clients[SETTINGS_PATH];
};

struct admin_settings {
	const struct yaml_node *node;
	struct admin_place listen;
	uint32_t connections;
	struct admin_tls_settings tls;
	SETTINGS_LIST(struct token_settings) tokens;
	SETTINGS_LIST(struct client_settings) certificates;
};

struct interface_settings {
	const struct yaml_node *node;
	char name[IF_NAMESIZE];
	unsigned driver, xdp_mode, zero_copy, tx_checksum;
	uint32_t queues, busy_poll, busy_poll_us, mtu;
	char device[64];
	char devargs[128];
};

struct crypto_settings {
	const struct yaml_node *node;
	unsigned engine;
	char device[64], devargs[128];
};

struct dataplane_settings {
	const struct yaml_node *node;
	uint32_t workers;
	SETTINGS_LIST(uint32_t) cpus;
	unsigned poll, hugepages;
	uint32_t memory_mb, replay_window;
	struct crypto_settings crypto;
	SETTINGS_LIST(struct interface_settings) interfaces;
};

struct media_settings { // one media address
	const struct yaml_node *node;
	struct inet_addr address, advertise;
	bool floating;
	struct ports_setting ports;
};

struct realm_settings {
	const struct yaml_node *node;
	char name[SETTINGS_NAME], interface[IF_NAMESIZE], profile[SETTINGS_NAME];
	uint32_t vlan, dscp;
	bool trusted;
	SETTINGS_LIST(struct listener_setting) listeners;
	SETTINGS_LIST(struct media_settings) media;
};

struct keying_settings {
	const struct yaml_node *node;
	SETTINGS_LIST(unsigned) accept, offer, retry, suites;
	unsigned form, role, mki, signalling_security, far_leg;
};

struct session_timer_settings {
	const struct yaml_node *node;
	uint32_t expires, min;
};

struct profile_settings {
	const struct yaml_node *node;
	char name[SETTINGS_NAME];
	struct keying_settings keying;
	SETTINGS_LIST(struct media_uri) header_extensions;
	unsigned header_extension_encryption, cryptex;
	unsigned rtcp_mux, feedback, learn, unknown_attributes;
	uint32_t keying_timeout, media_timeout;
	struct session_timer_settings session_timer;
	SETTINGS_LIST(unsigned) relay; // enum sip_relay
	unsigned early_media, history, body_parts, delayed_offer, forking, redirect, transfer, refer_out_of_dialog;
	SETTINGS_LIST(unsigned) codecs; // enum sip_codec
};

struct peer_settings {
	const struct yaml_node *node;
	char name[SETTINGS_NAME], realm[SETTINGS_NAME], profile[SETTINGS_NAME], target[256];
	SETTINGS_LIST(struct inet_prefix) sources;
};

struct route_settings {
	const struct yaml_node *node;
	char from[SETTINGS_NAME], user[64], to[SETTINGS_NAME];
};

struct settings {
	const struct yaml_node *node;
	struct log_settings log;
	struct process_settings process;
	struct limit_settings limits;
	struct call_record_settings call_records;
	struct sip_settings sip;
	struct dtls_settings dtls;
	struct admin_settings admin;
	struct dataplane_settings dataplane;
	SETTINGS_LIST(struct realm_settings) realms;
	SETTINGS_LIST(struct profile_settings) profiles;
	SETTINGS_LIST(struct peer_settings) peers;
	SETTINGS_LIST(struct route_settings) routes;
};

enum { SETTING_FORM_STRICT, SETTING_FORM_OSRTP };
enum { SETTING_SIGNALLING_ANY, SETTING_SIGNALLING_REQUIRED };
enum { SETTING_FAR_LEG_ANY, SETTING_FAR_LEG_SECURED };
#define SETTING_EXTENSIONS_ALL "all" // in place of a header extension's URI
enum { SETTING_PARTS_PASS, SETTING_PARTS_DROP };
enum { SETTING_REFER_REFUSE, SETTING_REFER_ALLOW };
enum { SETTING_UNKNOWN_PASS, SETTING_UNKNOWN_DROP };

extern const struct schema settings_schema;
const struct schema *settings_part(const char *key); // of a top key that has mappings: "realms"

// Scalars of this file alone.
extern const struct schema_type setting_address;  // struct inet_addr; "" is none where the key has that default
extern const struct schema_type setting_prefix;   // struct inet_prefix
extern const struct schema_type setting_listener; // struct listener_setting
extern const struct schema_type setting_ports;    // struct ports_setting
extern const struct schema_type setting_path;     // char[SETTINGS_PATH], absolute or ""
extern const struct schema_type setting_place;    // struct admin_place
extern const struct schema_type setting_digest;   // struct digest_setting; "" is none
extern const struct schema_type setting_uri;      // struct media_uri; or SETTING_EXTENSIONS_ALL
