/* What `docker save` writes beside the blobs: manifest.json and repositories.
 *
 * Floor 2. Pure. Docker image specification 1.2 ("combined image JSON and file system changeset
 * format"). Archives since Docker 25 are OCI layouts with a manifest.json whose paths lead into
 * blobs/; both are read, the latter is written.
 */
#ifndef SW_OCI_DOCKER_ARCHIVE_H
#define SW_OCI_DOCKER_ARCHIVE_H

#include "oci/descriptor.h"
#include "oci/reference.h"

#define SW_DOCKER_ARCHIVE_MANIFEST "manifest.json"
#define SW_DOCKER_ARCHIVE_REPOSITORIES "repositories"

struct sw_docker_image {
    struct sw_str config;     /* path in the archive, clean */
    struct sw_strs repo_tags; /* "busybox:latest"; may be empty */
    struct sw_strs layers;    /* paths in the archive, clean, lowest first */
};

struct sw_docker_archive {
    struct sw_docker_image *images; /* arena */
    size_t n_images;
};

/* Paths that leave the archive are SW_SYNTAX. */
SW_NODISCARD enum sw_code sw_docker_archive_parse(struct sw_arena *a, struct sw_str bytes,
                                                  struct sw_docker_archive *ret,
                                                  struct sw_error *err);
void sw_docker_archive_write(struct sw_buf *out, const struct sw_docker_archive *archive);

/* The digest that a path names: blobs/sha256/X, X.json (config), X/layer.tar, X.tar. False where
 * the name is not a digest (legacy layer IDs look the same but are not one: is_layer_dir tells). */
bool sw_docker_archive_digest(struct sw_str path, struct sw_digest *ret, bool *ret_is_layer_dir);

/* repositories: {"name": {"tag": "layer ID"}}, of archives older than manifest.json. */
struct sw_docker_repository_tag {
    struct sw_str repository, tag, layer_id;
};
SW_NODISCARD enum sw_code sw_docker_repositories_parse(struct sw_arena *a, struct sw_str bytes,
                                                       struct sw_docker_repository_tag **ret_tags,
                                                       size_t *ret_n, struct sw_error *err);
void sw_docker_repositories_write(struct sw_buf *out, const struct sw_docker_repository_tag *tags,
                                  size_t n);

/* The image that a reference means: by RepoTags; an empty name means the only image. */
SW_NODISCARD enum sw_code sw_docker_archive_find(struct sw_arena *a,
                                                 const struct sw_docker_archive *archive,
                                                 struct sw_str name,
                                                 const struct sw_docker_image **ret,
                                                 struct sw_error *err);

#endif
