/* Image references: names of images, as users type them and as registries want them.
 *
 * Floor 2. Pure. The grammar and the normalisation of distribution/reference:
 *
 *     reference := name [ ":" tag ] [ "@" digest ]
 *     name      := [ domain "/" ] component *( "/" component )
 *     domain    := host [ ":" port ]; host a DNS name, an IPv4 or a bracketed IPv6 address
 *     component := alnum *( separator alnum ); alnum [a-z0-9]+; separator "." | "_" | "__" | "-"+
 *     tag       := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 */
#ifndef SW_OCI_REFERENCE_H
#define SW_OCI_REFERENCE_H

#include "base/arena.h"
#include "codec/digest.h"
#include "oci/limits.h"

#define SW_REFERENCE_DOMAIN "docker.io"

struct sw_reference {
    struct sw_str domain;    /* "docker.io", "localhost:5000"; may be empty after _parse_exact */
    struct sw_str path;      /* "library/busybox" */
    struct sw_str tag;       /* "" where there is none */
    struct sw_digest digest; /* unset where there is none */
};

/* As users type it: "busybox" is docker.io/library/busybox, "localhost/x" and "a.b/x" and "a:1/x"
 * name a registry. No tag is added. Everything is copied into the arena. SW_USAGE with the reason.
 */
SW_NODISCARD enum sw_code sw_reference_parse(struct sw_arena *a, struct sw_str text,
                                             struct sw_reference *ret, struct sw_error *err);
/* By the grammar alone, nothing added (reference.Parse). */
SW_NODISCARD enum sw_code sw_reference_parse_exact(struct sw_arena *a, struct sw_str text,
                                                   struct sw_reference *ret, struct sw_error *err);
/* Gives ":latest" to a reference with neither tag nor digest. */
void sw_reference_default_tag(struct sw_reference *ref);

/* "docker.io/library/busybox" */
struct sw_str sw_reference_name(struct sw_arena *a, const struct sw_reference *ref);
/* "docker.io/library/busybox:latest@sha256:..." */
struct sw_str sw_reference_format(struct sw_arena *a, const struct sw_reference *ref);
/* "busybox:latest": what _parse reads back to the same reference. */
struct sw_str sw_reference_familiar(struct sw_arena *a, const struct sw_reference *ref);
bool sw_reference_eq(const struct sw_reference *x, const struct sw_reference *y);

/* Parts alone, as a registry's routes meet them. A repository name here is the path (no domain),
 * with the length limit. */
bool sw_reference_is_path(struct sw_str path);
bool sw_reference_is_tag(struct sw_str tag);
bool sw_reference_is_domain(struct sw_str domain);

#endif
