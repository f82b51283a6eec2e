#include "store_fixture.h"

#include "base/clock.h"
#include "store/cache.h"
#include "store/filehash.h"
#include "store/snapshot.h"

static void key_of(const char *text, uint8_t key[SW_CACHE_KEY_SIZE]) {
    struct sw_digest d = sw_digest_of(SW_SHA256, sw_str(text));
    memcpy(key, d.bytes, SW_CACHE_KEY_SIZE);
}

static struct sw_snapshot snapshot_of(struct fixture *f, const char *text,
                                      enum sw_snapshot_kind kind) {
    struct sw_snapshot_draft d;
    struct sw_snapshot out;
    struct sw_snapshot_key key = {kind, SW_OVERLAY_USER, sw_digest_of(SW_SHA256, sw_str(text))};
    assert_ok(sw_snapshot_begin(f->store, &d, &f->err), f->err);
    assert_ok(sw_write_file_at(d.fs_fd, "content", 0644, sw_str(text), &f->err), f->err);
    assert_ok(sw_snapshot_commit(&d, &key, SW_SNAPSHOT_SIZE_COUNT, 0, &out, &f->err), f->err);
    return out;
}

static void record_is_read_back(void **state) {
    struct fixture *f = fixture_new();
    struct sw_cache_record r = {.value = SW_STR("{\"a\":1}")}, got;
    struct sw_cache_ref refs[2] = {{0}};
    (void)state;
    key_of("step", r.key);
    refs[0].is_snapshot = true;
    refs[0].snapshot = snapshot_of(f, "tree", SW_SNAPSHOT_STEP).id;
    assert_ok(sw_blob_put(f->store, SW_STR("blob"), &refs[1].blob, &f->err), f->err);
    r.refs = refs;
    r.n_refs = 2;
    assert_refused(sw_cache_get(f->store, &f->arena, r.key, &got, &f->err), SW_NOT_FOUND, f->err);
    assert_ok(sw_cache_put(f->store, &r, &f->err), f->err);
    fixture_reopen(f);
    assert_ok(sw_cache_get(f->store, &f->arena, r.key, &got, &f->err), f->err);
    assert_str(got.value, "{\"a\":1}");
    assert_int_equal(got.n_refs, 2);
    assert_int_equal(got.refs[0].snapshot, refs[0].snapshot);
    assert_true(sw_digest_eq(&got.refs[1].blob, &refs[1].blob));
    r.value = SW_STR("new");
    assert_ok(sw_cache_put(f->store, &r, &f->err), f->err);
    assert_ok(sw_cache_get(f->store, &f->arena, r.key, &got, &f->err), f->err);
    assert_str(got.value, "new");
    assert_ok(sw_cache_delete(f->store, r.key, &f->err), f->err);
    assert_refused(sw_cache_get(f->store, &f->arena, r.key, &got, &f->err), SW_NOT_FOUND, f->err);
    fixture_free(f);
}

static void put_refuses_missing_references_and_large_values(void **state) {
    struct fixture *f = fixture_new();
    struct sw_cache_ref ref = {.blob = sw_digest_of(SW_SHA256, SW_STR("nowhere"))};
    struct sw_cache_record r = {.refs = &ref, .n_refs = 1};
    (void)state;
    assert_refused(sw_cache_put(f->store, &r, &f->err), SW_NOT_FOUND, f->err);
    r.n_refs = 0;
    r.value = (struct sw_str){"", SW_CACHE_VALUE_MAX + 1};
    assert_refused(sw_cache_put(f->store, &r, &f->err), SW_LIMIT, f->err);
    fixture_free(f);
}

static void record_without_its_snapshot_counts_as_missing(void **state) {
    struct fixture *f = fixture_new();
    struct sw_cache_ref ref = {.is_snapshot = true};
    struct sw_cache_record r = {.refs = &ref, .n_refs = 1}, got;
    char path[64];
    (void)state;
    key_of("step", r.key);
    ref.snapshot = snapshot_of(f, "tree", SW_SNAPSHOT_STEP).id;
    assert_ok(sw_cache_put(f->store, &r, &f->err), f->err);
    snprintf(path, sizeof path, "slipway/snapshots/%d", (int)ref.snapshot);
    assert_ok(sw_remove_tree_at(sw_store_root_fd(f->store), path, &f->err), f->err);
    assert_refused(sw_cache_get(f->store, &f->arena, r.key, &got, &f->err), SW_NOT_FOUND, f->err);
    /* The same content can be committed again, under a new number. */
    struct sw_snapshot again = snapshot_of(f, "tree", SW_SNAPSHOT_STEP);
    assert_true(again.id > ref.snapshot);
    fixture_free(f);
}

static void snapshot_of_another_boot_is_absent(void **state) {
    struct fixture *f = fixture_new();
    struct sw_snapshot out, made = snapshot_of(f, "tree", SW_SNAPSHOT_STEP);
    char command[256];
    (void)state;
    assert_ok(sw_snapshot_get(f->store, made.id, &out, &f->err), f->err);
    snprintf(command, sizeof command,
             "sqlite3 %s/slipway/state.db \"UPDATE snapshots SET boot='before'\"", f->root);
    if (system("command -v sqlite3 >/dev/null") != 0) skip();
    assert_int_equal(system(command), 0);
    assert_refused(sw_snapshot_get(f->store, made.id, &out, &f->err), SW_NOT_FOUND, f->err);
    struct sw_snapshot again = snapshot_of(f, "tree", SW_SNAPSHOT_STEP);
    assert_true(again.id != made.id);
    assert_ok(sw_snapshot_get(f->store, again.id, &out, &f->err), f->err);
    fixture_free(f);
}

static void snapshot_is_committed_once(void **state) {
    struct fixture *f = fixture_new();
    struct sw_snapshot a = snapshot_of(f, "tree", SW_SNAPSHOT_STEP);
    struct sw_snapshot b = snapshot_of(f, "tree", SW_SNAPSHOT_STEP);
    (void)state;
    assert_int_equal(a.id, b.id);
    struct sw_snapshot c = snapshot_of(f, "tree", SW_SNAPSHOT_LAYER);
    assert_int_not_equal(a.id, c.id);
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void a_cached_lookup_writes_nothing(void **state) {
    struct fixture *f = fixture_new();
    struct sw_cache_record r = {.value = SW_STR("v")}, got;
    char path[128];
    struct stat before, after;
    (void)state;
    key_of("step", r.key);
    assert_ok(sw_cache_put(f->store, &r, &f->err), f->err);
    fixture_reopen(f);
    snprintf(path, sizeof path, "%s/slipway/state.db-wal", f->root);
    assert_int_equal(stat(path, &before), 0);
    int64_t start = sw_now_mono_ns();
    for (int i = 0; i < 1000; i++)
        assert_ok(sw_cache_get(f->store, &f->arena, r.key, &got, &f->err), f->err);
    print_message("# a lookup takes %lld ns\n", (long long)(sw_now_mono_ns() - start) / 1000);
    fixture_reopen(f);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    fixture_free(f);
}

static void lock_is_held_by_one(void **state) {
    struct fixture *f = fixture_new();
    struct sw_store_lock a, b;
    uint8_t key[SW_CACHE_KEY_SIZE];
    (void)state;
    key_of("step", key);
    assert_ok(sw_store_lock(f->store, key, false, NULL, NULL, &a, &f->err), f->err);
    assert_refused(sw_store_lock(f->store, key, false, NULL, NULL, &b, &f->err), SW_BUSY, f->err);
    sw_store_unlock(&a);
    assert_ok(sw_store_lock(f->store, key, false, NULL, NULL, &b, &f->err), f->err);
    sw_store_unlock(&b);
    fixture_free(f);
}

/* Each process adds one to a number in a file, which only works when one does it at a time. */
static void lock_excludes_processes(void **state) {
    struct fixture *f = fixture_new();
    uint8_t key[SW_CACHE_KEY_SIZE];
    char path[128];
    (void)state;
    key_of("count", key);
    snprintf(path, sizeof path, "%s/count", f->dir);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_int_equal(write(fd, "\0", 1), 1);
    for (int i = 0; i < 8; i++) {
        if (fork()) continue;
        struct sw_store *s;
        struct sw_store_options options = {.root = f->root};
        struct sw_error err;
        struct sw_store_lock lock;
        unsigned char n;
        if (sw_store_open(&options, &s, &err)) _exit(1);
        for (int j = 0; j < 10; j++) {
            if (sw_store_lock(s, key, true, NULL, NULL, &lock, &err)) _exit(2);
            if (pread(fd, &n, 1, 0) != 1) _exit(3);
            n++;
            if (pwrite(fd, &n, 1, 0) != 1) _exit(4);
            sw_store_unlock(&lock);
        }
        _exit(0);
    }
    for (int i = 0; i < 8; i++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    unsigned char n;
    assert_int_equal(pread(fd, &n, 1, 0), 1);
    assert_int_equal(n, 80);
    close(fd);
    fixture_free(f);
}

static void many_processes_share_the_database(void **state) {
    struct fixture *f = fixture_new();
    (void)state;
    for (int i = 0; i < 12; i++) {
        if (fork()) continue;
        struct sw_store *s;
        struct sw_store_options options = {.root = f->root};
        struct sw_error err;
        int failed = sw_store_open(&options, &s, &err) != SW_OK;
        for (int j = 0; j < 20 && !failed; j++) {
            char text[32];
            struct sw_cache_record r = {.value = SW_STR("v")};
            snprintf(text, sizeof text, "%d-%d", i, j);
            key_of(text, r.key);
            failed = sw_cache_put(s, &r, &err) != SW_OK;
        }
        if (failed) fprintf(stderr, "%s\n", err.text);
        sw_store_free(failed ? NULL : s);
        _exit(failed);
    }
    for (int i = 0; i < 12; i++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    struct sw_cache_record got;
    for (int i = 0; i < 12; i++) {
        char text[32];
        uint8_t key[SW_CACHE_KEY_SIZE];
        snprintf(text, sizeof text, "%d-19", i);
        key_of(text, key);
        assert_ok(sw_cache_get(f->store, &f->arena, key, &got, &f->err), f->err);
    }
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

/* ---- file hashes ---- */

static struct stat fake_file(uint64_t ino) {
    struct stat st = {.st_dev = 1, .st_ino = ino, .st_size = 10};
    st.st_mtim = st.st_ctim = (struct timespec){1000, 5};
    return st;
}

static void file_hashes_are_remembered(void **state) {
    struct fixture *f = fixture_new();
    struct sw_filehash *fh;
    struct stat root = {.st_dev = 7, .st_ino = 9};
    struct sw_digest d = sw_digest_of(SW_SHA256, SW_STR("x")), got;
    const int n = 50000;
    (void)state;
    assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
    for (int i = 0; i < n; i++) {
        struct stat st = fake_file((uint64_t)i);
        assert_false(sw_filehash_get(fh, &st, &got));
        sw_filehash_put(fh, &st, sw_now_unix_ns(), &d);
    }
    assert_ok(sw_filehash_save(fh, &f->err), f->err);
    sw_filehash_free(fh);
    int64_t start = sw_now_mono_ns();
    assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
    int64_t loaded = sw_now_mono_ns();
    for (int i = 0; i < n; i++) {
        struct stat st = fake_file((uint64_t)i);
        assert_true(sw_filehash_get(fh, &st, &got));
    }
    print_message("# 50000 hashes: loaded in %lld us, asked in %lld us\n",
                  (long long)(loaded - start) / 1000,
                  (long long)(sw_now_mono_ns() - loaded) / 1000);
    assert_true(sw_digest_eq(&got, &d));
    struct stat changed = fake_file(3);
    changed.st_ctim.tv_nsec++;
    assert_false(sw_filehash_get(fh, &changed, &got));
    changed = fake_file(3);
    changed.st_size++;
    assert_false(sw_filehash_get(fh, &changed, &got));
    sw_filehash_free(fh);
    fixture_free(f);
}

static void racy_files_are_not_remembered(void **state) {
    struct fixture *f = fixture_new();
    struct sw_filehash *fh;
    struct stat root = {.st_dev = 7, .st_ino = 9}, st = fake_file(1);
    struct sw_digest d = sw_digest_of(SW_SHA256, SW_STR("x"));
    (void)state;
    assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
    int64_t changed = (int64_t)1000 * 1000000000 + 5;
    sw_filehash_put(fh, &st, changed + 1000000, &d);
    assert_int_equal(sw_filehash_count(fh), 0);
    st.st_mtim.tv_nsec = st.st_ctim.tv_nsec = 0;
    sw_filehash_put(fh, &st, changed + (int64_t)1000000000, &d);
    assert_int_equal(sw_filehash_count(fh), 0);
    sw_filehash_put(fh, &st, changed + (int64_t)3 * 1000000000, &d);
    assert_int_equal(sw_filehash_count(fh), 1);
    sw_filehash_free(fh);
    fixture_free(f);
}

static void plain_files_are_remembered_until_they_change(void **state) {
    struct fixture *f = fixture_new();
    struct sw_filehash *fh;
    struct stat root = {.st_dev = 7, .st_ino = 9}, st = fake_file(1), other = fake_file(2);
    struct sw_digest d = sw_digest_of(SW_SHA256, SW_STR("x"));
    int64_t changed = (int64_t)1000 * 1000000000 + 5, later = changed + (int64_t)1000000000;
    (void)state;
    assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
    /* There is no record without a hash. */
    sw_filehash_put_plain(fh, &st, later);
    assert_false(sw_filehash_is_plain(fh, &st));
    sw_filehash_put(fh, &st, later, &d);
    sw_filehash_put(fh, &other, later, &d);
    assert_false(sw_filehash_is_plain(fh, &st));
    /* Listed so soon after a change that an attribute could have come with the same ctime. */
    sw_filehash_put_plain(fh, &st, changed + 1000000);
    assert_false(sw_filehash_is_plain(fh, &st));
    sw_filehash_put_plain(fh, &st, later);
    assert_true(sw_filehash_is_plain(fh, &st));
    assert_ok(sw_filehash_save(fh, &f->err), f->err);
    sw_filehash_free(fh);
    assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
    assert_true(sw_filehash_is_plain(fh, &st));
    assert_false(sw_filehash_is_plain(fh, &other));
    st.st_ctim.tv_nsec++;
    assert_false(sw_filehash_is_plain(fh, &st));
    /* What is hashed anew is not plain before it is said again. */
    sw_filehash_put(fh, &st, later, &d);
    assert_false(sw_filehash_is_plain(fh, &st));
    sw_filehash_free(fh);
    fixture_free(f);
}

static void unused_hashes_are_dropped_in_time(void **state) {
    struct fixture *f = fixture_new();
    struct sw_filehash *fh;
    struct stat root = {.st_dev = 7, .st_ino = 9}, used = fake_file(1), unused = fake_file(2);
    struct sw_digest d = sw_digest_of(SW_SHA256, SW_STR("x")), got;
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct stat fresh = fake_file(100 + (uint64_t)i);
        assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
        if (i == 0) {
            sw_filehash_put(fh, &used, sw_now_unix_ns(), &d);
            sw_filehash_put(fh, &unused, sw_now_unix_ns(), &d);
        }
        assert_true(sw_filehash_get(fh, &used, &got));
        sw_filehash_put(fh, &fresh, sw_now_unix_ns(), &d);
        assert_ok(sw_filehash_save(fh, &f->err), f->err);
        sw_filehash_free(fh);
    }
    assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
    assert_true(sw_filehash_get(fh, &used, &got));
    assert_false(sw_filehash_get(fh, &unused, &got));
    sw_filehash_free(fh);
    fixture_free(f);
}

static void damaged_memory_is_forgotten(void **state) {
    struct fixture *f = fixture_new();
    struct sw_filehash *fh;
    struct stat root = {.st_dev = 7, .st_ino = 9}, st = fake_file(1);
    struct sw_digest d = sw_digest_of(SW_SHA256, SW_STR("x"));
    (void)state;
    assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
    sw_filehash_put(fh, &st, sw_now_unix_ns(), &d);
    assert_ok(sw_filehash_save(fh, &f->err), f->err);
    sw_filehash_free(fh);
    int fd = openat(sw_store_root_fd(f->store), "slipway/filehash/7-9", O_WRONLY);
    assert_int_equal(pwrite(fd, "!", 1, 80), 1);
    close(fd);
    assert_ok(sw_filehash_open(f->store, &root, &fh, &f->err), f->err);
    assert_int_equal(sw_filehash_count(fh), 0);
    sw_filehash_free(fh);
    fixture_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_is_read_back),
        cmocka_unit_test(put_refuses_missing_references_and_large_values),
        cmocka_unit_test(record_without_its_snapshot_counts_as_missing),
        cmocka_unit_test(snapshot_of_another_boot_is_absent),
        cmocka_unit_test(snapshot_is_committed_once),
        cmocka_unit_test(a_cached_lookup_writes_nothing),
        cmocka_unit_test(lock_is_held_by_one),
        cmocka_unit_test(lock_excludes_processes),
        cmocka_unit_test(many_processes_share_the_database),
        cmocka_unit_test(file_hashes_are_remembered),
        cmocka_unit_test(racy_files_are_not_remembered),
        cmocka_unit_test(plain_files_are_remembered_until_they_change),
        cmocka_unit_test(unused_hashes_are_dropped_in_time),
        cmocka_unit_test(damaged_memory_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
