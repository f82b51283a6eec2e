#include "build/history.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"

#define TEXT_MAX ((size_t)4 << 20)

static struct sw_str kept(struct sw_arena *arena, const struct sw_buf *b) {
    return sw_arena_str(arena, sw_buf_str(b));
}

struct sw_str sw_history_pairs(struct sw_arena *arena, const char *name,
                               const struct sw_df_pairs *pairs) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, TEXT_MAX);
    sw_buf_add_text(&b, name);
    for (size_t i = 0; i < pairs->n; i++) {
        const struct sw_df_pair *p = &pairs->items[i];
        sw_buf_addf(&b, " %.*s", SW_ARG(p->name));
        if (p->value.ptr) sw_buf_addf(&b, "=%.*s", SW_ARG(p->value));
    }
    return kept(arena, &b);
}

static void add_list(struct sw_buf *b, const struct sw_strs *list) {
    sw_buf_add_text(b, "[");
    for (size_t i = 0; i < list->len; i++)
        sw_buf_addf(b, "%s%.*s", i ? " " : "", SW_ARG(list->ptr[i]));
    sw_buf_add_text(b, "]");
}

struct sw_str sw_history_list(struct sw_arena *arena, const char *name,
                              const struct sw_strs *list) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, TEXT_MAX);
    sw_buf_addf(&b, "%s ", name);
    add_list(&b, list);
    return kept(arena, &b);
}

/* As a string in a Go program; bytes from 0x80 on are left as they are. */
static void add_quoted(struct sw_buf *b, struct sw_str s) {
    static const char letters[] = "abtnvfr"; /* 7 to 13 */
    sw_buf_add_text(b, "\"");
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') {
            sw_buf_addf(b, "\\%c", c);
        } else if (c >= 7 && c <= 13) {
            sw_buf_addf(b, "\\%c", letters[c - 7]);
        } else if (c < 0x20 || c == 0x7f) {
            sw_buf_addf(b, "\\x%02x", c);
        } else {
            sw_buf_addf(b, "%c", c);
        }
    }
    sw_buf_add_text(b, "\"");
}

struct sw_str sw_history_argv(struct sw_arena *arena, const char *name,
                              const struct sw_strs *argv) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, TEXT_MAX);
    sw_buf_addf(&b, "%s [", name);
    for (size_t i = 0; i < argv->len; i++) {
        if (i) sw_buf_add_text(&b, " ");
        add_quoted(&b, argv->ptr[i]);
    }
    sw_buf_add_text(&b, "]");
    return kept(arena, &b);
}

/* whole.fraction without zeros at the end: of value units, each of scale parts. */
static void add_fraction(struct sw_buf *b, int64_t value, int64_t scale, const char *unit) {
    char digits[24];
    sw_buf_addf(b, "%" PRId64, value / scale);
    int64_t rest = value % scale;
    if (rest) {
        int n = 0;
        for (int64_t s = scale / 10; s > 0 && rest; s /= 10) {
            digits[n++] = (char)('0' + rest / s);
            rest %= s;
        }
        sw_buf_addf(b, ".%.*s", n, digits);
    }
    sw_buf_add_text(b, unit);
}

/* "1h0m30s", "1.5s", "500ms": the form of Go's time.Duration. */
static void add_duration(struct sw_buf *b, const char *name, int64_t ns) {
    sw_buf_addf(b, " %s:", name);
    if (ns == 0) {
        sw_buf_add_text(b, "0s");
    } else if (ns < 1000) {
        sw_buf_addf(b, "%" PRId64 "ns", ns);
    } else if (ns < 1000000) {
        add_fraction(b, ns, 1000, "\u00b5s");
    } else if (ns < 1000000000) {
        add_fraction(b, ns, 1000000, "ms");
    } else {
        int64_t minutes = ns / 60000000000;
        if (minutes >= 60) sw_buf_addf(b, "%" PRId64 "h", minutes / 60);
        if (minutes) sw_buf_addf(b, "%" PRId64 "m", minutes % 60);
        add_fraction(b, ns % 60000000000, 1000000000, "s");
    }
}

struct sw_str sw_history_health(struct sw_arena *arena, const struct sw_healthcheck *check) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, TEXT_MAX);
    sw_buf_add_text(&b, "HEALTHCHECK {Test:");
    add_list(&b, &check->test);
    add_duration(&b, "Interval", check->interval_ns);
    add_duration(&b, "Timeout", check->timeout_ns);
    add_duration(&b, "StartPeriod", check->start_period_ns);
    add_duration(&b, "StartInterval", check->start_interval_ns);
    sw_buf_addf(&b, " Retries:%d}", (int)check->retries);
    return kept(arena, &b);
}
