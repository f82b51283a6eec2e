/* Requests as text: routes, queries, ranges, authorization headers, patterns.
 *
 * Floor 5, but pure: no files, network, clock, globals. Everything here is fuzzed (fuzz_route).
 * OCI distribution-spec 1.1, "API" and its main branch.
 */
#ifndef SW_REGISTRY_ROUTE_H
#define SW_REGISTRY_ROUTE_H

#include "base/arena.h"
#include "codec/digest.h"

enum sw_route_kind {
    SW_ROUTE_NONE, /* no such place: 404 */
    SW_ROUTE_BAD,  /* a place of the specification with a name or reference it forbids */
    SW_ROUTE_BASE, /* /v2/ */
    SW_ROUTE_CATALOG,
    SW_ROUTE_TAGS,
    SW_ROUTE_MANIFEST,
    SW_ROUTE_BLOB,
    SW_ROUTE_UPLOADS, /* .../blobs/uploads/ */
    SW_ROUTE_UPLOAD,  /* .../blobs/uploads/ID */
    SW_ROUTE_REFERRERS,
    SW_ROUTE_TOKEN,   /* /token */
    SW_ROUTE_KEYS,    /* /.well-known/jwks.json */
    SW_ROUTE_METRICS, /* /metrics */
    SW_ROUTE_HEALTH,  /* /healthz */
    SW_ROUTE_READY,   /* /readyz */
    SW_ROUTE_API,     /* /api/v1/REST */
};

struct sw_route {
    enum sw_route_kind kind;
    struct sw_str name;      /* repository */
    struct sw_str reference; /* tag, upload ID, the rest of /api/v1/ */
    struct sw_digest digest; /* set where the reference is one */
    const char *bad;         /* SW_ROUTE_BAD: "NAME_INVALID", "DIGEST_INVALID", ... */
};

/* path as sent. Percent-encoding is taken off once; an encoded '/' or a control character makes a
 * place that does not exist. The strings are in the arena. */
struct sw_route sw_route_parse(struct sw_arena *a, struct sw_str path);

/* The first value of a name in a query or form, decoded into the arena; false where it is missing
 * or not valid. */
bool sw_query_get(struct sw_arena *a, struct sw_str query, const char *name, struct sw_str *ret);
/* Every value in turn: *rest starts as the query. False at the end. */
bool sw_query_next(struct sw_arena *a, struct sw_str *rest, const char *name, struct sw_str *ret);

enum sw_range { SW_RANGE_NONE, SW_RANGE_OK, SW_RANGE_BAD };
/* "Range: bytes=a-b" against a size (RFC 9110, 14). One range; several, other units and nonsense
 * are SW_RANGE_NONE (the whole is sent), one outside or backwards is SW_RANGE_BAD (416). */
enum sw_range sw_range_parse(struct sw_str header, uint64_t size, uint64_t *ret_offset,
                             uint64_t *ret_len);
/* "Content-Range: a-b", as uploads send it ("bytes a-b/n" is understood as well). */
bool sw_content_range_parse(struct sw_str header, uint64_t *ret_first, uint64_t *ret_last);

/* "Basic base64(user:password)"; false on anything else. */
bool sw_basic_parse(struct sw_arena *a, struct sw_str header, struct sw_str *ret_user,
                    struct sw_str *ret_password);
/* "Bearer TOKEN". */
bool sw_bearer_parse(struct sw_str header, struct sw_str *ret_token);

/* "repository:NAME:pull,push" (names may contain ports: parsed from the right), and
 * "registry:catalog:*". False on what is neither. */
struct sw_scope {
    struct sw_str type, name;
    unsigned actions; /* enum sw_action of access.h */
};
bool sw_scope_parse(struct sw_str text, struct sw_scope *ret);

/* Repository patterns: '*' is any part of one component, "**" any components. */
bool sw_repo_pattern_match(struct sw_str pattern, struct sw_str name);
/* Small letters, digits and . _ / * -, not empty, at most 255 bytes, at most 4 times "**". */
bool sw_repo_pattern_ok(struct sw_str pattern);
/* Tag patterns: '*' is anything. */
bool sw_tag_pattern_match(struct sw_str pattern, struct sw_str text);
/* Account names: [a-z0-9][a-z0-9._-]*, robots "robot$NAME". */
bool sw_account_name_ok(struct sw_str name);

#endif
