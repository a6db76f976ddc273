// SPDX-License-Identifier: GPL-3.0-or-later
// admin_metrics.c - GET /metrics. Every name and every label's values are fixed by this build and the configuration: nothing
// that a message says makes a series. docs/admin.md lists them; tests/e2e/test_admin.py holds the two together.
#include "dtls/dtls_identity.h"
#include "gateway/admin/admin_priv.h"
#include "gateway/admin/metrics_text.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define OPEN_METRICS "application/openmetrics-text"

static const char *realm_name(const struct admin *admin, size_t r)
{
	return admin->start.config->media.realms[r].name;
}

// The process

static uint64_t resident_octets(void)
{
	char text[128] = "";
	unsigned long pages = 0, resident = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0)
		sscanf(text, "%lu %lu", &pages, &resident);
	close(fd);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(const struct admin *admin, struct metrics_text *m)
{
	struct rusage used;
	const char *why;

	metrics_family(m, "sallyport_build_info", METRIC_GAUGE, "Version of the gateway and of what it is built on; always 1.");
	metrics_count(m, 1, "version=\"%s\",dtls=\"%s\",sip=\"%s\"", SALLYPORT_VERSION, dtls_library_version(),
		      sip_library_version());
	metrics_family(m, "process_start_time_seconds", METRIC_GAUGE, "When this life of the control process began, since 1970.");
	metrics_real(m, admin->started, "%s", "");
	if (getrusage(RUSAGE_SELF, &used) == 0) {
		metrics_family(m, "process_cpu_seconds", METRIC_COUNTER, "Processor time of the control process.");
		metrics_real(m, (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
					(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6, "%s", "");
	}
	metrics_family(m, "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory of the control process, shared regions included.");
	metrics_count(m, resident_octets(), "%s", "");
	metrics_family(m, "sallyport_ready", METRIC_GAUGE, "1 if calls may come: as GET /readyz says.");
	metrics_count(m, admin_is_ready(admin, &why), "%s", "");
	metrics_family(m, "sallyport_process_restarts", METRIC_COUNTER, "Times that a process was started anew after it had ended.");
	metrics_count(m, admin->start.control_restarts, "process=\"control\"");
	metrics_count(m, admin->start.relay_restarts + counter_read(&media_stats(admin->start.media)->relay_restarts),
		      "process=\"relay\"");
}

// SIP

static void write_calls(const struct admin *admin, const struct sip_stats *sip, struct metrics_text *m)
{
	static const char *const ways[SIP_STAT_WAYS] = { "in", "out" };

	metrics_family(m, "sallyport_calls", METRIC_GAUGE, "Calls that are up or being set up.");
	metrics_count(m, counter_read(&sip->calls), "%s", "");
	metrics_family(m, "sallyport_calls_limit", METRIC_GAUGE, "limits.calls of the configuration.");
	metrics_count(m, admin->start.config->sip.max_calls, "%s", "");
	metrics_family(m, "sallyport_dialogs", METRIC_GAUGE, "SIP dialogs of calls.");
	metrics_count(m, counter_read(&sip->dialogs), "%s", "");
	metrics_family(m, "sallyport_subscriptions", METRIC_GAUGE, "Subscriptions that are carried.");
	metrics_count(m, counter_read(&sip->subscriptions), "%s", "");
	metrics_family(m, "sallyport_calls_ended", METRIC_COUNTER,
		       "Legs of calls that have ended: direction in is the caller's, out the callee's.");
	for (size_t r = 0; r < sip->n_realms; r++) {
		for (unsigned w = 0; w < SIP_STAT_WAYS; w++) {
			for (unsigned i = 0; i < SIP_STAT_RESULT_COUNT * SIP_STAT_KEYING_COUNT; i++)
				metrics_count(m,
					      counter_read(&sip->realms[r].calls[w][i / SIP_STAT_KEYING_COUNT]
										[i % SIP_STAT_KEYING_COUNT]),
					      "realm=\"%s\",direction=\"%s\",result=\"%s\",keying=\"%s\"",
					      realm_name(admin, r), ways[w], sip_stat_result_name[i / SIP_STAT_KEYING_COUNT],
					      sip_stat_keying_name[i % SIP_STAT_KEYING_COUNT]);
		}
	}
	metrics_family(m, "sallyport_call_setup_seconds", METRIC_HISTOGRAM, "From a caller's INVITE to our 2xx, by the caller's realm.");
	for (size_t r = 0; r < sip->n_realms; r++)
		metrics_histogram(m, &sip->realms[r].answer_ms, &sip_stat_setup_scale, 1e-3, "realm=\"%s\"", realm_name(admin, r));
}

// Responses that have not come yet have no series: there are a thousand that might.
static void write_messages(const struct sip_stats *sip, struct metrics_text *m)
{
	static const char *const ways[SIP_STAT_WAYS] = { "received", "sent" };

	metrics_family(m, "sallyport_sip_requests", METRIC_COUNTER, "SIP requests, without retransmissions.");
	for (unsigned i = 0; i < SIP_STAT_WAYS * SIP_STAT_METHOD_COUNT; i++)
		metrics_count(m, counter_read(&sip->requests[i / SIP_STAT_METHOD_COUNT][i % SIP_STAT_METHOD_COUNT]),
			      "direction=\"%s\",method=\"%s\"", ways[i / SIP_STAT_METHOD_COUNT],
			      sip_stat_method_name[i % SIP_STAT_METHOD_COUNT]);
	metrics_family(m, "sallyport_sip_responses", METRIC_COUNTER,
		       "SIP responses by the method that they answer, without retransmissions; 4xx and the like: codes without a place of their own.");
	for (unsigned i = 0; i < SIP_STAT_WAYS * SIP_STAT_METHOD_COUNT; i++) {
		for (unsigned c = 0; sip_stat_code_name(c) != NULL; c++) {
			uint64_t n = counter_read(&sip->responses[i / SIP_STAT_METHOD_COUNT][i % SIP_STAT_METHOD_COUNT][c]);

			if (n > 0)
				metrics_count(m, n, "direction=\"%s\",method=\"%s\",code=\"%s\"", ways[i / SIP_STAT_METHOD_COUNT],
					      sip_stat_method_name[i % SIP_STAT_METHOD_COUNT], sip_stat_code_name(c));
		}
	}
	metrics_family(m, "sallyport_sip_retransmissions", METRIC_COUNTER, "Messages that were sent, or came, once more.");
	metrics_count(m, counter_read(&sip->resent_requests), "message=\"request_sent\"");
	metrics_count(m, counter_read(&sip->resent_responses), "message=\"response_sent\"");
	metrics_count(m, counter_read(&sip->received_again), "message=\"request_received\"");
	metrics_family(m, "sallyport_sip_malformed", METRIC_COUNTER, "SIP messages that could not be read.");
	metrics_count(m, counter_read(&sip->malformed), "%s", "");
	metrics_family(m, "sallyport_sip_strangers", METRIC_COUNTER, "SIP requests from no peer's address, refused with 403.");
	metrics_count(m, counter_read(&sip->strangers), "%s", "");
}

// Media

static void write_lines(const struct admin *admin, const struct media_stats *media, struct metrics_text *m)
{
	static const char *const keyings[] = { [KEYING_PLAIN] = "plain", [KEYING_SDES] = "sdes", [KEYING_DTLS_SRTP] = "dtls-srtp" };

	metrics_family(m, "sallyport_media_sessions", METRIC_GAUGE, "Media sessions, those included whose ports still rest.");
	metrics_count(m, counter_read(&media->sessions), "%s", "");
	metrics_family(m, "sallyport_media_lines", METRIC_GAUGE, "Media lines that are up, by what secures them; none: without keys yet.");
	for (size_t r = 0; r < media->n_realms; r++) {
		for (unsigned k = KEYING_PLAIN; k < KEYING_MECHANISM_COUNT; k++)
			metrics_count(m, counter_read(&media->realms[r].secured[k]), "realm=\"%s\",keying=\"%s\"",
				      realm_name(admin, r), keyings[k]);
		metrics_count(m, counter_read(&media->realms[r].unsecured), "realm=\"%s\",keying=\"none\"", realm_name(admin, r));
	}
	metrics_family(m, "sallyport_media_silent_lines", METRIC_GAUGE,
		       "Media lines by which media should come in and has not for five seconds.");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_count(m, counter_read(&media->realms[r].silent), "realm=\"%s\"", realm_name(admin, r));
}

static void write_traffic(const struct admin *admin, const struct media_stats *media, struct metrics_text *m)
{
	metrics_family(m, "sallyport_media_packets", METRIC_COUNTER, "RTP packets that were accepted and sent.");
	for (size_t r = 0; r < media->n_realms; r++) {
		metrics_count(m, counter_read(&media->realms[r].rx_packets), "realm=\"%s\",direction=\"received\"", realm_name(admin, r));
		metrics_count(m, counter_read(&media->realms[r].tx_packets), "realm=\"%s\",direction=\"sent\"", realm_name(admin, r));
	}
	metrics_family(m, "sallyport_media_bytes", METRIC_COUNTER, "Their payload.");
	for (size_t r = 0; r < media->n_realms; r++) {
		metrics_count(m, counter_read(&media->realms[r].rx_octets), "realm=\"%s\",direction=\"received\"", realm_name(admin, r));
		metrics_count(m, counter_read(&media->realms[r].tx_octets), "realm=\"%s\",direction=\"sent\"", realm_name(admin, r));
	}
	metrics_family(m, "sallyport_media_lost_packets", METRIC_COUNTER, "RTP packets that should have come in and did not (RFC 3550 A.3).");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_count(m, counter_read(&media->realms[r].lost), "realm=\"%s\"", realm_name(admin, r));
	metrics_family(m, "sallyport_media_jitter_seconds", METRIC_GAUGE, "Mean jitter of what comes in now (RFC 3550 A.8).");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_real(m, (double)counter_read(&media->realms[r].jitter_us) / 1e6, "realm=\"%s\"", realm_name(admin, r));
	metrics_family(m, "sallyport_media_mos", METRIC_GAUGE, "Mean MOS estimate of what comes in now (ITU-T G.107), 1 to 4.5; 0: nothing comes in.");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_real(m, (double)counter_read(&media->realms[r].mos) / 100, "realm=\"%s\"", realm_name(admin, r));
	metrics_family(m, "sallyport_media_ended_jitter_seconds", METRIC_HISTOGRAM, "Jitter of lines that have ended.");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_histogram(m, &media->realms[r].ended_jitter_us, &media_stats_jitter_scale, 1e-6, "realm=\"%s\"", realm_name(admin, r));
	metrics_family(m, "sallyport_media_ended_mos", METRIC_HISTOGRAM, "MOS estimate of lines that have ended.");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_histogram(m, &media->realms[r].ended_mos, &media_stats_mos_scale, 0.01, "realm=\"%s\"", realm_name(admin, r));
	metrics_family(m, "sallyport_rtcp_packets", METRIC_COUNTER, "RTCP packets of lines that have ended.");
	for (size_t r = 0; r < media->n_realms; r++) {
		metrics_count(m, counter_read(&media->realms[r].rtcp_received), "realm=\"%s\",direction=\"received\"", realm_name(admin, r));
		metrics_count(m, counter_read(&media->realms[r].rtcp_sent), "realm=\"%s\",direction=\"sent\"", realm_name(admin, r));
	}
	metrics_family(m, "sallyport_rtcp_drops", METRIC_COUNTER, "RTCP packets that were dropped, of lines that have ended.");
	for (size_t r = 0; r < media->n_realms; r++) {
		for (unsigned i = 1; i < RTCP_DROP_COUNT; i++)
			metrics_count(m, counter_read(&media->realms[r].rtcp_drops[i]), "realm=\"%s\",reason=\"%s\"", realm_name(admin, r), rtcp_drop_name[i]);
	}
}

// Keys

#define X(name, fault, text) [DTLS_FAILURE_##name] = #name,
static const char *const failure_names[DTLS_FAILURE_COUNT] = { DTLS_FAILURES(X) };
#undef X

static const char *lower(char dst[32], const char *name)
{
	size_t i = 0;

	for (; name[i] != '\0' && i < 31; i++)
		dst[i] = (char)tolower((unsigned char)name[i]);
	dst[i] = '\0';
	return dst;
}

static void write_keying(const struct admin *admin, const struct media_stats *media, struct metrics_text *m)
{
	char word[32];

	metrics_family(m, "sallyport_dtls_handshake_seconds", METRIC_HISTOGRAM,
		       "From the first proven datagram of a DTLS handshake to its keys; role is ours.");
	for (size_t r = 0; r < media->n_realms; r++) {
		for (unsigned role = 0; role < MEDIA_STATS_ROLES; role++)
			metrics_histogram(m, &media->realms[r].handshake_ms[role], &media_stats_handshake_scale, 1e-3,
					  "realm=\"%s\",role=\"%s\"", realm_name(admin, r), role == 1 ? "active" : "passive");
	}
	metrics_family(m, "sallyport_dtls_handshake_failures", METRIC_COUNTER, "DTLS handshakes that failed, strangers' included.");
	for (size_t r = 0; r < media->n_realms; r++) {
		for (unsigned i = 1; i < DTLS_FAILURE_COUNT; i++)
			metrics_count(m, counter_read(&media->realms[r].handshake_failures[i]), "realm=\"%s\",cause=\"%s\"",
				      realm_name(admin, r), lower(word, failure_names[i]));
	}
	metrics_family(m, "sallyport_dtls_rtcp_unanswered", METRIC_COUNTER,
		       "Handshakes for RTCP of its own port that the peer never began, of lines whose media is secured.");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_count(m, counter_read(&media->realms[r].rtcp_unanswered), "realm=\"%s\"", realm_name(admin, r));
	metrics_family(m, "sallyport_dtls_drops", METRIC_COUNTER, "Datagrams at DTLS ports that were dropped, of lines that have ended.");
	for (size_t r = 0; r < media->n_realms; r++) {
		for (unsigned i = 0; i < LEG_DROP_COUNT; i++)
			metrics_count(m, counter_read(&media->realms[r].dtls_drops[i]), "realm=\"%s\",reason=\"%s\"", realm_name(admin, r), leg_drop_name[i]);
	}
	metrics_family(m, "sallyport_keying_timeouts", METRIC_COUNTER, "Lines whose keys did not come in time.");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_count(m, counter_read(&media->realms[r].keying_timeouts), "realm=\"%s\"", realm_name(admin, r));
	metrics_family(m, "sallyport_rekeys", METRIC_COUNTER, "Changes of keys within calls, of lines that have ended.");
	for (size_t r = 0; r < media->n_realms; r++)
		metrics_count(m, counter_read(&media->realms[r].rekeys), "realm=\"%s\"", realm_name(admin, r));
	metrics_family(m, "sallyport_dtls_stranger_datagrams", METRIC_COUNTER, "Datagrams from addresses that had proven nothing.");
	metrics_count(m, counter_read(&media->listener_datagrams), "%s", "");
	metrics_family(m, "sallyport_dtls_proven", METRIC_COUNTER, "Of those, addresses that then proved to be the sender's.");
	metrics_count(m, counter_read(&media->listener_proven), "%s", "");
	metrics_family(m, "sallyport_dtls_stranger_drops", METRIC_COUNTER, "Of those, dropped.");
	for (unsigned i = 1; i < DTLS_LISTENER_DROP_COUNT; i++)
		metrics_count(m, counter_read(&media->listener_drops[i]), "reason=\"%s\"", dtls_listener_drop_word(i));
}

// The packet path

static void write_worker_drops(const struct dp_client *dp, unsigned n, struct metrics_text *m)
{
	struct dp_worker_stats w;

	metrics_family(m, "sallyport_worker_drops", METRIC_COUNTER, "Packets that a worker dropped.");
	for (unsigned i = 0; i < n && dp_worker_stats(dp, i, &w) == 0; i++) {
		for (unsigned d = 1; d < RELAY_DROP_COUNT; d++)
			metrics_count(m, w.drops[d], "worker=\"%u\",reason=\"%s\"", i, relay_drop_name[d]);
	}
}

static void write_workers(const struct dp_client *dp, unsigned n, struct metrics_text *m)
{
	struct dp_worker_stats w;

	metrics_family(m, "sallyport_worker_packets", METRIC_COUNTER, "Frames that a worker received and sent.");
	for (unsigned i = 0; i < n && dp_worker_stats(dp, i, &w) == 0; i++) {
		metrics_count(m, w.rx_packets, "worker=\"%u\",direction=\"received\"", i);
		metrics_count(m, w.tx_packets, "worker=\"%u\",direction=\"sent\"", i);
	}
	metrics_family(m, "sallyport_worker_seconds", METRIC_COUNTER, "A worker's time, busy and idle: the share of busy is its load.");
	for (unsigned i = 0; i < n && dp_worker_stats(dp, i, &w) == 0; i++) {
		metrics_real(m, (double)w.busy / 1e9, "worker=\"%u\",state=\"busy\"", i);
		metrics_real(m, (double)w.idle / 1e9, "worker=\"%u\",state=\"idle\"", i);
	}
	metrics_family(m, "sallyport_worker_commands", METRIC_COUNTER, "Commands of control that a worker has carried out.");
	for (unsigned i = 0; i < n && dp_worker_stats(dp, i, &w) == 0; i++)
		metrics_count(m, w.commands, "worker=\"%u\"", i);
	metrics_family(m, "sallyport_worker_handed_packets", METRIC_COUNTER, "Packets that the network card gave to another worker than their call's.");
	for (unsigned i = 0; i < n && dp_worker_stats(dp, i, &w) == 0; i++) {
		metrics_count(m, w.handed_in, "worker=\"%u\",direction=\"in\"", i);
		metrics_count(m, w.handed_out, "worker=\"%u\",direction=\"out\"", i);
	}
	write_worker_drops(dp, n, m);
}

static void write_rings(const struct dp_client *dp, unsigned n, struct metrics_text *m)
{
	struct dp_ring_fill fill;

	metrics_family(m, "sallyport_ring_used_bytes", METRIC_GAUGE, "Fill of the rings between control and a worker.");
	for (unsigned i = 0; i < n * DP_RINGS && dp_client_ring(dp, i / DP_RINGS, i % DP_RINGS, &fill) == 0; i++)
		metrics_count(m, fill.used, "worker=\"%u\",ring=\"%s\"", i / DP_RINGS, fill.name);
	metrics_family(m, "sallyport_ring_size_bytes", METRIC_GAUGE, "Their size.");
	for (unsigned i = 0; i < n * DP_RINGS && dp_client_ring(dp, i / DP_RINGS, i % DP_RINGS, &fill) == 0; i++)
		metrics_count(m, fill.size, "worker=\"%u\",ring=\"%s\"", i / DP_RINGS, fill.name);
	metrics_family(m, "sallyport_ring_refused", METRIC_COUNTER, "Messages that did not fit one of them.");
	for (unsigned i = 0; i < n * DP_RINGS && dp_client_ring(dp, i / DP_RINGS, i % DP_RINGS, &fill) == 0; i++)
		metrics_count(m, fill.refused, "worker=\"%u\",ring=\"%s\"", i / DP_RINGS, fill.name);
}

static void write_pools(const struct dp_client *dp, struct metrics_text *m)
{
	metrics_family(m, "sallyport_pool_used", METRIC_GAUGE, "Fill of the relay's bounded pools, in entries.");
	for (unsigned i = 0; i < DP_POOLS; i++)
		metrics_count(m, dp_client_pool(dp, i).used, "pool=\"%s\"", dp_client_pool(dp, i).name);
	metrics_family(m, "sallyport_pool_size", METRIC_GAUGE, "Their size.");
	for (unsigned i = 0; i < DP_POOLS; i++)
		metrics_count(m, dp_client_pool(dp, i).max, "pool=\"%s\"", dp_client_pool(dp, i).name);
	metrics_family(m, "sallyport_pool_refused", METRIC_COUNTER, "Times that one of them had no entry left.");
	for (unsigned i = 0; i < DP_POOLS; i++)
		metrics_count(m, dp_client_pool(dp, i).refused, "pool=\"%s\"", dp_client_pool(dp, i).name);
}

static void write_ports(const struct admin *admin, const struct dp_client *dp, struct metrics_text *m)
{
	const struct dp_config *cfg = &admin->start.config->dataplane;
	struct dp_port_stats p;

	metrics_family(m, "sallyport_interface_up", METRIC_GAUGE, "1 if a media interface has a link.");
	for (unsigned i = 0; i < cfg->n_ports && dp_port_stats(dp, i, &p) == 0; i++)
		metrics_count(m, p.up, "interface=\"%s\"", cfg->ports[i].name);
	metrics_family(m, "sallyport_interface_missed_frames", METRIC_COUNTER, "Frames that came and found no room.");
	for (unsigned i = 0; i < cfg->n_ports && dp_port_stats(dp, i, &p) == 0; i++)
		metrics_count(m, p.missed, "interface=\"%s\"", cfg->ports[i].name);
	metrics_family(m, "sallyport_interface_buffers", METRIC_GAUGE, "Packet buffers that an interface receives to.");
	for (unsigned i = 0; i < cfg->n_ports && dp_port_stats(dp, i, &p) == 0; i++) {
		metrics_count(m, p.pool_free, "interface=\"%s\",state=\"free\"", cfg->ports[i].name);
		metrics_count(m, p.pool_size - p.pool_free, "interface=\"%s\",state=\"used\"", cfg->ports[i].name);
	}
}

// The door itself

static void write_admin(const struct admin *admin, struct metrics_text *m)
{
	const struct http_counts *c = http_server_counts(admin->server);
	const struct admin_events_counts *e = admin_events_counts(admin->events);

	metrics_family(m, "sallyport_admin_requests", METRIC_COUNTER, "Answers of this port by class of status.");
	for (unsigned i = 2; i < 6; i++)
		metrics_count(m, admin->requests[i], "status=\"%uxx\"", i);
	metrics_family(m, "sallyport_admin_denied", METRIC_COUNTER, "Requests without the right to what they ask for.");
	metrics_count(m, admin->denied, "%s", "");
	metrics_family(m, "sallyport_admin_connections", METRIC_GAUGE, "Connections to this port.");
	metrics_count(m, counter_read(&c->open), "%s", "");
	metrics_family(m, "sallyport_admin_connections_closed", METRIC_COUNTER,
		       "Connections that were ended early: late, evicted for others, malformed, without a good TLS handshake, or a stream's reader too slow.");
	metrics_count(m, counter_read(&c->late), "cause=\"late\"");
	metrics_count(m, counter_read(&c->evicted), "cause=\"evicted\"");
	metrics_count(m, counter_read(&c->malformed), "cause=\"malformed\"");
	metrics_count(m, counter_read(&c->cut), "cause=\"slow_reader\"");
	metrics_count(m, counter_read(&c->unshaken), "cause=\"handshake\"");
	metrics_family(m, "sallyport_admin_certificate_expiry_timestamp_seconds", METRIC_GAUGE, "End of this port's certificate, since 1970; 0: it is in clear.");
	metrics_count(m, admin->tls != NULL ? (uint64_t)tls_setup_facts(admin->tls)->expires : 0, "%s", "");
	metrics_family(m, "sallyport_admin_event_streams", METRIC_GAUGE, "Streams of events that are open.");
	metrics_count(m, e->streams, "%s", "");
	metrics_family(m, "sallyport_admin_event_streams_refused", METRIC_COUNTER, "Streams that were one too many.");
	metrics_count(m, e->refused, "%s", "");
	metrics_family(m, "sallyport_admin_events", METRIC_COUNTER, "Events, whether anybody watches or not.");
	for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++)
		metrics_count(m, e->told[i], "type=\"%s\"", event_type_word[i]);
}

static void write_all(const struct admin *admin, struct metrics_text *m)
{
	const struct sip_stats *sip = sip_stats(admin->start.sip);
	const struct media_stats *media = media_stats(admin->start.media);
	const struct dp_client *dp = media_packet_path(admin->start.media);
	unsigned workers = admin->start.config->dataplane.n_workers;

	write_process(admin, m);
	write_calls(admin, sip, m);
	write_messages(sip, m);
	write_lines(admin, media, m);
	write_traffic(admin, media, m);
	write_keying(admin, media, m);
	write_workers(dp, workers, m);
	write_rings(dp, workers, m);
	write_pools(dp, m);
	write_ports(admin, dp, m);
	write_admin(admin, m);
	metrics_end(m);
}

void admin_metrics(struct admin_request *rq)
{
	struct metrics_text m = { .open_metrics = strstr(rq->http->accept, OPEN_METRICS) != NULL };
	char *text = NULL;
	size_t len = 0;

	m.to = open_memstream(&text, &len);
	if (m.to == NULL) {
		admin_problem(rq, 503, "no memory");
		return;
	}
	write_all(rq->admin, &m);
	if (fclose(m.to) == 0)
		admin_answer_text(rq, 200, m.open_metrics ? OPEN_METRICS "; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8", text, len);
	else
		admin_problem(rq, 503, "no memory");
	free(text);
}
