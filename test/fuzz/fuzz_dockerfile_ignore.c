/* Patterns, a NUL, and paths (one a line): compiling and matching end, and what a walker prunes is
 * ignored. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockerfile/glob.h"
#include "dockerfile/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct sw_arena *arena, const struct sw_ignore *ig, struct sw_str path) {
    size_t words = sw_ignore_row_words(ig);
    const uint64_t *parent = NULL;
    bool pruned = false;
    size_t index;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        uint64_t *row = sw_arena_array(arena, words, sizeof *row);
        struct sw_str prefix = sw_str_sub(path, 0, i);
        bool ignored = sw_ignore_step(ig, parent, prefix, row, &index);
        if (ignored && index == SW_IGNORE_NONE) abort();
        if (pruned && !ignored) abort();
        if (ignored && !sw_ignore_may_reenter(ig, prefix, row)) pruned = true;
        parent = row;
    }
    (void)sw_ignore_match(ig, path, &index);
    (void)sw_ignore_may_match_below(ig, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sw_arena arena;
    struct sw_error err;
    struct sw_ignore *ig;
    struct sw_str patterns, paths, path;
    if (size > 1 << 12) return 0;
    sw_arena_init(&arena, 0);
    char *copy = malloc(size ? size : 1);
    if (size) memcpy(copy, data, size);
    sw_str_cut(sw_str_n(copy, size), 0, &patterns, &paths);
    if (!sw_ignore_parse(&arena, patterns, SW_STR(".dockerignore"), &ig, &err))
        while (sw_str_next(&paths, '\n', &path)) {
            bool match;
            walk(&arena, ig, path);
            if (sw_glob_match(patterns, path, &match, &err)) continue;
        }
    free(copy);
    sw_arena_done(&arena);
    return 0;
}
