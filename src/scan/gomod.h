/* The modules that a go.mod requires. Floor 5, pure. https://go.dev/ref/mod#go-mod-file */
#ifndef SW_SCAN_GOMOD_H
#define SW_SCAN_GOMOD_H

#include "distro/package.h"

/* The requirements after replace directives: name the module that is built, source what was asked
 * for where it is another. Replacements by directories have version "". SW_SYNTAX with the line. */
SW_NODISCARD enum sw_code sw_scan_gomod(struct sw_arena *a, struct sw_str text,
                                        struct sw_packages *ret, struct sw_error *err);

#endif
