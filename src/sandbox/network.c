#include "sandbox/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "sandbox/userns.h"

#define RESOLV_MAX ((size_t)1 << 20)
/* Addresses that the helpers give to the host and to their resolver, as seen from inside. */
#define SLIRP_GATEWAY "10.0.2.2"
#define SLIRP_RESOLVER "10.0.2.3"
#define PASTA_RESOLVER "169.254.1.1"

enum sw_network_helper sw_network_helper(struct sw_buf *why) {
    bool slirp = sw_proc_find("slirp4netns", NULL);
    /* pasta gives real root away at once, and then may not join the namespace it is to serve. */
    bool pasta = sw_proc_find("pasta", NULL) && !(geteuid() == 0 && sw_userns_is_first());
    if (!pasta && !slirp) {
        if (why)
            sw_buf_add_text(why, "slirp4netns is not installed (nor pasta, which does without "
                                 "root); install it, or use the host's network or none");
        return SW_NETHELP_NONE;
    }
    int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (tun < 0) {
        if (why)
            sw_buf_addf(why,
                        "/dev/net/tun cannot be opened (%s); allow it with: modprobe tun && "
                        "chmod 0666 /dev/net/tun, or use the host's network or none",
                        strerror(errno));
        return SW_NETHELP_NONE;
    }
    close(tun);
    return pasta ? SW_NETHELP_PASTA : SW_NETHELP_SLIRP;
}

const char *sw_network_helper_name(enum sw_network_helper helper) {
    static const char *const names[] = {"none", "pasta", "slirp4netns"};
    return names[helper];
}

/* ---- resolv.conf ---- */

static bool is_loopback(struct sw_str address) {
    return sw_str_starts(address, SW_STR("127.")) || sw_str_is(address, "::1");
}

static bool is_server(struct sw_str line, struct sw_str *ret_address) {
    struct sw_str word, rest;
    line = sw_str_trim(line);
    size_t space = 0;
    while (space < line.len && line.ptr[space] != ' ' && line.ptr[space] != '\t') space++;
    word = sw_str_sub(line, 0, space);
    rest = sw_str_trim(sw_str_from(line, space));
    *ret_address = rest;
    return sw_str_is(word, "nameserver");
}

/* Copies what is not a server (search, options), and the servers that may be kept. */
static size_t filter(struct sw_str text, bool keep_loopback, bool keep_servers, struct sw_buf *to) {
    struct sw_str line, address;
    size_t n = 0;
    while (sw_str_next(&text, '\n', &line)) {
        if (is_server(line, &address)) {
            if (!keep_servers || (!keep_loopback && is_loopback(address))) continue;
            n++;
        }
        if (line.len) sw_buf_addf(to, "%.*s\n", SW_ARG(line));
    }
    return n;
}

void sw_resolv_conf(enum sw_network network, const char *const *dns, size_t n_dns,
                    struct sw_buf *to) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    size_t servers = 0;
    sw_buf_init(&text, RESOLV_MAX);
    if (network == SW_NETWORK_NONE) return;
    bool host = network == SW_NETWORK_HOST;
    if (!sw_read_file_at(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, &text, &ignored))
        servers = filter(sw_buf_str(&text), host, n_dns == 0, to);
    for (size_t i = 0; i < n_dns; i++) sw_buf_addf(to, "nameserver %s\n", dns[i]);
    if (servers || n_dns || host) return;
    /* A stub resolver on the host's loopback: its own upstream list, else the helper's forwarder.
     */
    sw_buf_reset(&text);
    if (!sw_read_file_at(AT_FDCWD, "/run/systemd/resolve/resolv.conf", RESOLV_MAX, &text,
                         &ignored)) {
        sw_buf_reset(to);
        servers = filter(sw_buf_str(&text), false, true, to);
    }
    if (!servers)
        sw_buf_addf(to, "nameserver %s\n",
                    sw_network_helper(NULL) == SW_NETHELP_PASTA ? PASTA_RESOLVER : SLIRP_RESOLVER);
}

/* ---- hosts ---- */

/* The host as seen from inside: from its own network an address of its own. */
static void host_gateway(enum sw_network network, char *to, size_t size) {
    struct ifaddrs *all = NULL;
    snprintf(to, size, "127.0.0.1");
    if (network == SW_NETWORK_PRIVATE && sw_network_helper(NULL) == SW_NETHELP_SLIRP) {
        snprintf(to, size, SLIRP_GATEWAY);
        return;
    }
    if (network == SW_NETWORK_HOST || getifaddrs(&all) < 0) return;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || (i->ifa_flags & IFF_LOOPBACK) ||
            !(i->ifa_flags & IFF_UP))
            continue;
        struct sockaddr_in address;
        memcpy(&address, i->ifa_addr, sizeof address);
        inet_ntop(AF_INET, &address.sin_addr, to, (socklen_t)size);
        break;
    }
    freeifaddrs(all);
}

enum sw_code sw_host_entry_parse(const char *word, enum sw_network network,
                                 struct sw_host_entry *ret, struct sw_error *err) {
    struct sw_host_entry e = {0};
    unsigned char binary[sizeof(struct in6_addr)];
    size_t at = strcspn(word, "=:");
    const char *ip = word + at + (word[at] != '\0');
    size_t len = strlen(ip);
    if (at == 0 || !word[at] || at >= sizeof e.name)
        return sw_fail(err, SW_USAGE, "cannot read the host \"%s\": want NAME:IP", word);
    if (len > 2 && ip[0] == '[' && ip[len - 1] == ']') ip++, len -= 2;
    memcpy(e.name, word, at);
    snprintf(e.ip, sizeof e.ip, "%.*s", (int)(len < sizeof e.ip ? len : 0), ip);
    if (!strcmp(e.ip, "host-gateway")) {
        host_gateway(network, e.ip, sizeof e.ip);
    } else if (inet_pton(AF_INET, e.ip, binary) != 1 && inet_pton(AF_INET6, e.ip, binary) != 1) {
        return sw_fail(err, SW_USAGE, "cannot read the host \"%s\": \"%s\" is no IP address", word,
                       ip);
    }
    *ret = e;
    return SW_OK;
}

void sw_hosts_file(enum sw_network network, const char *hostname,
                   const struct sw_host_entry *entries, size_t n, struct sw_buf *to) {
    sw_buf_add_text(to, "127.0.0.1\tlocalhost\n"
                        "::1\tlocalhost ip6-localhost ip6-loopback\n"
                        "fe00::0\tip6-localnet\n"
                        "ff00::0\tip6-mcastprefix\n"
                        "ff02::1\tip6-allnodes\n"
                        "ff02::2\tip6-allrouters\n");
    for (size_t i = 0; i < n; i++) sw_buf_addf(to, "%s\t%s\n", entries[i].ip, entries[i].name);
    if (hostname && *hostname)
        sw_buf_addf(to, "%s\t%s\n",
                    network == SW_NETWORK_PRIVATE && sw_network_helper(NULL) == SW_NETHELP_SLIRP
                        ? "10.0.2.100"
                        : "127.0.1.1",
                    hostname);
}
