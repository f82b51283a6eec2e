#include "golang/toolchain.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/base64.h"
#include "codec/hex.h"

enum { INDEX_MAX = 32 << 20 }; /* the whole index has 2 MiB in 2026 */

struct sw_go_platform sw_go_platform_of(const char *machine) {
    static const char *const names[][2] = {
        {"x86_64", "amd64"},        {"aarch64", "arm64"},   {"armv7l", "arm"},
        {"armv6l", "arm"},          {"i686", "386"},        {"i386", "386"},
        {"riscv64", "riscv64"},     {"ppc64le", "ppc64le"}, {"s390x", "s390x"},
        {"loongarch64", "loong64"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], machine) == 0) return (struct sw_go_platform){"linux", names[i][1]};
    return (struct sw_go_platform){"linux", NULL};
}

void sw_go_module_version(const struct sw_go_version *v, const struct sw_go_platform *p,
                          struct sw_buf *to) {
    char text[SW_GO_VERSION_SIZE];
    struct sw_str name = sw_go_version_format(v, text);
    sw_buf_addf(to, "v0.0.1-go%.*s.%s-%s", SW_ARG(name), p->os, p->arch);
}

bool sw_go_module_version_read(struct sw_str text, const struct sw_go_platform *p,
                               struct sw_go_version *ret) {
    SW_BUF struct sw_buf suffix;
    sw_buf_init(&suffix, 64);
    sw_buf_addf(&suffix, ".%s-%s", p->os, p->arch);
    if (!sw_str_starts(text, SW_STR("v0.0.1-go")) || !sw_str_ends(text, sw_buf_str(&suffix)))
        return false;
    struct sw_str name = sw_str_from(text, 7);
    name.len -= suffix.len;
    return sw_go_version_read(name, ret);
}

/* One element of "files" that is an archive of ours; false for the others. */
static enum sw_code read_file(const struct sw_json *file, const struct sw_go_platform *p,
                              struct sw_go_archive *ret, bool *ret_ours, struct sw_error *err) {
    struct sw_str os = {0}, arch = {0}, kind = {0}, sha256 = {0};
    int64_t size = 0;
    enum sw_code code;
    *ret_ours = false;
    if ((code = sw_json_opt_str(file, "os", &os, err)) ||
        (code = sw_json_opt_str(file, "arch", &arch, err)) ||
        (code = sw_json_opt_str(file, "kind", &kind, err)) ||
        (code = sw_json_opt_str(file, "sha256", &sha256, err)) ||
        (code = sw_json_opt_int(file, "size", &size, err)) ||
        (code = sw_json_need_str(file, "filename", &ret->filename, err)))
        return code;
    const char *wanted = strcmp(p->arch, "arm") == 0 ? "armv6l" : p->arch;
    if (!sw_str_is(kind, "archive") || !sw_str_is(os, p->os) || !sw_str_is(arch, wanted))
        return SW_OK;
    if (!ret->filename.len || ret->filename.ptr[0] == '.' ||
        memchr(ret->filename.ptr, '/', ret->filename.len))
        return sw_json_fail(file, err, "the file name is not plain");
    if (sha256.len != 64 || !sw_hex_decode(sha256, true, ret->sha256))
        return sw_json_fail(file, err, "%.*s has no sha256", SW_ARG(ret->filename));
    ret->size = size < 0 ? 0 : (uint64_t)size;
    *ret_ours = true;
    return SW_OK;
}

enum sw_code sw_go_index_parse(struct sw_arena *a, struct sw_str text,
                               const struct sw_go_platform *p, struct sw_go_archive **ret,
                               size_t *ret_n, struct sw_error *err) {
    const struct sw_json_limits limits = {.bytes = INDEX_MAX, .depth = 8};
    const struct sw_json *root;
    enum sw_code code = sw_json_parse(a, text, &limits, &root, err);
    if (code || (code = sw_json_expect(root, SW_JSON_ARRAY, err))) return code;
    struct sw_go_archive *list = sw_arena_array(a, root->len + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < root->len; i++) {
        const struct sw_json *release = &root->items[i], *files = NULL;
        struct sw_go_archive entry = {.stable = false};
        struct sw_str name;
        if ((code = sw_json_need_str(release, "version", &name, err)) ||
            (code = sw_json_opt_bool(release, "stable", &entry.stable, err)) ||
            (code = sw_json_opt_node(release, "files", SW_JSON_ARRAY, &files, err)))
            return code;
        if (!sw_go_toolchain_read(name, &entry.version)) continue;
        for (size_t j = 0; files && j < files->len; j++) {
            bool ours;
            code = read_file(&files->items[j], p, &entry, &ours, err);
            if (code) return code;
            if (!ours) continue;
            list[n++] = entry;
            break;
        }
    }
    *ret = list;
    *ret_n = n;
    return sw_arena_check(a, "the index", err);
}

static void swap_base(struct sw_str path, const char *from, const char *to_base,
                      struct sw_buf *to) {
    size_t slash = sw_str_rfind_char(path, '/');
    size_t start = slash == SIZE_MAX ? 0 : slash + 1;
    if (sw_str_is(sw_str_from(path, start), from)) {
        sw_buf_add(to, sw_str_sub(path, 0, start));
        sw_buf_add_text(to, to_base);
    } else {
        sw_buf_add(to, path);
    }
}

void sw_go_module_path(struct sw_str path, struct sw_buf *to) {
    swap_base(path, "go.mod", "_go.mod", to);
}

void sw_go_tree_path(struct sw_str module_path, struct sw_buf *to) {
    swap_base(module_path, "_go.mod", "go.mod", to);
}

bool sw_go_module_omits(struct sw_str path) {
    return sw_str_starts(path, SW_STR("api/")) || sw_str_starts(path, SW_STR("doc/")) ||
           sw_str_starts(path, SW_STR("misc/")) || sw_str_starts(path, SW_STR("test/"));
}

bool sw_go_is_executable(struct sw_str path, struct sw_str first_bytes) {
    return sw_str_starts(path, SW_STR("bin/")) || sw_str_starts(path, SW_STR("pkg/tool/")) ||
           sw_str_starts(first_bytes, SW_STR("#!"));
}

struct hashed {
    struct sw_str name;
    const struct sw_digest *digest;
};

static int by_name(const void *a, const void *b) {
    return sw_str_cmp(((const struct hashed *)a)->name, ((const struct hashed *)b)->name);
}

void sw_go_module_hash(const struct sw_go_file *files, size_t n, struct sw_str module_version,
                       struct sw_buf *to) {
    SW_BUF struct sw_buf names;
    sw_buf_init(&names, 0);
    SW_FREE size_t *starts = sw_calloc(n + 1, sizeof *starts);
    SW_FREE struct hashed *list = sw_calloc(n + 1, sizeof *list);
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (sw_go_module_omits(files[i].path)) continue;
        starts[used] = names.len;
        list[used++].digest = &files[i].digest;
        sw_buf_addf(&names, "%s@%.*s/", SW_GO_TOOLCHAIN_MODULE, SW_ARG(module_version));
        sw_go_module_path(files[i].path, &names);
    }
    starts[used] = names.len;
    for (size_t i = 0; i < used; i++)
        list[i].name = sw_str_n(names.ptr + starts[i], starts[i + 1] - starts[i]);
    if (used) qsort(list, used, sizeof *list, by_name);
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    for (size_t i = 0; i < used; i++) {
        char hex[SW_DIGEST_TEXT_MAX];
        sw_hasher_add_str(&h, sw_digest_hex(list[i].digest, hex));
        sw_hasher_add(&h, "  ", 2);
        sw_hasher_add_str(&h, list[i].name);
        sw_hasher_add(&h, "\n", 1);
    }
    struct sw_digest d = sw_hasher_finish(&h);
    sw_buf_add_text(to, "h1:");
    sw_base64_encode(to, sw_str_n((const char *)d.bytes, 32), 0);
}

bool sw_go_version_file(struct sw_str text, struct sw_go_version *ret) {
    struct sw_str line, rest;
    sw_str_cut(text, '\n', &line, &rest);
    return sw_go_toolchain_read(sw_str_trim(line), ret);
}

/* https://go.dev/doc/devel/release */
static const char *const release_days[] = {
    "2012-03-28", "2013-05-13", "2013-12-01", "2014-06-18", "2014-12-10", "2015-08-19",
    "2016-02-17", "2016-08-15", "2017-02-16", "2017-08-24", "2018-02-16", "2018-08-24",
    "2019-02-25", "2019-09-03", "2020-02-25", "2020-08-11", "2021-02-16", "2021-08-16",
    "2022-03-15", "2022-08-02", "2023-02-01", "2023-08-08", "2024-02-06", "2024-08-13",
    "2025-02-11", "2025-08-12", "2026-02-10", "2026-08-18",
};

const char *sw_go_release_day(uint32_t minor) {
    return minor < sizeof release_days / sizeof *release_days ? release_days[minor] : NULL;
}

uint32_t sw_go_known_minor(void) {
    return (uint32_t)(sizeof release_days / sizeof *release_days) - 1;
}
