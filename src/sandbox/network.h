/* The sandbox's network, and the files that describe it inside.
 *
 * Floor 3. Thread-safe.
 */
#ifndef SW_SANDBOX_NETWORK_H
#define SW_SANDBOX_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum sw_network {
    SW_NETWORK_HOST = 0, /* the host's own */
    SW_NETWORK_NONE,     /* a network namespace with nothing but loopback */
    SW_NETWORK_PRIVATE,  /* a network namespace with a way out through pasta or slirp4netns */
};

/* Who carries a private network's packets on this host. */
enum sw_network_helper { SW_NETHELP_NONE, SW_NETHELP_PASTA, SW_NETHELP_SLIRP };
/* Looks in PATH, and at /dev/net/tun. why (may be NULL, SW_ERROR-like text with advice) is set
 * where the answer is SW_NETHELP_NONE. */
enum sw_network_helper sw_network_helper(struct sw_buf *why);
const char *sw_network_helper_name(enum sw_network_helper helper);

/* The file for /etc/resolv.conf inside: for the host's network, the host's; for a private one the
 * host's without resolvers on loopback addresses (systemd-resolved's own list is taken instead), or
 * the helper's forwarder. dns (may be NULL) replaces the servers. With no network: empty. */
void sw_resolv_conf(enum sw_network network, const char *const *dns, size_t n_dns,
                    struct sw_buf *to);

/* NAME:IP or NAME=IP; IP "host-gateway" is the address of the host as seen from inside. */
struct sw_host_entry {
    char name[256], ip[64];
};
SW_NODISCARD enum sw_code sw_host_entry_parse(const char *word, enum sw_network network,
                                              struct sw_host_entry *ret, struct sw_error *err);
/* /etc/hosts inside: localhost in both families, the hostname, the entries. */
void sw_hosts_file(enum sw_network network, const char *hostname,
                   const struct sw_host_entry *entries, size_t n_entries, struct sw_buf *to);

#endif
