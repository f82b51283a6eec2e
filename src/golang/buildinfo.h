/* Build information of Go programs: the Go version, the modules and the settings that the linker
 * leaves in every binary, of every era; and the names of the functions that were linked.
 *
 * Floor 2. Pure: bytes come through a struct sw_source. Stripping a binary keeps all of it.
 * Formats: debug/buildinfo and runtime/debug.ParseBuildInfo of the Go distribution (the header of
 * 1.18 and later holds the strings, that of 1.13 to 1.17 points to them), and the function table
 * (pclntab) in its four versions. See docs/format/go-buildinfo.md.
 */
#ifndef SW_GOLANG_BUILDINFO_H
#define SW_GOLANG_BUILDINFO_H

#include "codec/lists.h"
#include "codec/object.h"

enum sw_go_buildinfo_limits {
    SW_GO_SEARCH_MAX = 1 << 30,    /* bytes searched for the header: data segments are smaller */
    SW_GO_VERSION_TEXT_MAX = 4096, /* bytes of the version; "go1.24.1 X:experiment,..." */
    SW_GO_MODULES_TEXT_MAX = 16 << 20, /* bytes of module text; kubelet's is 20 KB */
    SW_GO_MODULES_MAX = 65536,
    SW_GO_NAMES_MAX = 512 << 20, /* bytes of function names; the largest known have 50 MB */
};

struct sw_go_module {
    struct sw_str path, version, sum; /* version "" or "(devel)" where it has none */
    bool replaced;                    /* replace_path is what was really built */
    struct sw_str replace_path, replace_version, replace_sum;
};

struct sw_go_buildinfo {
    struct sw_str go_version_raw; /* as found: "go1.22.3 X:nocoverageredesign" */
    struct sw_str go_version;     /* suffixes cut: "go1.22.3"; "devel ..." stays */
    struct sw_str path;           /* of the main package; "" where modules were off */
    struct sw_go_module main;     /* path "" where there is none */
    struct sw_go_module *deps;    /* arena */
    size_t n_deps;
    struct sw_pairs settings; /* -trimpath, GOOS, vcs.revision ... (1.18 and later) */
    bool has_modules;         /* false where none is named, as in GOPATH mode */
    struct sw_str doubt;      /* why modules may be missing from what was read, or "" */
};

/* Reads the build information of a binary whose headers were read. SW_NOT_FOUND where it is no Go
 * program, SW_UNSUPPORTED for packed files ("unpack it first"), SW_CORRUPT where there is a place
 * or a header for it and its contents cannot be read, and where the file is cut before any was
 * found. Everything is in the arena. */
SW_NODISCARD enum sw_code sw_go_buildinfo_read(struct sw_arena *a, const struct sw_object *o,
                                               const struct sw_source *s,
                                               struct sw_go_buildinfo *ret, struct sw_error *err);
/* The module text alone: "path\t...\nmod\t..."; info's version fields are left as they are. Lines
 * that say something else than this format does are passed over and make a doubt. */
SW_NODISCARD enum sw_code sw_go_buildinfo_parse(struct sw_arena *a, struct sw_str text,
                                                struct sw_go_buildinfo *info, struct sw_error *err);
/* "go1.20.12 X:exp", "go1.24.1-X:exp", "go1.19.4 (Red Hat ...)" -> "go1.20.12" ... */
struct sw_str sw_go_version_clean(struct sw_str raw);

/* Calls name() for each function in the table, inlined ones included: the package path
 * ("gopkg.in/yaml.v2") and the symbol as the vulnerability database spells it ("Decoder.Decode").
 * Names that belong to no package (type descriptors, C functions) are left out. *ret_complete is
 * false where inlined functions may be missing (before Go 1.16), so that a name's absence proves
 * nothing. SW_NOT_FOUND where there is no table. */
SW_NODISCARD enum sw_code sw_go_functions_read(const struct sw_object *o, const struct sw_source *s,
                                               void (*name)(void *context, struct sw_str package,
                                                            struct sw_str symbol),
                                               void *context, bool *ret_complete,
                                               struct sw_error *err);
/* Splits a linker symbol: "gopkg.in/yaml%2ev2.(*Decoder).Decode" into the package path, unescaped
 * into the caller's buffer, and "Decoder.Decode", written after it. False where it is not the name
 * of a function in a package or the buffer is too small. */
bool sw_go_symbol_split(struct sw_str name, char *buffer, size_t size, struct sw_str *ret_package,
                        struct sw_str *ret_symbol);

#endif
