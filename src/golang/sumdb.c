/* Keys, notes, records and tiles. Proofs are in sumdb_proof.c. */
#include "golang/sumdb.h"

#include <nettle/eddsa.h>
#include <stdio.h>

#include "codec/base64.h"
#include "codec/digest.h"
#include "codec/hex.h"
#include "golang/sumdb_internal.h"

const char sw_sumdb_known_key[] =
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

enum { ED25519 = 1 }; /* the algorithm byte of note keys */

/* Decodes exactly len bytes. */
static bool decode(struct sw_str text, void *to, size_t len) {
    SW_ARENA struct sw_arena a;
    struct sw_error ignored;
    struct sw_str bytes;
    sw_arena_init(&a, 1 << 16);
    if (text.len > 2 * len + 8 || sw_base64_decode(&a, text, 0, &bytes, &ignored)) return false;
    if (bytes.len != len) return false;
    memcpy(to, bytes.ptr, len);
    return true;
}

static uint32_t big_endian(const uint8_t b[4]) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

enum sw_code sw_sumdb_key_parse(struct sw_str text, struct sw_sumdb_key *ret,
                                struct sw_error *err) {
    struct sw_sumdb_key key = {.id = 0};
    struct sw_str name, rest, id_text, key_text;
    uint8_t id[4], bytes[33];
    bool ok = sw_str_cut(text, '+', &name, &rest) && sw_str_cut(rest, '+', &id_text, &key_text) &&
              name.len > 0 && name.len < sizeof key.name && id_text.len == 8 &&
              sw_hex_decode(id_text, false, id) && decode(key_text, bytes, sizeof bytes);
    if (!ok)
        return sw_fail(err, SW_SYNTAX, "\"%.*s\" is not a verifier key (NAME+ID+KEY)",
                       SW_ARG(sw_str_sub(text, 0, 160)));
    if (bytes[0] != ED25519)
        return sw_fail(err, SW_SYNTAX, "the key of %.*s is not an Ed25519 key", SW_ARG(name));
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add_str(&h, name);
    sw_hasher_add(&h, "\n", 1);
    sw_hasher_add(&h, bytes, sizeof bytes);
    struct sw_digest d = sw_hasher_finish(&h);
    if (memcmp(d.bytes, id, 4) != 0)
        return sw_fail(err, SW_SYNTAX, "the key of %.*s does not match its id", SW_ARG(name));
    memcpy(key.name, name.ptr, name.len);
    key.id = big_endian(id);
    memcpy(key.public_key, bytes + 1, 32);
    *ret = key;
    return SW_OK;
}

/* Finds the signature lines: behind the last empty line. */
static bool split_note(struct sw_str note, struct sw_str *ret_text, struct sw_str *ret_signatures) {
    if (!sw_str_ends(note, SW_STR("\n"))) return false;
    for (size_t i = note.len; i >= 2; i--)
        if (note.ptr[i - 1] == '\n' && note.ptr[i - 2] == '\n') {
            *ret_text = sw_str_sub(note, 0, i - 1);
            *ret_signatures = sw_str_from(note, i);
            return ret_signatures->len > 0;
        }
    return false;
}

enum sw_code sw_sumdb_note_open(struct sw_str note, const struct sw_sumdb_key *key,
                                struct sw_str *ret_text, struct sw_error *err) {
    static const char dash[] = "\xe2\x80\x94 ";
    struct sw_str text, lines, line;
    if (note.len > SW_SUMDB_NOTE_MAX || !sw_str_is_utf8(note) || !split_note(note, &text, &lines))
        return sw_fail(err, SW_SYNTAX, "malformed signed note");
    unsigned n_lines = 0;
    while (sw_str_next(&lines, '\n', &line)) {
        if (!line.len && !lines.ptr) break;
        struct sw_str name, encoded;
        uint8_t signature[68];
        if (++n_lines > 100 || !sw_str_starts(line, SW_STR("\xe2\x80\x94 ")) ||
            !sw_str_cut(sw_str_from(line, sizeof dash - 1), ' ', &name, &encoded))
            return sw_fail(err, SW_SYNTAX, "malformed signature line in a signed note");
        if (!sw_str_is(name, key->name) || !decode(encoded, signature, sizeof signature)) continue;
        if (big_endian(signature) != key->id) continue;
        if (ed25519_sha512_verify(key->public_key, text.len, (const uint8_t *)text.ptr,
                                  signature + 4)) {
            *ret_text = text;
            return SW_OK;
        }
        return sw_fail(err, SW_CORRUPT, "the signature of %s does not match the note", key->name);
    }
    return sw_fail(err, SW_CORRUPT, "the note is not signed by %s", key->name);
}

enum sw_code sw_sumdb_head_open(struct sw_str note, const struct sw_sumdb_key *key,
                                struct sw_sumdb_head *ret, struct sw_error *err) {
    struct sw_str text, title, size, hash;
    struct sw_sumdb_head head;
    enum sw_code code = sw_sumdb_note_open(note, key, &text, err);
    if (code) return code;
    if (!sw_str_next(&text, '\n', &title) || !sw_str_is(title, "go.sum database tree") ||
        !sw_str_next(&text, '\n', &size) || !sw_str_u64(size, &head.size) ||
        head.size > INT64_MAX || !sw_str_next(&text, '\n', &hash) ||
        !decode(hash, head.hash.bytes, 32))
        return sw_fail(err, SW_SYNTAX, "the signed note is not a tree head");
    *ret = head;
    return SW_OK;
}

enum sw_code sw_sumdb_record_parse(struct sw_str body, struct sw_sumdb_record *ret,
                                   struct sw_error *err) {
    struct sw_str id, rest;
    struct sw_sumdb_record r;
    size_t end = SIZE_MAX;
    bool ok = body.len <= SW_SUMDB_NOTE_MAX && sw_str_cut(body, '\n', &id, &rest) &&
              sw_str_u64(id, &r.id) && r.id <= INT64_MAX &&
              (end = sw_str_find(rest, SW_STR("\n\n"))) != SIZE_MAX;
    if (!ok) return sw_fail(err, SW_SYNTAX, "malformed record of the checksum database");
    r.text = sw_str_sub(rest, 0, end + 1);
    r.note = sw_str_from(rest, end + 2);
    *ret = r;
    return SW_OK;
}

struct sw_str sw_sumdb_record_find(struct sw_str text, struct sw_str module,
                                   struct sw_str version) {
    struct sw_str line, m, rest, v, hash;
    while (sw_str_next(&text, '\n', &line))
        if (sw_str_cut(line, ' ', &m, &rest) && sw_str_cut(rest, ' ', &v, &hash) &&
            sw_str_eq(m, module) && sw_str_eq(v, version) && sw_str_starts(hash, SW_STR("h1:")))
            return hash;
    return (struct sw_str){0};
}

static struct sw_sumdb_hash finish(struct sw_hasher *h) {
    struct sw_sumdb_hash hash;
    struct sw_digest d = sw_hasher_finish(h);
    memcpy(hash.bytes, d.bytes, 32);
    return hash;
}

struct sw_sumdb_hash sw_sumdb_hash_record(struct sw_str text) {
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add(&h, "\0", 1);
    sw_hasher_add_str(&h, text);
    return finish(&h);
}

struct sw_sumdb_hash sumdb_hash_node(const struct sw_sumdb_hash *left,
                                     const struct sw_sumdb_hash *right) {
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add(&h, "\1", 1);
    sw_hasher_add(&h, left->bytes, 32);
    sw_hasher_add(&h, right->bytes, 32);
    return finish(&h);
}

struct sw_sumdb_tile sw_sumdb_tile_of(unsigned level, uint64_t index, uint64_t tree_size) {
    struct sw_sumdb_tile t = {.level = level / SW_SUMDB_TILE_HEIGHT};
    unsigned above = level % SW_SUMDB_TILE_HEIGHT;
    uint64_t first = index << above;
    uint64_t stored = tree_size >> (SW_SUMDB_TILE_HEIGHT * t.level);
    t.number = first >> SW_SUMDB_TILE_HEIGHT;
    t.offset = (unsigned)(first & 255);
    t.count = 1u << above;
    uint64_t width = stored - (t.number << SW_SUMDB_TILE_HEIGHT);
    t.width = width > 256 ? 256 : (unsigned)width;
    return t;
}

void sw_sumdb_tile_path(const struct sw_sumdb_tile *t, char ret_path[SW_SUMDB_TILE_PATH_MAX]) {
    char groups[7][8];
    unsigned n = 0;
    uint64_t number = t->number;
    do {
        snprintf(groups[n], sizeof groups[n], "%s%03u", n ? "x" : "", (unsigned)(number % 1000));
        n++;
        number /= 1000;
    } while (number && n < 7);
    size_t len = (size_t)snprintf(ret_path, SW_SUMDB_TILE_PATH_MAX, "tile/8/%u", t->level);
    while (n--)
        len += (size_t)snprintf(ret_path + len, SW_SUMDB_TILE_PATH_MAX - len, "/%s", groups[n]);
    if (t->width < 256) snprintf(ret_path + len, SW_SUMDB_TILE_PATH_MAX - len, ".p/%u", t->width);
}

enum sw_code sw_sumdb_tile_node(const struct sw_sumdb_tile *t, struct sw_str bytes,
                                struct sw_sumdb_hash *ret, struct sw_error *err) {
    struct sw_sumdb_hash hashes[256 / 2];
    unsigned n = t->count;
    if (bytes.len % 32 || bytes.len / 32 < t->offset + n || bytes.len > 256 * 32)
        return sw_fail(err, SW_CORRUPT, "a tile of the checksum database has %zu bytes", bytes.len);
    const struct sw_sumdb_hash *from = (const void *)(bytes.ptr + (size_t)t->offset * 32);
    if (n == 1) {
        *ret = *from;
        return SW_OK;
    }
    for (unsigned i = 0; i < n / 2; i++)
        hashes[i] = sumdb_hash_node(&from[2 * i], &from[2 * i + 1]);
    for (n /= 2; n > 1; n /= 2)
        for (unsigned i = 0; i < n / 2; i++)
            hashes[i] = sumdb_hash_node(&hashes[2 * i], &hashes[2 * i + 1]);
    *ret = hashes[0];
    return SW_OK;
}
