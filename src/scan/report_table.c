/* The table for people: a block per file, the verdict at the end. */
#include "scan/report_internal.h"

enum { COLUMNS = 7, CELL_MAX = 60 };

static const char *color_of(enum sw_severity s) {
    static const char *const codes[] = {"\033[36m", "\033[2m",  "\033[34m",
                                        "\033[33m", "\033[31m", "\033[1;31m"};
    return codes[s];
}

struct table {
    struct sw_str (*rows)[COLUMNS];
    enum sw_severity *severities;
    size_t n;
    size_t width[COLUMNS];
};

/* Characters, as far as a terminal counts them: bytes that begin one. */
static size_t columns_of(struct sw_str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

/* Cuts to so many characters. Text of images and advisories must not steer the terminal. */
static struct sw_str cell(struct sw_arena *a, struct sw_str s, size_t max) {
    char *to = sw_arena_alloc(a, s.len + 4);
    size_t n = 0, seen = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c & 0xc0) != 0x80 && seen++ == max) {
            static const char ellipsis[3] = {'\xe2', '\x80', '\xa6'};
            for (size_t k = 0; k < sizeof ellipsis; k++) to[n++] = ellipsis[k];
            return sw_str_n(to, n);
        }
        to[n++] = c < 32 || c == 127 ? '?' : (char)c;
    }
    return sw_str_n(to, n);
}

static struct sw_str title_of(struct sw_arena *a, const struct sw_finding *f) {
    struct sw_str text = f->vuln.summary;
    if (f->state != SW_FINDING_OPEN)
        text = sw_arena_printf(a, "(%.*s) %.*s", SW_ARG(f->reason), SW_ARG(text));
    if (f->vuln.flags & SW_ADVDB_KEV) text = sw_arena_printf(a, "[exploited] %.*s", SW_ARG(text));
    return text;
}

static void add_row(struct sw_arena *a, struct table *t, const struct sw_finding *f) {
    struct sw_str *row = t->rows[t->n];
    struct sw_str score = sw_report_score(a, f), cve = sw_report_cve(f);
    row[0] = cell(a, f->package->p.name, CELL_MAX);
    row[1] = sw_str_eq(cve, f->vuln.id)
                 ? cell(a, cve, 40)
                 : cell(a, sw_arena_printf(a, "%.*s (%.*s)", SW_ARG(cve), SW_ARG(f->vuln.id)), 44);
    row[2] =
        f->severity == SW_SEVERITY_UNKNOWN
            ? SW_STR("UNKNOWN")
            : sw_arena_printf(a, "%s%s%.*s (%.*s)", sw_severity_name(f->severity),
                              score.len ? " " : "", SW_ARG(score), SW_ARG(f->severities[0].source));
    row[3] = f->artifact->kind == SW_SCAN_GO_BINARY ? sw_str(sw_reach_name(f->reach)) : SW_STR("");
    row[4] = cell(a, f->package->p.version, 40);
    row[5] = f->fixed.len ? cell(a, f->fixed, 40) : SW_STR("-");
    row[6] = title_of(a, f);
    t->severities[t->n++] = f->severity;
    for (int c = 0; c < COLUMNS; c++)
        if (columns_of(row[c]) > t->width[c]) t->width[c] = columns_of(row[c]);
}

static void put_padded(struct sw_buf *out, struct sw_str s, size_t width) {
    sw_buf_add(out, s);
    for (size_t n = columns_of(s); n < width; n++) sw_buf_add_char(out, ' ');
}

static void put_table(const struct sw_report *r, struct sw_arena *a, struct table *t,
                      struct sw_buf *out) {
    static const char *const heads[] = {"PACKAGE",   "VULNERABILITY", "SEVERITY", "LINKED",
                                        "INSTALLED", "FIXED IN",      "TITLE"};
    size_t before = 2;
    bool linked = t->width[3] > 0;
    for (int c = 0; c < COLUMNS - 1; c++) {
        if (c == 3 && !linked) continue;
        if (t->width[c] < strlen(heads[c])) t->width[c] = strlen(heads[c]);
        before += t->width[c] + 2;
    }
    size_t title = r->width == 0 ? 100 : r->width > before + 20 ? r->width - before - 1 : 20;
    for (size_t i = 0; i <= t->n; i++) {
        sw_buf_add_text(out, "  ");
        for (int c = 0; c < COLUMNS; c++) {
            if (c == 3 && !linked) continue;
            struct sw_str s = i ? t->rows[i - 1][c] : sw_str(heads[c]);
            if (c == COLUMNS - 1) {
                sw_buf_add(out, cell(a, s, title));
                break;
            }
            bool paint = r->color && i && c == 2;
            if (paint) sw_buf_add_text(out, color_of(t->severities[i - 1]));
            put_padded(out, s, t->width[c]);
            if (paint) sw_buf_add_text(out, "\033[0m");
            sw_buf_add_text(out, "  ");
        }
        sw_buf_add_char(out, '\n');
    }
}

static void put_counts(const struct sw_report *r, struct sw_buf *out) {
    const struct sw_decision *d = r->decision;
    size_t total = 0;
    for (int s = 0; s < SW_SEVERITY_COUNT; s++) total += d->counts[s];
    sw_buf_addf(out, "%zu packages, %zu findings", r->matches->n_packages, total);
    const char *separator = ": ";
    for (int s = SW_SEVERITY_COUNT - 1; s >= 0; s--)
        if (d->counts[s]) {
            sw_buf_addf(out, "%s%zu %s", separator, d->counts[s],
                        sw_severity_name((enum sw_severity)s));
            separator = ", ";
        }
    sw_buf_add_char(out, '\n');
}

static void put_verdict(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    static const char *const colors[] = {"\033[32m", "\033[33m", "\033[1;31m"};
    const struct sw_decision *d = r->decision;
    sw_buf_addf(out, "verdict: %s%s%s\n", r->color ? colors[d->verdict] : "",
                sw_verdict_name(d->verdict), r->color ? "\033[0m" : "");
    for (size_t i = 0; i < d->reasons.len; i++) {
        sw_buf_add_text(out, "  - ");
        sw_buf_add(out, cell(a, d->reasons.ptr[i], 400));
        sw_buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < d->notes.len; i++)
        sw_buf_addf(out, "  note: %.*s\n", SW_ARG(cell(a, d->notes.ptr[i], 400)));
    if (r->action.len) sw_buf_addf(out, "fix: %.*s\n", SW_ARG(cell(a, r->action, 400)));
}

/* The findings from first to before end, which are of one file. */
static void put_artifact(const struct sw_report *r, struct sw_arena *a, size_t first, size_t end,
                         struct sw_buf *out) {
    const struct sw_scan_artifact *x = r->matches->findings[first].artifact;
    struct table t = {0};
    t.rows = sw_arena_array(a, end - first, sizeof *t.rows);
    t.severities = sw_arena_array(a, end - first, sizeof *t.severities);
    for (size_t i = first; i < end; i++)
        if (sw_report_shows(r, &r->matches->findings[i])) add_row(a, &t, &r->matches->findings[i]);
    if (!t.n) return;
    sw_buf_addf(out, "\n%.*s (%s", SW_ARG(cell(a, x->path, 200)), sw_scan_kind_name(x->kind));
    if (x->go_version.len) sw_buf_addf(out, ", %.*s", SW_ARG(cell(a, x->go_version, 60)));
    sw_buf_addf(out, ")\n");
    put_table(r, a, &t, out);
}

void sw_report_table(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    const struct sw_inventory *inventory = r->inventory;
    const struct sw_matches *m = r->matches;
    sw_buf_add(out, cell(a, inventory->target, 300));
    if (inventory->os_text.len)
        sw_buf_addf(out, " (%.*s)", SW_ARG(cell(a, inventory->os_text, 80)));
    if (r->data_time)
        sw_buf_addf(out, "\nadvisories of %.*s\n", SW_ARG(sw_report_day(a, r->data_time)));
    else
        sw_buf_add_text(out, "\nno advisories\n");
    for (size_t i = 0, end; i < m->n_findings; i = end) {
        end = i + 1;
        while (end < m->n_findings && m->findings[end].artifact == m->findings[i].artifact) end++;
        put_artifact(r, a, i, end, out);
    }
    sw_buf_add_char(out, '\n');
    put_counts(r, out);
    put_verdict(r, a, out);
}
