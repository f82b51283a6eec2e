/* YAML documents as a tree in an arena.
 *
 * Floor 1. Pure. The reading is libyaml's. Scalars stay text: 1.20 is not 1.2, "no" is not false;
 * whoever wants a number reads it from the text. Anchors, aliases and tags are refused, so the
 * tree is never larger than the file.
 */
#ifndef SW_CODEC_YAML_H
#define SW_CODEC_YAML_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/lists.h"

enum sw_yaml_type {
    SW_YAML_SCALAR,
    SW_YAML_LIST,
    SW_YAML_MAP,
};

struct sw_yaml {
    enum sw_yaml_type type;
    bool quoted;           /* scalar: written in quotes or as a block */
    struct sw_str text;    /* scalar: valid UTF-8 */
    struct sw_yaml *items; /* of a list or map, in the document's order */
    size_t len;
    struct sw_str key;             /* the name, where the parent is a map; scalars only */
    size_t index;                  /* the place among the parent's items */
    unsigned line, column;         /* of the value, from 1 */
    unsigned key_line, key_column; /* of the key, where there is one */
    const struct sw_yaml *parent;  /* NULL at the root */
};

struct sw_yaml_limits {
    size_t bytes;   /* of the document; 0 stands for 1 MiB */
    unsigned depth; /* 0 stands for 32 */
    size_t nodes;   /* 0 stands for 100,000 */
    /* For files that are not ours, of which one member is wanted: an alias reads as null, anchors
     * and tags are passed over, a merge key is a key, a key that is no scalar reads as "", the
     * first of equal names counts, and only the first document is read. */
    bool lenient;
};

/* Reads one document; everything is in the arena. An empty file gives an empty map. SW_SYNTAX with
 * "line N column M" on anything malformed, duplicate names, keys that are not scalars, a second
 * document; SW_UNSUPPORTED on anchors, aliases, tags other than !!str !!map !!seq, merge keys;
 * SW_LIMIT. limits may be NULL. */
SW_NODISCARD enum sw_code sw_yaml_parse(struct sw_arena *a, struct sw_str text,
                                        const struct sw_yaml_limits *limits,
                                        const struct sw_yaml **ret_root, struct sw_error *err);

/* The member, or NULL where map is not a map or has none. */
const struct sw_yaml *sw_yaml_get(const struct sw_yaml *map, const char *key);
/* An unquoted empty scalar, ~ or null: as good as absent to the _opt_ helpers. */
bool sw_yaml_is_null(const struct sw_yaml *node);
/* "rules[2].match" */
void sw_yaml_path(const struct sw_yaml *node, struct sw_buf *out);
/* Fails with SW_SYNTAX and "line N column M: PATH: text". */
enum sw_code sw_yaml_fail(const struct sw_yaml *node, struct sw_error *err, const char *fmt, ...)
    SW_PRINTF(3, 4);
SW_NODISCARD enum sw_code sw_yaml_expect(const struct sw_yaml *node, enum sw_yaml_type type,
                                         struct sw_error *err);

/* Typed members. _opt_ leaves *ret as it is where the member is absent or null, _need_ refuses
 * that. Booleans are exactly true and false, numbers decimal; both refused in quotes. */
SW_NODISCARD enum sw_code sw_yaml_opt_str(const struct sw_yaml *map, const char *key,
                                          struct sw_str *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_yaml_need_str(const struct sw_yaml *map, const char *key,
                                           struct sw_str *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_yaml_opt_bool(const struct sw_yaml *map, const char *key, bool *ret,
                                           struct sw_error *err);
SW_NODISCARD enum sw_code sw_yaml_opt_int(const struct sw_yaml *map, const char *key, int64_t *ret,
                                          struct sw_error *err);
/* A list or map that is there; *ret untouched where it is not. */
SW_NODISCARD enum sw_code sw_yaml_opt_node(const struct sw_yaml *map, const char *key,
                                           enum sw_yaml_type type, const struct sw_yaml **ret,
                                           struct sw_error *err);
/* A list of scalars; a single scalar counts as a list of one. */
SW_NODISCARD enum sw_code sw_yaml_opt_strs(struct sw_arena *a, const struct sw_yaml *map,
                                           const char *key, struct sw_strs *ret,
                                           struct sw_error *err);
/* Refuses members of map that are not among names (n of them), with a suggestion. */
SW_NODISCARD enum sw_code sw_yaml_only(const struct sw_yaml *map, const char *const *names,
                                       size_t n, struct sw_error *err);

#endif
