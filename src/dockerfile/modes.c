/* Symbolic modes, as setmode(3) of BSD and the reference of COPY --chmod read them. */
#include "dockerfile/values.h"

enum {
    SETUID = 04000,
    SETGID = 02000,
    STICKY = 01000,
    USER = 0700,
    GROUP = 0070,
    OTHER = 0007,
    EXECUTE = 0111,
    STANDARD = SETUID | SETGID | USER | GROUP | OTHER,
};

static bool add(struct sw_df_chmod *m, char op, char how, uint32_t bits) {
    if (m->n_steps == SW_DF_CHMOD_STEPS) return false;
    m->steps[m->n_steps].op = op;
    m->steps[m->n_steps].how = how;
    m->steps[m->n_steps++].bits = (uint16_t)bits;
    return true;
}

/* who 0: nobody was named, which means everybody. */
static bool add_bits(struct sw_df_chmod *m, char op, uint32_t who, uint32_t bits) {
    if (op == '=') {
        if (!add(m, '-', 0, who ? who : STANDARD)) return false;
        op = '+';
    }
    return add(m, op, 0, who ? who & bits : bits);
}

static char take(struct sw_str *s) {
    char c = s->len > 0 ? s->ptr[0] : 0;
    *s = sw_str_from(*s, 1);
    return c;
}

static uint32_t take_who(struct sw_str *s) {
    uint32_t who = 0;
    for (; s->len > 0; take(s)) {
        switch (s->ptr[0]) {
        case 'a':
            who |= STANDARD;
            break;
        case 'u':
            who |= SETUID | USER;
            break;
        case 'g':
            who |= SETGID | GROUP;
            break;
        case 'o':
            who |= OTHER;
            break;
        default:
            return who;
        }
    }
    return who;
}

/* The permissions after one operator; *who grows by the sticky bit where t asks for it. */
static bool take_permissions(struct sw_df_chmod *m, struct sw_str *s, char op, uint32_t *who) {
    uint32_t bits = 0, conditional = 0;
    bool cleared = false; /* "=" has taken effect */
    bool special = *who == 0 || (*who & ~(uint32_t)OTHER) != 0;
    for (;; take(s)) {
        char c = s->len > 0 ? s->ptr[0] : 0;
        switch (c) {
        case 'r':
            bits |= 0444;
            continue;
        case 'w':
            bits |= 0222;
            continue;
        case 'x':
            bits |= EXECUTE;
            continue;
        case 'X':
            *(op == '-' ? &bits : &conditional) |= EXECUTE;
            continue;
        case 's':
            if (special) bits |= SETUID | SETGID;
            continue;
        case 't':
            if (!special) continue;
            bits |= STICKY;
            *who |= STICKY; /* even alone, as in setmode(3): "+rt" is "+t" */
            continue;
        default:
            break;
        }
        bool copies = c == 'u' || c == 'g' || c == 'o';
        bool clear = op == '=' && !cleared && !copies;
        if (bits != 0 || clear) {
            if (!add_bits(m, op, *who, bits)) return false;
            cleared = true;
        }
        if (conditional != 0 && !add_bits(m, 'X', *who, conditional)) return false;
        if (!copies) return true;
        uint32_t places = *who ? *who & (USER | GROUP | OTHER) : USER | GROUP | OTHER;
        if (!add(m, c, op, places)) return false;
        cleared = true;
        bits = conditional = 0;
    }
}

static enum sw_code symbolic(struct sw_str text, struct sw_df_chmod *m, struct sw_error *err) {
    struct sw_str s = text;
    bool more = true, fits = true;
    while (more && fits) {
        uint32_t who = take_who(&s);
        do {
            char op = take(&s);
            if (op != '+' && op != '-' && op != '=')
                return sw_fail(err, SW_SYNTAX,
                               "invalid mode \"%.*s\": neither an octal number up to 7777 nor "
                               "clauses such as u=rwX,go=rX",
                               SW_ARG(text));
            who &= ~(uint32_t)STICKY;
            fits = take_permissions(m, &s, op, &who);
        } while (fits && s.len > 0 && s.ptr[0] != ',');
        more = s.len > 0;
        if (more) take(&s);
    }
    if (!fits)
        return sw_fail(err, SW_LIMIT, "the mode \"%.*s\" has more than %d steps", SW_ARG(text),
                       SW_DF_CHMOD_STEPS);
    return SW_OK;
}

enum sw_code sw_df_chmod_parse(struct sw_str text, struct sw_df_chmod *ret, struct sw_error *err) {
    struct sw_df_chmod chmod = {0};
    uint64_t mode;
    if (text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9') {
        if (!sw_str_octal(text, &mode) || mode > 07777)
            return sw_fail(err, SW_SYNTAX,
                           "invalid mode \"%.*s\": an octal number from 0 to 7777 is wanted",
                           SW_ARG(text));
        chmod.octal = true;
        chmod.mode = (uint16_t)mode;
    } else {
        enum sw_code code = symbolic(text, &chmod, err);
        if (code) return code;
    }
    *ret = chmod;
    return SW_OK;
}

static uint32_t copy(uint32_t mode, char from, char how, uint32_t places) {
    uint32_t value = mode >> (from == 'u' ? 6 : from == 'g' ? 3 : 0) & 7;
    uint32_t bits = (value << 6 | value << 3 | value) & places;
    if (how == '-') return mode & ~bits;
    return (how == '=' ? mode & ~places : mode) | bits;
}

uint32_t sw_df_chmod_apply(const struct sw_df_chmod *chmod, uint32_t mode, bool is_directory) {
    if (chmod->octal) return chmod->mode;
    mode &= 07777;
    bool executable = (mode & EXECUTE) != 0 || is_directory;
    for (size_t i = 0; i < chmod->n_steps; i++) {
        uint32_t bits = chmod->steps[i].bits;
        switch (chmod->steps[i].op) {
        case '+':
            mode |= bits;
            break;
        case '-':
            mode &= ~bits;
            break;
        case 'X':
            if (executable) mode |= bits;
            break;
        default:
            mode = copy(mode, chmod->steps[i].op, chmod->steps[i].how, bits);
            break;
        }
    }
    return mode;
}
