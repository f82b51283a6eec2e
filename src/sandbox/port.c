/* The words of -p. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/forward.h"

struct range {
    unsigned first, last;
};

static bool read_port(struct sw_str text, unsigned *ret) {
    uint64_t value;
    if (!sw_str_u64(text, &value) || value < 1 || value > 65535) return false;
    *ret = (unsigned)value;
    return true;
}

static bool read_range(struct sw_str text, struct range *ret) {
    struct sw_str first, last;
    if (!sw_str_cut(text, '-', &first, &last)) last = first;
    return read_port(first, &ret->first) && read_port(last, &ret->last) && ret->first <= ret->last;
}

static bool read_protocol(struct sw_str *word, bool *ret_udp) {
    size_t slash = sw_str_rfind_char(*word, '/');
    *ret_udp = false;
    if (slash == SIZE_MAX) return true;
    struct sw_str name = sw_str_from(*word, slash + 1);
    *word = sw_str_sub(*word, 0, slash);
    *ret_udp = sw_str_ieq(name, SW_STR("udp"));
    return *ret_udp || sw_str_ieq(name, SW_STR("tcp"));
}

/* Takes the address off the front: IP: or [IP]:. */
static bool read_address(struct sw_str *word, char *to, size_t size) {
    unsigned char binary[16];
    struct sw_str ip;
    to[0] = '\0';
    if (word->len && word->ptr[0] == '[') {
        size_t end = sw_str_find_char(*word, ']');
        if (end == SIZE_MAX || end + 1 >= word->len || word->ptr[end + 1] != ':') return false;
        ip = sw_str_sub(*word, 1, end - 1);
        *word = sw_str_from(*word, end + 2);
    } else {
        size_t last = sw_str_rfind_char(*word, ':');
        size_t before =
            last == SIZE_MAX ? SIZE_MAX : sw_str_rfind_char(sw_str_sub(*word, 0, last), ':');
        if (before == SIZE_MAX) return true;
        ip = sw_str_sub(*word, 0, before);
        *word = sw_str_from(*word, before + 1);
    }
    if (ip.len == 0) return true;
    if (ip.len >= size) return false;
    memcpy(to, ip.ptr, ip.len);
    to[ip.len] = '\0';
    return inet_pton(AF_INET, to, binary) == 1 || inet_pton(AF_INET6, to, binary) == 1;
}

enum sw_code sw_port_parse(struct sw_str word, struct sw_port *ports, size_t max, size_t *n,
                           struct sw_error *err) {
    struct sw_str rest = word, host, inside;
    struct sw_port port = {0};
    struct range from = {0, 0}, to;
    bool good =
        read_protocol(&rest, &port.udp) && read_address(&rest, port.host_ip, sizeof port.host_ip);
    if (good) {
        if (!sw_str_cut(rest, ':', &host, &inside)) {
            inside = host;
            host = (struct sw_str){0};
        }
        good = read_range(inside, &to) && (host.len == 0 || read_range(host, &from));
    }
    if (!good)
        return sw_fail(err, SW_USAGE,
                       "cannot read the port \"%.*s\": want [IP:][HOST:]CONTAINER[/tcp|/udp]",
                       SW_ARG(word));
    if (host.len && from.last - from.first != to.last - to.first)
        return sw_fail(err, SW_USAGE, "the two ranges of \"%.*s\" differ in length", SW_ARG(word));
    for (unsigned i = 0; i <= to.last - to.first; i++) {
        if (*n >= max) return sw_fail(err, SW_LIMIT, "more than %zu published ports", max);
        port.port = (uint16_t)(to.first + i);
        port.host_port = host.len ? (uint16_t)(from.first + i) : 0;
        ports[(*n)++] = port;
    }
    return SW_OK;
}
