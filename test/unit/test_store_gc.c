#include "store_fixture.h"

#include <pthread.h>

#include "store/cache.h"
#include "store/gc.h"
#include "store/layer_index.h"
#include "store/snapshot.h"

static struct sw_snapshot step_of(struct sw_store *s, const char *text) {
    struct sw_error err;
    struct sw_snapshot_draft d;
    struct sw_snapshot out;
    struct sw_snapshot_key key = {SW_SNAPSHOT_STEP, SW_OVERLAY_USER,
                                  sw_digest_of(SW_SHA256, sw_str(text))};
    assert_ok(sw_snapshot_begin(s, &d, &err), err);
    assert_ok(sw_write_file_at(d.fs_fd, "content", 0644, sw_str(text), &err), err);
    assert_ok(sw_snapshot_commit(&d, &key, 4096, 1, &out, &err), err);
    return out;
}

static void record_put(struct sw_store *s, const char *key, int64_t snapshot,
                       const struct sw_digest *blob) {
    struct sw_error err;
    struct sw_cache_record r = {.value = SW_STR("v")};
    struct sw_cache_ref refs[2] = {{.is_snapshot = true, .snapshot = snapshot}};
    struct sw_digest d = sw_digest_of(SW_SHA256, sw_str(key));
    memcpy(r.key, d.bytes, sizeof r.key);
    if (blob) refs[1].blob = *blob;
    r.refs = refs;
    r.n_refs = blob ? 2 : 1;
    assert_ok(sw_cache_put(s, &r, &err), err);
}

static struct sw_gc_result collect(struct fixture *f, const struct sw_gc_options *options) {
    struct sw_gc_result r;
    assert_ok(sw_gc_run(f->store, options, &r, &f->err), f->err);
    return r;
}

static bool snapshot_exists(struct fixture *f, int64_t id) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "slipway/snapshots/%d", (int)id);
    return fstatat(sw_store_root_fd(f->store), path, &st, 0) == 0;
}

static bool blob_stored(struct fixture *f, const struct sw_digest *d) {
    struct sw_buf path;
    struct stat st;
    sw_buf_init(&path, 0);
    sw_blob_path(d, &path);
    bool found = fstatat(sw_store_root_fd(f->store), path.ptr, &st, 0) == 0;
    sw_buf_done(&path);
    return found;
}

static void unreferenced_blobs_go_and_images_stay(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "kept");
    struct sw_digest lost;
    (void)state;
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), f->err);
    assert_ok(sw_blob_put(f->store, SW_STR("lost"), &lost, &f->err), f->err);
    /* This handle made it: it stays while the handle lives. */
    struct sw_gc_result r = collect(f, NULL);
    assert_int_equal(r.blobs, 0);
    fixture_reopen(f);
    struct sw_gc_options dry = {.dry_run = true};
    r = collect(f, &dry);
    assert_int_equal(r.blobs, 1);
    assert_int_equal(r.freed_bytes, 4);
    assert_true(blob_stored(f, &lost));
    struct sw_gc_options young = {.grace_s = 3600};
    r = collect(f, &young);
    assert_int_equal(r.blobs, 0);
    r = collect(f, NULL);
    assert_int_equal(r.blobs, 1);
    assert_false(blob_stored(f, &lost));
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void unnamed_images_go_when_asked(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor one = image_of_text(f, "one"), two = image_of_text(f, "two");
    struct sw_images list;
    (void)state;
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &one, &f->err), f->err);
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &two, &f->err), f->err);
    fixture_reopen(f);
    assert_int_equal(collect(f, NULL).images, 0);
    struct sw_gc_options options = {.untagged = true};
    struct sw_gc_result r = collect(f, &options);
    assert_int_equal(r.images, 1);
    assert_int_equal(r.blobs, 3);
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    assert_int_equal(list.len, 1);
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void an_image_in_use_stays_after_its_name_is_gone(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "used"), got;
    struct sw_store *user;
    struct sw_store_options options = {.root = f->root};
    (void)state;
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), f->err);
    fixture_reopen(f);
    assert_ok(sw_store_open(&options, &user, &f->err), f->err);
    assert_ok(sw_tags_get(user, &f->arena, SW_STR("app"), &got, &f->err), f->err);
    assert_ok(sw_tags_remove(f->store, SW_STR("app"), true, NULL, NULL, &f->err), f->err);
    assert_int_equal(collect(f, NULL).blobs, 0);
    assert_ok(sw_blob_verify(user, &got.digest, &f->err), f->err);
    sw_store_free(user);
    assert_int_equal(collect(f, NULL).blobs, 3);
    fixture_free(f);
}

static void records_hold_what_they_refer_to(void **state) {
    struct fixture *f = fixture_new();
    struct sw_digest blob;
    (void)state;
    struct sw_snapshot kept = step_of(f->store, "kept"), lost = step_of(f->store, "lost");
    assert_ok(sw_blob_put(f->store, SW_STR("held"), &blob, &f->err), f->err);
    record_put(f->store, "key", kept.id, &blob);
    fixture_reopen(f);
    struct sw_gc_options options = {.unused_s = 3600};
    struct sw_gc_result r = collect(f, &options);
    assert_int_equal(r.records, 0);
    assert_int_equal(r.snapshots, 1);
    assert_true(snapshot_exists(f, kept.id));
    assert_false(snapshot_exists(f, lost.id));
    assert_true(blob_stored(f, &blob));
    r = collect(f, NULL);
    assert_int_equal(r.records, 1);
    assert_int_equal(r.snapshots, 1);
    assert_int_equal(r.blobs, 1);
    assert_false(snapshot_exists(f, kept.id));
    assert_false(blob_stored(f, &blob));
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void size_limit_evicts_the_oldest_use_first(void **state) {
    struct fixture *f = fixture_new();
    struct sw_snapshot s[3];
    char command[256], key[8];
    (void)state;
    if (system("command -v sqlite3 >/dev/null") != 0) skip();
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%d", i);
        s[i] = step_of(f->store, key);
        record_put(f->store, key, s[i].id, NULL);
    }
    fixture_reopen(f);
    snprintf(command, sizeof command,
             "sqlite3 %s/slipway/state.db 'UPDATE cache SET last_use=last_use-100*id'", f->root);
    assert_int_equal(system(command), 0);
    struct sw_gc_options dry = {.dry_run = true, .keep_cache = true};
    uint64_t all = collect(f, &dry).kept_bytes;
    struct sw_gc_options options = {.keep_bytes = all - 4096};
    struct sw_gc_result r = collect(f, &options);
    assert_int_equal(r.records, 1);
    assert_true(snapshot_exists(f, s[0].id));
    assert_true(snapshot_exists(f, s[1].id));
    assert_false(snapshot_exists(f, s[2].id)); /* id 3: the oldest use */
    fixture_free(f);
}

static void cap_is_kept_by_evicting(void **state) {
    struct fixture *f = fixture_new();
    struct sw_store *capped;
    struct sw_store_options options = {.root = f->root, .cap_bytes = (uint64_t)8 << 20};
    (void)state;
    char *big = calloc(1, (size_t)5 << 20);
    struct sw_digest d;
    assert_ok(sw_blob_put(f->store, sw_str_n(big, (size_t)5 << 20), &d, &f->err), f->err);
    free(big);
    fixture_reopen(f);
    assert_ok(sw_store_open(&options, &capped, &f->err), f->err);
    assert_ok(sw_store_reserve(capped, (uint64_t)4 << 20, &f->err), f->err);
    assert_false(blob_stored(f, &d));
    assert_refused(sw_store_reserve(capped, (uint64_t)9 << 20, &f->err), SW_LIMIT, f->err);
    sw_store_free(capped);
    fixture_free(f);
}

static void orphans_of_a_crash_go(void **state) {
    struct fixture *f = fixture_new();
    (void)state;
    struct sw_snapshot s = step_of(f->store, "a");
    record_put(f->store, "a", s.id, NULL);
    assert_int_equal(mkdirat(sw_store_root_fd(f->store), "slipway/snapshots/2", 0755), 0);
    /* The number of the orphan is given to the next snapshot. */
    struct sw_snapshot next = step_of(f->store, "b");
    assert_int_equal(next.id, 2);
    assert_int_equal(mkdirat(sw_store_root_fd(f->store), "slipway/snapshots/77", 0755), 0);
    collect(f, NULL);
    assert_false(snapshot_exists(f, 77));
    assert_true(snapshot_exists(f, s.id));
    fixture_free(f);
}

static void layers_and_indexes_are_caches(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_layer_index *x;
    struct sw_snapshot out;
    struct sw_unpack_options unpack = {.form = SW_OVERLAY_USER, .remember_owner = true};
    (void)state;
    layer_init(&l);
    layer_file(&l, "a", 0644, "a");
    struct sw_unpack_layer layer = layer_put(&l, f->store);
    struct sw_descriptor d = image_put(f, &layer, 1, "x");
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), f->err);
    assert_ok(sw_unpack_layers(f->store, NULL, &layer, 1, &unpack, &out, NULL, &f->err), f->err);
    assert_ok(sw_layer_index_open(f->store, &layer, &x, &f->err), f->err);
    sw_layer_index_free(x);
    fixture_reopen(f);
    struct sw_du du;
    assert_ok(sw_du_read(f->store, &du, &f->err), f->err);
    assert_int_equal(du.snapshots.count, 1);
    assert_true(du.snapshots.reclaimable > 0);
    assert_int_equal(du.images.count, 1);
    assert_true(du.images.bytes > 1024 && du.total_bytes >= du.images.bytes);
    struct sw_gc_options keep = {.keep_cache = true};
    assert_int_equal(collect(f, &keep).snapshots, 0);
    struct sw_gc_result r = collect(f, NULL);
    assert_int_equal(r.snapshots, 1);
    assert_int_equal(r.indexes, 1);
    assert_int_equal(r.blobs, 0);
    fixture_free(f);
}

static void shared_bytes_are_told_apart(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_unpack_layer layers[2];
    struct sw_images list;
    struct sw_du_image du[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        layer_init(&l);
        layer_file(&l, i ? "b" : "a", 0644, "x");
        layers[i] = layer_put(&l, f->store);
    }
    struct sw_descriptor one = image_put(f, layers, 1, "one"), two = image_put(f, layers, 2, "two");
    assert_ok(sw_tags_set(f->store, SW_STR("one"), &one, &f->err), f->err);
    assert_ok(sw_tags_set(f->store, SW_STR("two"), &two, &f->err), f->err);
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    assert_ok(sw_du_images(f->store, &list, du, &f->err), f->err);
    assert_int_equal(du[0].shared_bytes, 2048);
    assert_int_equal(du[1].shared_bytes, 2048);
    assert_true(du[1].unique_bytes > 2048);
    fixture_free(f);
}

/* Workers put and read records while collections run: what a worker has in hand never goes. */
static void collecting_beside_workers_harms_nobody(void **state) {
    struct fixture *f = fixture_new();
    (void)state;
    for (int i = 0; i < 4; i++) {
        if (fork()) continue;
        for (int j = 0; j < 12; j++) {
            struct sw_store *s;
            struct sw_store_options options = {.root = f->root};
            struct sw_error err;
            char text[32];
            struct sw_digest d;
            struct sw_snapshot found;
            snprintf(text, sizeof text, "%d-%d", i, j % 3);
            if (sw_store_open(&options, &s, &err)) _exit(1);
            struct sw_snapshot snap = step_of(s, text);
            if (sw_blob_put(s, sw_str(text), &d, &err)) _exit(2);
            usleep(500);
            record_put(s, text, snap.id, &d);
            if (sw_blob_verify(s, &d, &err) || sw_snapshot_get(s, snap.id, &found, &err)) {
                fprintf(stderr, "%s\n", err.text);
                _exit(3);
            }
            sw_store_free(s);
        }
        _exit(0);
    }
    for (int i = 0; i < 40; i++) collect(f, NULL);
    for (int i = 0; i < 4; i++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void *put_and_look(void *argument) {
    struct fixture *f = argument;
    struct sw_error err;
    intptr_t failed = 0;
    for (int i = 0; i < 150 && !failed; i++) {
        char text[32];
        struct sw_digest d;
        snprintf(text, sizeof text, "blob %d of %d", i, (int)gettid());
        failed = sw_blob_put(f->store, sw_str(text), &d, &err) != SW_OK ||
                 sw_blob_verify(f->store, &d, &err) != SW_OK;
    }
    return (void *)failed;
}

static void a_handle_collects_while_its_threads_work(void **state) {
    struct fixture *f = fixture_new();
    pthread_t threads[3];
    void *failed;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_look, f), 0);
    for (int i = 0; i < 30; i++) collect(f, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void a_damaged_image_stops_collection(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "x");
    struct sw_buf path;
    struct sw_gc_result r;
    (void)state;
    sw_buf_init(&path, 0);
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), f->err);
    fixture_reopen(f);
    sw_blob_path(&d.digest, &path);
    int fd = openat(sw_store_root_fd(f->store), path.ptr, O_WRONLY);
    assert_int_equal(pwrite(fd, "?", 1, 0), 1);
    close(fd);
    assert_refused(sw_gc_run(f->store, NULL, &r, &f->err), SW_CORRUPT, f->err);
    assert_non_null(strstr(f->err.text, "remove this image first"));
    assert_ok(sw_tags_remove(f->store, SW_STR("app"), true, NULL, NULL, &f->err), f->err);
    assert_int_equal(collect(f, NULL).blobs, 3);
    sw_buf_done(&path);
    fixture_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unreferenced_blobs_go_and_images_stay),
        cmocka_unit_test(unnamed_images_go_when_asked),
        cmocka_unit_test(an_image_in_use_stays_after_its_name_is_gone),
        cmocka_unit_test(records_hold_what_they_refer_to),
        cmocka_unit_test(size_limit_evicts_the_oldest_use_first),
        cmocka_unit_test(cap_is_kept_by_evicting),
        cmocka_unit_test(orphans_of_a_crash_go),
        cmocka_unit_test(layers_and_indexes_are_caches),
        cmocka_unit_test(shared_bytes_are_told_apart),
        cmocka_unit_test(collecting_beside_workers_harms_nobody),
        cmocka_unit_test(a_handle_collects_while_its_threads_work),
        cmocka_unit_test(a_damaged_image_stops_collection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
