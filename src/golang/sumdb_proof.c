/* Inclusion and consistency proofs (RFC 6962, sections 2.1.1 and 2.1.2).
 *
 * Each proof is collected from nodes that nobody vouches for, and then recomputed to tree hashes
 * that must equal the signed ones. Both walks split [lo, hi) at the largest power of two below its
 * length; the collected hashes stand from the leaf upwards, so the recomputation takes them from
 * the end.
 */
#include "golang/sumdb_internal.h"

struct proof {
    const struct sw_sumdb_nodes *nodes;
    struct sw_error *err;
    struct sw_sumdb_hash hashes[SW_SUMDB_PROOF_MAX];
    unsigned n;
};

/* The largest power of two below n (n > 1), and its exponent. */
static uint64_t split_at(uint64_t n, unsigned *ret_level) {
    *ret_level = 63 - (unsigned)__builtin_clzll(n - 1);
    return 1ull << *ret_level;
}

/* The hash of records [lo, hi): complete subtrees from the left, combined from the right. */
static enum sw_code subtree(struct proof *p, uint64_t lo, uint64_t hi, struct sw_sumdb_hash *ret) {
    struct sw_sumdb_hash parts[64];
    unsigned n = 0;
    while (lo < hi) {
        unsigned level = 63 - (unsigned)__builtin_clzll(hi - lo);
        enum sw_code code =
            p->nodes->node(p->nodes->context, level, lo >> level, &parts[n++], p->err);
        if (code) return code;
        lo += 1ull << level;
    }
    struct sw_sumdb_hash hash = parts[--n];
    while (n) {
        n--;
        hash = sumdb_hash_node(&parts[n], &hash);
    }
    *ret = hash;
    return SW_OK;
}

static enum sw_code add(struct proof *p, uint64_t lo, uint64_t hi) {
    if (p->n == SW_SUMDB_PROOF_MAX) return sw_fail(p->err, SW_CORRUPT, "the proof is too long");
    return subtree(p, lo, hi, &p->hashes[p->n++]);
}

static enum sw_code collect_record(struct proof *p, uint64_t lo, uint64_t hi, uint64_t id) {
    unsigned level;
    if (lo + 1 == hi) return SW_OK;
    uint64_t mid = lo + split_at(hi - lo, &level);
    bool left = id < mid;
    enum sw_code code = left ? collect_record(p, lo, mid, id) : collect_record(p, mid, hi, id);
    if (code) return code;
    return left ? add(p, mid, hi) : add(p, lo, mid);
}

static struct sw_sumdb_hash run_record(const struct proof *p, unsigned n, uint64_t lo, uint64_t hi,
                                       uint64_t id, const struct sw_sumdb_hash *leaf) {
    unsigned level;
    if (lo + 1 == hi) return *leaf;
    uint64_t mid = lo + split_at(hi - lo, &level);
    struct sw_sumdb_hash below;
    if (id < mid) {
        below = run_record(p, n - 1, lo, mid, id, leaf);
        return sumdb_hash_node(&below, &p->hashes[n - 1]);
    }
    below = run_record(p, n - 1, mid, hi, id, leaf);
    return sumdb_hash_node(&p->hashes[n - 1], &below);
}

enum sw_code sw_sumdb_check_record(const struct sw_sumdb_head *head, uint64_t id,
                                   const struct sw_sumdb_hash *record,
                                   const struct sw_sumdb_nodes *nodes, struct sw_error *err) {
    struct proof p = {.nodes = nodes, .err = err};
    if (id >= head->size)
        return sw_fail(err, SW_CORRUPT, "record %llu is not in a tree of %llu records",
                       (unsigned long long)id, (unsigned long long)head->size);
    enum sw_code code = collect_record(&p, 0, head->size, id);
    if (code) return code;
    struct sw_sumdb_hash hash = run_record(&p, p.n, 0, head->size, id, record);
    if (memcmp(&hash, &head->hash, sizeof hash) != 0)
        return sw_fail(err, SW_CORRUPT,
                       "record %llu of the checksum database is not in its signed tree of %llu "
                       "records",
                       (unsigned long long)id, (unsigned long long)head->size);
    return SW_OK;
}

static enum sw_code collect_heads(struct proof *p, uint64_t lo, uint64_t hi, uint64_t old) {
    unsigned level;
    if (old == hi) return lo == 0 ? SW_OK : add(p, lo, hi);
    uint64_t mid = lo + split_at(hi - lo, &level);
    bool left = old <= mid;
    enum sw_code code = left ? collect_heads(p, lo, mid, old) : collect_heads(p, mid, hi, old);
    if (code) return code;
    return left ? add(p, mid, hi) : add(p, lo, mid);
}

/* Recomputes both trees' hashes at once. */
static void run_heads(const struct proof *p, unsigned n, uint64_t lo, uint64_t hi, uint64_t old,
                      const struct sw_sumdb_hash *old_hash, struct sw_sumdb_hash *ret_old,
                      struct sw_sumdb_hash *ret_new) {
    unsigned level;
    if (old == hi) {
        *ret_old = *ret_new = lo == 0 ? *old_hash : p->hashes[n - 1];
        return;
    }
    uint64_t mid = lo + split_at(hi - lo, &level);
    const struct sw_sumdb_hash *side = &p->hashes[n - 1];
    if (old <= mid) {
        run_heads(p, n - 1, lo, mid, old, old_hash, ret_old, ret_new);
        *ret_new = sumdb_hash_node(ret_new, side);
    } else {
        run_heads(p, n - 1, mid, hi, old, old_hash, ret_old, ret_new);
        *ret_old = sumdb_hash_node(side, ret_old);
        *ret_new = sumdb_hash_node(side, ret_new);
    }
}

enum sw_code sw_sumdb_check_heads(const struct sw_sumdb_head *older,
                                  const struct sw_sumdb_head *newer,
                                  const struct sw_sumdb_nodes *nodes, struct sw_error *err) {
    struct proof p = {.nodes = nodes, .err = err};
    struct sw_sumdb_hash old_hash, new_hash;
    if (older->size > newer->size)
        return sw_fail(err, SW_CORRUPT, "the tree shrank from %llu to %llu records",
                       (unsigned long long)older->size, (unsigned long long)newer->size);
    if (older->size == 0) return SW_OK; /* the empty tree is the beginning of every tree */
    enum sw_code code = collect_heads(&p, 0, newer->size, older->size);
    if (code) return code;
    run_heads(&p, p.n, 0, newer->size, older->size, &older->hash, &old_hash, &new_hash);
    if (memcmp(&old_hash, &older->hash, 32) != 0 || memcmp(&new_hash, &newer->hash, 32) != 0)
        return sw_fail(err, SW_CORRUPT,
                       "the checksum database has two histories: its tree of %llu records does "
                       "not begin with its tree of %llu",
                       (unsigned long long)newer->size, (unsigned long long)older->size);
    return SW_OK;
}
