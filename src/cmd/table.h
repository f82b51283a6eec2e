/* The commands that exist. Floor 7. Each is defined in a file of its own name. */
#ifndef SW_CMD_TABLE_H
#define SW_CMD_TABLE_H

#include "cmd/command.h"

extern const struct sw_command sw_cmd_build;
extern const struct sw_option sw_build_options_table[]; /* verify takes them, too */
extern const struct sw_command sw_cmd_diff;
extern const struct sw_command sw_cmd_verify;
extern const struct sw_command sw_cmd_cache_du;
extern const struct sw_command sw_cmd_cache_export;
extern const struct sw_command sw_cmd_cache_import;
extern const struct sw_command sw_cmd_cache_list;
extern const struct sw_command sw_cmd_cache_prune;
extern const struct sw_command sw_cmd_run;
extern const struct sw_command sw_cmd_images;
extern const struct sw_command sw_cmd_tag;
extern const struct sw_command sw_cmd_rmi;
extern const struct sw_command sw_cmd_inspect;
extern const struct sw_command sw_cmd_history;
extern const struct sw_command sw_cmd_load;
extern const struct sw_command sw_cmd_save;
extern const struct sw_command sw_cmd_import;
extern const struct sw_command sw_cmd_du;
extern const struct sw_command sw_cmd_prune;
extern const struct sw_command sw_cmd_doctor;
extern const struct sw_command sw_cmd_version;
extern const struct sw_command sw_cmd_completion;
extern const struct sw_command sw_cmd_manual;
extern const struct sw_command sw_cmd_go_install;
extern const struct sw_command sw_cmd_gvm;
extern const struct sw_command sw_cmd_init;
extern const struct sw_command sw_cmd_go_matrix;
extern const struct sw_command sw_cmd_go_verify;
extern const struct sw_command sw_cmd_go_prune;
extern const struct sw_command sw_cmd_go_import;
extern const struct sw_command sw_cmd_go_doctor;
extern const struct sw_command sw_cmd_go_which;
extern const struct sw_command sw_cmd_go_use;
extern const struct sw_command sw_cmd_go_uninstall;
extern const struct sw_command sw_cmd_go_pin;
extern const struct sw_command sw_cmd_go_listall;
extern const struct sw_command sw_cmd_go_list;
extern const struct sw_command sw_cmd_go_hook;
extern const struct sw_command sw_cmd_go_exec;
extern const struct sw_command sw_cmd_go_env;
extern const struct sw_command sw_cmd_go_default;
extern const struct sw_command sw_cmd_registry_serve;
extern const struct sw_command sw_cmd_registry_user;
extern const struct sw_command sw_cmd_registry_robot;
extern const struct sw_command sw_cmd_registry_role;
extern const struct sw_command sw_cmd_registry_rule;
extern const struct sw_command sw_cmd_registry_hook;
extern const struct sw_command sw_cmd_registry_issuer;
extern const struct sw_command sw_cmd_registry_gc;
extern const struct sw_command sw_cmd_registry_audit;
extern const struct sw_command sw_cmd_registry_usage;
extern const struct sw_command sw_cmd_scan;
extern const struct sw_command sw_cmd_audit;
extern const struct sw_command sw_cmd_db_update;
extern const struct sw_command sw_cmd_db_status;
extern const struct sw_command sw_cmd_db_verify;
extern const struct sw_command sw_cmd_db_export;
extern const struct sw_command sw_cmd_db_import;
extern const struct sw_command sw_cmd_key_generate;
extern const struct sw_command sw_cmd_key_public;
extern const struct sw_command sw_cmd_pull;
extern const struct sw_command sw_cmd_push;
extern const struct sw_command sw_cmd_copy;
extern const struct sw_command sw_cmd_login;
extern const struct sw_command sw_cmd_logout;
extern const struct sw_command sw_cmd_tags;
extern const struct sw_command sw_cmd_catalog;
extern const struct sw_command sw_cmd_delete;
extern const struct sw_command sw_cmd_referrers;

#endif
