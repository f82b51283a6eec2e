/* Any bytes as a word: it ends, twice with the same result, in UTF-8 where the values are. The
 * first byte chooses flags and escape. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockerfile/expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sw_arena arena;
    struct sw_error err;
    struct sw_df_expansion first, again;
    if (size < 1 || size > 1 << 14) return 0;
    sw_arena_init(&arena, 0);
    struct sw_df_vars vars = {.arena = &arena};
    sw_df_vars_set(&vars, SW_STR("A"), SW_STR("one two"));
    sw_df_vars_set(&vars, SW_STR("B"), SW_STR("a/b.c*\n\\d"));
    sw_df_vars_set(&vars, SW_STR("E"), SW_STR(""));
    struct sw_df_lex lex = {.env = sw_df_vars_env(&vars),
                            .escape = data[0] & 0x80 ? '`' : '\\',
                            .flags = data[0] & 15u};
    char *word = malloc(size);
    memcpy(word, data + 1, size - 1);
    struct sw_str s = sw_str_n(word, size - 1);
    enum sw_code code = sw_df_expand(&arena, &lex, s, &first, &err);
    if (code != sw_df_expand(&arena, &lex, s, &again, &err)) abort();
    if (!code) {
        if (!sw_str_eq(first.text, again.text) || first.words.n != again.words.n) abort();
        if (!sw_str_is_utf8(first.text)) abort();
        for (size_t i = 0; i < first.words.n; i++)
            if (first.words.items[i].len == 0) abort();
    }
    free(word);
    sw_arena_done(&arena);
    return 0;
}
