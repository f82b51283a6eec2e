/* The checksum database's documents: signed notes, tree heads, records, tiles, and proofs.
 *
 * Floor 2. Pure. https://go.dev/design/25530-sumdb; the tree is that of RFC 6962, section 2.1, the
 * notes are those of package golang.org/x/mod/sumdb/note with Ed25519 (RFC 8032).
 *
 * Tiles are not trusted: proofs are built from them and then checked against signed tree heads, so
 * that a wrong tile can only make a check fail.
 */
#ifndef SW_GOLANG_SUMDB_H
#define SW_GOLANG_SUMDB_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum {
    SW_SUMDB_NOTE_MAX = 1 << 16, /* a tree head has 200 bytes */
    SW_SUMDB_TILE_HEIGHT = 8,    /* the only one in use */
    SW_SUMDB_PROOF_MAX = 64,     /* hashes of a proof: one a level */
    SW_SUMDB_TILE_PATH_MAX = 96,
};

struct sw_sumdb_hash {
    uint8_t bytes[32];
};

/* A verifier key: "NAME+8 hex digits+base64". */
struct sw_sumdb_key {
    char name[128];
    uint32_t id;
    uint8_t public_key[32];
};
/* SW_SYNTAX when malformed, when its id is not that of its name and key, or not Ed25519. */
SW_NODISCARD enum sw_code sw_sumdb_key_parse(struct sw_str text, struct sw_sumdb_key *ret,
                                             struct sw_error *err);
/* The key that every toolchain's source carries for sum.golang.org. */
extern const char sw_sumdb_known_key[];

/* Checks a note's signature and returns the text that was signed (final newline included; a view).
 * SW_SYNTAX when malformed, SW_CORRUPT when no signature of this key verifies. */
SW_NODISCARD enum sw_code sw_sumdb_note_open(struct sw_str note, const struct sw_sumdb_key *key,
                                             struct sw_str *ret_text, struct sw_error *err);

struct sw_sumdb_head {
    uint64_t size; /* records */
    struct sw_sumdb_hash hash;
};
/* Opens a signed tree head. */
SW_NODISCARD enum sw_code sw_sumdb_head_open(struct sw_str note, const struct sw_sumdb_key *key,
                                             struct sw_sumdb_head *ret, struct sw_error *err);

/* The answer of /lookup/MODULE@VERSION. */
struct sw_sumdb_record {
    uint64_t id;
    struct sw_str text; /* go.sum lines, as hashed */
    struct sw_str note; /* the signed tree head behind them */
};
SW_NODISCARD enum sw_code sw_sumdb_record_parse(struct sw_str body, struct sw_sumdb_record *ret,
                                                struct sw_error *err);
/* The "h1:..." of the line "MODULE VERSION h1:..."; ptr NULL when there is none. */
struct sw_str sw_sumdb_record_find(struct sw_str text, struct sw_str module, struct sw_str version);

struct sw_sumdb_hash sw_sumdb_hash_record(struct sw_str text);

/* Where the hash of the complete subtree number index of 2^level records is kept. */
struct sw_sumdb_tile {
    unsigned level;  /* of the tile */
    uint64_t number; /* of the tile in its level */
    unsigned width;  /* hashes it holds in a tree of this size: 1 to 256 */
    unsigned offset; /* of the first hash below the node; 2^(level % 8) of them */
    unsigned count;
};
struct sw_sumdb_tile sw_sumdb_tile_of(unsigned level, uint64_t index, uint64_t tree_size);
/* "tile/8/0/x001/x234/067" or with ".p/5" behind for a partial one. */
void sw_sumdb_tile_path(const struct sw_sumdb_tile *t, char ret_path[SW_SUMDB_TILE_PATH_MAX]);
/* The node's hash from the bytes of its tile. SW_CORRUPT when those are too few. */
SW_NODISCARD enum sw_code sw_sumdb_tile_node(const struct sw_sumdb_tile *t, struct sw_str bytes,
                                             struct sw_sumdb_hash *ret, struct sw_error *err);

/* Supplies nodes for proofs: complete subtrees. */
struct sw_sumdb_nodes {
    enum sw_code (*node)(void *context, unsigned level, uint64_t index, struct sw_sumdb_hash *ret,
                         struct sw_error *err);
    void *context;
};
/* Proves that record id, whose text has this hash, is in the tree. SW_CORRUPT when it is not. */
SW_NODISCARD enum sw_code sw_sumdb_check_record(const struct sw_sumdb_head *head, uint64_t id,
                                                const struct sw_sumdb_hash *record,
                                                const struct sw_sumdb_nodes *nodes,
                                                struct sw_error *err);
/* Proves that the newer tree begins with the older one. SW_CORRUPT when it does not: the database
 * (or who speaks for it) has shown two histories. */
SW_NODISCARD enum sw_code sw_sumdb_check_heads(const struct sw_sumdb_head *older,
                                               const struct sw_sumdb_head *newer,
                                               const struct sw_sumdb_nodes *nodes,
                                               struct sw_error *err);

#endif
