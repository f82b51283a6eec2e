/* A small checksum database is built here, signed with a key of this test, and then lied about. */
#include "unit.h"

#include <nettle/eddsa.h>
#include <nettle/sha2.h>

#include "codec/base64.h"
#include "golang/sumdb.h"

enum { RECORDS = 700 };

static const uint8_t secret[32] = {1, 2, 3, 4, 5};
static struct sw_sumdb_hash leaves[RECORDS];

static struct sw_sumdb_hash sha(const uint8_t *bytes, size_t len) {
    struct sw_sumdb_hash h;
    struct sha256_ctx c;
    sha256_init(&c);
    sha256_update(&c, len, bytes);
    sha256_digest(&c, 32, h.bytes);
    return h;
}

/* Independent of the code under test: straight from RFC 6962, section 2.1. */
static struct sw_sumdb_hash tree_hash(size_t lo, size_t hi) {
    if (hi - lo == 1) return leaves[lo];
    size_t k = 1;
    while (k * 2 < hi - lo) k *= 2;
    uint8_t bytes[65] = {1};
    struct sw_sumdb_hash left = tree_hash(lo, lo + k), right = tree_hash(lo + k, hi);
    memcpy(bytes + 1, left.bytes, 32);
    memcpy(bytes + 33, right.bytes, 32);
    return sha(bytes, 65);
}

static int setup(void **state) {
    for (int i = 0; i < RECORDS; i++) {
        char text[64];
        snprintf(text, sizeof text, "m v%d h1:x\n", i);
        leaves[i] = sw_sumdb_hash_record(sw_str(text));
    }
    return 0;
}

/* Serves nodes through tiles, as a client does; `lie` damages one tile. */
struct server {
    uint64_t size;
    bool lie;
    unsigned reads;
};

static enum sw_code node(void *context, unsigned level, uint64_t index, struct sw_sumdb_hash *ret,
                         struct sw_error *err) {
    struct server *s = context;
    struct sw_sumdb_tile t = sw_sumdb_tile_of(level, index, s->size);
    struct sw_sumdb_hash tile[256];
    s->reads++;
    for (unsigned i = 0; i < t.width; i++) {
        uint64_t span = 1ull << (8 * t.level), at = (t.number * 256 + i) * span;
        assert_true(at + span <= s->size);
        tile[i] = tree_hash((size_t)at, (size_t)(at + span));
    }
    if (s->lie) tile[t.offset].bytes[7] ^= 1;
    return sw_sumdb_tile_node(&t, sw_str_n((const char *)tile, t.width * 32), ret, err);
}

static void every_record_proves_in_trees_of_every_size(void **state) {
    struct sw_error err;
    for (uint64_t size = 1; size <= RECORDS; size += size < 20 ? 1 : 97) {
        struct sw_sumdb_head head = {size, tree_hash(0, size)};
        struct server s = {.size = size};
        struct sw_sumdb_nodes nodes = {node, &s};
        for (uint64_t id = 0; id < size; id += size < 20 ? 1 : 61) {
            assert_ok(sw_sumdb_check_record(&head, id, &leaves[id], &nodes, &err), err);
            struct sw_sumdb_hash wrong = leaves[(id + 1) % RECORDS];
            assert_refused(sw_sumdb_check_record(&head, id, &wrong, &nodes, &err), SW_CORRUPT, err);
        }
        assert_refused(sw_sumdb_check_record(&head, size, &leaves[0], &nodes, &err), SW_CORRUPT,
                       err);
    }
}

static void lying_tiles_are_found_out(void **state) {
    struct sw_error err;
    struct sw_sumdb_head head = {RECORDS, tree_hash(0, RECORDS)}, old = {300, tree_hash(0, 300)};
    struct server s = {.size = RECORDS, .lie = true};
    struct sw_sumdb_nodes nodes = {node, &s};
    assert_refused(sw_sumdb_check_record(&head, 5, &leaves[5], &nodes, &err), SW_CORRUPT, err);
    assert_refused(sw_sumdb_check_heads(&old, &head, &nodes, &err), SW_CORRUPT, err);
}

static void newer_trees_begin_with_older_ones(void **state) {
    struct sw_error err;
    struct server s = {.size = RECORDS};
    struct sw_sumdb_nodes nodes = {node, &s};
    struct sw_sumdb_head head = {RECORDS, tree_hash(0, RECORDS)};
    for (uint64_t size = 1; size <= RECORDS; size += size < 20 ? 1 : 41) {
        struct sw_sumdb_head old = {size, tree_hash(0, size)};
        assert_ok(sw_sumdb_check_heads(&old, &head, &nodes, &err), err);
        old.hash.bytes[31] ^= 1;
        assert_refused(sw_sumdb_check_heads(&old, &head, &nodes, &err), SW_CORRUPT, err);
    }
    struct sw_sumdb_head larger = {RECORDS + 1, head.hash};
    assert_refused(sw_sumdb_check_heads(&larger, &head, &nodes, &err), SW_CORRUPT, err);
}

static void make_key(struct sw_buf *text) {
    uint8_t bytes[33] = {1}, id_input[8 + 33];
    ed25519_sha512_public_key(bytes + 1, secret);
    memcpy(id_input, "test.db\n", 8);
    memcpy(id_input + 8, bytes, 33);
    struct sw_sumdb_hash id = sha(id_input, sizeof id_input);
    sw_buf_addf(text, "test.db+%02x%02x%02x%02x+", id.bytes[0], id.bytes[1], id.bytes[2],
                id.bytes[3]);
    sw_base64_encode(text, sw_str_n((char *)bytes, 33), 0);
}

static void sign(struct sw_str text, const struct sw_sumdb_key *key, struct sw_buf *note) {
    uint8_t signature[68] = {(uint8_t)(key->id >> 24), (uint8_t)(key->id >> 16),
                             (uint8_t)(key->id >> 8), (uint8_t)key->id};
    ed25519_sha512_sign(key->public_key, secret, text.len, (const uint8_t *)text.ptr,
                        signature + 4);
    sw_buf_add(note, text);
    sw_buf_addf(note, "\n\xe2\x80\x94 %s ", key->name);
    sw_base64_encode(note, sw_str_n((char *)signature, 68), 0);
    sw_buf_add_char(note, '\n');
}

static void notes_are_opened_only_with_their_signature(void **state) {
    SW_BUF struct sw_buf key_text, note;
    struct sw_sumdb_key key, known;
    struct sw_sumdb_head head;
    struct sw_error err;
    sw_buf_init(&key_text, 0);
    sw_buf_init(&note, 0);
    make_key(&key_text);
    assert_ok(sw_sumdb_key_parse(sw_buf_str(&key_text), &key, &err), err);
    assert_ok(sw_sumdb_key_parse(sw_str(sw_sumdb_known_key), &known, &err), err);
    sign(SW_STR("go.sum database tree\n42\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), &key,
         &note);
    assert_ok(sw_sumdb_head_open(sw_buf_str(&note), &key, &head, &err), err);
    assert_int_equal(head.size, 42);
    assert_refused(sw_sumdb_head_open(sw_buf_str(&note), &known, &head, &err), SW_CORRUPT, err);
    for (size_t i = 0; i < note.len; i++) { /* no bit of it may change */
        note.ptr[i] ^= 1;
        if (!sw_sumdb_head_open(sw_buf_str(&note), &key, &head, &err))
            fail_msg("accepted with byte %zu changed", i);
        note.ptr[i] ^= 1;
    }
    key_text.ptr[10] ^= 1;
    assert_refused(sw_sumdb_key_parse(sw_buf_str(&key_text), &key, &err), SW_SYNTAX, err);
}

static void the_real_database_signs_its_head(void **state) {
    static const char note[] =
        "go.sum database tree\n66332798\n"
        "czPocWFmMwQrSENohgEPvFiqA+2i/3lRZhHbxtma2UQ=\n\n"
        "\xe2\x80\x94 sum.golang.org Az3grh19zTBOmg0dGOAELF5SP1N/QTSsuYwquERee"
        "13uccsbttgwVlS/0MhlHd7IEvb6fQVKmu7XFovf0PT1tKOnHQo=\n";
    struct sw_sumdb_key key;
    struct sw_sumdb_head head;
    struct sw_error err;
    assert_ok(sw_sumdb_key_parse(sw_str(sw_sumdb_known_key), &key, &err), err);
    assert_ok(sw_sumdb_head_open(sw_str(note), &key, &head, &err), err);
    assert_int_equal(head.size, 66332798);
}

static void records_and_paths(void **state) {
    struct sw_sumdb_record r;
    struct sw_error err;
    assert_ok(sw_sumdb_record_parse(SW_STR("7\na v1 h1:x\na v1/go.mod h1:y\n\nnote\n"), &r, &err),
              err);
    assert_int_equal(r.id, 7);
    assert_str(r.text, "a v1 h1:x\na v1/go.mod h1:y\n");
    assert_str(r.note, "note\n");
    assert_str(sw_sumdb_record_find(r.text, SW_STR("a"), SW_STR("v1")), "h1:x");
    assert_null(sw_sumdb_record_find(r.text, SW_STR("a"), SW_STR("v")).ptr);
    assert_refused(sw_sumdb_record_parse(SW_STR("x\ny\n\n"), &r, &err), SW_SYNTAX, err);
    char path[SW_SUMDB_TILE_PATH_MAX];
    struct sw_sumdb_tile t = sw_sumdb_tile_of(0, 1234067ull * 256, 1ull << 40);
    sw_sumdb_tile_path(&t, path);
    assert_string_equal(path, "tile/8/0/x001/x234/067");
    t = sw_sumdb_tile_of(8, 2, 256 * 7);
    sw_sumdb_tile_path(&t, path);
    assert_string_equal(path, "tile/8/1/000.p/7");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_proves_in_trees_of_every_size),
        cmocka_unit_test(lying_tiles_are_found_out),
        cmocka_unit_test(newer_trees_begin_with_older_ones),
        cmocka_unit_test(notes_are_opened_only_with_their_signature),
        cmocka_unit_test(the_real_database_signs_its_head),
        cmocka_unit_test(records_and_paths),
    };
    return cmocka_run_group_tests_name("golang_sumdb", tests, setup, NULL);
}
