#include "golang/files.h"

static struct sw_str none(void) { return (struct sw_str){0}; }

/* The scalar at the start of s: quoted, or up to a comment or one of stops. */
static struct sw_str scalar(struct sw_str s, const char *stops) {
    s = sw_str_trim(s);
    if (s.len && (s.ptr[0] == '"' || s.ptr[0] == '\'')) {
        size_t end = sw_str_find_char(sw_str_from(s, 1), s.ptr[0]);
        return end == SIZE_MAX ? none() : sw_str_sub(s, 1, end);
    }
    size_t n = 0;
    while (n < s.len && !strchr(stops, s.ptr[n]) &&
           !(s.ptr[n] == '#' && n && (s.ptr[n - 1] == ' ' || s.ptr[n - 1] == '\t')))
        n++;
    if (s.len && s.ptr[0] == '#') return none();
    s = sw_str_trim(sw_str_sub(s, 0, n));
    return s.len ? s : none();
}

struct sw_str sw_go_version_of_file(struct sw_str text) {
    struct sw_str line;
    while (sw_str_next(&text, '\n', &line)) {
        line = sw_str_trim(line);
        if (line.len && line.ptr[0] != '#') return scalar(line, "");
    }
    return none();
}

struct sw_str sw_go_version_of_tool_versions(struct sw_str text) {
    struct sw_str line;
    while (sw_str_next(&text, '\n', &line)) {
        struct sw_str rest = sw_str_trim(line), word = rest;
        size_t n = 0;
        while (n < rest.len && rest.ptr[n] != ' ' && rest.ptr[n] != '\t') n++;
        word = sw_str_sub(rest, 0, n);
        if (!sw_str_is(word, "golang") && !sw_str_is(word, "go")) continue;
        struct sw_str version = scalar(sw_str_from(rest, n), " \t");
        if (version.len && !sw_str_is(version, "system")) return version;
    }
    return none();
}

struct sw_str sw_go_version_of_mise(struct sw_str text) {
    struct sw_str line, key, value;
    bool tools = false, table = false;
    while (sw_str_next(&text, '\n', &line)) {
        line = sw_str_trim(line);
        if (sw_str_starts(line, SW_STR("["))) {
            tools = sw_str_starts(line, SW_STR("[tools]"));
            table = sw_str_starts(line, SW_STR("[tools.go]"));
            continue;
        }
        if (!sw_str_cut(line, '=', &key, &value)) continue;
        key = sw_str_trim(key);
        value = sw_str_trim(value);
        if (key.len > 2 && key.ptr[0] == '"') key = sw_str_sub(key, 1, key.len - 2);
        if (table && sw_str_is(key, "version")) return scalar(value, "");
        bool dotted = sw_str_is(key, "tools.go") || sw_str_is(key, "tools.golang");
        if (!dotted && (!tools || (!sw_str_is(key, "go") && !sw_str_is(key, "golang")))) continue;
        if (value.len && value.ptr[0] == '[') value = sw_str_from(value, 1);
        if (value.len && value.ptr[0] == '{') {
            size_t at = sw_str_find(value, SW_STR("version"));
            struct sw_str ignored;
            if (at == SIZE_MAX || !sw_str_cut(sw_str_from(value, at), '=', &ignored, &value))
                return none();
        }
        return scalar(value, ",]}");
    }
    return none();
}

/* "key: value" at the start of s; *ret_value is what follows. */
static bool yaml_key(struct sw_str s, const char *key, struct sw_str *ret_value) {
    size_t len = strlen(key);
    char quote = s.len && (s.ptr[0] == '"' || s.ptr[0] == '\'') ? s.ptr[0] : 0;
    if (quote) s = sw_str_from(s, 1);
    if (!sw_str_starts(s, sw_str(key))) return false;
    s = sw_str_from(s, len);
    if (quote) {
        if (!s.len || s.ptr[0] != quote) return false;
        s = sw_str_from(s, 1);
    }
    while (s.len && s.ptr[0] == ' ') s = sw_str_from(s, 1);
    if (!s.len || s.ptr[0] != ':') return false;
    s = sw_str_from(s, 1);
    if (s.len && s.ptr[0] != ' ' && s.ptr[0] != '\t' && s.ptr[0] != '\r') return false;
    *ret_value = s;
    return true;
}

struct sw_str sw_go_version_of_yaml(struct sw_str text, const char *key) {
    struct sw_str line, value;
    bool inside = false;
    while (sw_str_next(&text, '\n', &line)) {
        if (sw_str_ends(line, SW_STR("\r"))) line.len--;
        struct sw_str bare = sw_str_trim(line);
        if (!bare.len || bare.ptr[0] == '#') continue;
        bool top = line.ptr[0] != ' ' && line.ptr[0] != '\t';
        if (!top) {
            if (inside && yaml_key(bare, "version", &value)) return scalar(value, "");
            continue;
        }
        if (inside) return none(); /* the key was there, without a version */
        if (sw_str_is(bare, "...") || !yaml_key(line, key, &value)) continue;
        value = sw_str_trim(value);
        if (value.len && value.ptr[0] == '{') {
            size_t at = sw_str_find(value, SW_STR("version"));
            if (at == SIZE_MAX || !yaml_key(sw_str_from(value, at), "version", &value))
                return none();
            return scalar(value, ",}");
        }
        struct sw_str version = scalar(value, "");
        if (version.len) return version;
        inside = true;
    }
    return none();
}
