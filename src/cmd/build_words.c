#include "cmd/build_words.h"

#include "base/buf.h"

enum sw_code build_csv_next(struct sw_arena *a, struct sw_str *rest, struct sw_str *ret_field,
                            bool *ret_more, struct sw_error *err) {
    *ret_more = rest->len > 0;
    if (!rest->len) return SW_OK;
    if (rest->ptr[0] != '"') {
        sw_str_next(rest, ',', ret_field);
        return SW_OK;
    }
    SW_BUF struct sw_buf field;
    sw_buf_init(&field, 0);
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->ptr[i] != '"') {
            sw_buf_add_char(&field, rest->ptr[i]);
        } else if (i + 1 < rest->len && rest->ptr[i + 1] == '"') {
            sw_buf_add_char(&field, '"');
            i++;
        } else if (i + 1 == rest->len || rest->ptr[i + 1] == ',') {
            *rest = sw_str_from(*rest, i + 1 < rest->len ? i + 2 : rest->len);
            *ret_field = sw_arena_str(a, sw_buf_str(&field));
            return SW_OK;
        } else {
            break;
        }
    }
    return sw_fail(err, SW_USAGE, "a quote does not end before a comma");
}

bool build_word_bool(struct sw_str word, bool *ret) {
    static const char *const words[2][6] = {{"0", "f", "F", "false", "False", "FALSE"},
                                            {"1", "t", "T", "true", "True", "TRUE"}};
    for (int value = 0; value < 2; value++)
        for (size_t i = 0; i < 6; i++)
            if (sw_str_is(word, words[value][i])) {
                *ret = value;
                return true;
            }
    return false;
}
