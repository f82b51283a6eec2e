/* What copying needs of a place. Floor 4. */
#ifndef SW_REMOTE_PLACE_INTERNAL_H
#define SW_REMOTE_PLACE_INTERNAL_H

#include "remote/copy.h"

/* The document of a tag or digest: reference "" is what the place itself names. */
SW_NODISCARD enum sw_code place_manifest(const struct sw_place *p, struct sw_arena *a,
                                         struct sw_str reference, struct sw_descriptor *ret,
                                         struct sw_str *ret_bytes, struct sw_error *err);
SW_NODISCARD enum sw_code place_has_blob(const struct sw_place *p, const struct sw_digest *d,
                                         bool *ret, struct sw_error *err);
/* The blob as a file: the place's own, or one without a name that was downloaded and verified. */
SW_NODISCARD enum sw_code place_open_blob(const struct sw_place *p, const struct sw_descriptor *d,
                                          sw_remote_progress *progress, void *progress_context,
                                          int *ret_fd, struct sw_error *err);
/* From a registry into a place with files, without a detour. */
SW_NODISCARD enum sw_code place_download(const struct sw_place *from, const struct sw_place *to,
                                         const struct sw_descriptor *d,
                                         sw_remote_progress *progress, void *progress_context,
                                         struct sw_error *err);
SW_NODISCARD enum sw_code place_put_blob(const struct sw_place *p, const struct sw_descriptor *d,
                                         int fd, sw_remote_progress *progress,
                                         void *progress_context, struct sw_error *err);
/* A manifest, under its digest. */
SW_NODISCARD enum sw_code place_put_manifest(const struct sw_place *p,
                                             const struct sw_descriptor *d, struct sw_str bytes,
                                             struct sw_error *err);
/* The name of the place now means this manifest. */
SW_NODISCARD enum sw_code place_tag(const struct sw_place *p, struct sw_arena *a,
                                    const struct sw_descriptor *d, struct sw_str bytes,
                                    struct sw_error *err);
/* "docker.io/library/app:1", "layout", for messages. */
struct sw_str place_text(const struct sw_place *p, struct sw_arena *a);

#endif
