#include "build/cache_key.h"

#include <ctype.h>
#include <stdio.h>

#define SHOWN_MAX 240   /* bytes of a value that are kept as they are */
#define DIGITS_SHOWN 12 /* of a digest: as git and docker show */

static void hash_sized(struct sw_hasher *h, struct sw_str s) {
    char head[32];
    int n = snprintf(head, sizeof head, "%zu:", s.len);
    sw_hasher_add(h, head, (size_t)n);
    sw_hasher_add_str(h, s);
}

void sw_key_init(struct sw_key *k, struct sw_arena *arena, struct sw_str kind) {
    *k = (struct sw_key){.arena = arena};
    sw_hasher_init(&k->hasher, SW_SHA256);
    sw_hasher_add_str(&k->hasher, SW_STR("slipway "));
    hash_sized(&k->hasher, kind);
}

void sw_key_done(struct sw_key *k) { sw_vec_done(&k->parts); }

void sw_key_add(struct sw_key *k, struct sw_str name, struct sw_str value) {
    hash_sized(&k->hasher, name);
    hash_sized(&k->hasher, value);
    struct sw_key_part part = {sw_arena_str(k->arena, name), sw_key_shown(k->arena, name, value)};
    sw_vec_add(&k->parts, part);
}

void sw_key_add_digest(struct sw_key *k, struct sw_str name, const struct sw_digest *digest) {
    hash_sized(&k->hasher, name);
    sw_hasher_add(&k->hasher, digest, sizeof *digest);
    struct sw_key_part part = {sw_arena_str(k->arena, name), sw_key_digest_text(k->arena, digest)};
    sw_vec_add(&k->parts, part);
}

struct sw_digest sw_key_finish(struct sw_key *k) {
    return sw_hasher_finish(&k->hasher);
}

struct sw_str sw_key_digest_text(struct sw_arena *a, const struct sw_digest *digest) {
    char text[SW_DIGEST_TEXT_MAX];
    return sw_arena_str(a, sw_str_sub(sw_digest_hex(digest, text), 0, DIGITS_SHOWN));
}

/* Variables that hold what should not be written down once more. */
static bool is_secret(struct sw_str name) {
    static const char *const words[] = {"TOKEN",   "SECRET",  "PASSW", "CREDENTIAL", "APIKEY",
                                        "API_KEY", "PRIVATE", "NETRC", "AUTH"};
    char upper[128];
    size_t n = name.len < sizeof upper ? name.len : sizeof upper;
    for (size_t i = 0; i < n; i++) upper[i] = (char)toupper((unsigned char)name.ptr[i]);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (sw_str_find(sw_str_n(upper, n), sw_str(words[i])) != SIZE_MAX) return true;
    return false;
}

struct sw_str sw_key_shown(struct sw_arena *a, struct sw_str name, struct sw_str value) {
    bool secret = sw_str_starts(name, SW_STR("variable ")) && is_secret(name);
    if (!secret && value.len <= SHOWN_MAX) return sw_arena_str(a, value);
    struct sw_digest digest = sw_digest_of(SW_SHA256, value);
    struct sw_str digits = sw_key_digest_text(a, &digest);
    if (secret) return sw_arena_printf(a, "(a value with digest %.*s)", SW_ARG(digits));
    return sw_arena_printf(a, "%.*s... (%zu bytes, digest %.*s)", SHOWN_MAX, value.ptr, value.len,
                           SW_ARG(digits));
}
