// SPDX-License-Identifier: GPL-3.0-or-later
// inet.h - IP addresses and UDP/TCP endpoints as small values: comparable, printable, fit for shared records.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum inet_family { INET_NONE = 0, INET_V4 = 4, INET_V6 = 6 };

struct inet_addr {
	uint8_t family;    // enum inet_family
	uint8_t zero[3];   // kept zero, so that memcmp() compares
	uint8_t bytes[16]; // network order; IPv4 in the first four, the rest zero
};

struct inet_endpoint {
	struct inet_addr addr;
	uint16_t port; // host order
	uint16_t zero;
};

struct inet_prefix {
	struct inet_addr addr;
	uint8_t len;
};

#define INET_ADDR_STRLEN 46
#define INET_ENDPOINT_STRLEN 56

int inet_addr_parse(struct inet_addr *addr, const char *text);       // "192.0.2.1", "2001:db8::1", no brackets
int inet_endpoint_parse(struct inet_endpoint *ep, const char *text); // "192.0.2.1:5060", "[2001:db8::1]:5060"
int inet_prefix_parse(struct inet_prefix *p, const char *text);      // "192.0.2.0/24" or a lone address
const char *inet_addr_print(char dst[INET_ADDR_STRLEN], const struct inet_addr *addr);
const char *inet_endpoint_print(char dst[INET_ENDPOINT_STRLEN], const struct inet_endpoint *ep);
bool inet_addr_equal(const struct inet_addr *a, const struct inet_addr *b);
bool inet_endpoint_equal(const struct inet_endpoint *a, const struct inet_endpoint *b);
bool inet_prefix_holds(const struct inet_prefix *p, const struct inet_addr *addr);
uint32_t inet_addr_hash(const struct inet_addr *addr); // never 0
bool inet_addr_is_any(const struct inet_addr *addr); // 0.0.0.0, ::, or no family
void inet_endpoint_from_sockaddr(struct inet_endpoint *ep, const struct sockaddr *sa);
socklen_t inet_endpoint_to_sockaddr(struct sockaddr_storage *ss, const struct inet_endpoint *ep);
