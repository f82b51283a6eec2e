#include "dockerfile/ignore.h"

#include "dockerfile/glob.h"
#include "dockerfile/limits.h"
#include "dockerfile/list_internal.h"
#include "dockerfile/pattern_internal.h"
#include "dockerfile/rune_internal.h"
#include "dockerfile/values.h"

struct entry {
    struct sw_pattern pattern;
    struct sw_ignore_pattern shown;
};

struct sw_ignore {
    struct entry *entries;
    size_t n, cap;
    bool has_exceptions;
};

/* Adds one pattern as moby/patternmatcher's New reads it. */
static enum sw_code add(struct sw_arena *arena, struct sw_ignore *ig, struct sw_str pattern,
                        struct sw_str as_written, uint32_t line, struct sw_error *err) {
    pattern = sw_rune_trim(pattern);
    if (pattern.len == 0) return SW_OK;
    pattern = sw_df_path_clean(arena, pattern);
    bool exception = pattern.ptr[0] == '!';
    if (exception) pattern = sw_str_from(pattern, 1);
    if (pattern.len == 0) return sw_fail(err, SW_SYNTAX, "\"!\" alone is no pattern");
    if (ig->n == SW_IGNORE_PATTERNS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %u patterns", SW_IGNORE_PATTERNS_MAX);
    struct entry entry = {.shown = {pattern, as_written, line, exception}};
    enum sw_code code = sw_glob_check(pattern, err);
    if (!code) code = sw_pattern_compile(arena, pattern, &entry.pattern, err);
    if (code) return code;
    *SW_DF_PUSH(arena, ig->entries, ig->n, ig->cap) = entry;
    ig->has_exceptions = ig->has_exceptions || exception;
    return sw_arena_check(arena, "the ignore file", err);
}

/* A line of an ignore file, made relative and clean; empty for comments. */
static struct sw_str normalize(struct sw_arena *arena, struct sw_str line) {
    if (sw_str_starts(line, SW_STR("#"))) return SW_STR("");
    line = sw_rune_trim(line);
    bool exception = line.len > 0 && line.ptr[0] == '!';
    if (exception) line = sw_rune_trim(sw_str_from(line, 1));
    if (line.len > 0) line = sw_df_path_clean(arena, line);
    if (line.len > 1 && line.ptr[0] == '/') line = sw_str_from(line, 1);
    return exception ? sw_arena_printf(arena, "!%.*s", SW_ARG(line)) : line;
}

enum sw_code sw_ignore_parse(struct sw_arena *arena, struct sw_str text, struct sw_str name,
                             struct sw_ignore **ret, struct sw_error *err) {
    struct sw_ignore *ig = SW_NEW(arena, struct sw_ignore);
    if (text.len > SW_IGNORE_FILE_MAX)
        return sw_fail(err, SW_LIMIT, "%.*s is larger than %u bytes", SW_ARG(name),
                       SW_IGNORE_FILE_MAX);
    if (sw_str_starts(text, SW_STR("\xEF\xBB\xBF"))) text = sw_str_from(text, 3);
    struct sw_str rest = text, line;
    for (uint32_t number = 1; sw_str_next(&rest, '\n', &line); number++) {
        if (sw_str_ends(line, SW_STR("\r"))) line.len--;
        enum sw_code code = SW_OK;
        /* Comments may be of any length. */
        if (line.len > SW_IGNORE_PATTERN_MAX && line.ptr[0] != '#')
            code =
                sw_fail(err, SW_LIMIT, "the line is longer than %u bytes", SW_IGNORE_PATTERN_MAX);
        if (!code) code = add(arena, ig, normalize(arena, line), sw_rune_trim(line), number, err);
        if (code) return sw_context(err, "%.*s:%u", SW_ARG(name), number);
    }
    *ret = ig;
    return SW_OK;
}

enum sw_code sw_ignore_compile(struct sw_arena *arena, const struct sw_str *patterns, size_t n,
                               struct sw_ignore **ret, struct sw_error *err) {
    struct sw_ignore *ig = SW_NEW(arena, struct sw_ignore);
    for (size_t i = 0; i < n; i++) {
        enum sw_code code = add(arena, ig, patterns[i], patterns[i], (uint32_t)i + 1, err);
        if (code) return code;
    }
    *ret = ig;
    return SW_OK;
}

size_t sw_ignore_count(const struct sw_ignore *ig) { return ig->n; }

bool sw_ignore_has_exceptions(const struct sw_ignore *ig) { return ig->has_exceptions; }

struct sw_ignore_pattern sw_ignore_pattern_at(const struct sw_ignore *ig, size_t index) {
    return ig->entries[index].shown;
}

/* Does it match a directory above path? */
static bool matches_parent(const struct sw_pattern *pattern, struct sw_str path) {
    for (size_t i = 1; i < path.len; i++)
        if (path.ptr[i] == '/' && sw_pattern_match(pattern, sw_str_sub(path, 0, i))) return true;
    return false;
}

bool sw_ignore_match(const struct sw_ignore *ig, struct sw_str path, size_t *ret_index) {
    bool ignored = false;
    size_t index = SW_IGNORE_NONE;
    for (size_t i = 0; i < ig->n; i++) {
        const struct entry *e = &ig->entries[i];
        /* It could change nothing. */
        if (e->shown.exception != ignored) continue;
        if (!sw_pattern_match(&e->pattern, path) && !matches_parent(&e->pattern, path)) continue;
        ignored = !e->shown.exception;
        index = i;
    }
    if (ret_index) *ret_index = index;
    return ignored;
}

size_t sw_ignore_row_words(const struct sw_ignore *ig) { return ig->n / 64 + 1; }

static bool bit(const uint64_t *row, size_t i) { return row[i / 64] >> i % 64 & 1; }

/* A pattern that could change nothing is not tried, and its bit stays 0 even where it would match.
 * Entries below then try it on their own path only; that is what patternmatcher's
 * MatchesUsingParentResults, and with it BuildKit's context, does. */
bool sw_ignore_step(const struct sw_ignore *ig, const uint64_t *parent_row, struct sw_str path,
                    uint64_t *row, size_t *ret_index) {
    bool ignored = false;
    size_t index = SW_IGNORE_NONE;
    if (row) memset(row, 0, sw_ignore_row_words(ig) * sizeof *row);
    for (size_t i = 0; i < ig->n; i++) {
        const struct entry *e = &ig->entries[i];
        bool match = parent_row && bit(parent_row, i);
        if (!match && e->shown.exception == ignored)
            match = sw_pattern_match(&e->pattern, path) ||
                    (!parent_row && matches_parent(&e->pattern, path));
        if (!match) continue;
        if (row) row[i / 64] |= (uint64_t)1 << i % 64;
        if (ignored == e->shown.exception) index = i;
        ignored = !e->shown.exception;
    }
    if (ret_index) *ret_index = index;
    return ignored;
}

bool sw_ignore_may_reenter(const struct sw_ignore *ig, struct sw_str directory,
                           const uint64_t *row) {
    /* From the last pattern back: one that matches the directory holds for all beneath it, and
     * outweighs the exceptions before it. */
    for (size_t i = ig->n; i-- > 0;) {
        const struct entry *e = &ig->entries[i];
        if (!e->shown.exception && bit(row, i)) return false;
        if (e->shown.exception && sw_pattern_may_match_below(&e->pattern, directory)) return true;
    }
    return false;
}

bool sw_ignore_may_match_below(const struct sw_ignore *ig, struct sw_str directory) {
    if (sw_ignore_match(ig, directory, NULL)) return true;
    for (size_t i = 0; i < ig->n; i++) {
        const struct entry *e = &ig->entries[i];
        if (!e->shown.exception && sw_pattern_may_match_below(&e->pattern, directory)) return true;
    }
    return false;
}
