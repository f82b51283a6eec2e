#include "dockerfile/values.h"

#include <arpa/inet.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static struct {
    struct sw_str name;
    uint64_t ns;
} const units[] = {
    {{"ns", 2}, 1},
    {{"us", 2}, 1000},
    {{"\xC2\xB5s", 3}, 1000}, /* micro sign */
    {{"\xCE\xBCs", 3}, 1000}, /* Greek mu */
    {{"ms", 2}, 1000000},
    {{"s", 1}, 1000000000},
    {{"m", 1}, 60ull * 1000000000},
    {{"h", 1}, 3600ull * 1000000000},
};

static bool unit_parse(struct sw_str name, uint64_t *ret_ns) {
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!sw_str_eq(units[i].name, name)) continue;
        *ret_ns = units[i].ns;
        return true;
    }
    return false;
}

/* The largest magnitude: that of INT64_MIN. */
#define DURATION_MAX ((uint64_t)1 << 63)

/* Takes the digits before a point. False past DURATION_MAX. */
static bool take_integer(struct sw_str *s, uint64_t *ret) {
    uint64_t value = 0;
    while (s->len > 0 && is_digit(s->ptr[0])) {
        if (value > DURATION_MAX / 10) return false;
        value = value * 10 + (uint64_t)(s->ptr[0] - '0');
        if (value > DURATION_MAX) return false;
        *s = sw_str_from(*s, 1);
    }
    *ret = value;
    return true;
}

/* Takes the digits after a point; those beyond what 64 bits hold do not count. */
static void take_fraction(struct sw_str *s, uint64_t *ret, double *ret_scale) {
    uint64_t value = 0;
    double scale = 1;
    bool full = false;
    while (s->len > 0 && is_digit(s->ptr[0])) {
        uint64_t digit = (uint64_t)(s->ptr[0] - '0');
        *s = sw_str_from(*s, 1);
        full = full || value > (DURATION_MAX - 1) / 10;
        uint64_t longer = full ? 0 : value * 10 + digit;
        full = full || longer > DURATION_MAX;
        if (full) continue;
        value = longer;
        scale *= 10;
    }
    *ret = value;
    *ret_scale = scale;
}

/* One number with its unit, in nanoseconds. */
static bool take_part(struct sw_str *s, uint64_t *ret_ns) {
    uint64_t whole, fraction = 0, unit;
    double scale = 1;
    size_t before = s->len;
    if (!take_integer(s, &whole)) return false;
    bool digits = s->len < before;
    if (s->len > 0 && s->ptr[0] == '.') {
        *s = sw_str_from(*s, 1);
        before = s->len;
        take_fraction(s, &fraction, &scale);
        digits = digits || s->len < before;
    }
    if (!digits) return false;
    size_t n = 0;
    while (n < s->len && s->ptr[n] != '.' && !is_digit(s->ptr[n])) n++;
    if (!unit_parse(sw_str_sub(*s, 0, n), &unit)) return false;
    *s = sw_str_from(*s, n);
    if (whole > DURATION_MAX / unit) return false;
    whole *= unit;
    if (fraction > 0) whole += (uint64_t)((double)fraction * ((double)unit / scale));
    if (whole > DURATION_MAX) return false;
    *ret_ns = whole;
    return true;
}

enum sw_code sw_df_duration_parse(struct sw_str text, int64_t *ret_ns, struct sw_error *err) {
    struct sw_str s = text;
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (negative || (s.len > 0 && s.ptr[0] == '+')) s = sw_str_from(s, 1);
    uint64_t total = 0, part;
    bool good = s.len > 0;
    if (sw_str_is(s, "0")) s = SW_STR("");
    while (good && s.len > 0) {
        good = (s.ptr[0] == '.' || is_digit(s.ptr[0])) && take_part(&s, &part);
        if (good) total += part;
        good = good && total <= DURATION_MAX;
    }
    if (!good || (!negative && total == DURATION_MAX))
        return sw_fail(err, SW_SYNTAX, "invalid duration \"%.*s\"; examples: 30s, 1m30s, 500ms",
                       SW_ARG(text));
    *ret_ns = negative ? (int64_t)(0 - total) : (int64_t)total;
    return SW_OK;
}

enum sw_code sw_df_health_duration_parse(struct sw_str text, int64_t *ret_ns,
                                         struct sw_error *err) {
    int64_t ns = 0;
    if (text.len > 0) {
        enum sw_code code = sw_df_duration_parse(text, &ns, err);
        if (code) return code;
    }
    if (ns != 0 && ns < 1000000)
        return sw_fail(err, SW_SYNTAX, "\"%.*s\" is shorter than 1ms", SW_ARG(text));
    *ret_ns = ns;
    return SW_OK;
}

/* As strconv.ParseInt: a sign is allowed. */
static bool port_parse(struct sw_str text, uint16_t *ret) {
    uint64_t n;
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (text.len > 0 && (negative || text.ptr[0] == '+')) text = sw_str_from(text, 1);
    if (!sw_str_u64(text, &n) || n > 65535 || (negative && n > 0)) return false;
    *ret = (uint16_t)n;
    return true;
}

static bool range_parse(struct sw_str text, uint16_t *ret_first, uint16_t *ret_last) {
    struct sw_str first, last;
    bool range = sw_str_cut(text, '-', &first, &last);
    if (!port_parse(first, ret_first)) return false;
    *ret_last = *ret_first;
    if (!range || sw_str_eq(first, last)) return true;
    return port_parse(last, ret_last) && *ret_last >= *ret_first;
}

static bool is_address(struct sw_str text) {
    char copy[64];
    unsigned char address[16];
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        text = sw_str_sub(text, 1, text.len - 2);
    if (text.len == 0 || text.len >= sizeof copy) return false;
    if (sw_str_find_char(text, 0) != SIZE_MAX) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return inet_pton(AF_INET, copy, address) == 1 || inet_pton(AF_INET6, copy, address) == 1;
}

static bool proto_parse(struct sw_str text, const char **ret) {
    static const char *const protos[] = {"tcp", "udp", "sctp"};
    if (text.len == 0) text = SW_STR("tcp");
    for (size_t i = 0; i < sizeof protos / sizeof *protos; i++) {
        if (!sw_str_ieq(text, sw_str(protos[i]))) continue;
        *ret = protos[i];
        return true;
    }
    return false;
}

enum sw_code sw_df_ports_parse(struct sw_str word, struct sw_df_ports *ret, struct sw_error *err) {
    struct sw_df_ports ports = {0};
    struct sw_str address = {0}, host = {0}, container = word, proto, range;
    size_t colon = sw_str_rfind_char(word, ':');
    if (colon != SIZE_MAX) {
        host = sw_str_sub(word, 0, colon);
        container = sw_str_from(word, colon + 1);
        colon = sw_str_rfind_char(host, ':');
        if (colon != SIZE_MAX) {
            address = sw_str_sub(host, 0, colon);
            host = sw_str_from(host, colon + 1);
        }
    }
    sw_str_cut(container, '/', &range, &proto);
    if (range.len == 0)
        return sw_fail(err, SW_SYNTAX, "invalid port \"%.*s\": there is no port in it",
                       SW_ARG(word));
    if (!proto_parse(proto, &ports.proto))
        return sw_fail(err, SW_SYNTAX,
                       "invalid port \"%.*s\": the protocol \"%.*s\" is not tcp, udp or sctp",
                       SW_ARG(word), SW_ARG(proto));
    if (address.len > 0 && !is_address(address))
        return sw_fail(err, SW_SYNTAX, "invalid port \"%.*s\": \"%.*s\" is not an IP address",
                       SW_ARG(word), SW_ARG(address));
    if (!range_parse(range, &ports.first, &ports.last))
        return sw_fail(err, SW_SYNTAX,
                       "invalid port \"%.*s\": \"%.*s\" is neither a port nor a range of ports",
                       SW_ARG(word), SW_ARG(range));
    uint16_t first, last;
    if (host.len > 0 && !range_parse(host, &first, &last))
        return sw_fail(err, SW_SYNTAX, "invalid port \"%.*s\": bad host port \"%.*s\"",
                       SW_ARG(word), SW_ARG(host));
    if (host.len > 0 && ports.first != ports.last && last - first != ports.last - ports.first)
        return sw_fail(err, SW_SYNTAX, "invalid port \"%.*s\": the ranges differ in length",
                       SW_ARG(word));
    ports.proto_not_lower = proto.len > 0 && !sw_str_is(proto, ports.proto);
    ports.has_mapping = address.len > 0 || host.len > 0;
    *ret = ports;
    return SW_OK;
}

enum sw_code sw_df_owner_parse(struct sw_str text, struct sw_df_owner *ret, struct sw_error *err) {
    struct sw_df_owner owner;
    sw_str_cut(text, ':', &owner.user, &owner.group);
    if (sw_str_find_char(owner.group, ':') != SIZE_MAX)
        return sw_fail(err, SW_SYNTAX, "\"%.*s\" is not user, user:group or :group", SW_ARG(text));
    if (owner.user.len == 0) owner.user = (struct sw_str){0};
    if (owner.group.len == 0) owner.group = (struct sw_str){0};
    *ret = owner;
    return SW_OK;
}

bool sw_df_bool_parse(struct sw_str text, bool *ret) {
    static const char *const words[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!sw_str_is(text, words[i])) continue;
        *ret = i < 6;
        return true;
    }
    return false;
}

struct sw_str sw_df_path_clean(struct sw_arena *arena, struct sw_str path) {
    char *out = sw_arena_alloc(arena, path.len + 2);
    bool rooted = path.len > 0 && path.ptr[0] == '/';
    size_t n = 0, floor = 0; /* ".." may not take away what is before floor */
    if (rooted) out[n++] = '/', floor = 1;
    struct sw_str part;
    while (sw_str_next(&path, '/', &part)) {
        if (part.len == 0 || sw_str_is(part, ".")) continue;
        bool up = sw_str_is(part, "..");
        if (up && n > floor) {
            while (n > floor && out[n - 1] != '/') n--;
            if (n > floor) n--; /* the slash before what was taken away */
            continue;
        }
        if (up && rooted) continue;
        if (n > (rooted ? 1u : 0u)) out[n++] = '/';
        memcpy(out + n, part.ptr, part.len);
        n += part.len;
        if (up) floor = n;
    }
    if (n == 0) out[n++] = '.';
    out[n] = 0;
    return sw_str_n(out, n);
}

struct sw_str sw_df_workdir_join(struct sw_arena *arena, struct sw_str current,
                                 struct sw_str path) {
    if (current.len == 0 || current.ptr[0] != '/')
        current = sw_df_path_clean(arena, sw_arena_printf(arena, "/%.*s", SW_ARG(current)));
    if (path.len == 0) return sw_arena_str(arena, current);
    if (path.ptr[0] == '/') return sw_arena_str(arena, path);
    return sw_df_path_clean(arena,
                            sw_arena_printf(arena, "%.*s/%.*s", SW_ARG(current), SW_ARG(path)));
}
