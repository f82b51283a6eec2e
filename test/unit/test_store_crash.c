/* Every system call of a working day in the store fails once, or is the last one of its process;
 * afterwards the invariants hold and the same work succeeds. */
#include "store_fixture.h"

#include "store/archive.h"
#include "store/cache.h"
#include "store/filehash.h"
#include "store/gc.h"
#include "store/layer_index.h"
#include "store/snapshot.h"

/* ---- the work, in a process of its own ---- */

static enum sw_code put_layer(struct sw_store *s, const char *text, struct sw_unpack_layer *ret,
                              struct sw_error *err) {
    SW_BUF struct sw_buf tar;
    sw_buf_init(&tar, 0);
    struct sw_tar_entry dir = {.path = SW_STR("d"), .type = SW_TAR_DIR, .mode = 0755};
    struct sw_tar_entry file = {
        .path = SW_STR("d/f"), .type = SW_TAR_FILE, .mode = 0644, .size = strlen(text)};
    struct sw_tar_entry hidden = {.path = SW_STR("d/.wh.x"), .type = SW_TAR_FILE};
    struct sw_tar_entry link = {
        .path = SW_STR("l"), .type = SW_TAR_SYMLINK, .linkname = SW_STR("d/f")};
    enum sw_code code = sw_tar_write_header(&tar, &dir, err);
    if (!code) code = sw_tar_write_header(&tar, &file, err);
    sw_buf_add_text(&tar, text);
    sw_tar_write_pad(&tar, file.size);
    if (!code) code = sw_tar_write_header(&tar, &hidden, err);
    if (!code) code = sw_tar_write_header(&tar, &link, err);
    sw_tar_write_end(&tar);
    if (!code) code = sw_blob_put(s, sw_buf_str(&tar), &ret->blob, err);
    ret->diff_id = ret->blob;
    return code;
}

static enum sw_code put_image(struct sw_store *s, struct sw_arena *a,
                              const struct sw_unpack_layer *layer, struct sw_descriptor *ret,
                              struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_image_config config = {
        .platform = {.os = SW_STR("linux"), .architecture = SW_STR("amd64")}};
    struct sw_history step = {.created_by = SW_STR("x")};
    struct sw_manifest m = {.media_type = SW_STR(SW_MT_OCI_MANIFEST)};
    uint64_t size = 0;
    sw_buf_init(&text, 0);
    sw_image_config_add_step(a, &config, &step, &layer->diff_id);
    sw_image_config_write(&text, &config);
    m.config = sw_descriptor_of(SW_MT_OCI_CONFIG, sw_buf_str(&text));
    enum sw_code code = sw_blob_put(s, sw_buf_str(&text), NULL, err);
    sw_blob_exists(s, &layer->blob, &size);
    struct sw_descriptor d = {
        .media_type = SW_STR(SW_MT_OCI_LAYER), .digest = layer->blob, .size = (int64_t)size};
    sw_manifest_add_layer(a, &m, &d);
    sw_buf_reset(&text);
    sw_manifest_write(&text, &m);
    *ret = sw_descriptor_of(SW_MT_OCI_MANIFEST, sw_buf_str(&text));
    return code ? code : sw_blob_put(s, sw_buf_str(&text), NULL, err);
}

static enum sw_code run_step(struct sw_store *s, const struct sw_digest *blob,
                             struct sw_error *err) {
    struct sw_snapshot_draft d;
    struct sw_snapshot out;
    struct sw_snapshot_key key = {SW_SNAPSHOT_STEP, SW_OVERLAY_USER, *blob};
    enum sw_code code = sw_snapshot_begin(s, &d, err);
    if (code) return code;
    code = sw_write_file_at(d.fs_fd, "out", 0644, SW_STR("result"), err);
    if (code) {
        sw_snapshot_abort(&d);
        return code;
    }
    if ((code = sw_snapshot_commit(&d, &key, SW_SNAPSHOT_SIZE_COUNT, 0, &out, err))) return code;
    struct sw_cache_ref refs[2] = {{.is_snapshot = true, .snapshot = out.id}, {.blob = *blob}};
    struct sw_cache_record r = {.value = SW_STR("{}"), .refs = refs, .n_refs = 2};
    memcpy(r.key, blob->bytes, sizeof r.key);
    return sw_cache_put(s, &r, err);
}

static enum sw_code build(struct sw_store *s, struct sw_arena *a, const char *text,
                          struct sw_error *err) {
    struct sw_unpack_layer layer;
    struct sw_descriptor d;
    struct sw_snapshot out;
    struct sw_layer_index *x;
    struct sw_unpack_options options = {.form = SW_OVERLAY_USER, .remember_owner = true};
    enum sw_code code = put_layer(s, text, &layer, err);
    if (!code) code = put_image(s, a, &layer, &d, err);
    if (!code) code = sw_tags_set(s, SW_STR("app"), &d, err);
    if (!code) code = sw_layer_index_open(s, &layer, &x, err);
    if (!code) sw_layer_index_free(x);
    if (!code) code = sw_unpack_layers(s, NULL, &layer, 1, &options, &out, NULL, err);
    return code ? code : run_step(s, &layer.diff_id, err);
}

static enum sw_code work(const char *root, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    SW_STORE struct sw_store *s = NULL;
    struct sw_store_options options = {.root = root};
    struct sw_gc_options prune = {.untagged = true};
    struct sw_gc_result result;
    sw_arena_init(&a, 0);
    enum sw_code code = sw_store_open(&options, &s, err);
    if (!code) code = build(s, &a, "one", err);
    if (!code) code = build(s, &a, "two", err);
    if (code) return code;
    sw_store_free(s);
    s = NULL;
    code = sw_store_open(&options, &s, err);
    if (!code) code = sw_gc_run(s, &prune, &result, err);
    if (!code) code = build(s, &a, "three", err);
    return code;
}

/* ---- the tests ---- */

static const char *self;

/* In memory where that is possible: hundreds of stores are made, each of which syncs. */
static void make_dir(char dir[64]) {
    strcpy(dir,
           access("/dev/shm", W_OK) == 0 ? "/dev/shm/sw-crash-XXXXXX" : "/tmp/sw-crash-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

/* Exit status of the work with a fault: 0 done, 1 an error, 137 killed. */
static int run_with(const char *root, const char *fault) {
    pid_t child = fork();
    if (child == 0) {
        if (fault) setenv("SLIPWAY_FAULT", fault, 1);
        execl(self, self, "--work", root, fault ? "quiet" : NULL, NULL);
        _exit(126);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static unsigned check_root(const char *root, const char *fault) {
    struct sw_store *s = NULL;
    struct sw_error err;
    unsigned bad = 0;
    struct sw_store_options options = {.root = root};
    struct sw_store_check_options check = {.verify_blobs = true};
    if (sw_store_open(&options, &s, &err) || sw_store_check(s, &check, &bad, &err))
        fail_msg("after %s: %s", fault, err.text);
    sw_store_free(s);
    return bad;
}

static void fail_each(const char *call, const char *action, int max, int step) {
    char dir[64], root[96], fault[64];
    struct sw_error err;
    int n = 1, runs = 0;
    make_dir(dir);
    for (; n <= max; n += step, runs++) {
        snprintf(root, sizeof root, "%s/%d", dir, n);
        snprintf(fault, sizeof fault, "%s:%d:%s", call, n, action);
        int status = run_with(root, fault);
        if (status != 0 && status != 1 && status != 137) fail_msg("%s: status %d", fault, status);
        unsigned bad = check_root(root, fault);
        if (bad) fail_msg("%s: %u violations", fault, bad);
        if (run_with(root, NULL) != 0) fail_msg("after %s the work does not succeed", fault);
        if (check_root(root, fault)) fail_msg("%s, then the work: violations", fault);
        assert_ok(sw_remove_tree_at(AT_FDCWD, root, &err), err);
        /* Not reached any more: the work makes fewer of these calls. */
        if (!strcmp(action, "kill") && status == 0) break;
    }
    print_message("# %s %s: %d places\n", call, action, runs);
    assert_ok(sw_remove_tree_at(AT_FDCWD, dir, &err), err);
}

static void killed_at_any_rename(void **state) {
    (void)state;
    fail_each("rename", "kill", 200, 1);
}
static void killed_at_any_sync(void **state) {
    (void)state;
    fail_each("fsync", "kill", 200, 1);
    fail_each("fdatasync", "kill", 200, 1);
}
static void killed_at_any_unlink_or_mkdir(void **state) {
    (void)state;
    fail_each("unlink", "kill", 200, 1);
    fail_each("mkdir", "kill", 200, 1);
}
static void killed_at_some_writes_and_opens(void **state) {
    (void)state;
    fail_each("write", "kill", 400, 3);
    fail_each("openat", "kill", 800, 11);
}
static void failing_calls_leave_the_store_whole(void **state) {
    (void)state;
    fail_each("write", "ENOSPC", 100, 5);
    fail_each("fsync", "EIO", 30, 3);
    fail_each("fdatasync", "EIO", 9, 1);
    fail_each("rename", "EIO", 24, 1);
    fail_each("openat", "EMFILE", 200, 17);
    fail_each("mkdir", "ENOSPC", 20, 2);
    fail_each("write", "short", 40, 7);
}
static void a_full_disk_is_an_error_not_a_crash(void **state) {
    (void)state;
    char dir[64], root[96];
    struct sw_error err;
    make_dir(dir);
    snprintf(root, sizeof root, "%s/root", dir);
    assert_int_equal(run_with(root, NULL), 0);
    for (int n = 1; n < 40; n += 4) {
        char fault[32];
        snprintf(fault, sizeof fault, "write:%d+:ENOSPC", n);
        int status = run_with(root, fault);
        assert_true(status == 0 || status == 1);
        assert_int_equal(check_root(root, fault), 0);
    }
    assert_int_equal(run_with(root, NULL), 0);
    assert_ok(sw_remove_tree_at(AT_FDCWD, dir, &err), err);
}

/* Real signals, at moments that nobody chose. */
static void killed_at_random_moments(void **state) {
    (void)state;
    char dir[64], root[96];
    struct sw_error err;
    unsigned seed = 12345;
    make_dir(dir);
    snprintf(root, sizeof root, "%s/root", dir);
    for (int i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl(self, self, "--work", root, NULL);
            _exit(126);
        }
        usleep((unsigned)rand_r(&seed) % 30000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (access(root, F_OK) == 0 && check_root(root, "SIGKILL"))
            fail_msg("violations after kill %d", i);
    }
    assert_int_equal(run_with(root, NULL), 0);
    assert_int_equal(check_root(root, "SIGKILL"), 0);
    assert_ok(sw_remove_tree_at(AT_FDCWD, dir, &err), err);
}

int main(int argc, char **argv) {
    if (argc >= 3 && !strcmp(argv[1], "--work")) {
        struct sw_error err;
        if (!work(argv[2], &err)) return 0;
        if (argc < 4) fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    self = "/proc/self/exe";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_rename),
        cmocka_unit_test(killed_at_any_sync),
        cmocka_unit_test(killed_at_any_unlink_or_mkdir),
        cmocka_unit_test(killed_at_some_writes_and_opens),
        cmocka_unit_test(failing_calls_leave_the_store_whole),
        cmocka_unit_test(a_full_disk_is_an_error_not_a_crash),
        cmocka_unit_test(killed_at_random_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
