/* Maxima of the room build, and why they are what they are.
 *
 * Floor 5.
 */
#ifndef SW_BUILD_LIMITS_H
#define SW_BUILD_LIMITS_H

/* Entries that one COPY may take: ten times the largest monorepo we have seen. */
#define SW_COPY_ENTRIES_MAX ((size_t)5000000)
/* Directories nested below a context or a layer: PATH_MAX allows 2,048 names of one letter. */
#define SW_TREE_DEPTH_MAX 2048
/* Bytes of one file's extended attributes that are kept: what a tar header may hold. */
#define SW_XATTR_BYTES_MAX ((size_t)512 * 1024)
/* Bytes of etc/passwd and etc/group that are read to resolve names. */
#define SW_PASSWD_MAX ((size_t)4 << 20)
/* Lower directories below a RUN: what overlayfs takes at most, less the upper one. */
#define SW_LAYERS_MAX 499
/* Supplementary groups of a user. */
#define SW_GROUPS_MAX 1024
/* Steps that run at once although the machine has fewer processors. */
#define SW_JOBS_MIN 2
/* A predicate of an attestation: an SBOM has 500 bytes a package. */
#define SW_PREDICATE_MAX ((size_t)64 << 20)

#endif
