/* What is in an image: packages, Go programs, Go modules, the distribution; layer by layer.
 *
 * Floor 5. A value in an arena; one thread at a time. A layer's inventory depends on its bytes
 * alone, so that it can be kept under its diff ID (docs/format/scan-layer.md); an image's is put
 * together from those of its layers, as overlay would put the files together.
 */
#ifndef SW_SCAN_INVENTORY_H
#define SW_SCAN_INVENTORY_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/digest.h"
#include "codec/lists.h"
#include "distro/package.h"
#include "oci/descriptor.h"

/* Part of every stored layer: raised when the same bytes would give another inventory. */
#define SW_SCAN_LAYER_VERSION 3

enum sw_scan_limits {
    SW_SCAN_PATHS_MAX = 4000000,      /* entries of a layer; a whole distribution has 500,000 */
    SW_SCAN_ARTIFACTS_MAX = 100000,   /* files of interest of a layer */
    SW_SCAN_DOCUMENT_MAX = 256 << 20, /* bytes of a package database; CentOS' have 100 MB */
    SW_SCAN_MEMORY_FILE = 1 << 20,    /* larger programs are spooled to disk to be read */
    SW_SCAN_FUNCTIONS_MAX = 8 << 20,  /* functions of a program */
};

enum sw_scan_kind {
    SW_SCAN_OS = 1, /* os-release */
    SW_SCAN_DPKG,
    SW_SCAN_APK,
    SW_SCAN_RPM,
    SW_SCAN_GO_BINARY,
    SW_SCAN_GO_MOD,
    SW_SCAN_GO_SDK, /* the VERSION file of a Go installation */
    SW_SCAN_SBOM,
};
/* "dpkg", "go-binary" ... Static. */
const char *sw_scan_kind_name(enum sw_scan_kind kind);

struct sw_scan_package {
    struct sw_package p;     /* of Go: name the module path, version as built */
    struct sw_str ecosystem; /* "" except in an SBOM: then "Go", "Debian:12" ... */
    bool main;               /* the main module of a Go program */
    bool stdlib;             /* the standard library; version is the release ("go1.22.3") */
    unsigned layer;          /* index into the image's layers where this version came in */
};

/* The functions of a Go program, as hashes of "package\0symbol". */
struct sw_scan_functions {
    bool known;       /* there was a table */
    bool complete;    /* a function that is not in it is not in the program */
    uint64_t *hashes; /* sorted */
    size_t n;
    struct sw_strs packages; /* linked packages, sorted */
};

/* A file of interest. */
struct sw_scan_artifact {
    enum sw_scan_kind kind;
    struct sw_str path;    /* clean, relative to the root */
    struct sw_str problem; /* why it could not be read, or not all of it; "" if it could */
    struct sw_os_release os;
    struct sw_scan_package *packages;
    size_t n_packages;
    struct sw_str go_version; /* of a program: "go1.22.3" */
    struct sw_str go_version_raw, main_path, goos, goarch, format;
    struct sw_pairs settings;
    bool modules_unknown; /* built without modules: its dependencies cannot be told */
    struct sw_scan_functions functions;
    unsigned layer; /* of the image, where the file comes from */
};

struct sw_scan_layer {
    struct sw_digest diff_id;
    struct sw_scan_artifact *artifacts;
    size_t n_artifacts;
    struct sw_strs whiteouts; /* paths that this layer removes, with what is below them */
    struct sw_strs opaques;   /* directories whose lower content it hides */
    uint64_t seed;            /* of the hashes below; random, so that no archive can aim at them */
    uint64_t *files, *dirs;   /* sorted hashes of the paths that it brings */
    size_t n_files, n_dirs;
    uint64_t bytes; /* of the uncompressed archive */
};

/* The layer as it is kept on disk, and back. Reading checks everything: SW_CORRUPT, SW_UNSUPPORTED
 * for another version; the caller then reads the layer again. */
void sw_scan_layer_write(const struct sw_scan_layer *layer, struct sw_buf *out);
SW_NODISCARD enum sw_code sw_scan_layer_read(struct sw_arena *a, struct sw_str bytes,
                                             struct sw_scan_layer *ret, struct sw_error *err);

struct sw_scan_layer_info {
    struct sw_digest diff_id;
    struct sw_str created_by; /* the instruction that made it */
};

struct sw_inventory {
    struct sw_str target;       /* what was scanned, as the user named it */
    const char *target_kind;    /* "image", "rootfs", "binary", "sbom"; static */
    struct sw_digest digest;    /* of the image's manifest */
    struct sw_descriptor named; /* what the name means: the manifest, or an index that has it */
    bool whole;                 /* named holds this image alone: what is said is said of it */
    struct sw_str os_text;      /* PRETTY_NAME, or "" */
    struct sw_os_release os;
    struct sw_pairs labels;
    struct sw_scan_layer_info *layers;
    size_t n_layers;
    struct sw_scan_artifact *artifacts; /* by path */
    size_t n_artifacts;
};

/* Puts layers together, lowest first. Strings are borrowed from the layers. */
void sw_inventory_merge(struct sw_arena *a, const struct sw_scan_layer *layers, size_t n,
                        struct sw_inventory *inventory);

/* The hash that struct sw_scan_functions holds. */
uint64_t sw_scan_function_hash(struct sw_str package, struct sw_str symbol);
bool sw_scan_has_function(const struct sw_scan_functions *f, struct sw_str package,
                          struct sw_str symbol);
bool sw_scan_has_package(const struct sw_scan_functions *f, struct sw_str package);

#endif
