/* Two readings of one archive must agree: the tree that unpacking makes and the index that is built
 * without unpacking. The archives are random, from an alphabet of everything that is awkward; and
 * whatever they say, nothing outside of the tree changes. SW_TEST_ROUNDS and SW_TEST_SEED choose.
 */
#include "store_fixture.h"

#include <dirent.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "store/gc.h"
#include "store/layer_index.h"
#include "store/snapshot.h"

#define ROUNDS 1500

static uint64_t random_state;

static unsigned pick(unsigned n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % n;
}

static void random_path(struct sw_buf *to) {
    static const char *const parts[] = {"a", "b", "c",     "d",     "a",
                                        "b", ".", ".wh.a", ".wh.b", ".wh..wh..opq"};
    unsigned depth = 1 + pick(3);
    sw_buf_reset(to);
    if (pick(20) == 0) sw_buf_add_text(to, "/");
    for (unsigned i = 0; i < depth; i++) {
        if (i) sw_buf_add_char(to, '/');
        sw_buf_add_text(to, parts[pick(i + 1 < depth ? 6 : 10)]);
    }
    if (pick(60) == 0) sw_buf_add_text(to, "/../x");
}

static void random_target(struct fixture *f, struct sw_buf *to) {
    static const char *const targets[] = {
        "a", "b/c", "../a", "/b", "..", "/", "../../../../../canary", "./c", "d",
    };
    sw_buf_reset(to);
    unsigned n = pick(11);
    if (n < 9)
        sw_buf_add_text(to, targets[n]);
    else
        sw_buf_addf(to, "%s/canary", f->dir);
}

static void random_layer(struct fixture *f, struct layer *l) {
    struct sw_buf path, target;
    unsigned n = 1 + pick(14);
    sw_buf_init(&path, 4096);
    sw_buf_init(&target, 4096);
    layer_init(l);
    for (unsigned i = 0; i < n; i++) {
        random_path(&path);
        bool mark = strstr(path.ptr, ".wh.") != NULL;
        switch (mark ? 0 : pick(7)) {
        case 0:
        case 1:
            layer_file(l, path.ptr, 0600 + pick(0200), i & 1 ? "content" : "");
            break;
        case 2:
        case 3:
            layer_dir(l, path.ptr, 0700 + pick(0100));
            break;
        case 4:
            random_target(f, &target);
            layer_link(l, SW_TAR_SYMLINK, path.ptr, target.ptr);
            break;
        case 5:
            random_path(&target);
            layer_link(l, SW_TAR_HARDLINK, path.ptr, target.ptr);
            break;
        default:
            layer_link(l, SW_TAR_FIFO, path.ptr, "");
            break;
        }
    }
    sw_buf_done(&path);
    sw_buf_done(&target);
}

static enum sw_tar_type type_of(const struct stat *st) {
    return S_ISREG(st->st_mode)    ? SW_TAR_FILE
           : S_ISDIR(st->st_mode)  ? SW_TAR_DIR
           : S_ISLNK(st->st_mode)  ? SW_TAR_SYMLINK
           : S_ISFIFO(st->st_mode) ? SW_TAR_FIFO
                                   : SW_TAR_CHAR;
}

static void compare_entry(int fs, const struct sw_layer_entry *e, unsigned round) {
    char path[512], proc[600], value[4];
    struct stat st;
    snprintf(path, sizeof path, "%.*s", SW_ARG(e->path));
    if (fstatat(fs, path[0] ? path : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
        fail_msg("round %u: /%s is in the index but not in the tree", round, path);
    bool whiteout = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
    if (whiteout != e->whiteout) fail_msg("round %u: /%s: whiteout %d", round, path, whiteout);
    if (whiteout || (e->hardlink && e->type == SW_TAR_HARDLINK)) return;
    if (type_of(&st) != e->type)
        fail_msg("round %u: /%s is a %c in the tree, a %c in the index", round, path, type_of(&st),
                 e->type);
    snprintf(proc, sizeof proc, "/proc/self/fd/%d/%s", fs, path);
    bool opaque = lgetxattr(proc, "user.overlay.opaque", value, sizeof value) == 1;
    if (opaque != e->opaque) fail_msg("round %u: /%s: opaque %d in the tree", round, path, opaque);
    if (e->type == SW_TAR_FILE && (uint64_t)st.st_size != e->size)
        fail_msg("round %u: /%s has another size", round, path);
    if (e->type != SW_TAR_SYMLINK && !e->implicit && (st.st_mode & 07777) != e->mode)
        fail_msg("round %u: /%s has mode %o, %o in the index", round, path, st.st_mode & 07777,
                 e->mode);
}

static size_t count_entries(int dir) {
    size_t n = 0;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY);
    DIR *d = fdopendir(fd);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        n++;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode)) continue;
        int sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        n += count_entries(sub);
        close(sub);
    }
    closedir(d);
    return n;
}

static bool compare_round(struct fixture *f, unsigned round) {
    struct layer l;
    struct sw_snapshot out;
    struct sw_layer_index *x = NULL;
    struct sw_unpack_options options = {.form = SW_OVERLAY_USER, .remember_owner = true};
    random_layer(f, &l);
    struct sw_unpack_layer layer = layer_put(&l, f->store);
    enum sw_code code = sw_unpack_layers(f->store, NULL, &layer, 1, &options, &out, NULL, &f->err);
    /* What unpacking refuses (a file used as a directory, a loop, ..) the index may take. */
    if (code) return false;
    assert_ok(sw_layer_index_open(f->store, &layer, &x, &f->err), f->err);
    int fs = -1;
    assert_ok(sw_snapshot_open(f->store, out.id, &fs, &f->err), f->err);
    size_t named = 0;
    for (size_t i = 0; i < sw_layer_index_count(x); i++) {
        struct sw_layer_entry e;
        sw_layer_index_at(x, i, &e);
        compare_entry(fs, &e, round);
        named += e.path.len > 0;
    }
    size_t there = count_entries(fs);
    if (there != named)
        fail_msg("round %u: %zu entries in the tree, %zu in the index", round, there, named);
    close(fs);
    sw_layer_index_free(x);
    return true;
}

static void trees_and_indexes_agree(void **state) {
    struct fixture *f = fixture_new();
    const char *rounds = getenv("SW_TEST_ROUNDS"), *seed = getenv("SW_TEST_SEED");
    unsigned n = rounds ? (unsigned)atoi(rounds) : ROUNDS, compared = 0;
    char canary[128];
    (void)state;
    snprintf(canary, sizeof canary, "%s/canary", f->dir);
    assert_int_equal(mkdir(canary, 0755), 0);
    for (unsigned i = 0; i < n; i++) {
        random_state = (seed ? strtoull(seed, NULL, 10) : 1) * 0x9E3779B97F4A7C15u + i * 7919u + 1;
        for (int j = 0; j < 8; j++) pick(2);
        compared += compare_round(f, i);
        if (i % 256 != 255) continue;
        struct sw_gc_result r;
        sw_store_unpin(f->store);
        assert_ok(sw_gc_run(f->store, NULL, &r, &f->err), f->err);
    }
    print_message("# %u of %u archives unpacked and compared\n", compared, n);
    assert_true(compared > n / 4);
    int dir = open(f->dir, O_RDONLY | O_DIRECTORY), outside = open(canary, O_RDONLY | O_DIRECTORY);
    assert_int_equal(count_entries(outside), 0);
    struct stat st;
    assert_int_equal(fstatat(dir, "a", &st, AT_SYMLINK_NOFOLLOW), -1);
    close(dir);
    close(outside);
    fixture_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(trees_and_indexes_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
