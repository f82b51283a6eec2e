#include "dockerfile/parse.h"

#include "dockerfile/line_internal.h"
#include "dockerfile/rune_internal.h"

/* The value of "syntax" among the directives at the top, each behind a comment sign of its own. */
static struct sw_str find_directive(struct sw_str source, struct sw_str sign) {
    struct sw_str line, name, value, found = {0};
    struct sw_str rest = source;
    while (sw_str_next(&rest, '\n', &line)) {
        if (sw_str_ends(line, SW_STR("\r"))) line.len--;
        if (!sw_str_starts(line, sign)) break;
        if (!sw_df_split_directive(sw_rune_trim_left(sw_str_from(line, sign.len)), &name, &value))
            break;
        bool other = sw_str_ieq(name, SW_STR("escape")) || sw_str_ieq(name, SW_STR("check"));
        if (sw_str_ieq(name, SW_STR("syntax"))) {
            sw_str_cut(value, ' ', &found, &rest);
            break;
        }
        if (!other) break;
    }
    return found;
}

struct sw_str sw_df_detect_syntax(struct sw_str source) {
    if (sw_str_starts(source, SW_STR("\xEF\xBB\xBF"))) source = sw_str_from(source, 3);
    if (sw_str_starts(source, SW_STR("#!"))) {
        struct sw_str first;
        sw_str_cut(source, '\n', &first, &source);
    }
    struct sw_str found = find_directive(source, SW_STR("#"));
    return found.ptr ? found : find_directive(source, SW_STR("//"));
}

/* A mirror's copy of the frontend is the frontend: "mirror.test/docker/dockerfile:1". What stands
 * before the first slash is a registry where it could not be part of a name on Docker Hub. */
static struct sw_str without_registry(struct sw_str reference) {
    struct sw_str host, rest;
    if (!sw_str_cut(reference, '/', &host, &rest)) return reference;
    bool is_host = sw_str_find_char(host, '.') != SIZE_MAX ||
                   sw_str_find_char(host, ':') != SIZE_MAX || sw_str_is(host, "localhost");
    return is_host ? rest : reference;
}

bool sw_df_syntax_supported(struct sw_str reference) {
    static const char *const names[] = {"docker/dockerfile", "docker/dockerfile-upstream"};
    reference = without_registry(reference);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sw_str name = sw_str(names[i]);
        if (!sw_str_starts(reference, name)) continue;
        if (reference.len == name.len) return true;
        char next = reference.ptr[name.len];
        if (next == ':' || next == '@') return reference.len > name.len + 1;
    }
    return false;
}
