/* Versions, constraints, go.mod, go.env, files of other tools, the checksum database's documents,
 * the site's index. What is read and written must read back to the same value. */
#include <stdlib.h>

#include "golang/constraint.h"
#include "golang/files.h"
#include "golang/goenv.h"
#include "golang/modfile.h"
#include "golang/sumdb.h"
#include "golang/toolchain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_version(struct sw_str text) {
    struct sw_go_version v, again;
    char shown[SW_GO_VERSION_SIZE];
    if (sw_go_version_read(text, &v)) {
        if (!sw_go_version_read(sw_go_version_format(&v, shown), &again)) abort();
        if (!sw_go_version_eq(&v, &again)) abort();
        /* A version never leaves the directory it names. */
        if (memchr(shown, '/', strlen(shown))) abort();
        struct sw_go_constraint c = sw_go_constraint_of(&v);
        if (sw_go_version_is_release(&v) && !sw_go_constraint_match(&c, &v)) abort();
    }
    (void)sw_go_toolchain_read(text, &v);
    (void)sw_go_version_read_semver(text, &v);
}

static void check_constraint(struct sw_str text) {
    struct sw_go_constraint c, again;
    struct sw_error err;
    SW_BUF struct sw_buf shown;
    sw_buf_init(&shown, 4096);
    if (sw_go_constraint_parse(text, &c, &err)) return;
    sw_go_constraint_format(&c, &shown);
    if (c.want == SW_GO_WANT_EXACT || c.want >= SW_GO_WANT_LATEST) return;
    if (sw_go_constraint_parse(sw_buf_str(&shown), &again, &err)) abort();
}

static void check_modfile(struct sw_str text) {
    struct sw_go_modfile m;
    struct sw_error err;
    SW_BUF struct sw_buf set;
    sw_buf_init(&set, SW_GO_MODFILE_MAX + 4096);
    if (sw_go_modfile_parse(text, &m, &err)) return;
    if (sw_go_modfile_set_toolchain(text, SW_STR("go1.22.4"), &set, &err)) return;
    if (sw_go_modfile_parse(sw_buf_str(&set), &m, &err)) abort();
    if (!sw_str_is(m.toolchain, "go1.22.4")) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sw_str text = sw_str_n((const char *)data, size);
    struct sw_error err;
    struct sw_goproxy proxies[SW_GOPROXY_MAX];
    struct sw_gotoolchain toolchain;
    struct sw_sumdb_key key;
    struct sw_sumdb_record record;
    struct sw_sumdb_head head;
    struct sw_str head_part, tail_part;
    size_t n;
    check_version(text);
    check_constraint(text);
    check_modfile(text);
    (void)sw_goenv_get(text, "GOPROXY");
    (void)!sw_goproxy_parse(text, proxies, &n, &err);
    (void)!sw_gotoolchain_parse(text, &toolchain, &err);
    sw_str_cut(text, '\n', &head_part, &tail_part);
    (void)sw_goprivate_match(sw_str_sub(head_part, 0, 200), sw_str_sub(tail_part, 0, 200));
    (void)sw_go_version_of_file(text);
    (void)sw_go_version_of_tool_versions(text);
    (void)sw_go_version_of_mise(text);
    (void)sw_go_version_of_yaml(text, "go");
    (void)!sw_sumdb_key_parse(text, &key, &err);
    if (!sw_sumdb_record_parse(text, &record, &err))
        (void)sw_sumdb_record_find(record.text, SW_STR("m"), SW_STR("v"));
    (void)!sw_sumdb_key_parse(sw_str(sw_sumdb_known_key), &key, &err);
    (void)!sw_sumdb_head_open(text, &key, &head, &err);
    SW_ARENA struct sw_arena a;
    struct sw_go_archive *archives;
    struct sw_go_platform p = {"linux", "amd64"};
    sw_arena_init(&a, 0);
    (void)!sw_go_index_parse(&a, text, &p, &archives, &n, &err);
    return 0;
}
