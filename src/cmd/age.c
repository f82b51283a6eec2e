#include "cmd/age.h"

#include "base/str.h"

enum sw_code sw_parse_age(const char *text, int64_t *ret_s, struct sw_error *err) {
    struct sw_str s = sw_str(text);
    if (sw_str_starts(s, SW_STR("until="))) s = sw_str_from(s, 6);
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
    uint64_t n;
    for (size_t i = 0; s.len && i < sizeof units / sizeof units[0]; i++) {
        if (s.ptr[s.len - 1] != units[i].unit) continue;
        if (!sw_str_u64(sw_str_sub(s, 0, s.len - 1), &n) ||
            n > (uint64_t)(INT64_MAX / units[i].seconds))
            break;
        *ret_s = (int64_t)n * units[i].seconds;
        return SW_OK;
    }
    return sw_fail(err, SW_USAGE, "an age of \"%s\": want a number and s, m, h, d or w, as in 24h",
                   text);
}
