#include "base/map.h"

#include <stdlib.h>

#include "base/mem.h"

uint64_t sw_hash_bytes(const void *bytes, size_t len, uint64_t seed) {
    const unsigned char *p = bytes;
    uint64_t h = seed ^ (0x9e3779b97f4a7c15ull * (len + 1));
    while (len) {
        uint64_t word = 0;
        size_t n = len < 8 ? len : 8;
        for (size_t i = 0; i < n; i++) word |= (uint64_t)p[i] << (8 * i);
        h = (h ^ word) * 0xbf58476d1ce4e5b9ull;
        h ^= h >> 29;
        p += n;
        len -= n;
    }
    h *= 0x94d049bb133111ebull;
    return h ^ h >> 32;
}

void sw_map_done(struct sw_map *m) {
    free(m->entries);
    free(m->slots);
    *m = (struct sw_map){0};
}

/* The slot that holds key, or the free slot where it belongs. Removed entries keep their slot, so
 * that probing passes over them; rebuilding drops them. */
static size_t find_slot(const struct sw_map *m, struct sw_str key) {
    size_t mask = m->n_slots - 1;
    size_t at = (size_t)sw_hash_bytes(key.ptr, key.len, 0) & mask;
    while (m->slots[at]) {
        const struct sw_map_entry *e = &m->entries[m->slots[at] - 1];
        if (!e->removed && sw_str_eq(e->key, key)) break;
        at = (at + 1) & mask;
    }
    return at;
}

static void rebuild(struct sw_map *m) {
    size_t live = 0;
    for (size_t i = 0; i < m->len; i++)
        if (!m->entries[i].removed) m->entries[live++] = m->entries[i];
    m->len = live;
    m->cap = live < 4 ? 8 : live * 2;
    m->entries = sw_reallocarray(m->entries, m->cap, sizeof *m->entries);
    m->n_slots = 16;
    while (m->n_slots < m->cap * 2) m->n_slots *= 2;
    free(m->slots);
    m->slots = sw_calloc(m->n_slots, sizeof *m->slots);
    for (size_t i = 0; i < m->len; i++) m->slots[find_slot(m, m->entries[i].key)] = (uint32_t)i + 1;
}

static struct sw_map_entry *find(const struct sw_map *m, struct sw_str key) {
    if (!m->n_slots) return NULL;
    uint32_t slot = m->slots[find_slot(m, key)];
    return slot ? &m->entries[slot - 1] : NULL;
}

void *sw_map_get(const struct sw_map *m, struct sw_str key) {
    struct sw_map_entry *e = find(m, key);
    return e ? e->value : NULL;
}

bool sw_map_has(const struct sw_map *m, struct sw_str key) { return find(m, key) != NULL; }

void *sw_map_put(struct sw_map *m, struct sw_str key, void *value) {
    struct sw_map_entry *e = find(m, key);
    if (e) {
        void *old = e->value;
        e->value = value;
        return old;
    }
    if (m->len == m->cap) rebuild(m);
    m->entries[m->len] = (struct sw_map_entry){.key = key, .value = value};
    m->slots[find_slot(m, key)] = (uint32_t)++m->len;
    m->n_live++;
    return NULL;
}

void *sw_map_remove(struct sw_map *m, struct sw_str key) {
    struct sw_map_entry *e = find(m, key);
    if (!e) return NULL;
    e->removed = true;
    m->n_live--;
    return e->value;
}

struct sw_map_entry *sw_map_next(const struct sw_map *m, const struct sw_map_entry *entry) {
    size_t i = entry ? (size_t)(entry - m->entries) + 1 : 0;
    while (i < m->len && m->entries[i].removed) i++;
    return i < m->len ? &m->entries[i] : NULL;
}
