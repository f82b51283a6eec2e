/* The lines of go.mod and go.work that choose a toolchain, and editing the toolchain line.
 *
 * Floor 2. Pure. Reads what the go command's modfile package reads as far as it concerns versions;
 * other directives are passed over. https://go.dev/ref/mod#go-mod-file
 */
#ifndef SW_GOLANG_MODFILE_H
#define SW_GOLANG_MODFILE_H

#include "golang/version.h"

/* A go.mod of some hundred requirements has 50 KiB. */
#define SW_GO_MODFILE_MAX ((size_t)4 << 20)

struct sw_go_modfile {
    struct sw_str module;             /* "" where there is none (go.work); views into the text */
    struct sw_str go;                 /* "1.21", "1.21.3", "1.22rc1"; "" where there is no line */
    struct sw_str toolchain;          /* "go1.21.3", "default"; "" */
    unsigned go_line, toolchain_line; /* from 1; 0 none */
};

/* SW_SYNTAX with the line: a go or toolchain line that the go command would refuse, a second one.
 */
SW_NODISCARD enum sw_code sw_go_modfile_parse(struct sw_str text, struct sw_go_modfile *ret,
                                              struct sw_error *err);
/* Copies text with its toolchain line set to name ("go1.22.4"): replaced in place, or put after the
 * go line, or at the end. "" removes it. Comments and everything else stay as they are. */
SW_NODISCARD enum sw_code sw_go_modfile_set_toolchain(struct sw_str text, struct sw_str name,
                                                      struct sw_buf *to, struct sw_error *err);

#endif
