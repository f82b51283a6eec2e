/* A parsed Dockerfile: stages and typed instructions with their positions.
 *
 * Floor 2, pure: plain data in one arena. May be read by several threads once parsed.
 *
 * Words are raw: quotes, escapes and $variables are still in them, because expansion depends on
 * the stage's environment at that point of the build (dockerfile/expand.h). Fields marked
 * "literal" are never expanded. A missing optional text has .ptr == NULL, an empty one has not.
 * Syntax and meaning follow Docker's "Dockerfile reference" and BuildKit's frontend.
 */
#ifndef SW_DOCKERFILE_AST_H
#define SW_DOCKERFILE_AST_H

#include "base/str.h"

enum sw_df_kind {
    SW_DF_ADD,
    SW_DF_ARG,
    SW_DF_CMD,
    SW_DF_COPY,
    SW_DF_ENTRYPOINT,
    SW_DF_ENV,
    SW_DF_EXPOSE,
    SW_DF_FROM,
    SW_DF_HEALTHCHECK,
    SW_DF_LABEL,
    SW_DF_MAINTAINER,
    SW_DF_ONBUILD,
    SW_DF_RUN,
    SW_DF_SHELL,
    SW_DF_STOPSIGNAL,
    SW_DF_USER,
    SW_DF_VOLUME,
    SW_DF_WORKDIR,
};
#define SW_DF_KINDS 18

struct sw_df_words {
    struct sw_str *items;
    size_t n;
};
struct sw_df_span {
    uint32_t line, end_line; /* 1-based, inclusive; heredoc bodies included */
    uint32_t column;         /* 1-based byte column of the keyword in its line */
    struct sw_str source;    /* those lines as written, for excerpts; without the last newline */
};

struct sw_df_heredoc {
    struct sw_str name; /* the terminator without quotes; also the file's name for COPY and ADD */
    struct sw_str raw;  /* the body as written, every line with its newline */
    struct sw_str body; /* the body with leading tabs removed where chomp is set */
    uint32_t fd;        /* 3 in "3<<EOF"; 0 where none is written */
    bool expand;        /* the terminator was not quoted: COPY and ADD expand variables */
    bool chomp;         /* <<- */
};
/* NAME=VALUE of ENV, LABEL and ARG. */
struct sw_df_pair {
    struct sw_str name;
    struct sw_str value;   /* .ptr NULL: ARG without default */
    struct sw_str comment; /* ARG: the description in the comment above; NULL where none */
    bool legacy;           /* ENV, LABEL: written as "NAME VALUE" */
};
struct sw_df_pairs {
    struct sw_df_pair *items;
    size_t n;
};

/* What RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK CMD run; never expanded by the builder. */
enum sw_df_form {
    SW_DF_SHELL_FORM,   /* argv holds one text: the shell's arguments, then argv[0], run it */
    SW_DF_EXEC_FORM,    /* argv is executed as it stands (written as a JSON array) */
    SW_DF_HEREDOC_FORM, /* RUN <<EOF: argv[0] is the body, run by the shell as in shell form */
    SW_DF_SCRIPT_FORM,  /* RUN <<EOF with #!: argv[0] is a file to write (0755, named like the
                           heredoc, in /dev/pipes) whose path is run through the shell */
};
struct sw_df_command {
    enum sw_df_form form;
    struct sw_df_words argv; /* literal; shell form of RUN has its heredocs appended as the shell
                                wants them; no words at all for "RUN" alone or [] */
};
/* One --mount of RUN. The planner needs from; the rest is known once variables are, through
 * sw_df_mount_parse() in dockerfile/mount.h. */
struct sw_df_mount_flag {
    struct sw_str text; /* raw: "type=cache,target=$GOCACHE" */
    struct sw_str from; /* literal stage name, image or context; NULL where none */
};
struct sw_df_from {
    struct sw_str base;     /* expanded with global ARGs only */
    struct sw_str platform; /* --platform, expanded with global ARGs; NULL where none */
    struct sw_str name;     /* literal, lower case; NULL where the stage has no name */
    struct sw_str name_as_written;
    struct sw_str as_keyword; /* "AS" as written */
};
struct sw_df_device {
    struct sw_str name;
    bool required;
};
enum sw_df_network { SW_DF_NETWORK_DEFAULT, SW_DF_NETWORK_NONE, SW_DF_NETWORK_HOST };
struct sw_df_run {
    struct sw_df_command command;
    struct sw_df_mount_flag *mounts;
    size_t n_mounts;
    struct sw_df_device *devices; /* --device */
    size_t n_devices;
    enum sw_df_network network;
    bool insecure; /* --security=insecure */
};
enum sw_df_tri { SW_DF_UNSET, SW_DF_FALSE, SW_DF_TRUE };
struct sw_df_copy {             /* COPY and ADD */
    struct sw_df_words sources; /* paths, and for ADD URLs and git repositories; without heredocs */
    struct sw_df_heredoc *files; /* the heredoc sources, in order, copied after sources */
    size_t n_files;
    struct sw_str dest;
    struct sw_str
        from; /* COPY; literal (an expression is refused): stage, number, image, context */
    struct sw_str chown, chmod; /* raw; NULL, or empty once expanded, where none */
    struct sw_df_words exclude; /* literal patterns */
    bool link, parents;
    struct sw_str checksum;      /* ADD; raw; NULL where none */
    enum sw_df_tri keep_git_dir; /* ADD */
    enum sw_df_tri unpack;       /* ADD */
};
struct sw_df_healthcheck { /* times in nanoseconds, 0: inherit; literal */
    bool none;             /* HEALTHCHECK NONE */
    struct sw_df_command command;
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
    int retries;
};

struct sw_df_instruction {
    enum sw_df_kind kind;
    struct sw_str name; /* keyword as written */
    struct sw_df_span span;
    struct sw_str text;          /* one line: continuations joined, no heredoc bodies */
    struct sw_df_words comments; /* the comment lines directly above, without # and blanks */
    struct sw_df_heredoc *heredocs;
    size_t n_heredocs;
    union {
        struct sw_df_from from;
        struct sw_df_run run;
        struct sw_df_copy copy;       /* COPY, ADD */
        struct sw_df_command command; /* CMD, ENTRYPOINT; SHELL (always exec form) */
        struct sw_df_pairs pairs;     /* ENV, LABEL, ARG */
        struct sw_df_words words;     /* EXPOSE (each may expand to several), VOLUME */
        struct sw_df_healthcheck health;
        struct sw_str word; /* WORKDIR, USER, STOPSIGNAL; literal: MAINTAINER, ONBUILD (trigger) */
    };
};

#endif
