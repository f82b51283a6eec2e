/* The commands that exist. Floor 7. Each is defined in a file of its own name. */
#ifndef SW_CMD_TABLE_H
#define SW_CMD_TABLE_H

#include "cmd/command.h"

extern const struct sw_command sw_cmd_build;
extern const struct sw_command sw_cmd_version;
extern const struct sw_command sw_cmd_completion;
extern const struct sw_command sw_cmd_manual;
extern const struct sw_command sw_cmd_go_install;

#endif
