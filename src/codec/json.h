/* JSON documents: reading into a tree in an arena, and writing canonical bytes.
 *
 * Floor 1. Pure. RFC 8259, strictly. The tree knows where each value stands, so that an error can
 * name it: "config.Env[2]: must be a string".
 *
 * null is treated as absent by the _opt_ and _need_ helpers, as Go's encoding/json does.
 */
#ifndef SW_CODEC_JSON_H
#define SW_CODEC_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/digest.h"
#include "codec/lists.h"

enum sw_json_type {
    SW_JSON_NULL,
    SW_JSON_BOOL,
    SW_JSON_INT,
    SW_JSON_REAL,
    SW_JSON_STRING,
    SW_JSON_ARRAY,
    SW_JSON_OBJECT,
};

struct sw_json {
    enum sw_json_type type;
    bool boolean;
    int64_t integer;
    double real;
    struct sw_str text;           /* SW_JSON_STRING: valid UTF-8, no NUL */
    struct sw_json *items;        /* of an array or object, in the document's order */
    size_t len;                   /* number of items */
    struct sw_str key;            /* the name, where the parent is an object */
    size_t index;                 /* the place among the parent's items */
    const struct sw_json *parent; /* NULL at the root */
};

struct sw_json_limits {
    size_t bytes;   /* of the document; 0 stands for 16 MiB */
    unsigned depth; /* nested arrays and objects; 0 stands for 64 */
    size_t values;  /* 0 stands for 1 million; each takes some 120 bytes of the arena */
};

/* Everything returned is in the arena. Refused (SW_SYNTAX, with line and column): anything but one
 * value with white space around it, duplicate names, invalid UTF-8, \u0000, numbers beyond a
 * double. Integers beyond 64 bits are SW_JSON_REAL. SW_LIMIT past the limits or the arena's cap.
 * limits may be NULL. */
SW_NODISCARD enum sw_code sw_json_parse(struct sw_arena *a, struct sw_str text,
                                        const struct sw_json_limits *limits,
                                        const struct sw_json **ret_root, struct sw_error *err);

/* The member, or NULL where obj is NULL or no object, or has none (a null member is returned). */
const struct sw_json *sw_json_get(const struct sw_json *obj, const char *key);
/* "config.Env[2]", "." for the root. Names that are not plain words are quoted. */
void sw_json_path(const struct sw_json *node, struct sw_buf *out);
/* "object", "string" ... Static. */
const char *sw_json_type_name(enum sw_json_type type);
/* Fails with SW_SYNTAX and "PATH: text". */
enum sw_code sw_json_fail(const struct sw_json *node, struct sw_error *err, const char *fmt, ...)
    SW_PRINTF(3, 4);
/* SW_SYNTAX unless node is of this type. */
SW_NODISCARD enum sw_code sw_json_expect(const struct sw_json *node, enum sw_json_type type,
                                         struct sw_error *err);

/* Typed members. _opt_ leaves *ret as it is where the member is absent or null; _need_ refuses
 * that. Another type is SW_SYNTAX. Views point into the arena of the tree. */
SW_NODISCARD enum sw_code sw_json_opt_str(const struct sw_json *obj, const char *key,
                                          struct sw_str *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_json_need_str(const struct sw_json *obj, const char *key,
                                           struct sw_str *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_json_opt_int(const struct sw_json *obj, const char *key, int64_t *ret,
                                          struct sw_error *err);
SW_NODISCARD enum sw_code sw_json_need_int(const struct sw_json *obj, const char *key, int64_t *ret,
                                           struct sw_error *err);
SW_NODISCARD enum sw_code sw_json_opt_bool(const struct sw_json *obj, const char *key, bool *ret,
                                           struct sw_error *err);
SW_NODISCARD enum sw_code sw_json_opt_digest(const struct sw_json *obj, const char *key,
                                             struct sw_digest *ret, struct sw_error *err);
/* The node itself, such as an item of an array, as a digest. */
SW_NODISCARD enum sw_code sw_json_digest_of(const struct sw_json *node, struct sw_digest *ret,
                                            struct sw_error *err);
SW_NODISCARD enum sw_code sw_json_need_digest(const struct sw_json *obj, const char *key,
                                              struct sw_digest *ret, struct sw_error *err);
/* A member of type array or object. */
SW_NODISCARD enum sw_code sw_json_opt_node(const struct sw_json *obj, const char *key,
                                           enum sw_json_type type, const struct sw_json **ret,
                                           struct sw_error *err);
SW_NODISCARD enum sw_code sw_json_need_node(const struct sw_json *obj, const char *key,
                                            enum sw_json_type type, const struct sw_json **ret,
                                            struct sw_error *err);
/* An array of strings; an object whose values are strings (in the document's order; a null value
 * reads as ""). An array that is there but empty has ret->ptr != NULL. */
SW_NODISCARD enum sw_code sw_json_opt_strs(struct sw_arena *a, const struct sw_json *obj,
                                           const char *key, struct sw_strs *ret,
                                           struct sw_error *err);
SW_NODISCARD enum sw_code sw_json_opt_pairs(struct sw_arena *a, const struct sw_json *obj,
                                            const char *key, struct sw_pairs *ret,
                                            struct sw_error *err);

#endif
