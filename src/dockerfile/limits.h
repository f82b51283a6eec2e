/* Maxima of the room dockerfile and why they are what they are.
 *
 * Floor 2. Passing one is SW_LIMIT with the name of what is too large.
 */
#ifndef SW_DOCKERFILE_LIMITS_H
#define SW_DOCKERFILE_LIMITS_H

/* BuildKit's gateway refuses larger build files too; generated ones reach some 100 KiB. */
#define SW_DF_FILE_MAX (16u << 20)
/* One physical line. BuildKit stops at 64 KiB; inlined base64 in heredocs is larger at times. */
#define SW_DF_LINE_MAX (1u << 20)
/* Instructions of one file. The engine stops at 127 layers, but metadata has no such bound. */
#define SW_DF_INSTRUCTIONS_MAX 65536u
#define SW_DF_STAGES_MAX 4096u
/* Words, flags or pairs of one instruction: COPY of generated lists. */
#define SW_DF_WORDS_MAX 65536u
/* Names that all ENV, LABEL and ARG of a file define. Looking them up is linear; execve takes some
 * 2 MiB of environment, which is 16,384 variables of 128 bytes. */
#define SW_DF_NAMES_MAX 16384u
/* Names that one expansion reports as used or unset; nobody reads a longer list. */
#define SW_DF_REPORTED_NAMES_MAX 1024u
/* Suggestions of one run of the checks, and candidates for each: editing distances are not free. */
#define SW_DF_SUGGESTIONS_MAX 256u
#define SW_DF_CANDIDATES_MAX 512u
/* Heredocs of one instruction: each costs a file in the build. */
#define SW_DF_HEREDOCS_MAX 1024u
/* ${a:-${b:-${c}}}: one level of C recursion each, some 300 bytes of stack. */
#define SW_DF_EXPAND_DEPTH_MAX 256u
/* The result of one expansion: execve takes 128 KiB per string; heredoc bodies may be larger. */
#define SW_DF_EXPANSION_MAX (32u << 20)
/* Pattern length times value length in ${v#p} and ${v/p/r}: a quarter of a second of work. */
#define SW_DF_SUBST_WORK_MAX (1u << 27)
/* JSON of the exec form: nothing is nested but the one array; deeper is shell form. */
#define SW_DF_JSON_DEPTH_MAX 1000u
/* .dockerignore: bytes and patterns. The largest ones known have some 1,000 lines. */
#define SW_IGNORE_FILE_MAX (4u << 20)
#define SW_IGNORE_PATTERNS_MAX 16384u
/* Bytes of one pattern; a path of the kernel has at most 4,096. */
#define SW_IGNORE_PATTERN_MAX 8192u

#endif
