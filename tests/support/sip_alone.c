// SPDX-License-Identifier: GPL-3.0-or-later
// sip_alone.c - the sip thread with fake media behind it, as a program for scenario tests. Configured by arguments, driven
// by lines on standard input; answers are lines on standard output, the log goes to standard error (JSON).
#include "base/env.h"
#include "base/log.h"
#include "base/region.h"
#include "mediarelay/call_record.h"
#include "signaling/sip.h"
#include <sofia-sip/su_time.h>
#include "tests/support/alloc_fail.h"
#include "tests/support/fake_media.h"
#include "tests/support/wall_clock.h"
#include <err.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REALMS 4
#define PEERS 16
#define ROUTES 16

enum { PLAIN, SECURE, SDES, ANY, NULL_TOO, DTLS, STRIP, FAR_SECURED, SIGNALLING, PROFILES };

#define PROFILES_MAX (PROFILES + PEERS) // a peer with a policy of its own has a profile of its own

static struct sip_realm realms[REALMS];
static struct media_realm media_realms[REALMS];
static struct sip_peer peers[PEERS];
static struct sip_route routes[ROUTES];
static struct media_profile profiles[PROFILES_MAX] = {
	[PLAIN] = { .name = "plain", .keying = { .accept = { KEYING_PLAIN }, .offer = { KEYING_PLAIN } } },
	[SECURE] = { .name = "secure",
		     .keying = { .accept = { KEYING_DTLS_SRTP, KEYING_SDES }, .offer = { KEYING_DTLS_SRTP } } },
	[SDES] = { .name = "sdes", .keying = { .accept = { KEYING_SDES }, .offer = { KEYING_SDES } } },
	[ANY] = { .name = "any",
		  .keying = { .accept = { KEYING_DTLS_SRTP, KEYING_SDES, KEYING_PLAIN }, .offer = { KEYING_PLAIN } } },
	[NULL_TOO] = { .name = "null_too",
		       .keying = { .accept = { KEYING_SDES },
				   .offer = { KEYING_SDES },
				   .suites = { SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_NULL_HMAC_SHA1_80 } } },
	[DTLS] = { .name = "dtls", .keying = { .accept = { KEYING_DTLS_SRTP }, .offer = { KEYING_DTLS_SRTP } } },
	[STRIP] = { .name = "strip",
		    .keying = { .accept = { KEYING_PLAIN }, .offer = { KEYING_PLAIN } },
		    .extensions = { .filter = true } },
	[FAR_SECURED] = { .name = "far_secured",
			  .keying = { .accept = { KEYING_PLAIN }, .offer = { KEYING_PLAIN }, .far_leg_secured = true } },
	[SIGNALLING] = { .name = "signalling",
			 .keying = { .accept = { KEYING_PLAIN },
				     .offer = { KEYING_PLAIN },
				     .signalling_security_required = true } },
};
static struct sip_policy policies[PROFILES_MAX];
static struct sip_config config = {
	.realms = realms, .peers = peers, .routes = routes, .profiles = profiles, .n_profiles = PROFILES,
	.policies = policies, .max_calls = 1000, .timer_c_s = 181, .max_subscriptions = 1000,
};
static const struct sip_policy policy_default = {
	.session_expires_s = 1800, .session_min_s = 90, .relay = SIP_RELAY_INFO,
};
static struct media_config media_config = { .realms = media_realms };
static unsigned t1_ms;
static bool quiet;

static uint16_t realm_named(const char *name)
{
	for (size_t i = 0; i < config.n_realms; i++) {
		if (strcmp(realms[i].name, name) == 0)
			return (uint16_t)i;
	}
	errx(2, "no realm %s", name);
}

// Next part of a comma-separated argument.
static char *part(char **rest)
{
	char *p = strsep(rest, ",");

	if (p == NULL)
		errx(2, "an argument is too short");
	return p;
}

// realm NAME: --realm access[,trusted]
static void add_realm(char *arg)
{
	char *name = part(&arg);
	struct sip_realm *r = &realms[config.n_realms];

	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(media_realms[config.n_realms].name, sizeof(r->name), "%s", name);
	r->trusted = arg != NULL && strcmp(arg, "trusted") == 0;
	config.n_realms = media_config.n_realms = config.n_realms + 1;
}

// --listen access,udp,127.0.0.1:5060 ; the address is a media address of the realm too
static void add_listener(char *arg)
{
	uint16_t realm = realm_named(part(&arg));
	struct sip_realm *r = &realms[realm];
	struct media_realm *m = &media_realms[realm];
	struct sip_listener *l = &r->listeners[r->n_listeners++];

	l->transport = strcmp(part(&arg), "tcp") == 0 ? SIP_TCP : SIP_UDP;
	if (inet_endpoint_parse(&l->bind, part(&arg)) < 0)
		errx(2, "bad address");
	for (size_t i = 0; i < m->n_addresses; i++) {
		if (inet_addr_equal(&m->address[i].bind, &l->bind.addr))
			return;
	}
	m->address[m->n_addresses++].bind = l->bind.addr;
}

// --peer NAME,REALM,PROFILE,SOURCE-PREFIX,TARGET
static void add_peer(char *arg)
{
	struct sip_peer *p = &peers[config.n_peers++];

	snprintf(p->name, sizeof(p->name), "%s", part(&arg));
	p->realm = realm_named(part(&arg));
	const char *profile = part(&arg);

	while (p->profile < PROFILES && strcmp(profiles[p->profile].name, profile) != 0)
		p->profile++;
	if (p->profile == PROFILES)
		errx(2, "no profile %s", profile);
	if (inet_prefix_parse(&p->sources[0], part(&arg)) == 0)
		p->n_sources = 1;
	snprintf(p->target, sizeof(p->target), "%s", part(&arg));
}

static unsigned word_of(const char *const words[], const char *word)
{
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], word) == 0)
			return i;
	}
	errx(2, "unknown word %s", word);
}

static void set_policy(struct sip_policy *policy, char *setting)
{
	static const char *const early[] = { "both", "backward", "none", NULL };
	static const char *const history[] = { "hide", "pass", "strip", NULL };
	static const char *const relay[] = { "info", "message", "subscribe", "publish", NULL };
	static const char *const delayed[] = { "pass", "insert", NULL };
	static const char *const forking[] = { "single", "parallel", NULL };
	static const char *const redirect[] = { "pass", "follow", NULL };
	static const char *const transfer[] = { "refuse", "pass", "resolve", NULL };
	static const char *const codecs[] = { "PCMU", "PCMA", "G722", "G729", "opus", "telephone-event", NULL };
	char *value = setting;
	const char *key = strsep(&value, "=");

	if (value == NULL)
		errx(2, "no value for %s", key);
	if (strcmp(key, "expires") == 0)
		policy->session_expires_s = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(key, "min") == 0)
		policy->session_min_s = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(key, "early_media") == 0)
		policy->early_media = word_of(early, value);
	else if (strcmp(key, "history") == 0)
		policy->history = word_of(history, value);
	else if (strcmp(key, "relay") == 0)
		policy->relay |= 1u << word_of(relay, value);
	else if (strcmp(key, "delayed_offer") == 0)
		policy->delayed_offer = word_of(delayed, value);
	else if (strcmp(key, "forking") == 0)
		policy->forking = word_of(forking, value);
	else if (strcmp(key, "redirect") == 0)
		policy->redirect = word_of(redirect, value);
	else if (strcmp(key, "transfer") == 0)
		policy->transfer = word_of(transfer, value);
	else if (strcmp(key, "refer_out_of_dialog") == 0)
		policy->refer_outside = strcmp(value, "allow") == 0;
	else if (strcmp(key, "codec") == 0)
		policy->codecs[policy->n_codecs++] = word_of(codecs, value);
	else if (strcmp(key, "body_parts") == 0)
		policy->drop_parts = strcmp(value, "drop") == 0;
	else
		errx(2, "unknown policy %s", key);
}

// --policy PEER,KEY=VALUE,... : a profile of its own for this peer, as the one it had but for these
static void add_policy(char *arg)
{
	const char *name = part(&arg);
	size_t peer = 0, profile = config.n_profiles++;

	while (peer < config.n_peers && strcmp(peers[peer].name, name) != 0)
		peer++;
	if (peer == config.n_peers)
		errx(2, "no peer %s", name);
	profiles[profile] = profiles[peers[peer].profile];
	policies[profile] = policies[peers[peer].profile];
	peers[peer].profile = (uint16_t)profile;
	while (arg != NULL)
		set_policy(&policies[profile], part(&arg));
}

// --route REALM,USER,PEER
static void add_route(char *arg)
{
	struct sip_route *r = &routes[config.n_routes++];

	r->from_realm = realm_named(part(&arg));
	r->from_peer = -1;
	snprintf(r->user, sizeof(r->user), "%s", part(&arg));
	const char *name = part(&arg);

	while (r->to_peer < config.n_peers && strcmp(peers[r->to_peer].name, name) != 0)
		r->to_peer++;
	if (r->to_peer == config.n_peers)
		errx(2, "no peer %s", name);
}

static void read_arguments(int argc, char **argv)
{
	for (int i = 0; i < PROFILES; i++)
		policies[i] = policy_default;
	for (int i = 1; i + 1 < argc; i += 2) {
		char *value = argv[i + 1];

		if (strcmp(argv[i], "--realm") == 0)
			add_realm(value);
		else if (strcmp(argv[i], "--listen") == 0)
			add_listener(value);
		else if (strcmp(argv[i], "--peer") == 0)
			add_peer(value);
		else if (strcmp(argv[i], "--policy") == 0)
			add_policy(value);
		else if (strcmp(argv[i], "--subscriptions") == 0)
			config.max_subscriptions = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--route") == 0)
			add_route(value);
		else if (strcmp(argv[i], "--calls") == 0)
			config.max_calls = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--t1") == 0)
			t1_ms = (unsigned)strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--timer-c") == 0)
			config.timer_c_s = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--quiet") == 0)
			quiet = strcmp(value, "yes") == 0;
		else
			errx(2, "unknown argument %s", argv[i]);
	}
}

static void say(const char *text)
{
	printf("%s\n", text);
	fflush(stdout);
}

static void drained(void *ctx)
{
	say("drained");
}

static struct media *media;
static struct sip *sip;
static struct call_records *records;

// What whoever watches is told.
static void notice(void *ctx, const struct sip_notice *n)
{
	static const char *const kinds[] = { "started", "answered", "ended", "restored", "stranger" };

	log_debug("sip_alone", "notice", LOG_STR("kind", kinds[n->kind]), LOG_UINT("call", n->call), LOG_STR("realm_a", n->sides[0].realm),
		  LOG_STR("realm_b", n->sides[1].realm), LOG_STR("call_id_a", n->sides[0].call_id),
		  LOG_STR("call_id_b", n->sides[1].call_id), LOG_STR("uri_a", n->sides[0].uri), LOG_STR("uri_b", n->sides[1].uri),
		  LOG_UINT("setup_ns", n->setup), LOG_UINT("up_ns", n->up), LOG_INT("status", n->status), LOG_STR("cause", n->cause),
		  LOG_STR("by", n->by));
}

// The clock that tests set forward: the sip thread's, and that of its library's timers.
extern void (*_su_time)(su_time_t *tv);
static _Atomic mono_ns shift;

static mono_ns shifted_now(void *ctx)
{
	return clock_now() + shift;
}

static int shifted_random(void *ctx, uint8_t *dst, size_t len)
{
	return env_random(&env_real, dst, len);
}

static void shifted_time(su_time_t *tv)
{
	mono_ns now = shifted_now(NULL);

	tv->tv_sec = (unsigned long)(now / MONO_S(1)) + SU_TIME_EPOCH;
	tv->tv_usec = (unsigned long)(now % MONO_S(1) / 1000);
}

static const struct env env_shifted = { .now = shifted_now, .random = shifted_random };

static void tell_counts(void);

static void advance(unsigned seconds)
{
	_su_time = shifted_time;
	shift += MONO_S(seconds);
	tell_counts(); // wakes the sip thread, which looks at its timers then
}

static void open_sip(void)
{
	struct sip_start start = {
		.config = &config, .media = media, .env = &env_shifted, .records = records, .t1_ms = t1_ms,
		.drained = drained, .notice = notice,
	};
	int err_open = sip_open(&sip, &start);

	if (err_open < 0)
		errx(1, "sip_open: %s", strerror(-err_open));
	if (shift > 0)
		_su_time = shifted_time;
	fake_media_set_receiver(media, sip_media_event, sip);
}

static unsigned records_in_use(void)
{
	static uint8_t record[CALL_RECORD_SIP_SIZE];
	unsigned n = 0;

	for (uint32_t session = 1; session <= call_records_count(records); session++)
		n += call_record_read(records, session, CALL_RECORD_SIP, record, sizeof(record)) > 0 ||
		     call_record_read(records, session, CALL_RECORD_PENDING, record, sizeof(record)) > 0;
	return n;
}

static void tell_counts(void)
{
	struct sip_counts s;
	struct fake_media_counts m;
	long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	malloc_trim(0);
	if (statm != NULL) {
		if (fscanf(statm, "%*d %ld", &pages) != 1)
			pages = 0;
		fclose(statm);
	}
	sip_counts(sip, &s);
	fake_media_counts(media, &m);
	printf("counts calls=%u dialogs=%u subscriptions=%u requests=%u legs=%u incoming=%u outgoing=%u sessions=%u seats=%u plans=%u adopted=%u records=%u faults=%u "
	       "rss_kb=%ld heap=%zu\n",
	       s.calls, s.dialogs, s.subscriptions, s.requests, s.legs, s.incoming, s.outgoing, m.sessions, m.seats, m.plans, m.adopted, records_in_use(), m.faults,
	       pages * sysconf(_SC_PAGESIZE) / 1024, mallinfo2().uordblks);
	fflush(stdout);
}

// Damages a part of a call's record, as a write that never ended, or another version's, would look.
static void corrupt(enum call_record_part part, unsigned session, unsigned offset)
{
	uint8_t record[CALL_RECORD_SIP_SIZE];
	int len = call_record_read(records, session, part, record, sizeof(record));

	for (int i = (int)offset; i < len && i < (int)offset + 600; i++)
		record[i] = 0xff;
	if (len > 0)
		call_record_write(records, session, part, record, (size_t)len);
}

// A part of a call's record, in hexadecimal digits.
static void tell_record(enum call_record_part part, unsigned session)
{
	static uint8_t record[CALL_RECORD_SIP_SIZE];
	int len = call_record_read(records, session, part, record, sizeof(record));

	printf("record ");
	for (int i = 0; i < len; i++)
		printf("%02x", record[i]);
	printf("\n");
	fflush(stdout);
}

// One command: mark N (logged: what was logged before it has been read when it is), counts, advance SECONDS (of the sip thread's clock; answers as counts), step SECONDS (the wall's clock), drain, forget (media's sessions), corrupt SESSION OFFSET, record SESSION, damage and pending likewise of what has no final response, limits SESSIONS SEATS, fail N (the N-th allocation of the sip thread; 0: none) and allocations, failed|silent|secured SESSION CAUSE, restart, quit
static bool command(char *line)
{
	char word[16] = "", cause[96] = "";
	unsigned a = 0, b = 0;
	int seconds;

	if (sscanf(line, "%15s", word) != 1)
		return true;
	if (strcmp(word, "quit") == 0)
		return false;
	if (strcmp(word, "counts") == 0) {
		tell_counts();
	} else if (strcmp(word, "advance") == 0 && sscanf(line, "%*s %u", &a) == 1) {
		advance(a);
	} else if (strcmp(word, "step") == 0 && sscanf(line, "%*s %d", &seconds) == 1) {
		wall_clock_step(seconds);
		say("ok");
	} else if (strcmp(word, "drain") == 0) {
		sip_drain(sip);
	} else if (strcmp(word, "corrupt") == 0 && sscanf(line, "%*s %u %u", &a, &b) == 2) {
		corrupt(CALL_RECORD_SIP, a, b);
		say("ok");
	} else if (strcmp(word, "damage") == 0 && sscanf(line, "%*s %u %u", &a, &b) == 2) {
		corrupt(CALL_RECORD_PENDING, a, b);
		say("ok");
	} else if (strcmp(word, "pending") == 0 && sscanf(line, "%*s %u", &a) == 1) {
		tell_record(CALL_RECORD_PENDING, a);
	} else if (strcmp(word, "record") == 0 && sscanf(line, "%*s %u", &a) == 1) {
		tell_record(CALL_RECORD_SIP, a);
	} else if (strcmp(word, "forget") == 0) {
		fake_media_forget(media);
		say("ok");
	} else if (strcmp(word, "mark") == 0 && sscanf(line, "%*s %u", &a) == 1) {
		log_warning("sip_alone", "mark", LOG_UINT("number", a));
	} else if (strcmp(word, "limits") == 0 && sscanf(line, "%*s %u %u", &a, &b) == 2) {
		fake_media_set_limits(media, a, b);
		say("ok");
	} else if (strcmp(word, "fail") == 0 && sscanf(line, "%*s %u", &a) == 1) {
		alloc_fail_arm(a);
		say("ok");
	} else if (strcmp(word, "allocations") == 0) {
		printf("allocations counted=%lu struck=%d\n", alloc_fail_counted(), alloc_fail_struck());
		fflush(stdout);
	} else if (sscanf(line, "%*s %u %95[^\n]", &a, cause) >= 1) {
		fake_media_event(media, word[0] == 'f' ? MEDIA_EVENT_FAILED : word[1] == 'i' ? MEDIA_EVENT_SILENT : MEDIA_EVENT_SECURED,
				 a, cause);
		say("ok");
	} else if (strcmp(word, "restart") == 0) { // as a death of control: no BYE, a new thread takes up the records
		sip_end(sip);
		sip_close(sip);
		open_sip();
		say("restarted");
	} else {
		say("what?");
	}
	return true;
}

int main(int argc, char **argv)
{
	struct region region;
	char line[256];

	alloc_fail_exempt(); // the sip thread's are what counts
	read_arguments(argc, argv);
	log_setup(quiet ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, "sip_alone");
	media_config.max_sessions = config.max_calls;
	struct media_start start = { .config = &media_config, .profiles = profiles, .n_profiles = config.n_profiles, .env = &env_real };

	if (media_open(&media, &start) < 0 ||
	    region_create(&region, "calls", call_records_footprint(config.max_calls), false) < 0 ||
	    call_records_open(&records, region.fd, config.max_calls) < 0)
		errx(1, "cannot start");
	open_sip();
	say("ready");
	while (fgets(line, sizeof(line), stdin) != NULL && command(line))
		continue;
	sip_end(sip);
	sip_close(sip);
	call_records_close(records);
	media_close(media);
	return 0;
}
