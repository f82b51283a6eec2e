/* index.json as lines: one entry a line, so that a name is found by a scan and a change keeps the
 * bytes of all other entries. docs/format/store.md, "index.json".
 *
 * Floor 3, private to the room.
 */
#ifndef SW_STORE_INDEX_FILE_H
#define SW_STORE_INDEX_FILE_H

#include "base/vec.h"
#include "oci/descriptor.h"
#include "store/store.h"

/* 100,000 images of a kilobyte each. */
#define SW_INDEX_FILE_MAX ((size_t)100 << 20)

struct sw_index_entry {
    struct sw_str name; /* full form; "" for an unnamed image */
    struct sw_str line; /* the descriptor's JSON */
    struct sw_digest digest;
};

struct sw_index_file {
    struct sw_arena *a;                 /* borrowed; holds names and lines */
    SW_VEC(struct sw_index_entry) list; /* owned */
};
#define SW_INDEX_FILE SW_CLEANUP(sw_index_file_done)

/* Reads any index.json, ours or another tool's. */
SW_NODISCARD enum sw_code sw_index_file_load(struct sw_store *s, struct sw_arena *a,
                                             struct sw_index_file *f, struct sw_error *err);
/* One entry by its full name, without looking at the others. SW_NOT_FOUND; *ret_ours tells whether
 * that is final, or another tool wrote the file and it has to be loaded. */
SW_NODISCARD enum sw_code sw_index_file_find(struct sw_store *s, struct sw_arena *a,
                                             struct sw_str full, struct sw_index_entry *ret,
                                             bool *ret_ours, struct sw_error *err);
void sw_index_file_done(struct sw_index_file *f);
/* Sorts and writes. */
SW_NODISCARD enum sw_code sw_index_file_save(struct sw_store *s, struct sw_index_file *f,
                                             struct sw_error *err);
/* Appends a descriptor under a name ("" for none), the name's annotations set or removed. */
SW_NODISCARD enum sw_code sw_index_file_add(struct sw_index_file *f, struct sw_str name,
                                            const struct sw_descriptor *d, struct sw_error *err);
SW_NODISCARD enum sw_code sw_index_entry_parse(struct sw_arena *a, const struct sw_index_entry *e,
                                               struct sw_descriptor *ret, struct sw_error *err);
/* Takes the exclusive lock on changes. */
SW_NODISCARD enum sw_code sw_index_file_lock(struct sw_store *s, int *ret_fd, struct sw_error *err);
/* The full form of a name as users type it: "app" is docker.io/library/app:latest. */
SW_NODISCARD enum sw_code sw_index_full_name(struct sw_arena *a, struct sw_str name,
                                             struct sw_str *ret, struct sw_error *err);
struct sw_str sw_index_familiar(struct sw_arena *a, struct sw_str full);

#endif
