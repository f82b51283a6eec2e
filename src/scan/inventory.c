#include "scan/inventory.h"

#include <stdlib.h>

#include "base/map.h"

const char *sw_scan_kind_name(enum sw_scan_kind kind) {
    static const char *const names[] = {"",          "os-release", "dpkg",   "apk", "rpm",
                                        "go-binary", "go-mod",     "go-sdk", "sbom"};
    return kind <= SW_SCAN_SBOM ? names[kind] : "";
}

uint64_t sw_scan_function_hash(struct sw_str package, struct sw_str symbol) {
    return sw_hash_bytes(symbol.ptr, symbol.len, sw_hash_bytes(package.ptr, package.len, 1));
}

static bool has_hash(const uint64_t *sorted, size_t n, uint64_t hash) {
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (sorted[middle] == hash) return true;
        if (sorted[middle] < hash)
            low = middle + 1;
        else
            n = middle;
    }
    return false;
}

bool sw_scan_has_function(const struct sw_scan_functions *f, struct sw_str package,
                          struct sw_str symbol) {
    return has_hash(f->hashes, f->n, sw_scan_function_hash(package, symbol));
}

bool sw_scan_has_package(const struct sw_scan_functions *f, struct sw_str package) {
    size_t low = 0, high = f->packages.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int d = sw_str_cmp(f->packages.ptr[middle], package);
        if (d == 0) return true;
        if (d < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool layer_has(const struct sw_scan_layer *l, const uint64_t *set, size_t n,
                      struct sw_str path) {
    return has_hash(set, n, sw_hash_bytes(path.ptr, path.len, l->seed));
}

/* Whether the layer hides what lower layers have at path: it brings something else there, a file
 * where a directory was above it, or it removed it. */
static bool hides(const struct sw_scan_layer *l, struct sw_str path) {
    if (layer_has(l, l->files, l->n_files, path) || layer_has(l, l->dirs, l->n_dirs, path))
        return true;
    for (size_t i = path.len; i-- > 0;)
        if (path.ptr[i] == '/' && layer_has(l, l->files, l->n_files, sw_str_sub(path, 0, i)))
            return true;
    for (int kind = 0; kind < 2; kind++) {
        const struct sw_strs *list = kind ? &l->opaques : &l->whiteouts;
        for (size_t i = 0; i < list->len; i++) {
            struct sw_str dir = list->ptr[i];
            if (!kind && sw_str_eq(dir, path)) return true;
            if (dir.len == 0 ||
                (sw_str_starts(path, dir) && path.len > dir.len && path.ptr[dir.len] == '/'))
                return true;
        }
    }
    return false;
}

static bool has_package(const struct sw_scan_artifact *artifact, const struct sw_package *p) {
    for (size_t i = 0; i < artifact->n_packages; i++) {
        const struct sw_package *q = &artifact->packages[i].p;
        if (sw_str_eq(q->name, p->name) && sw_str_eq(q->version, p->version) &&
            sw_str_eq(q->arch, p->arch))
            return true;
    }
    return false;
}

static const struct sw_scan_artifact *artifact_at(const struct sw_scan_layer *l,
                                                  struct sw_str path) {
    for (size_t i = 0; i < l->n_artifacts; i++)
        if (sw_str_eq(l->artifacts[i].path, path)) return &l->artifacts[i];
    return NULL;
}

/* A package database is written anew by every layer that installs something: a package came with
 * the lowest layer from which on every version of the database has it. */
static void attribute(const struct sw_scan_layer *layers, unsigned top,
                      struct sw_scan_artifact *artifact) {
    for (size_t i = 0; i < artifact->n_packages; i++) artifact->packages[i].layer = top;
    if (artifact->kind != SW_SCAN_DPKG && artifact->kind != SW_SCAN_APK &&
        artifact->kind != SW_SCAN_RPM)
        return;
    for (unsigned l = top; l-- > 0;) {
        const struct sw_scan_artifact *older = artifact_at(&layers[l], artifact->path);
        if (!older) continue;
        bool any = false;
        unsigned above = l + 1;
        while (above < top && !artifact_at(&layers[above], artifact->path)) above++;
        for (size_t i = 0; i < artifact->n_packages; i++) {
            struct sw_scan_package *p = &artifact->packages[i];
            if (p->layer != above || !has_package(older, &p->p)) continue;
            p->layer = l;
            any = true;
        }
        if (!any) break;
    }
}

static int by_path(const void *x, const void *y) {
    const struct sw_scan_artifact *a = x, *b = y;
    return sw_str_cmp(a->path, b->path);
}

void sw_inventory_merge(struct sw_arena *a, const struct sw_scan_layer *layers, size_t n,
                        struct sw_inventory *inventory) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += layers[i].n_artifacts;
    inventory->artifacts = sw_arena_array(a, total, sizeof *inventory->artifacts);
    inventory->n_artifacts = 0;
    const struct sw_scan_artifact *os = NULL;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < layers[i].n_artifacts; j++) {
            const struct sw_scan_artifact *from = &layers[i].artifacts[j];
            bool hidden = false;
            for (size_t above = i + 1; above < n && !hidden; above++)
                hidden = hides(&layers[above], from->path);
            if (hidden) continue;
            struct sw_scan_artifact *to = &inventory->artifacts[inventory->n_artifacts++];
            *to = *from;
            to->layer = (unsigned)i;
            to->packages = sw_arena_array(a, from->n_packages, sizeof *to->packages);
            if (from->n_packages)
                memcpy(to->packages, from->packages, from->n_packages * sizeof *to->packages);
            attribute(layers, (unsigned)i, to);
        }
    qsort(inventory->artifacts, inventory->n_artifacts, sizeof *inventory->artifacts, by_path);
    /* etc/os-release goes before usr/lib/os-release, as the manual page has it. */
    for (size_t i = 0; i < inventory->n_artifacts; i++)
        if (inventory->artifacts[i].kind == SW_SCAN_OS && inventory->artifacts[i].os.id.len && !os)
            os = &inventory->artifacts[i];
    if (os) {
        inventory->os = os->os;
        inventory->os_text = os->os.pretty_name.len ? os->os.pretty_name : os->os.id;
    }
}
