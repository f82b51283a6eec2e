/* Published ports: listens on the host, connects inside the sandbox.
 *
 * Floor 3. A forwarder has a thread of its own; start and free it from any thread. Listening
 * sockets are made in the host's network namespace, connections in the sandbox's, by a thread that
 * joined it: no privilege on the host is needed, nothing on the host is configured.
 */
#ifndef SW_SANDBOX_FORWARD_H
#define SW_SANDBOX_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define SW_FORWARD_PORTS_MAX 1024       /* published ports of one sandbox */
#define SW_FORWARD_CONNECTIONS_MAX 8192 /* more wait in the listen queue */
#define SW_FORWARD_UDP_PEERS_MAX 1024   /* the longest idle one makes room */

struct sw_port {
    char host_ip[64];   /* "": all addresses, both families */
    uint16_t host_port; /* 0: the system chooses */
    uint16_t port;      /* inside */
    bool udp;
};

/* [IP:]HOST:CONTAINER[/tcp|udp], CONTAINER alone, and ranges (8000-8010:8000-8010): appends to
 * ports[*n], at most max. IPv6 addresses in brackets. */
SW_NODISCARD enum sw_code sw_port_parse(struct sw_str word, struct sw_port *ports, size_t max,
                                        size_t *n, struct sw_error *err);

struct sw_forward;

/* netns: sw_sandbox_netns(). With -1 (the host's network) equal ports are nothing to do, others are
 * forwarded on the host. Binds before it returns: a taken port is an error now. */
SW_NODISCARD enum sw_code sw_forward_start(const struct sw_port *ports, size_t n, int netns,
                                           struct sw_forward **ret, struct sw_error *err);
/* The host port of the nth, where the system chose it. */
uint16_t sw_forward_host_port(const struct sw_forward *f, size_t n);
/* Closes all connections and listeners. Takes NULL. */
void sw_forward_free(struct sw_forward *f);
void sw_forward_freep(struct sw_forward **f);

#endif
