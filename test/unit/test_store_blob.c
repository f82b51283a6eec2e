#include "store_fixture.h"

#include "base/clock.h"

static void fresh_root_is_an_image_layout(void **state) {
    struct fixture *f = fixture_new();
    struct sw_buf text;
    sw_buf_init(&text, 0);
    int root = sw_store_root_fd(f->store);
    (void)state;
    assert_ok(sw_read_file_at(root, "oci-layout", 100, &text, &f->err), f->err);
    assert_true(sw_str_find(sw_buf_str(&text), SW_STR("\"imageLayoutVersion\":\"1.0.0\"")) !=
                SIZE_MAX);
    struct stat st;
    assert_int_equal(fstatat(root, "blobs/sha256", &st, 0), 0);
    assert_int_equal(violations(f), 0);
    sw_buf_done(&text);
    fixture_free(f);
}

static void open_refuses_a_directory_with_other_files(void **state) {
    struct fixture *f = fixture_new();
    char path[128];
    struct sw_store *other = NULL;
    struct sw_store_options options = {.root = path};
    (void)state;
    snprintf(path, sizeof path, "%s/home", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    assert_ok(sw_write_file_at(dir, "diary.txt", 0600, SW_STR("dear"), &f->err), f->err);
    close(dir);
    assert_refused(sw_store_open(&options, &other, &f->err), SW_EXISTS, f->err);
    assert_non_null(strstr(f->err.text, "diary.txt"));
    fixture_free(f);
}

static void open_for_reading_needs_a_store(void **state) {
    struct fixture *f = fixture_new();
    char path[128];
    struct sw_store *other = NULL;
    struct sw_store_options options = {.root = path, .read_only = true};
    (void)state;
    snprintf(path, sizeof path, "%s/none", f->dir);
    assert_refused(sw_store_open(&options, &other, &f->err), SW_NOT_FOUND, f->err);
    options.root = f->root;
    assert_ok(sw_store_open(&options, &other, &f->err), f->err);
    assert_refused(sw_blob_put(other, SW_STR("x"), NULL, &f->err), SW_DENIED, f->err);
    sw_store_free(other);
    fixture_free(f);
}

static void newer_store_is_refused(void **state) {
    struct fixture *f = fixture_new();
    struct sw_store *other = NULL;
    struct sw_store_options options = {.root = f->root};
    (void)state;
    int dir = openat(sw_store_root_fd(f->store), "slipway", O_RDONLY | O_DIRECTORY);
    assert_ok(sw_write_file_at(dir, "format", 0644, SW_STR("99\n"), &f->err), f->err);
    close(dir);
    assert_refused(sw_store_open(&options, &other, &f->err), SW_UNSUPPORTED, f->err);
    fixture_free(f);
}

static char *no_env(const char *name) {
    (void)name;
    return NULL;
}
static char *home_env(const char *name) {
    static char home[] = "/home/u", relative[] = "relative/is/ignored";
    return !strcmp(name, "HOME") ? home : !strcmp(name, "XDG_DATA_HOME") ? relative : NULL;
}
static void default_root_follows_environment(void **state) {
    struct sw_error err;
    struct sw_buf to;
    (void)state;
    sw_buf_init(&to, 4096);
    assert_ok(sw_store_default_root(no_env, 0, &to, &err), err);
    assert_str(sw_buf_str(&to), "/var/lib/slipway");
    assert_ok(sw_store_default_root(home_env, 1000, &to, &err), err);
    assert_str(sw_buf_str(&to), "/home/u/.local/share/slipway");
    assert_refused(sw_store_default_root(no_env, 1000, &to, &err), SW_USAGE, err);
    sw_buf_done(&to);
}

static void blob_is_absent_until_commit(void **state) {
    struct fixture *f = fixture_new();
    struct sw_blob_writer w;
    struct sw_digest digest, expected = sw_digest_of(SW_SHA256, SW_STR("hello"));
    (void)state;
    assert_ok(sw_blob_begin(f->store, true, &w, &f->err), f->err);
    assert_ok(sw_blob_write(&w, "hel", 3, &f->err), f->err);
    assert_ok(sw_blob_write(&w, "lo", 2, &f->err), f->err);
    assert_false(sw_blob_exists(f->store, &expected, NULL));
    assert_ok(sw_blob_commit(&w, NULL, 5, &digest, NULL, &f->err), f->err);
    assert_true(sw_digest_eq(&digest, &expected));
    struct sw_buf text;
    sw_buf_init(&text, 0);
    assert_ok(sw_blob_read(f->store, &digest, 100, &text, &f->err), f->err);
    assert_str(sw_buf_str(&text), "hello");
    sw_buf_done(&text);
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void commit_rejects_wrong_size_and_digest(void **state) {
    struct fixture *f = fixture_new();
    struct sw_blob_writer w;
    struct sw_digest other = sw_digest_of(SW_SHA256, SW_STR("other"));
    (void)state;
    assert_ok(sw_blob_begin(f->store, true, &w, &f->err), f->err);
    assert_ok(sw_blob_write(&w, "abc", 3, &f->err), f->err);
    assert_refused(sw_blob_commit(&w, NULL, 4, NULL, NULL, &f->err), SW_CORRUPT, f->err);
    assert_ok(sw_blob_begin(f->store, true, &w, &f->err), f->err);
    assert_ok(sw_blob_write(&w, "abc", 3, &f->err), f->err);
    assert_refused(sw_blob_commit(&w, &other, SW_BLOB_SIZE_UNKNOWN, NULL, NULL, &f->err),
                   SW_CORRUPT, f->err);
    assert_false(sw_blob_exists(f->store, &other, NULL));
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void commit_again_is_success(void **state) {
    struct fixture *f = fixture_new();
    struct sw_digest a, b;
    (void)state;
    assert_ok(sw_blob_put(f->store, SW_STR("same"), &a, &f->err), f->err);
    struct sw_blob_writer w;
    assert_ok(sw_blob_begin(f->store, true, &w, &f->err), f->err);
    assert_ok(sw_blob_write(&w, "same", 4, &f->err), f->err);
    assert_ok(sw_blob_commit(&w, &a, 4, &b, NULL, &f->err), f->err);
    assert_true(sw_digest_eq(&a, &b));
    fixture_free(f);
}

static void commit_all_names_every_blob(void **state) {
    struct fixture *f = fixture_new();
    struct sw_blob_writer w[3], *list[3] = {&w[0], &w[1], &w[2]};
    struct sw_digest digests[3] = {{0}};
    uint64_t sizes[3] = {1, 1, SW_BLOB_SIZE_UNKNOWN};
    (void)state;
    for (int i = 0; i < 3; i++) {
        char c = (char)('a' + i);
        assert_ok(sw_blob_begin(f->store, true, &w[i], &f->err), f->err);
        assert_ok(sw_blob_write(&w[i], &c, 1, &f->err), f->err);
    }
    assert_ok(sw_blob_commit_all(list, 3, digests, sizes, &f->err), f->err);
    for (int i = 0; i < 3; i++) assert_true(sw_blob_exists(f->store, &digests[i], NULL));
    fixture_free(f);
}

static void read_detects_damage(void **state) {
    struct fixture *f = fixture_new();
    struct sw_digest d;
    struct sw_buf path, text;
    (void)state;
    sw_buf_init(&path, 0);
    sw_buf_init(&text, 0);
    assert_ok(sw_blob_put(f->store, SW_STR("precious"), &d, &f->err), f->err);
    sw_blob_path(&d, &path);
    int fd = openat(sw_store_root_fd(f->store), path.ptr, O_WRONLY);
    assert_int_equal(pwrite(fd, "P", 1, 0), 1);
    close(fd);
    assert_refused(sw_blob_read(f->store, &d, 100, &text, &f->err), SW_CORRUPT, f->err);
    assert_refused(sw_blob_verify(f->store, &d, &f->err), SW_CORRUPT, f->err);
    assert_int_equal(violations(f), 1);
    sw_buf_done(&path);
    sw_buf_done(&text);
    fixture_free(f);
}

static void sha512_blobs_have_their_directory(void **state) {
    struct fixture *f = fixture_new();
    struct sw_digest d = sw_digest_of(SW_SHA512, SW_STR("long"));
    struct sw_blob_writer w;
    (void)state;
    assert_ok(sw_blob_begin(f->store, false, &w, &f->err), f->err);
    assert_ok(sw_blob_write(&w, "long", 4, &f->err), f->err);
    assert_ok(sw_blob_commit(&w, &d, 4, NULL, NULL, &f->err), f->err);
    assert_ok(sw_blob_verify(f->store, &d, &f->err), f->err);
    fixture_free(f);
}

static void temporary_entries_of_the_dead_go(void **state) {
    struct fixture *f = fixture_new();
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct sw_store *s;
        struct sw_store_options options = {.root = f->root};
        struct sw_error err;
        struct sw_blob_writer w;
        if (sw_store_open(&options, &s, &err) || sw_blob_begin(s, true, &w, &err)) _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    /* Nobody has cleaned yet: the handle here took no lease. */
    assert_int_equal(violations(f), 0);
    assert_int_equal(unlinkat(sw_store_root_fd(f->store), "slipway/tmp", AT_REMOVEDIR), 0);
    fixture_free(f);
}

static void opening_is_cheap(void **state) {
    struct fixture *f = fixture_new();
    (void)state;
    int64_t start = sw_now_mono_ns();
    for (int i = 0; i < 20; i++) fixture_reopen(f);
    int64_t each_us = (sw_now_mono_ns() - start) / 20000;
    print_message("# opening takes %lld us\n", (long long)each_us);
    assert_true(each_us < 50000);
    fixture_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_root_is_an_image_layout),
        cmocka_unit_test(open_refuses_a_directory_with_other_files),
        cmocka_unit_test(open_for_reading_needs_a_store),
        cmocka_unit_test(newer_store_is_refused),
        cmocka_unit_test(default_root_follows_environment),
        cmocka_unit_test(blob_is_absent_until_commit),
        cmocka_unit_test(commit_rejects_wrong_size_and_digest),
        cmocka_unit_test(commit_again_is_success),
        cmocka_unit_test(commit_all_names_every_blob),
        cmocka_unit_test(read_detects_damage),
        cmocka_unit_test(sha512_blobs_have_their_directory),
        cmocka_unit_test(temporary_entries_of_the_dead_go),
        cmocka_unit_test(opening_is_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
