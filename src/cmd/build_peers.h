/* build: options of docker buildx and buildah beside the usual ones. Floor 7.
 *
 * Every option of theirs is known here. It does what it does there, or it has no effect because
 * there is nothing for it to do, or it is refused with the reason: never is one passed over that
 * would have changed the image.
 */
#ifndef SW_CMD_BUILD_PEERS_H
#define SW_CMD_BUILD_PEERS_H

#include "build/build.h"
#include "cmd/command.h"

/* After the other options were parsed. */
SW_NODISCARD enum sw_code build_peers_parse(struct sw_invocation *inv, struct sw_build_options *o,
                                            struct sw_error *err);
/* "OS/ARCH[/VARIANT]" of --os, --arch and --variant; NULL where none is given. */
const char *build_peers_platform(struct sw_invocation *inv);
/* --logfile: what goes to standard error goes there. Before progress begins. */
SW_NODISCARD enum sw_code build_peers_logfile(struct sw_invocation *inv, struct sw_error *err);

#endif
