#include "store_fixture.h"

#include <sched.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "codec/compress.h"
#include "store/layer_index.h"
#include "store/snapshot.h"

static const struct sw_unpack_options trusted = {.form = SW_OVERLAY_TRUSTED};

/* Trees with owners and whiteouts need rights that a test may not have. */
static bool is_root(void) { return geteuid() == 0; }

static int unpack_with(struct fixture *f, const struct sw_unpack_options *options,
                       const struct sw_unpack_layer *layers, size_t n) {
    struct sw_snapshot out[8];
    int fd = -1;
    assert_ok(sw_unpack_layers(f->store, NULL, layers, n, options, out, NULL, &f->err), f->err);
    assert_ok(sw_snapshot_open(f->store, out[n - 1].id, &fd, &f->err), f->err);
    return fd;
}

static int unpack_one(struct fixture *f, struct layer *l) {
    struct sw_unpack_layer layer = layer_put(l, f->store);
    return unpack_with(f, &trusted, &layer, 1);
}

static void assert_content(int dir, const char *path, const char *expected) {
    struct sw_error err;
    struct sw_buf text;
    sw_buf_init(&text, 0);
    assert_ok(sw_read_file_at(dir, path, 1 << 20, &text, &err), err);
    assert_str(sw_buf_str(&text), expected);
    sw_buf_done(&text);
}

static struct stat stat_of(int dir, const char *path) {
    struct stat st;
    if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0) fail_msg("%s is missing", path);
    return st;
}

static void is_absent(int dir, const char *path) {
    struct stat st;
    if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) fail_msg("%s is there", path);
}

static void content_modes_and_times_are_kept(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    (void)state;
    if (!is_root()) skip();
    layer_init(&l);
    layer_dir(&l, "./", 0711);
    layer_dir(&l, "bin/", 0555);
    struct sw_tar_entry e = {.path = SW_STR("bin/su"),
                             .type = SW_TAR_FILE,
                             .mode = 04755,
                             .uid = 12,
                             .gid = 34,
                             .mtime_sec = 12345,
                             .mtime_nsec = 678};
    layer_entry(&l, &e, "setuid");
    layer_link(&l, SW_TAR_SYMLINK, "sh", "bin/su");
    layer_link(&l, SW_TAR_HARDLINK, "su2", "bin/su");
    int fd = unpack_one(f, &l);
    assert_content(fd, "bin/su", "setuid");
    struct stat st = stat_of(fd, "bin/su");
    assert_int_equal(st.st_mode & 07777, 04755);
    assert_int_equal(st.st_uid, 12);
    assert_int_equal(st.st_gid, 34);
    assert_int_equal(st.st_mtim.tv_sec, 12345);
    assert_int_equal(st.st_mtim.tv_nsec, 678);
    assert_int_equal(st.st_nlink, 2);
    st = stat_of(fd, "bin");
    assert_int_equal(st.st_mode & 07777, 0555);
    assert_int_equal(st.st_mtim.tv_sec, 2000);
    st = stat_of(fd, ".");
    assert_int_equal(st.st_mode & 07777, 0711);
    st = stat_of(fd, "sh");
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(st.st_mtim.tv_sec, 3000);
    close(fd);
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void whiteouts_take_overlay_form(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    char value[8];
    (void)state;
    if (!is_root()) skip();
    layer_init(&l);
    layer_dir(&l, "etc/", 0755);
    layer_file(&l, "etc/.wh.shadow", 0, "");
    layer_file(&l, "etc/.wh..wh..opq", 0, "");
    layer_file(&l, ".wh..wh.plnk", 0, "");
    /* A whiteout and a directory of one name: the directory hides what is below. */
    layer_file(&l, ".wh.srv", 0, "");
    layer_dir(&l, "srv/", 0700);
    layer_dir(&l, "opt/", 0700);
    layer_file(&l, ".wh.opt", 0, "");
    int fd = unpack_one(f, &l);
    struct stat st = stat_of(fd, "etc/shadow");
    assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
    char path[64];
    const char *const opaque[] = {"etc", "srv", "opt"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d/%s", fd, opaque[i]);
        assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, sizeof value), 1);
    }
    is_absent(fd, ".wh..wh.plnk");
    is_absent(fd, "etc/.wh.shadow");
    close(fd);
    fixture_free(f);
}

static void file_form_keeps_whiteout_files(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_unpack_options options = {.form = SW_OVERLAY_FILES};
    (void)state;
    if (!is_root()) skip();
    layer_init(&l);
    layer_dir(&l, "etc/", 0755);
    layer_file(&l, "etc/.wh.shadow", 0, "");
    layer_file(&l, "etc/.wh..wh..opq", 0, "");
    struct sw_unpack_layer layer = layer_put(&l, f->store);
    int fd = unpack_with(f, &options, &layer, 1);
    assert_true(S_ISREG(stat_of(fd, "etc/.wh.shadow").st_mode));
    assert_true(S_ISREG(stat_of(fd, "etc/.wh..wh..opq").st_mode));
    close(fd);
    /* The forms do not share snapshots. */
    fd = unpack_with(f, &trusted, &layer, 1);
    assert_true(S_ISCHR(stat_of(fd, "etc/shadow").st_mode));
    close(fd);
    fixture_free(f);
}

static void refuses(struct fixture *f, struct layer *l, enum sw_code code) {
    struct sw_snapshot out;
    struct sw_unpack_layer layer = layer_put(l, f->store);
    assert_refused(sw_unpack_layers(f->store, NULL, &layer, 1, &trusted, &out, NULL, &f->err), code,
                   f->err);
    assert_int_equal(violations(f), 0);
}

static void paths_never_leave_the_root(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    char outside[128];
    (void)state;
    if (!is_root()) skip();
    layer_init(&l);
    layer_file(&l, "a/../../evil", 0644, "x");
    refuses(f, &l, SW_SYNTAX);
    /* A link out of the root is followed inside it. */
    snprintf(outside, sizeof outside, "%s/outside", f->dir);
    assert_int_equal(mkdir(outside, 0755), 0);
    layer_init(&l);
    layer_link(&l, SW_TAR_SYMLINK, "out", outside);
    layer_link(&l, SW_TAR_SYMLINK, "up", "../../../../../../../../../..");
    layer_file(&l, "up/below", 0644, "kept in");
    int fd = unpack_one(f, &l);
    assert_content(fd, "below", "kept in");
    close(fd);
    layer_init(&l);
    layer_link(&l, SW_TAR_SYMLINK, "out", outside);
    layer_dir(&l, outside + 1, 0755);
    layer_file(&l, "out/evil", 0644, "x");
    fd = unpack_one(f, &l);
    snprintf(outside + strlen(outside), 16, "/evil");
    assert_int_equal(access(outside, F_OK), -1);
    close(fd);
    /* A hard link does not reach out either. */
    layer_init(&l);
    layer_link(&l, SW_TAR_HARDLINK, "passwd", "/etc/passwd");
    refuses(f, &l, SW_NOT_FOUND);
    /* Replacing a file through a link that has its name. */
    layer_init(&l);
    snprintf(outside, sizeof outside, "%s/target", f->dir);
    int target = open(outside, O_CREAT | O_WRONLY, 0644);
    assert_int_equal(write(target, "safe", 4), 4);
    close(target);
    layer_link(&l, SW_TAR_SYMLINK, "file", outside);
    layer_file(&l, "file", 0644, "mine");
    fd = unpack_one(f, &l);
    assert_content(fd, "file", "mine");
    assert_content(AT_FDCWD, outside, "safe");
    close(fd);
    fixture_free(f);
}

static void later_entries_win(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    (void)state;
    if (!is_root()) skip();
    layer_init(&l);
    layer_file(&l, "a", 0644, "first");
    layer_file(&l, "a", 0600, "second");
    layer_dir(&l, "d/", 0755);
    layer_file(&l, "d/x", 0644, "x");
    layer_file(&l, "d", 0644, "file now");
    layer_file(&l, "e", 0644, "file");
    layer_dir(&l, "e/", 0750);
    layer_file(&l, "e/y", 0644, "y");
    layer_link(&l, SW_TAR_SYMLINK, "e/y", "nowhere");
    int fd = unpack_one(f, &l);
    assert_content(fd, "a", "second");
    assert_content(fd, "d", "file now");
    assert_int_equal(stat_of(fd, "e").st_mode & 07777, 0750);
    assert_true(S_ISLNK(stat_of(fd, "e/y").st_mode));
    close(fd);
    fixture_free(f);
}

static void unsorted_archives_and_missing_parents(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    (void)state;
    if (!is_root()) skip();
    layer_init(&l);
    layer_link(&l, SW_TAR_HARDLINK, "early", "x/y/z");
    layer_file(&l, "x/y/z", 0644, "deep");
    layer_dir(&l, "x/y/", 0700);
    int fd = unpack_one(f, &l);
    assert_content(fd, "early", "deep");
    assert_int_equal(stat_of(fd, "early").st_ino, stat_of(fd, "x/y/z").st_ino);
    assert_int_equal(stat_of(fd, "x/y").st_mode & 07777, 0700);
    assert_int_equal(stat_of(fd, "x/y").st_mtim.tv_sec, 2000);
    assert_int_equal(stat_of(fd, "x").st_mode & 07777, 0755);
    assert_int_equal(stat_of(fd, "x").st_mtim.tv_sec, 0);
    close(fd);
    fixture_free(f);
}

static void lower_layers_give_hard_links_and_parents(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_unpack_layer layers[2];
    (void)state;
    if (!is_root()) skip();
    layer_init(&l);
    struct sw_tar_entry e = {
        .path = SW_STR("var/"), .type = SW_TAR_DIR, .mode = 01777, .uid = 5, .mtime_sec = 77};
    layer_entry(&l, &e, NULL);
    layer_file(&l, "var/lib", 0640, "library");
    layers[0] = layer_put(&l, f->store);
    layer_init(&l);
    layer_file(&l, "var/new", 0644, "new");
    layer_link(&l, SW_TAR_HARDLINK, "copy", "var/lib");
    layer_link(&l, SW_TAR_HARDLINK, "copy2", "var/lib");
    layers[1] = layer_put(&l, f->store);
    int fd = unpack_with(f, &trusted, layers, 2);
    assert_content(fd, "copy", "library");
    assert_int_equal(stat_of(fd, "copy").st_mode & 07777, 0640);
    assert_int_equal(stat_of(fd, "copy").st_ino, stat_of(fd, "copy2").st_ino);
    struct stat st = stat_of(fd, "var");
    assert_int_equal(st.st_mode & 07777, 01777);
    assert_int_equal(st.st_uid, 5);
    assert_int_equal(st.st_mtim.tv_sec, 77);
    close(fd);
    /* By itself the layer has nothing to link to: the snapshot above is not its diff ID's. */
    struct sw_snapshot out;
    assert_refused(sw_unpack_layers(f->store, NULL, &layers[1], 1, &trusted, &out, NULL, &f->err),
                   SW_NOT_FOUND, f->err);
    fixture_free(f);
}

static void wrong_diff_id_leaves_nothing(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_snapshot out;
    (void)state;
    layer_init(&l);
    layer_file(&l, "a", 0644, "a");
    struct sw_unpack_layer layer = layer_put(&l, f->store);
    layer.diff_id = sw_digest_of(SW_SHA256, SW_STR("something else"));
    struct sw_unpack_options options = {.form = SW_OVERLAY_USER, .remember_owner = true};
    assert_refused(sw_unpack_layers(f->store, NULL, &layer, 1, &options, &out, NULL, &f->err),
                   SW_CORRUPT, f->err);
    struct sw_snapshot_key key = {SW_SNAPSHOT_LAYER, SW_OVERLAY_USER, layer.diff_id};
    assert_refused(sw_snapshot_find(f->store, &key, &out, &f->err), SW_NOT_FOUND, f->err);
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

static void long_names_and_cut_archives_are_refused(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    char name[300];
    (void)state;
    if (!is_root()) skip();
    memset(name, 'n', 299);
    name[299] = 0;
    layer_init(&l);
    layer_file(&l, name, 0644, "x");
    refuses(f, &l, SW_UNSUPPORTED);
    layer_init(&l);
    layer_file(&l, "a", 0644, "0123456789");
    struct sw_unpack_layer layer;
    struct sw_snapshot out;
    assert_ok(sw_blob_put(f->store, sw_str_sub(sw_buf_str(&l.tar), 0, 516), &layer.blob, &f->err),
              f->err);
    layer.diff_id = layer.blob;
    sw_buf_done(&l.tar);
    assert_refused(sw_unpack_layers(f->store, NULL, &layer, 1, &trusted, &out, NULL, &f->err),
                   SW_CORRUPT, f->err);
    fixture_free(f);
}

static void attributes_are_kept_but_not_overlays(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    char value[64];
    (void)state;
    if (!is_root()) skip();
    static const char caps[20] = {1, 0, 0, 2, 0, 4};
    struct sw_tar_xattr x[] = {
        {SW_STR("security.capability"), {caps, sizeof caps}},
        {SW_STR("user.note"), SW_STR("hello")},
        {SW_STR("trusted.overlay.redirect"), SW_STR("/etc")},
    };
    struct sw_tar_entry e = {.path = SW_STR("ping"),
                             .type = SW_TAR_FILE,
                             .mode = 0755,
                             .uid = 9,
                             .xattrs = x,
                             .n_xattrs = 3};
    layer_init(&l);
    layer_entry(&l, &e, "ping");
    int fd = unpack_one(f, &l);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d/ping", fd);
    assert_int_equal(getxattr(path, "security.capability", value, sizeof value), 20);
    assert_int_equal(getxattr(path, "user.note", value, sizeof value), 5);
    assert_int_equal(getxattr(path, "trusted.overlay.redirect", value, sizeof value), -1);
    close(fd);
    fixture_free(f);
}

static void zeros_become_holes(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    (void)state;
    if (!is_root()) skip();
    size_t size = (size_t)4 << 20;
    struct sw_tar_entry e = {
        .path = SW_STR("sparse"), .type = SW_TAR_FILE, .mode = 0644, .size = size};
    layer_init(&l);
    struct sw_error err;
    assert_ok(sw_tar_write_header(&l.tar, &e, &err), err);
    char *zeros = calloc(1, size);
    zeros[size / 2] = 1;
    sw_buf_add_bytes(&l.tar, zeros, size);
    free(zeros);
    int fd = unpack_one(f, &l);
    struct stat st = stat_of(fd, "sparse");
    assert_int_equal(st.st_size, size);
    assert_true(st.st_blocks * 512 < (off_t)size);
    close(fd);
    fixture_free(f);
}

static void compressed_layers_unpack_once(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_unpack_layer layer;
    struct sw_compressor c;
    struct sw_snapshot a, b;
    (void)state;
    if (!is_root()) skip();
    layer_init(&l);
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof name, "dir%d/file%d", i % 7, i);
        layer_file(&l, name, 0644, name);
    }
    sw_tar_write_end(&l.tar);
    layer.diff_id = sw_digest_of(SW_SHA256, sw_buf_str(&l.tar));
    assert_ok(sw_compressor_init(&c, SW_COMPRESS_GZIP, SW_COMPRESS_LEVEL_DEFAULT, &f->err), f->err);
    assert_true(l.tar.len <= c.block_size);
    size_t bound = sw_compress_bound(&c, l.tar.len) + 64;
    uint8_t *out = malloc(bound);
    struct sw_compress_worker *w = sw_compress_worker_new(&c);
    size_t n = sw_compress_header(&c, out);
    struct sw_compress_part part = sw_compress_block(w, l.tar.ptr, l.tar.len, out + n, bound - n);
    n += part.len;
    n += sw_compress_trailer(&c, part.sum, out + n);
    sw_compress_worker_free(w);
    assert_ok(sw_blob_put(f->store, sw_str_n((char *)out, n), &layer.blob, &f->err), f->err);
    free(out);
    sw_buf_done(&l.tar);
    assert_ok(sw_unpack_layers(f->store, NULL, &layer, 1, &trusted, &a, NULL, &f->err), f->err);
    fixture_reopen(f);
    assert_ok(sw_unpack_layers(f->store, NULL, &layer, 1, &trusted, &b, NULL, &f->err), f->err);
    assert_int_equal(a.id, b.id);
    int fd = -1;
    assert_ok(sw_snapshot_open(f->store, a.id, &fd, &f->err), f->err);
    assert_content(fd, "dir3/file3", "dir3/file3");
    close(fd);
    fixture_free(f);
}

static void many_processes_unpack_a_layer_once(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_unpack_layer layers[3];
    (void)state;
    if (!is_root()) skip();
    for (int i = 0; i < 3; i++) {
        char name[32];
        layer_init(&l);
        snprintf(name, sizeof name, "file%d", i);
        layer_file(&l, name, 0644, name);
        layers[i] = layer_put(&l, f->store);
    }
    for (int i = 0; i < 8; i++) {
        if (fork()) continue;
        struct sw_store *s;
        struct sw_store_options options = {.root = f->root};
        struct sw_error err;
        struct sw_snapshot out[3];
        struct sw_pool *pool = sw_pool_new(2, 0);
        int failed = sw_store_open(&options, &s, &err) ||
                     sw_unpack_layers(s, pool, layers, 3, &trusted, out, NULL, &err);
        if (failed) fprintf(stderr, "%s\n", err.text);
        _exit(failed || out[2].id > 3);
    }
    for (int i = 0; i < 8; i++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    assert_int_equal(violations(f), 0);
    fixture_free(f);
}

/* A user namespace with one ID: what a rootless build has where newuidmap is missing. */
static int enter_single_id_namespace(void) {
    char map[64];
    snprintf(map, sizeof map, "0 %u 1", (unsigned)geteuid());
    if (unshare(CLONE_NEWUSER)) return -1;
    int fd = open("/proc/self/setgroups", O_WRONLY);
    if (fd >= 0 && write(fd, "deny", 4) != 4) return -1;
    close(fd);
    fd = open("/proc/self/uid_map", O_WRONLY);
    if (fd < 0 || write(fd, map, strlen(map)) < 0) return -1;
    return close(fd);
}

static int unpack_in_namespace(const char *root, const struct sw_unpack_layer *layer,
                               bool remember) {
    struct sw_store *s;
    struct sw_error err;
    struct sw_snapshot out;
    struct sw_unpack_notes notes = {0};
    struct sw_store_options options = {.root = root};
    struct sw_unpack_options unpack = {.form = SW_OVERLAY_USER, .remember_owner = remember};
    if (enter_single_id_namespace()) return 77;
    if (sw_store_open(&options, &s, &err)) return 2;
    enum sw_code code = sw_unpack_layers(s, NULL, layer, 1, &unpack, &out, &notes, &err);
    if (code) return code == SW_IO || code == SW_DENIED ? 3 : 4;
    sw_store_free(s);
    return notes.owners == 2 && notes.devices == 1 && out.id == 1 ? 0 : 5;
}

static void owners_are_remembered_where_chown_is_refused(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    char value[32] = "";
    (void)state;
    layer_init(&l);
    struct sw_tar_entry e = {
        .path = SW_STR("home"), .type = SW_TAR_DIR, .mode = 0700, .uid = 1000, .gid = 100};
    layer_entry(&l, &e, NULL);
    e.path = SW_STR("home/f");
    e.type = SW_TAR_FILE;
    layer_entry(&l, &e, "x");
    layer_file(&l, "mine", 0644, "x");
    struct sw_tar_entry null_device = {
        .path = SW_STR("null"), .type = SW_TAR_CHAR, .mode = 0666, .devmajor = 1, .devminor = 3};
    layer_entry(&l, &null_device, NULL);
    struct sw_unpack_layer layer = layer_put(&l, f->store);
    int status;
    for (int remember = 0; remember < 2; remember++) {
        pid_t child = fork();
        if (child == 0) _exit(unpack_in_namespace(f->root, &layer, remember));
        waitpid(child, &status, 0);
        if (WEXITSTATUS(status) == 77) {
            fixture_free(f);
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), remember ? 0 : 3);
    }
    char path[160];
    snprintf(path, sizeof path, "%s/slipway/snapshots/1/home/f", f->root);
    assert_int_equal(getxattr(path, SW_UNPACK_OWNER_XATTR, value, sizeof value), 8);
    assert_string_equal(value, "1000:100");
    fixture_free(f);
}

/* ---- layer indexes ---- */

static struct sw_layer_entry look(struct fixture *f, struct sw_rootfs *fs, const char *path,
                                  bool follow) {
    struct sw_layer_entry e;
    assert_ok(sw_rootfs_stat(fs, sw_str(path), follow, &e, NULL, &f->err), f->err);
    return e;
}

static struct sw_rootfs *two_layers(struct fixture *f) {
    struct layer l;
    struct sw_unpack_layer layers[2];
    struct sw_rootfs *fs;
    layer_init(&l);
    layer_dir(&l, "etc/", 0755);
    layer_file(&l, "etc/passwd", 0644, "root:x:0:0::/root:/bin/sh\n");
    layer_file(&l, "etc/shadow", 0600, "secret");
    layer_dir(&l, "data/", 0700);
    layer_file(&l, "data/old", 0600, "old");
    layer_link(&l, SW_TAR_SYMLINK, "lib", "usr/lib");
    layer_link(&l, SW_TAR_SYMLINK, "abs", "/etc/../etc");
    layer_link(&l, SW_TAR_SYMLINK, "loop", "loop");
    layers[0] = layer_put(&l, f->store);
    layer_init(&l);
    layer_file(&l, "etc/.wh.shadow", 0, "");
    layer_file(&l, "data/.wh..wh..opq", 0, "");
    layer_file(&l, "data/new", 0600, "new");
    layer_dir(&l, "usr/lib/", 0755);
    layers[1] = layer_put(&l, f->store);
    assert_ok(sw_rootfs_open(f->store, NULL, layers, 2, &fs, &f->err), f->err);
    return fs;
}

static void index_answers_as_overlay_would(void **state) {
    struct fixture *f = fixture_new();
    struct sw_rootfs *fs = two_layers(f);
    struct sw_layer_entry e;
    struct sw_str text;
    struct sw_buf path;
    (void)state;
    sw_buf_init(&path, 4096);
    assert_int_equal(look(f, fs, "/etc/passwd", true).type, SW_TAR_FILE);
    assert_ok(sw_rootfs_read(fs, SW_STR("etc/passwd"), &text, &f->err), f->err);
    assert_str(text, "root:x:0:0::/root:/bin/sh\n");
    assert_refused(sw_rootfs_stat(fs, SW_STR("etc/shadow"), true, &e, NULL, &f->err), SW_NOT_FOUND,
                   f->err);
    assert_refused(sw_rootfs_stat(fs, SW_STR("data/old"), true, &e, NULL, &f->err), SW_NOT_FOUND,
                   f->err);
    assert_int_equal(look(f, fs, "data/new", true).size, 3);
    /* The implicit /etc of the upper layer has the attributes of the lower one. */
    assert_int_equal(look(f, fs, "etc", true).mtime_sec, 2000);
    assert_int_equal(look(f, fs, "lib", true).type, SW_TAR_DIR);
    assert_int_equal(look(f, fs, "lib", false).type, SW_TAR_SYMLINK);
    assert_int_equal(look(f, fs, "abs/passwd", true).type, SW_TAR_FILE);
    assert_refused(sw_rootfs_stat(fs, SW_STR("lib/a/../b/c"), true, &e, &path, &f->err),
                   SW_NOT_FOUND, f->err);
    assert_str(sw_buf_str(&path), "usr/lib/b/c");
    assert_refused(sw_rootfs_stat(fs, SW_STR("loop/x"), true, &e, NULL, &f->err), SW_DENIED,
                   f->err);
    assert_refused(sw_rootfs_stat(fs, SW_STR("etc/passwd/x"), true, &e, NULL, &f->err), SW_DENIED,
                   f->err);
    assert_int_equal(look(f, fs, "../../..", true).type, SW_TAR_DIR);
    sw_buf_done(&path);
    sw_rootfs_free(fs);
    fixture_free(f);
}

static enum sw_code add_name(void *ctx, struct sw_str name, const struct sw_layer_entry *e,
                             struct sw_error *err) {
    struct sw_buf *b = ctx;
    (void)e, (void)err;
    sw_buf_add(b, name);
    sw_buf_add_char(b, ' ');
    return SW_OK;
}

static void index_lists_merged_directories(void **state) {
    struct fixture *f = fixture_new();
    struct sw_rootfs *fs = two_layers(f);
    struct sw_buf names;
    (void)state;
    sw_buf_init(&names, 0);
    assert_ok(sw_rootfs_list(fs, SW_STR("/"), add_name, &names, &f->err), f->err);
    assert_str(sw_buf_str(&names), "abs data etc lib loop usr ");
    sw_buf_reset(&names);
    assert_ok(sw_rootfs_list(fs, SW_STR("etc"), add_name, &names, &f->err), f->err);
    assert_str(sw_buf_str(&names), "passwd ");
    sw_buf_reset(&names);
    assert_ok(sw_rootfs_list(fs, SW_STR("data"), add_name, &names, &f->err), f->err);
    assert_str(sw_buf_str(&names), "new ");
    sw_buf_done(&names);
    sw_rootfs_free(fs);
    fixture_free(f);
}

static void damaged_index_is_built_again(void **state) {
    struct fixture *f = fixture_new();
    struct layer l;
    struct sw_layer_index *x;
    char path[256], hex[SW_DIGEST_TEXT_MAX];
    (void)state;
    layer_init(&l);
    layer_file(&l, "a", 0644, "a");
    struct sw_unpack_layer layer = layer_put(&l, f->store);
    assert_ok(sw_layer_index_open(f->store, &layer, &x, &f->err), f->err);
    sw_layer_index_free(x);
    sw_digest_hex(&layer.diff_id, hex);
    snprintf(path, sizeof path, "slipway/index/%s", hex);
    int fd = openat(sw_store_root_fd(f->store), path, O_WRONLY);
    assert_int_equal(pwrite(fd, "\xff", 1, 70), 1);
    close(fd);
    assert_ok(sw_layer_index_open(f->store, &layer, &x, &f->err), f->err);
    struct sw_layer_entry e;
    assert_true(sw_layer_index_find(x, SW_STR("a"), &e));
    sw_layer_index_free(x);
    fixture_free(f);
}

static void chain_id_is_that_of_the_specification(void **state) {
    struct sw_digest ids[2] = {sw_digest_of(SW_SHA256, SW_STR("a")),
                               sw_digest_of(SW_SHA256, SW_STR("b"))};
    char a[SW_DIGEST_TEXT_MAX], b[SW_DIGEST_TEXT_MAX], text[2 * SW_DIGEST_TEXT_MAX];
    (void)state;
    struct sw_digest one = sw_chain_id(ids, 1), two = sw_chain_id(ids, 2);
    assert_true(sw_digest_eq(&one, &ids[0]));
    sw_digest_format(&ids[0], a);
    sw_digest_format(&ids[1], b);
    snprintf(text, sizeof text, "%s %s", a, b);
    struct sw_digest expected = sw_digest_of(SW_SHA256, sw_str(text));
    assert_true(sw_digest_eq(&two, &expected));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_modes_and_times_are_kept),
        cmocka_unit_test(whiteouts_take_overlay_form),
        cmocka_unit_test(file_form_keeps_whiteout_files),
        cmocka_unit_test(paths_never_leave_the_root),
        cmocka_unit_test(later_entries_win),
        cmocka_unit_test(unsorted_archives_and_missing_parents),
        cmocka_unit_test(lower_layers_give_hard_links_and_parents),
        cmocka_unit_test(wrong_diff_id_leaves_nothing),
        cmocka_unit_test(long_names_and_cut_archives_are_refused),
        cmocka_unit_test(attributes_are_kept_but_not_overlays),
        cmocka_unit_test(zeros_become_holes),
        cmocka_unit_test(compressed_layers_unpack_once),
        cmocka_unit_test(many_processes_unpack_a_layer_once),
        cmocka_unit_test(owners_are_remembered_where_chown_is_refused),
        cmocka_unit_test(index_answers_as_overlay_would),
        cmocka_unit_test(index_lists_merged_directories),
        cmocka_unit_test(damaged_index_is_built_again),
        cmocka_unit_test(chain_id_is_that_of_the_specification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
