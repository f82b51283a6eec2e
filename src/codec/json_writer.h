/* Writing JSON: canonical bytes, the same for the same calls on every machine.
 *
 * Floor 1. Pure. The escaping is that of Go's encoding/json (1.22 and later), byte for byte, so
 * that documents written here compare equal with those of other tools: ", \, control characters,
 * U+2028 and U+2029 are escaped, invalid UTF-8 becomes \ufffd, and with SW_JSON_HTML < > & become
 * \u003c \u003e \u0026 (which is what json.Marshal does unless it is told otherwise).
 *
 *     struct sw_json_writer w;
 *     sw_json_writer_init(&w, &buf, 0);
 *     sw_json_begin_object(&w);
 *     sw_json_put_str(&w, "name", name);
 *     sw_json_key(&w, "layers"); sw_json_begin_array(&w); ... sw_json_end_array(&w);
 *     sw_json_end_object(&w);
 *
 * A misuse (a value without its key, an end that does not match) is a bug and asserts. Overflow
 * is the buffer's: sw_buf_check().
 */
#ifndef SW_CODEC_JSON_WRITER_H
#define SW_CODEC_JSON_WRITER_H

#include "base/buf.h"
#include "codec/json.h"
#include "codec/limits.h"

enum sw_json_writer_flags {
    SW_JSON_HTML = 1 << 0,   /* escape < > & */
    SW_JSON_INDENT = 1 << 1, /* for people: two spaces a level, as json.MarshalIndent */
};

struct sw_json_writer {
    struct sw_buf *out; /* borrowed */
    unsigned flags;
    unsigned depth;
    bool has_items;     /* a comma comes before the next item of this level */
    bool after_key;     /* the next value belongs to a key */
    uint64_t in_object; /* one bit a level */
};

void sw_json_writer_init(struct sw_json_writer *w, struct sw_buf *out, unsigned flags);
void sw_json_begin_object(struct sw_json_writer *w);
void sw_json_end_object(struct sw_json_writer *w);
void sw_json_begin_array(struct sw_json_writer *w);
void sw_json_end_array(struct sw_json_writer *w);
void sw_json_key(struct sw_json_writer *w, const char *key);
void sw_json_key_str(struct sw_json_writer *w, struct sw_str key);
void sw_json_str(struct sw_json_writer *w, struct sw_str value);
void sw_json_int(struct sw_json_writer *w, int64_t value);
void sw_json_uint(struct sw_json_writer *w, uint64_t value);
/* Shortest text that reads back the same, in Go's format. Asserts that the value is finite. */
void sw_json_real(struct sw_json_writer *w, double value);
void sw_json_bool(struct sw_json_writer *w, bool value);
void sw_json_null(struct sw_json_writer *w);
void sw_json_digest(struct sw_json_writer *w, const struct sw_digest *value);
/* A value that is JSON already, taken as it is. */
void sw_json_raw(struct sw_json_writer *w, struct sw_str json);
/* A tree that was read, in its own order. */
void sw_json_tree(struct sw_json_writer *w, const struct sw_json *value);

/* A member: key and value. */
void sw_json_put_str(struct sw_json_writer *w, const char *key, struct sw_str value);
void sw_json_put_text(struct sw_json_writer *w, const char *key, const char *value);
void sw_json_put_int(struct sw_json_writer *w, const char *key, int64_t value);
void sw_json_put_bool(struct sw_json_writer *w, const char *key, bool value);
void sw_json_put_digest(struct sw_json_writer *w, const char *key, const struct sw_digest *value);
void sw_json_put_strs(struct sw_json_writer *w, const char *key, const struct sw_strs *value);
/* An object whose names are written in byte order, as Go writes maps. */
void sw_json_put_pairs(struct sw_json_writer *w, const char *key, const struct sw_pairs *value);
/* The same, left out where the value is empty (Go's omitempty). */
void sw_json_put_str_opt(struct sw_json_writer *w, const char *key, struct sw_str value);
void sw_json_put_strs_opt(struct sw_json_writer *w, const char *key, const struct sw_strs *value);
void sw_json_put_pairs_opt(struct sw_json_writer *w, const char *key, const struct sw_pairs *value);

#endif
