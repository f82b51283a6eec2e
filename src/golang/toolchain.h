/* Toolchains as they are distributed: names, the download site's index, the module's hash.
 *
 * Floor 2. Pure.
 */
#ifndef SW_GOLANG_TOOLCHAIN_H
#define SW_GOLANG_TOOLCHAIN_H

#include "codec/digest.h"
#include "codec/json.h"
#include "golang/version.h"

#define SW_GO_TOOLCHAIN_MODULE "golang.org/toolchain"

/* "linux", "amd64" as Go names them. */
struct sw_go_platform {
    const char *os, *arch; /* static */
};
/* Of a machine name as uname(2) gives it ("x86_64", "aarch64", "armv7l"); arch NULL unknown. */
struct sw_go_platform sw_go_platform_of(const char *machine);

/* "v0.0.1-go1.21.13.linux-amd64" */
void sw_go_module_version(const struct sw_go_version *v, const struct sw_go_platform *p,
                          struct sw_buf *to);
/* The reverse, of one line of the proxy's list; false for another platform or malformed text. */
bool sw_go_module_version_read(struct sw_str text, const struct sw_go_platform *p,
                               struct sw_go_version *ret);

/* One archive of the index (/dl/?mode=json&include=all). */
struct sw_go_archive {
    struct sw_go_version version;
    bool stable;
    struct sw_str filename; /* plain: no slash; arena */
    uint8_t sha256[32];
    uint64_t size; /* bytes */
};
/* The archives of this platform, in the index's order. Versions that cannot be read are passed
 * over. SW_SYNTAX on a malformed document, names with slashes, missing hashes. */
SW_NODISCARD enum sw_code sw_go_index_parse(struct sw_arena *a, struct sw_str text,
                                            const struct sw_go_platform *p,
                                            struct sw_go_archive **ret, size_t *ret_n,
                                            struct sw_error *err);

/* A file of a toolchain, as hashed. */
struct sw_go_file {
    struct sw_str path; /* in the tree, "src/cmd/go.mod" */
    struct sw_digest digest;
    uint64_t size;
    bool executable;
};
/* "go.mod" of the tree is "_go.mod" in the module. */
void sw_go_module_path(struct sw_str path, struct sw_buf *to);
/* And back: only the last component changes. */
void sw_go_tree_path(struct sw_str module_path, struct sw_buf *to);
/* Files of an archive that the module leaves out: api, doc, misc, test (cmd/distpack). */
bool sw_go_module_omits(struct sw_str path);
/* Whether a file of the module, which records no permissions, is a program: what stands in bin and
 * pkg/tool, and what begins with "#!" (as the go command decides). */
bool sw_go_is_executable(struct sw_str path, struct sw_str first_bytes);
/* The module's "h1:" hash from the files of its tree (package dirhash, Hash1). Sorts a copy. */
void sw_go_module_hash(const struct sw_go_file *files, size_t n, struct sw_str module_version,
                       struct sw_buf *to);

/* The first line of VERSION: "go1.21.13". False when it is none. */
bool sw_go_version_file(struct sw_str text, struct sw_go_version *ret);

/* The day on which 1.N.0 was released, "2023-08-08"; NULL where it is not known here. */
const char *sw_go_release_day(uint32_t minor);
/* The newest line that this program knows of; indexes may know newer ones. */
uint32_t sw_go_known_minor(void);

#endif
