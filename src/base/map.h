/* A hash map from string views to pointers that remembers the order of insertion.
 *
 * Floor 0. Keys are borrowed: they must outlive the map. Iterating gives the order in which keys
 * were first put, so that output never depends on hashing.
 */
#ifndef SW_BASE_MAP_H
#define SW_BASE_MAP_H

#include "base/str.h"

struct sw_map_entry {
    struct sw_str key; /* borrowed */
    void *value;       /* whatever the caller put there */
    bool removed;      /* skip it when iterating */
};

struct sw_map {
    struct sw_map_entry *entries; /* owned; in order of insertion */
    size_t len;                   /* entries in use, the removed ones included */
    size_t cap;
    uint32_t *slots; /* owned; index into entries plus 1, 0 for free */
    size_t n_slots;  /* a power of two */
    size_t n_live;
};

/* A zeroed struct is an empty map. */
void sw_map_done(struct sw_map *m);
#define SW_MAP SW_CLEANUP(sw_map_done)
/* The value, or NULL. */
void *sw_map_get(const struct sw_map *m, struct sw_str key);
bool sw_map_has(const struct sw_map *m, struct sw_str key);
/* Puts or replaces; returns the value that was there, or NULL. */
void *sw_map_put(struct sw_map *m, struct sw_str key, void *value);
/* Removes; returns the value that was there, or NULL. A key that is put again goes to the end. */
void *sw_map_remove(struct sw_map *m, struct sw_str key);
static inline size_t sw_map_count(const struct sw_map *m) { return m->n_live; }

/* for (struct sw_map_entry *e = NULL; (e = sw_map_next(&m, e));) ... */
struct sw_map_entry *sw_map_next(const struct sw_map *m, const struct sw_map_entry *entry);

/* 64-bit hash of bytes; not for digests. The same on every machine. */
uint64_t sw_hash_bytes(const void *bytes, size_t len, uint64_t seed);

#endif
