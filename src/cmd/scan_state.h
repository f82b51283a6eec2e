/* Where the scanner's state is, and what several commands make of it. Floor 7. */
#ifndef SW_CMD_SCAN_STATE_H
#define SW_CMD_SCAN_STATE_H

#include "cmd/command.h"

/* ROOT/slipway/scan, in the invocation's arena. */
SW_NODISCARD enum sw_code sw_scan_state_dir(const struct sw_invocation *inv, const char **ret_root,
                                            const char **ret_dir, struct sw_error *err);
/* $TMPDIR, or /tmp. */
const char *sw_scan_temp_dir(void);

#endif
