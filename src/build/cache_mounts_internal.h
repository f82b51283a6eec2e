/* Where cache mounts are kept. Private to the room. */
#ifndef SW_BUILD_CACHE_MOUNTS_INTERNAL_H
#define SW_BUILD_CACHE_MOUNTS_INTERNAL_H

#include "codec/digest.h"
#include "store/store.h"

#define SW_CACHE_MOUNTS_DIR "slipway/cachemounts"
#define SW_CACHE_MOUNT_NAME_MAX 48
#define SW_CACHE_MOUNT_ID_MAX 4096

/* The directory of an id's first copy. */
void sw_cache_mount_name(struct sw_str id, char ret[SW_CACHE_MOUNT_NAME_MAX]);
/* slipway/cachemounts, made where it is missing. */
SW_NODISCARD enum sw_code sw_cache_mounts_root(struct sw_store *store, int *ret_fd,
                                               struct sw_error *err);
/* Moves a mount's content out of the way and removes it. Its lock is held. */
SW_NODISCARD enum sw_code sw_cache_mount_drop(struct sw_store *store, int mount_dir,
                                              struct sw_error *err);

#endif
