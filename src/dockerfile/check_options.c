#include "dockerfile/check.h"
#include "dockerfile/limits.h"
#include "dockerfile/list_internal.h"
#include "dockerfile/rune_internal.h"
#include "dockerfile/values.h"

static void take_names(struct sw_arena *arena, struct sw_str value, bool *all,
                       struct sw_df_words *ret) {
    struct sw_df_list list = {0};
    struct sw_str name;
    value = sw_rune_trim(value);
    if (sw_str_is(value, "all")) {
        *all = true;
        return;
    }
    while (sw_str_next(&value, ',', &name)) sw_df_list_add(arena, &list, sw_rune_trim(name));
    *ret = list.words;
}

enum sw_code sw_df_check_options_parse(struct sw_arena *arena, struct sw_str text,
                                       struct sw_df_check_options *ret, struct sw_error *err) {
    struct sw_df_check_options options = {0};
    struct sw_str rest = sw_rune_trim(text), part;
    if (rest.len == 0) rest.ptr = NULL;
    while (sw_str_next(&rest, ';', &part)) {
        struct sw_str key, value;
        bool pair = sw_str_cut(part, '=', &key, &value);
        key = sw_rune_trim(key);
        if (pair && sw_str_is(key, "skip")) {
            take_names(arena, value, &options.skip_all, &options.skip);
        } else if (pair && sw_str_is(key, "experimental")) {
            take_names(arena, value, &options.experimental_all, &options.experimental);
        } else if (pair && sw_str_is(key, "error")) {
            if (!sw_df_bool_parse(sw_rune_trim(value), &options.as_error))
                return sw_fail(err, SW_SYNTAX, "check option \"%.*s\": error is true or false",
                               SW_ARG(part));
        } else {
            return sw_fail(err, SW_SYNTAX,
                           "invalid check option \"%.*s\": skip=, experimental= and error= can be",
                           SW_ARG(part));
        }
    }
    *ret = options;
    return SW_OK;
}

struct sw_str sw_df_suggest(struct sw_str word, const struct sw_str *candidates, size_t n) {
    struct sw_str best = {0};
    size_t limit = 3; /* two edits at most, as BuildKit suggests */
    for (size_t i = 0; i < n && i < SW_DF_CANDIDATES_MAX; i++) {
        size_t longer = word.len > candidates[i].len ? word.len - candidates[i].len
                                                     : candidates[i].len - word.len;
        if (longer >= limit) continue;
        size_t distance = sw_str_distance(word, candidates[i]);
        if (distance == 0) return (struct sw_str){0};
        if (distance >= limit) continue;
        best = candidates[i];
        limit = distance;
    }
    return best;
}
