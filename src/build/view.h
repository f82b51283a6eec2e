/* The root file system that a stage's layers make, each layer a snapshot or an index of its blob.
 *
 * Floor 5. Thread-safe once opened.
 *
 * A view answers what a path is (destinations of COPY, users, working directories) over layers in
 * either form. As the source of COPY --from its layers must all be snapshots, since contents are
 * opened in them.
 */
#ifndef SW_BUILD_VIEW_H
#define SW_BUILD_VIEW_H

#include "build/source.h"
#include "store/layer_index.h"
#include "store/snapshot.h"

struct sw_view_layer {
    int64_t snapshot;             /* 0: none */
    struct sw_layer_index *index; /* borrowed; NULL: none */
    bool clamped;                 /* times of the snapshot that are clamped_s ... */
    int64_t clamped_s;            /* ... are shown as late ones, to be clamped anew */
};

/* layers: lowest first; copied. name: borrowed. Owned: sw_source_free(). */
SW_NODISCARD enum sw_code sw_view_open(struct sw_store *store, enum sw_overlay_form form,
                                       const struct sw_view_layer *layers, size_t n,
                                       struct sw_str name, struct sw_source **ret,
                                       struct sw_error *err);
/* A file of the view, resolved through links; SW_NOT_FOUND. At most max bytes. */
SW_NODISCARD enum sw_code sw_view_read(struct sw_source *view, struct sw_arena *arena,
                                       struct sw_str path, size_t max, struct sw_str *ret,
                                       struct sw_error *err);

#endif
