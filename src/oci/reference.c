#include "oci/reference.h"

#define LEGACY_DOMAIN "index.docker.io"
#define OFFICIAL "library/"

static bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_alnum(char c) { return is_lower_alnum(c) || is_upper(c); }
static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* alnum *( separator alnum ), where a separator is one of . _ __ or a run of dashes. */
static bool is_component(struct sw_str s) {
    size_t i = 0;
    for (;;) {
        size_t start = i;
        while (i < s.len && is_lower_alnum(s.ptr[i])) i++;
        if (i == start) return false;
        if (i == s.len) return true;
        char separator = s.ptr[i];
        start = i;
        while (i < s.len && s.ptr[i] == separator) i++;
        size_t run = i - start;
        if (!(separator == '-' || (separator == '.' && run == 1) || (separator == '_' && run <= 2)))
            return false;
    }
}

bool sw_reference_is_path(struct sw_str path) {
    struct sw_str rest = path, part;
    if (path.len == 0 || path.len > SW_REFERENCE_PATH_MAX) return false;
    while (sw_str_next(&rest, '/', &part))
        if (!is_component(part)) return false;
    return true;
}

bool sw_reference_is_tag(struct sw_str tag) {
    if (tag.len == 0 || tag.len > SW_REFERENCE_TAG_MAX) return false;
    for (size_t i = 0; i < tag.len; i++) {
        char c = tag.ptr[i];
        if (!is_alnum(c) && c != '_' && (i == 0 || (c != '.' && c != '-'))) return false;
    }
    return true;
}

static bool is_host_name(struct sw_str host) {
    struct sw_str rest = host, label;
    if (host.len == 0) return false;
    while (sw_str_next(&rest, '.', &label)) {
        if (label.len == 0 || !is_alnum(label.ptr[0]) || !is_alnum(label.ptr[label.len - 1]))
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-') return false;
    }
    return true;
}

bool sw_reference_is_domain(struct sw_str domain) {
    struct sw_str host = domain, port = {0};
    if (domain.len && domain.ptr[0] == '[') {
        size_t end = sw_str_find_char(domain, ']');
        if (end == SIZE_MAX || end < 2) return false;
        for (size_t i = 1; i < end; i++)
            if (!is_hex(domain.ptr[i]) && domain.ptr[i] != ':') return false;
        port = sw_str_from(domain, end + 1);
        if (port.len == 0) return true;
        if (port.ptr[0] != ':') return false;
        port = sw_str_from(port, 1);
    } else {
        bool has_port = sw_str_cut(domain, ':', &host, &port);
        if (!is_host_name(host)) return false;
        if (!has_port) return true;
    }
    for (size_t i = 0; i < port.len; i++)
        if (port.ptr[i] < '0' || port.ptr[i] > '9') return false;
    return port.len > 0;
}

/* Takes "@digest" and ":tag" off the end of text. What stays is the name, unchecked. */
static enum sw_code split_suffixes(struct sw_str text, struct sw_str *ret_name,
                                   struct sw_reference *ret, struct sw_error *err) {
    struct sw_str digest;
    if (sw_str_cut(text, '@', ret_name, &digest)) {
        enum sw_code code = sw_digest_parse(digest, &ret->digest, err);
        if (code) {
            err->code = SW_USAGE;
            return sw_context(err, "\"%.*s\"", SW_ARG(text));
        }
    }
    size_t colon = sw_str_rfind_char(*ret_name, ':');
    size_t slash = sw_str_rfind_char(*ret_name, '/');
    if (colon == SIZE_MAX || (slash != SIZE_MAX && slash > colon)) return SW_OK;
    ret->tag = sw_str_from(*ret_name, colon + 1);
    *ret_name = sw_str_sub(*ret_name, 0, colon);
    if (!sw_reference_is_tag(ret->tag))
        return sw_fail(err, SW_USAGE,
                       "\"%.*s\": a tag is 1 to %d letters, digits, _ . or -, and does not begin "
                       "with . or -",
                       SW_ARG(text), SW_REFERENCE_TAG_MAX);
    return SW_OK;
}

static bool has_upper(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++)
        if (is_upper(s.ptr[i])) return true;
    return false;
}

static enum sw_code bad_path(struct sw_str text, struct sw_str path, struct sw_error *err) {
    if (path.len == 0)
        return sw_fail(err, SW_USAGE, "\"%.*s\": the image has no name", SW_ARG(text));
    if (path.len > SW_REFERENCE_PATH_MAX)
        return sw_fail(err, SW_USAGE, "\"%.*s\": the name has %zu bytes, at most %d are allowed",
                       SW_ARG(text), path.len, SW_REFERENCE_PATH_MAX);
    if (has_upper(path))
        return sw_fail(err, SW_USAGE, "\"%.*s\": the name of an image is written in lower case",
                       SW_ARG(text));
    return sw_fail(err, SW_USAGE,
                   "\"%.*s\" is not an image reference ([REGISTRY[:PORT]/]NAME[:TAG][@DIGEST])",
                   SW_ARG(text));
}

static enum sw_code check_text(struct sw_str text, struct sw_error *err) {
    if (text.len == 0) return sw_fail(err, SW_USAGE, "an image reference is empty");
    if (text.len > SW_REFERENCE_TEXT_MAX)
        return sw_fail(err, SW_USAGE, "an image reference of %zu bytes; at most %d are allowed",
                       text.len, SW_REFERENCE_TEXT_MAX);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || (unsigned char)text.ptr[i] >= 0x7f)
            return sw_fail(err, SW_USAGE,
                           "an image reference has no blanks and no special characters "
                           "(byte %zu)",
                           i + 1);
    return SW_OK;
}

enum sw_code sw_reference_parse_exact(struct sw_arena *a, struct sw_str text,
                                      struct sw_reference *ret, struct sw_error *err) {
    struct sw_reference ref = {.domain = SW_STR(""), .tag = SW_STR("")};
    struct sw_str name, head, tail;
    enum sw_code code = check_text(text, err);
    if (code) return code;
    struct sw_str copy = sw_arena_str(a, text);
    code = split_suffixes(copy, &name, &ref, err);
    if (code) return code;
    ref.path = name;
    if (sw_str_cut(name, '/', &head, &tail) && sw_reference_is_domain(head)) {
        ref.domain = head;
        ref.path = tail;
    }
    if (!sw_reference_is_path(ref.path)) return bad_path(text, ref.path, err);
    *ret = ref;
    return SW_OK;
}

/* Whether the part before the first '/' names a registry: it looks like a host (. or :), is
 * localhost, or has capital letters, which no name has. */
static bool names_registry(struct sw_str head) {
    return sw_str_find_char(head, '.') != SIZE_MAX || sw_str_find_char(head, ':') != SIZE_MAX ||
           sw_str_is(head, "localhost") || has_upper(head);
}

static bool is_image_id(struct sw_str text) {
    if (text.len != 64) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_hex(text.ptr[i]) || is_upper(text.ptr[i])) return false;
    return true;
}

enum sw_code sw_reference_parse(struct sw_arena *a, struct sw_str text, struct sw_reference *ret,
                                struct sw_error *err) {
    struct sw_reference ref = {.domain = SW_STR(SW_REFERENCE_DOMAIN), .tag = SW_STR("")};
    struct sw_str name, head, tail;
    enum sw_code code = check_text(text, err);
    if (code) return code;
    if (is_image_id(text))
        return sw_fail(err, SW_USAGE,
                       "\"%.*s\" is an image ID; 64 hexadecimal digits are not a name",
                       SW_ARG(text));
    struct sw_str copy = sw_arena_str(a, text);
    code = split_suffixes(copy, &name, &ref, err);
    if (code) return code;
    ref.path = name;
    if (sw_str_cut(name, '/', &head, &tail) && names_registry(head)) {
        if (!sw_reference_is_domain(head))
            return sw_fail(err, SW_USAGE, "\"%.*s\": \"%.*s\" is not the name of a registry",
                           SW_ARG(text), SW_ARG(head));
        if (!sw_str_is(head, LEGACY_DOMAIN)) ref.domain = head;
        ref.path = tail;
    }
    if (sw_str_is(ref.domain, SW_REFERENCE_DOMAIN) && ref.path.len &&
        sw_str_find_char(ref.path, '/') == SIZE_MAX)
        ref.path = sw_arena_printf(a, OFFICIAL "%.*s", SW_ARG(ref.path));
    if (!sw_reference_is_path(ref.path)) return bad_path(text, ref.path, err);
    *ret = ref;
    return SW_OK;
}

void sw_reference_default_tag(struct sw_reference *ref) {
    if (ref->tag.len == 0 && !sw_digest_is_set(&ref->digest)) ref->tag = SW_STR("latest");
}

struct sw_str sw_reference_name(struct sw_arena *a, const struct sw_reference *ref) {
    return sw_arena_printf(a, "%.*s%s%.*s", SW_ARG(ref->domain), ref->domain.len ? "/" : "",
                           SW_ARG(ref->path));
}

static struct sw_str with_suffixes(struct sw_arena *a, struct sw_str name,
                                   const struct sw_reference *ref) {
    char digest[SW_DIGEST_TEXT_MAX] = "";
    if (sw_digest_is_set(&ref->digest)) sw_digest_format(&ref->digest, digest);
    return sw_arena_printf(a, "%.*s%s%.*s%s%s", SW_ARG(name), ref->tag.len ? ":" : "",
                           SW_ARG(ref->tag), digest[0] ? "@" : "", digest);
}

struct sw_str sw_reference_format(struct sw_arena *a, const struct sw_reference *ref) {
    return with_suffixes(a, sw_reference_name(a, ref), ref);
}

struct sw_str sw_reference_familiar(struct sw_arena *a, const struct sw_reference *ref) {
    if (sw_str_is(ref->domain, SW_REFERENCE_DOMAIN)) {
        struct sw_str name = ref->path, first, rest;
        bool several = sw_str_cut(name, '/', &first, &rest);
        if (several && sw_str_is(first, "library") && sw_str_find_char(rest, '/') == SIZE_MAX)
            name = rest;
        struct sw_str text = with_suffixes(a, name, ref);
        /* Where the short form would be read as something else, the long one is needed. */
        bool ambiguous =
            is_image_id(text) || (sw_str_cut(name, '/', &first, &rest) && names_registry(first));
        if (!ambiguous) return text;
    }
    return sw_reference_format(a, ref);
}

bool sw_reference_eq(const struct sw_reference *x, const struct sw_reference *y) {
    return sw_str_eq(x->domain, y->domain) && sw_str_eq(x->path, y->path) &&
           sw_str_eq(x->tag, y->tag) && sw_digest_eq(&x->digest, &y->digest);
}
