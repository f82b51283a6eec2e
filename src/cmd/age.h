/* Ages as people type them. Floor 7. */
#ifndef SW_CMD_AGE_H
#define SW_CMD_AGE_H

#include <stdint.h>

#include "base/error.h"

/* "24h", "30m", "7d", also "until=24h" as docker's --filter has it: seconds. SW_USAGE. */
SW_NODISCARD enum sw_code sw_parse_age(const char *text, int64_t *ret_s, struct sw_error *err);

#endif
