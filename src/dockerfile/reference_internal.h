/* Image references and platforms, as far as the checks need them (the room oci is on this floor).
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_REFERENCE_INTERNAL_H
#define SW_DOCKERFILE_REFERENCE_INTERNAL_H

#include "dockerfile/args.h"

/* [domain/]path[:tag][@digest], by the grammar of distribution/reference. */
bool sw_df_is_reference(struct sw_str s);
/* "linux/arm64/v8", "arm64", "linux": false where it is none. Parts are views; a missing
 * architecture is empty, a missing system is linux. */
bool sw_df_platform_parse(struct sw_str s, struct sw_df_platform *ret);
/* The same system and architecture, aliases ("x86_64") counted as equal? */
bool sw_df_platform_same(const struct sw_df_platform *a, const struct sw_df_platform *b);
/* "os/arch/variant", normalized. */
struct sw_str sw_df_platform_text(struct sw_arena *arena, const struct sw_df_platform *p);

#endif
