#include "store_fixture.h"

#include "oci/docker_archive.h"
#include "oci/image_layout.h"
#include "store/archive.h"

static int temp_file(struct fixture *f, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static struct sw_strs one_name(struct fixture *f, const char *name) {
    struct sw_strs names = {0};
    sw_strs_add(&f->arena, &names, sw_str(name));
    return names;
}

static struct sw_save_image tagged(struct fixture *f, const char *text, const char *name) {
    struct sw_save_image image = {.target = image_of_text(f, text), .names = one_name(f, name)};
    assert_ok(sw_tags_set(f->store, sw_str(name), &image.target, &f->err), f->err);
    return image;
}

static struct sw_buf bytes_of(int fd) {
    struct sw_error err;
    struct sw_buf b;
    sw_buf_init(&b, 0);
    lseek(fd, 0, SEEK_SET);
    assert_ok(sw_read_fd(fd, 1 << 28, &b, &err), err);
    lseek(fd, 0, SEEK_SET);
    return b;
}

static void saved_and_loaded_is_the_same_image(enum sw_save_format format) {
    struct fixture *f = fixture_new(), *g = fixture_new();
    struct sw_save_image images[2] = {tagged(f, "one", "docker.io/library/one:1"),
                                      tagged(f, "two", "ghcr.io/a/two:2")};
    struct sw_load_result r;
    struct sw_descriptor got;
    int fd = temp_file(f, "archive.tar");
    assert_ok(sw_archive_save(f->store, fd, format, images, 2, &f->err), f->err);
    lseek(fd, 0, SEEK_SET);
    assert_ok(sw_archive_load(g->store, &g->arena, fd, NULL, &r, &g->err), g->err);
    assert_int_equal(r.len, 2);
    assert_ok(sw_tags_get(g->store, &g->arena, SW_STR("ghcr.io/a/two:2"), &got, &g->err), g->err);
    assert_true(sw_digest_eq(&got.digest, &images[1].target.digest));
    assert_ok(sw_tags_get(g->store, &g->arena, SW_STR("one:1"), &got, &g->err), g->err);
    assert_true(sw_digest_eq(&got.digest, &images[0].target.digest));
    assert_int_equal(violations(g), 0);
    close(fd);
    fixture_free(f);
    fixture_free(g);
}

static void docker_archives_round_trip(void **state) {
    (void)state;
    saved_and_loaded_is_the_same_image(SW_SAVE_DOCKER);
}

static void oci_archives_round_trip(void **state) {
    (void)state;
    saved_and_loaded_is_the_same_image(SW_SAVE_OCI);
}

static void the_same_images_give_the_same_bytes(void **state) {
    struct fixture *f = fixture_new(), *g = fixture_new();
    struct sw_save_image a = tagged(f, "same", "app:1"), b = tagged(g, "same", "app:1");
    int x = temp_file(f, "a.tar"), y = temp_file(g, "b.tar");
    (void)state;
    assert_ok(sw_archive_save(f->store, x, SW_SAVE_DOCKER, &a, 1, &f->err), f->err);
    assert_ok(sw_archive_save(g->store, y, SW_SAVE_DOCKER, &b, 1, &g->err), g->err);
    struct sw_buf p = bytes_of(x), q = bytes_of(y);
    assert_true(sw_str_eq(sw_buf_str(&p), sw_buf_str(&q)));
    sw_buf_done(&p);
    sw_buf_done(&q);
    close(x);
    close(y);
    fixture_free(f);
    fixture_free(g);
}

static void archives_come_through_pipes_and_gzip(void **state) {
    struct fixture *f = fixture_new(), *g = fixture_new();
    struct sw_save_image image = tagged(f, "one", "app:1");
    struct sw_load_result r;
    char command[256];
    (void)state;
    int fd = temp_file(f, "archive.tar");
    assert_ok(sw_archive_save(f->store, fd, SW_SAVE_OCI, &image, 1, &f->err), f->err);
    close(fd);
    snprintf(command, sizeof command, "gzip -c %s/archive.tar", f->dir);
    FILE *pipe = popen(command, "r");
    assert_ok(sw_archive_load(g->store, &g->arena, fileno(pipe), NULL, &r, &g->err), g->err);
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(r.len, 1);
    assert_true(sw_digest_eq(&r.ptr[0].target.digest, &image.target.digest));
    assert_str(r.ptr[0].names.ptr[0], "docker.io/library/app:1");
    assert_int_equal(violations(g), 0);
    fixture_free(f);
    fixture_free(g);
}

static void layout_directories_round_trip(void **state) {
    struct fixture *f = fixture_new(), *g = fixture_new();
    struct sw_save_image image = tagged(f, "one", "app:1");
    struct sw_load_result r;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/layout", f->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 2; i++)
        assert_ok(sw_archive_export(f->store, dir, &image, 1, &f->err), f->err);
    struct sw_load_options options = {.tag = SW_STR("mine:2")};
    assert_ok(sw_archive_load(g->store, &g->arena, dir, &options, &r, &g->err), g->err);
    assert_int_equal(r.len, 1);
    assert_str(r.ptr[0].names.ptr[0], "docker.io/library/mine:2");
    close(dir);
    assert_int_equal(violations(g), 0);
    fixture_free(f);
    fixture_free(g);
}

/* As docker save wrote before version 25: directories by layer, links for equal ones. */
static void legacy_docker_archives_load(void **state) {
    struct fixture *f = fixture_new();
    struct layer inner, outer;
    struct sw_image_config config = {
        .platform = {.os = SW_STR("linux"), .architecture = SW_STR("amd64")}};
    struct sw_history step = {.created_by = SW_STR("x")};
    struct sw_buf json;
    struct sw_load_result r;
    (void)state;
    layer_init(&inner);
    layer_file(&inner, "hello", 0644, "world");
    sw_tar_write_end(&inner.tar);
    struct sw_digest diff_id = sw_digest_of(SW_SHA256, sw_buf_str(&inner.tar));
    sw_image_config_add_step(&f->arena, &config, &step, &diff_id);
    sw_image_config_add_step(&f->arena, &config, &step, &diff_id);
    sw_buf_init(&json, 0);
    sw_image_config_write(&json, &config);
    layer_init(&outer);
    layer_dir(&outer, "aaaa/", 0755);
    struct sw_tar_entry e = {
        .path = SW_STR("aaaa/layer.tar"), .type = SW_TAR_FILE, .mode = 0644, .size = inner.tar.len};
    assert_ok(sw_tar_write_header(&outer.tar, &e, &f->err), f->err);
    sw_buf_add(&outer.tar, sw_buf_str(&inner.tar));
    sw_tar_write_pad(&outer.tar, inner.tar.len);
    layer_link(&outer, SW_TAR_SYMLINK, "bbbb/layer.tar", "../aaaa/layer.tar");
    layer_file(&outer, "config.json", 0644, json.ptr);
    layer_file(&outer, "manifest.json", 0644,
               "[{\"Config\":\"config.json\",\"RepoTags\":[\"old:1\"],"
               "\"Layers\":[\"aaaa/layer.tar\",\"bbbb/layer.tar\"]}]");
    sw_tar_write_end(&outer.tar);
    int fd = temp_file(f, "legacy.tar");
    assert_ok(sw_write_full(fd, outer.tar.ptr, outer.tar.len, &f->err), f->err);
    lseek(fd, 0, SEEK_SET);
    assert_ok(sw_archive_load(f->store, &f->arena, fd, NULL, &r, &f->err), f->err);
    struct sw_image image;
    assert_ok(sw_tags_resolve(f->store, &f->arena, SW_STR("old:1"), &image, &f->err), f->err);
    assert_str(image.platform.os, "linux");
    struct sw_digest expected = sw_digest_of(SW_SHA256, sw_buf_str(&json));
    assert_true(sw_digest_eq(&image.id, &expected));
    close(fd);
    sw_buf_done(&inner.tar);
    sw_buf_done(&outer.tar);
    sw_buf_done(&json);
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void damaged_archives_are_refused(void **state) {
    struct fixture *f = fixture_new(), *g = fixture_new();
    struct sw_save_image image = tagged(f, "one", "app:1");
    struct sw_load_result r;
    (void)state;
    int fd = temp_file(f, "archive.tar");
    assert_ok(sw_archive_save(f->store, fd, SW_SAVE_OCI, &image, 1, &f->err), f->err);
    struct sw_buf whole = bytes_of(fd);
    /* Each cut, and a changed byte in every block: an error or, in padding, no difference. */
    for (size_t at = 0; at < whole.len; at += 512) {
        assert_int_equal(ftruncate(fd, (off_t)at), 0);
        lseek(fd, 0, SEEK_SET);
        if (at + 1024 < whole.len) {
            struct fixture *fresh = fixture_new();
            assert_true(sw_archive_load(fresh->store, &fresh->arena, fd, NULL, &r, &fresh->err));
            assert_int_equal(violations(fresh), 0);
            fixture_free(fresh);
        }
        assert_int_equal(pwrite(fd, whole.ptr, whole.len, 0), (ssize_t)whole.len);
        char changed = (char)~whole.ptr[at + 7];
        assert_int_equal(pwrite(fd, &changed, 1, (off_t)at + 7), 1);
        lseek(fd, 0, SEEK_SET);
        if (sw_archive_load(g->store, &g->arena, fd, NULL, &r, &g->err) == SW_OK && r.len)
            assert_true(sw_digest_eq(&r.ptr[0].target.digest, &image.target.digest));
        assert_int_equal(pwrite(fd, whole.ptr, whole.len, 0), (ssize_t)whole.len);
    }
    sw_buf_done(&whole);
    close(fd);
    assert_int_equal(violations(g), 0);
    fixture_free(f);
    fixture_free(g);
}

static void other_files_are_refused_with_advice(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_load_result r;
    (void)state;
    layer_init(&l);
    layer_file(&l, "etc/passwd", 0644, "x");
    sw_tar_write_end(&l.tar);
    int fd = temp_file(f, "rootfs.tar");
    assert_ok(sw_write_full(fd, l.tar.ptr, l.tar.len, &f->err), f->err);
    lseek(fd, 0, SEEK_SET);
    assert_refused(sw_archive_load(f->store, &f->arena, fd, NULL, &r, &f->err), SW_SYNTAX, f->err);
    assert_non_null(strstr(f->err.text, "slipway import"));
    sw_buf_done(&l.tar);
    close(fd);
    fixture_free(f);
}

static void a_root_filesystem_becomes_an_image(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_import_options options = {
        .config = {.platform = {.os = SW_STR("linux"), .architecture = SW_STR("arm64")}},
        .message = SW_STR("from a tree"),
    };
    struct sw_descriptor d;
    struct sw_image image;
    (void)state;
    layer_init(&l);
    layer_file(&l, "bin/sh", 0755, "#!");
    sw_tar_write_end(&l.tar);
    int fd = temp_file(f, "rootfs.tar");
    assert_ok(sw_write_full(fd, l.tar.ptr, l.tar.len, &f->err), f->err);
    lseek(fd, 0, SEEK_SET);
    assert_ok(sw_archive_import(f->store, &f->arena, fd, &options, &d, &f->err), f->err);
    assert_ok(sw_tags_set(f->store, SW_STR("base"), &d, &f->err), f->err);
    assert_ok(sw_tags_resolve(f->store, &f->arena, SW_STR("base"), &image, &f->err), f->err);
    assert_str(image.platform.architecture, "arm64");
    /* What is no archive is refused. */
    assert_int_equal(ftruncate(fd, 0), 0);
    lseek(fd, 0, SEEK_SET);
    assert_true(sw_archive_import(f->store, &f->arena, fd, &options, &d, &f->err) != SW_OK);
    sw_buf_done(&l.tar);
    close(fd);
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docker_archives_round_trip),
        cmocka_unit_test(oci_archives_round_trip),
        cmocka_unit_test(the_same_images_give_the_same_bytes),
        cmocka_unit_test(archives_come_through_pipes_and_gzip),
        cmocka_unit_test(layout_directories_round_trip),
        cmocka_unit_test(legacy_docker_archives_load),
        cmocka_unit_test(damaged_archives_are_refused),
        cmocka_unit_test(other_files_are_refused_with_advice),
        cmocka_unit_test(a_root_filesystem_becomes_an_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
