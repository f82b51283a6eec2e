/* What a build asks of registries, answered by the room remote. Floor 7. */
#ifndef SW_CMD_BUILD_REGISTRY_H
#define SW_CMD_BUILD_REGISTRY_H

#include "build/build.h"
#include "cmd/remote_common.h"

/* The functions of struct sw_build_registry over a session that is made at the first call. The
 * session is borrowed. */
struct sw_build_registry sw_build_registry_over(struct remote_lazy *session);

#endif
