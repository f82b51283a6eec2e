/* DESIGN
 *
 * moby/patternmatcher turns a pattern into a regular expression, and what the pattern means is what
 * Go's regexp package makes of that: "**" does not match a newline, "[*]" is not a star, "\d" is a
 * digit. So this file writes the same expression and compiles it. Only a little of the syntax can
 * occur: single characters, classes, "[^/]*", ".*", "(.*\/)?" and assertions, one after the other.
 *
 * That sequence is an automaton whose states are the places between items. State i is active when
 * the items before i have matched what was read. Items that may match nothing let their successor
 * be active too; such steps only go forward, so that one pass over the states settles them. There
 * is no backtracking: time is the length of the path times the active states.
 */
#include "dockerfile/pattern_internal.h"

#include "base/buf.h"
#include "dockerfile/limits.h"
#include "dockerfile/list_internal.h"
#include "dockerfile/rune_internal.h"

enum item_type {
    ITEM_RUNE,
    ITEM_CLASS,
    ITEM_ANY,      /* . which does not match a newline */
    ITEM_GROUP,    /* before (.*\/)?: the two items after this one, or none of them */
    ITEM_START,    /* ^ \A */
    ITEM_END,      /* \z */
    ITEM_BOUNDARY, /* \b */
    ITEM_INSIDE,   /* \B */
};

struct range {
    uint32_t low, high;
};

struct sw_pattern_item {
    enum item_type type;
    bool repeated; /* * */
    bool optional; /* ? */
    bool negated;
    uint32_t rune;
    struct range *ranges; /* ITEM_CLASS */
    size_t n_ranges, cap_ranges;
};

/* Every byte of a pattern gives at most three items ("**" gives three for two bytes). */
#define STATES_MAX (SW_IGNORE_PATTERN_MAX * 3 + 2)
#define WORDS_MAX (STATES_MAX / 64 + 1)

/* ---- the expression ---- */

static bool is_special(uint32_t rune) {
    return rune < 0x80 && rune != 0 && strchr(".+()|{}$", (int)rune) != NULL;
}

/* Writes the expression (without ^ and $) and decides the type. */
static void write_expression(struct sw_str text, struct sw_pattern *p, struct sw_buf *out) {
    struct sw_str s = text;
    p->type = SW_PATTERN_EXACT;
    if (sw_str_starts(s, SW_STR("\xEF\xBB\xBF"))) s = sw_str_from(s, 3);
    for (bool first = true; s.len > 0; first = false) {
        size_t len;
        uint32_t rune = sw_rune_decode(s, &len);
        s = sw_str_from(s, len);
        bool wild = rune == '?' || rune == '[' || rune == ']';
        if (rune == '*' && s.len > 0 && s.ptr[0] == '*') {
            s = sw_str_from(s, 1);
            if (s.len > 0 && s.ptr[0] == '/') s = sw_str_from(s, 1);
            bool at_end = s.len == 0, exact = p->type == SW_PATTERN_EXACT;
            p->type = at_end && exact ? SW_PATTERN_PREFIX : SW_PATTERN_ITEMS;
            if (!at_end)
                sw_buf_add_text(out, "(.*/)?");
            else if (!exact)
                sw_buf_add_text(out, ".*");
            if (first) p->type = SW_PATTERN_SUFFIX;
            continue;
        }
        if (rune == '*') {
            sw_buf_add_text(out, "[^/]*");
            wild = true;
        } else if (rune == '?') {
            sw_buf_add_text(out, "[^/]");
        } else if (is_special(rune)) {
            sw_buf_addf(out, "\\%c", (int)rune);
        } else if (rune == '\\') {
            sw_buf_add_char(out, '\\');
            rune = s.len > 0 ? sw_rune_decode(s, &len) : 0;
            if (s.len == 0) break;
            sw_rune_add(out, rune);
            s = sw_str_from(s, len);
            wild = true;
        } else {
            sw_rune_add(out, rune);
        }
        if (wild) p->type = SW_PATTERN_ITEMS;
    }
}

/* ---- classes ---- */

struct compiler {
    struct sw_arena *arena;
    struct sw_str rest; /* of the expression */
    struct sw_pattern_item *items;
    size_t n, cap;
};

static const struct range digit_ranges[] = {{'0', '9'}};
static const struct range word_ranges[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct range space_ranges[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};

static void add_range(struct compiler *c, struct sw_pattern_item *item, uint32_t low,
                      uint32_t high) {
    *SW_DF_PUSH(c->arena, item->ranges, item->n_ranges, item->cap_ranges) =
        (struct range){low, high};
}

/* Adds sorted ranges, or everything between them. */
static void add_ranges(struct compiler *c, struct sw_pattern_item *item, const struct range *ranges,
                       size_t n, bool negated) {
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (!negated)
            add_range(c, item, ranges[i].low, ranges[i].high);
        else if (next < ranges[i].low)
            add_range(c, item, next, ranges[i].low - 1);
        next = ranges[i].high + 1;
    }
    if (negated) add_range(c, item, next, 0x10FFFF);
}

/* \d \s \w and their negations, after the backslash. */
static bool take_perl_class(struct compiler *c, struct sw_pattern_item *item) {
    if (c->rest.len < 2 || c->rest.ptr[0] != '\\') return false;
    char name = c->rest.ptr[1];
    bool negated = name >= 'A' && name <= 'Z';
    switch (name | 32) {
    case 'd':
        add_ranges(c, item, digit_ranges, 1, negated);
        break;
    case 'w':
        add_ranges(c, item, word_ranges, 4, negated);
        break;
    case 's':
        add_ranges(c, item, space_ranges, 3, negated);
        break;
    default:
        return false;
    }
    c->rest = sw_str_from(c->rest, 2);
    return true;
}

/* [:name:] inside brackets. False where there is none; *ret_bad for an unknown name. */
static bool take_posix_class(struct compiler *c, struct sw_pattern_item *item, bool *ret_bad) {
    static const struct {
        const char *name;
        struct range ranges[4];
        size_t n;
    } classes[] = {
        {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
        {"alpha", {{'A', 'Z'}, {'a', 'z'}}, 2},
        {"ascii", {{0, 127}}, 1},
        {"blank", {{'\t', '\t'}, {' ', ' '}}, 2},
        {"cntrl", {{0, 31}, {127, 127}}, 2},
        {"digit", {{'0', '9'}}, 1},
        {"graph", {{'!', '~'}}, 1},
        {"lower", {{'a', 'z'}}, 1},
        {"print", {{' ', '~'}}, 1},
        {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
        {"space", {{'\t', '\r'}, {' ', ' '}}, 2},
        {"upper", {{'A', 'Z'}}, 1},
        {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
        {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
    };
    if (!sw_str_starts(c->rest, SW_STR("[:"))) return false;
    struct sw_str name = sw_str_from(c->rest, 2);
    size_t end = sw_str_find(name, SW_STR(":]"));
    if (end == SIZE_MAX) return false;
    c->rest = sw_str_from(name, end + 2);
    name = sw_str_sub(name, 0, end);
    bool negated = name.len > 0 && name.ptr[0] == '^';
    if (negated) name = sw_str_from(name, 1);
    *ret_bad = true;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (!sw_str_is(name, classes[i].name)) continue;
        add_ranges(c, item, classes[i].ranges, classes[i].n, negated);
        *ret_bad = false;
    }
    return true;
}

/* The character after a backslash; letters and digits mean something else or nothing. */
static bool take_escaped(struct compiler *c, uint32_t *ret) {
    static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
    size_t len;
    if (c->rest.len == 0) return false;
    *ret = sw_rune_decode(c->rest, &len);
    c->rest = sw_str_from(c->rest, len);
    if (*ret >= 0x80) return false;
    const char *hit = *ret ? strchr(from, (int)*ret) : NULL;
    if (hit) *ret = (unsigned char)to[hit - from];
    if (hit) return true;
    return !sw_rune_is_letter(*ret) && !sw_rune_is_digit(*ret);
}

static bool take_class_rune(struct compiler *c, uint32_t *ret) {
    if (c->rest.len == 0) return false;
    size_t len;
    *ret = sw_rune_decode(c->rest, &len);
    c->rest = sw_str_from(c->rest, len);
    return *ret == '\\' ? take_escaped(c, ret) : true;
}

/* A bracket expression after its "[". A "]" at its start is a member. */
static bool take_class(struct compiler *c, struct sw_pattern_item *item) {
    item->type = ITEM_CLASS;
    item->negated = c->rest.len > 0 && c->rest.ptr[0] == '^';
    if (item->negated) c->rest = sw_str_from(c->rest, 1);
    for (bool first = true; first || c->rest.len == 0 || c->rest.ptr[0] != ']'; first = false) {
        bool bad = false;
        uint32_t low, high;
        if (take_posix_class(c, item, &bad)) {
            if (bad) return false;
            continue;
        }
        if (take_perl_class(c, item)) continue;
        if (!take_class_rune(c, &low)) return false;
        high = low;
        if (c->rest.len > 1 && c->rest.ptr[0] == '-' && c->rest.ptr[1] != ']') {
            c->rest = sw_str_from(c->rest, 1);
            if (!take_class_rune(c, &high) || high < low) return false;
        }
        add_range(c, item, low, high);
    }
    c->rest = sw_str_from(c->rest, 1);
    return true;
}

/* ---- items ---- */

static struct sw_pattern_item *push(struct compiler *c, enum item_type type, uint32_t rune) {
    struct sw_pattern_item *item = SW_DF_PUSH(c->arena, c->items, c->n, c->cap);
    *item = (struct sw_pattern_item){.type = type, .rune = rune};
    return item;
}

static bool take_escape(struct compiler *c, struct sw_pattern_item *item) {
    char name = c->rest.len > 1 ? c->rest.ptr[1] : 0;
    if (take_perl_class(c, item)) {
        item->type = ITEM_CLASS;
        return true;
    }
    c->rest = sw_str_from(c->rest, 1);
    bool assertion = name == 'A' || name == 'z' || name == 'b' || name == 'B';
    if (!assertion) return take_escaped(c, &item->rune);
    item->type = name == 'A'   ? ITEM_START
                 : name == 'z' ? ITEM_END
                 : name == 'b' ? ITEM_BOUNDARY
                               : ITEM_INSIDE;
    c->rest = sw_str_from(c->rest, 1);
    return true;
}

static bool take_item(struct compiler *c) {
    static const struct sw_str group = {"(.*/)?", 6};
    if (sw_str_starts(c->rest, group)) {
        push(c, ITEM_GROUP, 0);
        push(c, ITEM_ANY, 0)->repeated = true;
        push(c, ITEM_RUNE, '/');
        c->rest = sw_str_from(c->rest, group.len);
        return true;
    }
    size_t len;
    uint32_t rune = sw_rune_decode(c->rest, &len);
    struct sw_pattern_item *item = push(c, ITEM_RUNE, rune);
    if (rune == '\\') {
        if (!take_escape(c, item)) return false;
    } else {
        c->rest = sw_str_from(c->rest, len);
        if (rune == '[' && !take_class(c, item)) return false;
        if (rune == '.') item->type = ITEM_ANY;
        if (rune == '^') item->type = ITEM_START;
    }
    /* Stars follow "[^/]" and ".", but also whatever an odd bracket made of them. */
    item->repeated = c->rest.len > 0 && c->rest.ptr[0] == '*';
    item->optional = c->rest.len > 0 && c->rest.ptr[0] == '?';
    if (item->repeated || item->optional) c->rest = sw_str_from(c->rest, 1);
    return true;
}

/* Is item i a character that every match has at this place? */
static bool is_certain(const struct sw_pattern *p, size_t i) {
    const struct sw_pattern_item *item = &p->items[i];
    bool grouped = i > 1 && p->items[i - 2].type == ITEM_GROUP; /* the slash of an optional group */
    return item->type == ITEM_RUNE && !item->repeated && !item->optional && !grouped &&
           item->rune != SW_RUNE_BAD;
}

/* Literal text that every match starts with, ends with, and has somewhere (the longest). */
static void find_literals(struct sw_arena *arena, struct sw_pattern *p) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 0);
    p->head = p->tail = p->part = SW_STR("");
    for (size_t i = 0, first = 0; i <= p->n_items; i++) {
        if (i < p->n_items && is_certain(p, i)) {
            sw_rune_add(&text, p->items[i].rune);
            continue;
        }
        struct sw_str run = sw_arena_str(arena, sw_buf_str(&text));
        if (first == 0) p->head = run;
        if (i == p->n_items) p->tail = run;
        if (first > 0 && i < p->n_items && run.len > p->part.len) p->part = run;
        first = i + 1;
        sw_buf_reset(&text);
    }
}

enum sw_code sw_pattern_compile(struct sw_arena *arena, struct sw_str text, struct sw_pattern *ret,
                                struct sw_error *err) {
    struct sw_pattern p = {.text = text};
    if (text.len > SW_IGNORE_PATTERN_MAX)
        return sw_fail(err, SW_LIMIT, "a pattern is longer than %u bytes", SW_IGNORE_PATTERN_MAX);
    SW_BUF struct sw_buf expression;
    sw_buf_init(&expression, 0);
    write_expression(text, &p, &expression);
    if (p.type == SW_PATTERN_PREFIX) p.text.len -= 2;
    if (p.type == SW_PATTERN_SUFFIX) p.text = sw_str_from(text, 2);
    if (p.type == SW_PATTERN_ITEMS) {
        struct compiler c = {.arena = arena, .rest = sw_buf_str(&expression)};
        bool good = true;
        while (good && c.rest.len > 0) good = take_item(&c);
        if (!good)
            return sw_fail(err, SW_SYNTAX,
                           "malformed pattern \"%.*s\": an escape or a bracket in it means nothing",
                           SW_ARG(text));
        p.items = c.items;
        p.n_items = c.n;
        find_literals(arena, &p);
    }
    *ret = p;
    return SW_OK;
}

/* ---- matching ---- */

static bool in_class(const struct sw_pattern_item *item, uint32_t rune) {
    bool in = false;
    for (size_t i = 0; i < item->n_ranges && !in; i++)
        in = item->ranges[i].low <= rune && rune <= item->ranges[i].high;
    return in != item->negated;
}

static bool takes(const struct sw_pattern_item *item, uint32_t rune) {
    switch (item->type) {
    case ITEM_RUNE:
        return item->rune == rune;
    case ITEM_CLASS:
        return in_class(item, rune);
    case ITEM_ANY:
        return rune != '\n';
    default:
        return false;
    }
}

#define NO_RUNE UINT32_MAX /* before the start and after the end */

static bool is_word(uint32_t rune) {
    return rune < 0x80 && (rune == '_' || sw_rune_is_letter(rune) || sw_rune_is_digit(rune));
}

/* How far state i reaches without reading anything: 0 not at all. */
static size_t free_step(const struct sw_pattern_item *item, uint32_t before, uint32_t after) {
    bool holds = item->repeated || item->optional;
    switch (item->type) {
    case ITEM_START:
        return before == NO_RUNE || holds;
    case ITEM_END:
        return after == NO_RUNE || holds;
    case ITEM_BOUNDARY:
        return is_word(before) != is_word(after) || holds;
    case ITEM_INSIDE:
        return is_word(before) == is_word(after) || holds;
    case ITEM_GROUP:
        return 1;
    default:
        return holds;
    }
}

struct states {
    uint64_t bits[WORDS_MAX];
};

static void activate(struct states *s, size_t i) { s->bits[i / 64] |= (uint64_t)1 << i % 64; }

/* The first active state from this one on, or SIZE_MAX. */
static size_t next_active(const struct states *s, size_t words, size_t from) {
    for (size_t w = from / 64; w < words; w++) {
        uint64_t bits = s->bits[w];
        if (w == from / 64) bits &= ~(uint64_t)0 << from % 64;
        if (bits) return w * 64 + (size_t)__builtin_ctzll(bits);
    }
    return SIZE_MAX;
}

static void settle(const struct sw_pattern *p, struct states *s, size_t words, uint32_t before,
                   uint32_t after) {
    for (size_t i = 0; (i = next_active(s, words, i)) < p->n_items; i++) {
        size_t step = free_step(&p->items[i], before, after);
        if (step) activate(s, i + step);
        if (p->items[i].type == ITEM_GROUP) activate(s, i + 3);
    }
}

/* Reads text, which *before stands in front of, and leaves the states after it, not settled; more
 * can be read then. False when none is left. */
static bool advance(const struct sw_pattern *p, struct sw_str text, uint32_t *before,
                    struct states *s, size_t words) {
    while (text.len > 0) {
        size_t len;
        uint32_t rune = sw_rune_decode(text, &len);
        text = sw_str_from(text, len);
        settle(p, s, words, *before, rune);
        struct states next;
        memset(next.bits, 0, words * sizeof *next.bits);
        bool any = false;
        for (size_t i = 0; (i = next_active(s, words, i)) < p->n_items; i++) {
            if (!takes(&p->items[i], rune)) continue;
            activate(&next, p->items[i].repeated ? i : i + 1);
            any = true;
        }
        if (!any) return false;
        memcpy(s->bits, next.bits, words * sizeof *next.bits);
        *before = rune;
    }
    return true;
}

static bool match_items(const struct sw_pattern *p, struct sw_str path) {
    size_t words = p->n_items / 64 + 1;
    if (!sw_str_starts(path, p->head) || !sw_str_ends(path, p->tail)) return false;
    if (sw_str_find(path, p->part) == SIZE_MAX) return false;
    struct states s;
    memset(s.bits, 0, words * sizeof *s.bits);
    activate(&s, 0);
    uint32_t before = NO_RUNE;
    if (!advance(p, path, &before, &s, words)) return false;
    settle(p, &s, words, before, NO_RUNE);
    return s.bits[p->n_items / 64] >> p->n_items % 64 & 1;
}

bool sw_pattern_match(const struct sw_pattern *p, struct sw_str path) {
    switch (p->type) {
    case SW_PATTERN_EXACT:
        return sw_str_eq(path, p->text);
    case SW_PATTERN_PREFIX:
        return sw_str_starts(path, p->text);
    case SW_PATTERN_SUFFIX:
        if (sw_str_ends(path, p->text)) return true;
        return p->text.len > 0 && p->text.ptr[0] == '/' && sw_str_eq(path, sw_str_from(p->text, 1));
    case SW_PATTERN_ITEMS:
        break;
    }
    return match_items(p, path);
}

/* Does a start with b and a slash? */
static bool is_beneath(struct sw_str a, struct sw_str b) {
    return a.len > b.len && a.ptr[b.len] == '/' && sw_str_starts(a, b);
}

bool sw_pattern_may_match_below(const struct sw_pattern *p, struct sw_str directory) {
    size_t words = p->n_items / 64 + 1;
    struct states s;
    uint32_t before = NO_RUNE;
    switch (p->type) {
    case SW_PATTERN_EXACT:
        return is_beneath(p->text, directory);
    case SW_PATTERN_PREFIX:
        return sw_str_starts(directory, p->text) || is_beneath(p->text, directory) ||
               (p->text.len == directory.len + 1 && sw_str_ends(p->text, SW_STR("/")) &&
                sw_str_starts(p->text, directory));
    case SW_PATTERN_SUFFIX:
        return true;
    case SW_PATTERN_ITEMS:
        break;
    }
    memset(s.bits, 0, words * sizeof *s.bits);
    activate(&s, 0);
    return advance(p, directory, &before, &s, words) && advance(p, SW_STR("/"), &before, &s, words);
}
