/* When the support of distributions and Go releases ends. Floor 5, pure. */
#ifndef SW_SCAN_EOL_H
#define SW_SCAN_EOL_H

#include "distro/package.h"

/* The day (seconds since 1970) on which the publisher stops publishing security fixes for
 * everybody: os-release's SUPPORT_END, else what was known when this was written. 0 unknown. */
int64_t sw_eol_of(const struct sw_os_release *os);
/* Whether an end that is not known should be asked about: the distribution is one that has ends
 * (rolling ones have none), and the release is not newer than all that are known here. */
bool sw_eol_is_missing(const struct sw_os_release *os);

#endif
