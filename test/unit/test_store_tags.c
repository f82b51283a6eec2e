#include "store_fixture.h"

#include "base/clock.h"
#include "oci/index.h"

static struct sw_image resolve(struct fixture *f, const char *what) {
    struct sw_image image;
    assert_ok(sw_tags_resolve(f->store, &f->arena, sw_str(what), &image, &f->err), f->err);
    return image;
}

static bool resolves_to(struct fixture *f, const char *what, const struct sw_descriptor *d) {
    struct sw_image image = resolve(f, what);
    return sw_digest_eq(&image.target.digest, &d->digest);
}

static void name_is_normalised(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one"), got;
    (void)state;
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), f->err);
    assert_ok(
        sw_tags_get(f->store, &f->arena, SW_STR("docker.io/library/app:latest"), &got, &f->err),
        f->err);
    assert_true(sw_digest_eq(&got.digest, &d.digest));
    struct sw_image image = resolve(f, "app:latest");
    assert_str(image.name, "docker.io/library/app:latest");
    assert_str(image.familiar, "app:latest");
    assert_str(image.platform.architecture, "amd64");
    assert_int_equal(image.created, 1700000000);
    assert_true(image.size > 1024);
    fixture_free(f);
}

static void image_must_be_whole(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one");
    struct sw_digest *blobs;
    size_t n;
    struct sw_buf path;
    (void)state;
    sw_buf_init(&path, 0);
    assert_ok(sw_image_blobs(f->store, &f->arena, &d, &blobs, &n, &f->err), f->err);
    assert_int_equal(n, 3);
    sw_blob_path(&blobs[2], &path);
    assert_int_equal(unlinkat(sw_store_root_fd(f->store), path.ptr, 0), 0);
    assert_refused(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), SW_NOT_FOUND, f->err);
    sw_buf_done(&path);
    fixture_free(f);
}

static void moved_name_leaves_an_unnamed_image(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor one = image_of_text(f, "one"), two = image_of_text(f, "two");
    struct sw_images list;
    (void)state;
    assert_ok(sw_tags_set(f->store, SW_STR("app:1"), &one, &f->err), f->err);
    assert_ok(sw_tags_set(f->store, SW_STR("app:1"), &two, &f->err), f->err);
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    assert_int_equal(list.len, 2);
    assert_str(list.ptr[0].familiar, "app:1");
    assert_true(sw_digest_eq(&list.ptr[0].target.digest, &two.digest));
    assert_str(list.ptr[1].name, "");
    assert_true(sw_digest_eq(&list.ptr[1].target.digest, &one.digest));
    /* Naming it again takes the unnamed entry. */
    assert_ok(sw_tags_set(f->store, SW_STR("old"), &one, &f->err), f->err);
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    assert_int_equal(list.len, 2);
    fixture_free(f);
}

static void same_name_again_writes_nothing(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one");
    struct stat before, after;
    (void)state;
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), f->err);
    assert_int_equal(fstatat(sw_store_root_fd(f->store), "index.json", &before, 0), 0);
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), f->err);
    assert_int_equal(fstatat(sw_store_root_fd(f->store), "index.json", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    fixture_free(f);
}

static void removing_keeps_or_drops_the_image(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one");
    struct sw_images list;
    struct sw_digest digest;
    bool last;
    (void)state;
    struct sw_str names[2] = {SW_STR("a"), SW_STR("b")};
    struct sw_strs both = {.ptr = names, .len = 2};
    assert_ok(sw_tags_set_all(f->store, &both, &d, &f->err), f->err);
    assert_ok(sw_tags_remove(f->store, SW_STR("a"), true, &digest, &last, &f->err), f->err);
    assert_false(last);
    assert_true(sw_digest_eq(&digest, &d.digest));
    assert_ok(sw_tags_remove(f->store, SW_STR("b"), false, NULL, &last, &f->err), f->err);
    assert_true(last);
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    assert_int_equal(list.len, 1);
    assert_refused(sw_tags_remove(f->store, SW_STR("b"), true, NULL, NULL, &f->err), SW_NOT_FOUND,
                   f->err);
    assert_ok(sw_tags_drop(f->store, &d.digest, &f->err), f->err);
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    assert_int_equal(list.len, 0);
    fixture_free(f);
}

static void resolves_ids_prefixes_and_digests(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one");
    char text[SW_DIGEST_TEXT_MAX], prefix[16], named[SW_DIGEST_TEXT_MAX + 8];
    (void)state;
    assert_ok(sw_tags_set(f->store, SW_STR("app"), &d, &f->err), f->err);
    struct sw_digest id = resolve(f, "app").id;
    assert_false(sw_digest_eq(&id, &d.digest));
    sw_digest_hex(&id, text);
    snprintf(prefix, sizeof prefix, "%.12s", text);
    assert_true(resolves_to(f, prefix, &d));
    assert_true(resolves_to(f, text, &d));
    sw_digest_format(&id, text);
    assert_true(resolves_to(f, text, &d));
    sw_digest_format(&d.digest, text);
    assert_true(resolves_to(f, text, &d));
    snprintf(named, sizeof named, "app@%s", text);
    assert_true(resolves_to(f, named, &d));
    fixture_free(f);
}

static void ambiguous_prefix_lists_candidates(void **state) {
    struct fixture *f = fixture_new();
    struct sw_image image;
    char first[300][3];
    size_t n = 0;
    (void)state;
    /* By the pigeonhole two of 257 IDs share their first two digits. */
    for (; n < 257; n++) {
        char text[16], hex[SW_DIGEST_TEXT_MAX];
        snprintf(text, sizeof text, "text %zu", n);
        struct sw_descriptor d = image_of_text(f, text);
        assert_ok(sw_tags_set(f->store, sw_str(text + 5), &d, &f->err), f->err);
        struct sw_digest id = resolve(f, text + 5).id;
        sw_digest_hex(&id, hex);
        memcpy(first[n], hex, 2), first[n][2] = 0;
        for (size_t i = 0; i < n; i++) {
            if (strcmp(first[i], first[n]) != 0) continue;
            char prefix[12];
            snprintf(prefix, sizeof prefix, "sha256:%.2s", first[n]);
            assert_refused(sw_tags_resolve(f->store, &f->arena, sw_str(prefix), &image, &f->err),
                           SW_USAGE, f->err);
            assert_non_null(strstr(f->err.text, "could be any of"));
            fixture_free(f);
            return;
        }
    }
    fail_msg("no two IDs share a prefix");
}

static void unknown_name_suggests_the_nearest(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one");
    struct sw_image image;
    (void)state;
    assert_ok(sw_tags_set(f->store, SW_STR("webserver"), &d, &f->err), f->err);
    assert_refused(sw_tags_resolve(f->store, &f->arena, SW_STR("websever:latest"), &image, &f->err),
                   SW_NOT_FOUND, f->err);
    assert_non_null(strstr(f->err.text, "webserver:latest"));
    fixture_free(f);
}

static void another_tools_index_is_read_and_kept(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one"), got;
    struct sw_buf text;
    struct sw_images list;
    (void)state;
    struct sw_index index = {.media_type = SW_STR(SW_MT_OCI_INDEX)};
    struct sw_descriptor foreign = d;
    sw_pairs_set(&f->arena, &foreign.annotations, SW_STR(SW_ANN_REF_NAME), SW_STR("theirs:2"));
    sw_index_add(&f->arena, &index, &foreign);
    sw_buf_init(&text, 0);
    sw_index_write(&text, &index);
    assert_ok(sw_write_file_at(sw_store_root_fd(f->store), "index.json", 0644, sw_buf_str(&text),
                               &f->err),
              f->err);
    assert_ok(sw_tags_get(f->store, &f->arena, SW_STR("theirs:2"), &got, &f->err), f->err);
    assert_ok(sw_tags_set(f->store, SW_STR("ours"), &d, &f->err), f->err);
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    assert_int_equal(list.len, 2);
    assert_str(list.ptr[1].familiar, "theirs:2");
    assert_true(list.ptr[1].size > 0);
    assert_int_equal(violations(f), 0);
    sw_buf_done(&text);
    fixture_free(f);
}

static void names_set_by_many_processes_are_all_there(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one");
    struct sw_images list;
    (void)state;
    for (int i = 0; i < 16; i++) {
        if (fork()) continue;
        struct sw_store *s;
        struct sw_store_options options = {.root = f->root};
        struct sw_error err;
        int failed = sw_store_open(&options, &s, &err) != SW_OK;
        for (int j = 0; j < 5 && !failed; j++) {
            char name[32];
            snprintf(name, sizeof name, "app%d:%d", i, j);
            failed = sw_tags_set(s, sw_str(name), &d, &err) != SW_OK;
        }
        if (failed) fprintf(stderr, "%s\n", err.text);
        _exit(failed);
    }
    for (int i = 0; i < 16; i++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    assert_int_equal(list.len, 80);
    fixture_free(f);
}

static void thousands_of_names_are_found_quickly(void **state) {
    struct fixture *f = fixture_new();
    struct sw_descriptor d = image_of_text(f, "one"), got;
    struct sw_strs names = {0};
    (void)state;
    for (int i = 0; i < 5000; i++)
        sw_strs_add(&f->arena, &names, sw_arena_printf(&f->arena, "ghcr.io/team/app%d:1.0", i));
    assert_ok(sw_tags_set_all(f->store, &names, &d, &f->err), f->err);
    int64_t start = sw_now_mono_ns();
    assert_ok(sw_tags_get(f->store, &f->arena, SW_STR("ghcr.io/team/app4321:1.0"), &got, &f->err),
              f->err);
    int64_t got_us = (sw_now_mono_ns() - start) / 1000;
    struct sw_images list;
    start = sw_now_mono_ns();
    assert_ok(sw_tags_list(f->store, &f->arena, &list, &f->err), f->err);
    print_message("# of 5000 names: one found in %lld us, listed in %lld us\n", (long long)got_us,
                  (long long)(sw_now_mono_ns() - start) / 1000);
    assert_int_equal(list.len, 5000);
    fixture_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_normalised),
        cmocka_unit_test(image_must_be_whole),
        cmocka_unit_test(moved_name_leaves_an_unnamed_image),
        cmocka_unit_test(same_name_again_writes_nothing),
        cmocka_unit_test(removing_keeps_or_drops_the_image),
        cmocka_unit_test(resolves_ids_prefixes_and_digests),
        cmocka_unit_test(ambiguous_prefix_lists_candidates),
        cmocka_unit_test(unknown_name_suggests_the_nearest),
        cmocka_unit_test(another_tools_index_is_read_and_kept),
        cmocka_unit_test(names_set_by_many_processes_are_all_there),
        cmocka_unit_test(thousands_of_names_are_found_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
