/* Cache keys that can be explained: a hash of named parts, the parts kept as text.
 *
 * Floor 5. Belongs to one thread. What goes into the hash and what is shown later are one call, so
 * that an explanation can never leave out what decided.
 */
#ifndef SW_BUILD_CACHE_KEY_H
#define SW_BUILD_CACHE_KEY_H

#include "base/arena.h"
#include "base/vec.h"
#include "codec/digest.h"

/* One named input: ("variable GOFLAGS", "-trimpath"), ("file main.go", "0644 1c2d3e..."). */
struct sw_key_part {
    struct sw_str name, value; /* in the key's arena */
};

struct sw_key {
    struct sw_hasher hasher;
    struct sw_arena *arena; /* borrowed; of the parts */
    SW_VEC(struct sw_key_part) parts;
};

/* kind names the form of the key ("run 2"); another form is another key. */
void sw_key_init(struct sw_key *k, struct sw_arena *arena, struct sw_str kind);
void sw_key_done(struct sw_key *k);
#define SW_KEY SW_CLEANUP(sw_key_done)
/* Hashes name and value and keeps them. */
void sw_key_add(struct sw_key *k, struct sw_str name, struct sw_str value);
void sw_key_add_digest(struct sw_key *k, struct sw_str name, const struct sw_digest *digest);
struct sw_digest sw_key_finish(struct sw_key *k);

/* A value as it may be kept on disk and shown: long ones are cut, with a digest of the whole; those
 * of a name that speaks of a secret are a digest alone. In the arena. */
struct sw_str sw_key_shown(struct sw_arena *a, struct sw_str name, struct sw_str value);
/* The first digits of a digest: enough to tell two apart. In the arena. */
struct sw_str sw_key_digest_text(struct sw_arena *a, const struct sw_digest *digest);

#endif
