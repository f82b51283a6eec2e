#include "advisory/db_build.h"

#include <stdio.h>

#include "advisory/db_internal.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/digest.h"

struct text_ref {
    uint32_t offset, len;
};

struct row {
    uint32_t package; /* index into packages, in the order of their coming */
    uint32_t vuln, flags;
    struct sw_advdb_run events, imports, severities;
};

struct package {
    uint32_t ecosystem;
    struct sw_str name; /* in the builder's arena */
    struct text_ref ref;
};

struct event {
    uint32_t kind;
    struct text_ref version;
};

struct import {
    struct text_ref path;
    struct sw_advdb_run symbols, goos, goarch;
};

struct severity {
    struct text_ref source, vector;
    uint8_t version, score, level;
};

struct vuln {
    struct text_ref id, summary, url, source;
    struct sw_str *names; /* arena: id and aliases */
    size_t n_names;
    struct sw_advdb_run aliases, own, all; /* severities: as published; with those of aliases */
    int64_t published, modified;
    uint32_t kev_added, kev_due, epss, percentile, flags;
};

/* What KEV, EPSS and all the advisories say of one id. */
struct known {
    uint32_t kev_added, kev_due, epss, percentile, flags;
    SW_VEC(uint32_t) severities;
};

struct sw_advdb_builder {
    struct sw_arena arena;
    struct sw_buf strings;
    struct sw_map string_refs; /* text -> offset + 1 */
    struct sw_map ecosystems;  /* normal name -> number + 1 */
    struct sw_map package_map; /* "number\0name" -> index + 1 */
    struct sw_map known;       /* id -> struct known */
    SW_VEC(struct text_ref) ecosystem_refs;
    SW_VEC(struct package) packages;
    SW_VEC(struct row) rows;
    SW_VEC(struct event) events;
    SW_VEC(struct import) imports;
    SW_VEC(struct severity) severities;
    SW_VEC(struct text_ref) refs;
    SW_VEC(struct vuln) vulns;
};

/* One advisory has at most so many characters of summary; the rest is behind its link. */
#define SUMMARY_MAX 400
#define BUILD_MEMORY_MAX ((size_t)4 << 30)

struct sw_advdb_builder *sw_advdb_builder_new(void) {
    struct sw_advdb_builder *b = sw_calloc(1, sizeof *b);
    sw_arena_init(&b->arena, BUILD_MEMORY_MAX);
    sw_buf_init(&b->strings, (size_t)UINT32_MAX);
    return b;
}

void sw_advdb_builder_free(struct sw_advdb_builder *b) {
    if (!b) return;
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&b->known, e));)
        sw_vec_done(&((struct known *)e->value)->severities);
    sw_map_done(&b->known);
    sw_map_done(&b->package_map);
    sw_map_done(&b->ecosystems);
    sw_map_done(&b->string_refs);
    sw_vec_done(&b->ecosystem_refs);
    sw_vec_done(&b->packages);
    sw_vec_done(&b->rows);
    sw_vec_done(&b->events);
    sw_vec_done(&b->imports);
    sw_vec_done(&b->severities);
    sw_vec_done(&b->refs);
    sw_vec_done(&b->vulns);
    sw_buf_done(&b->strings);
    sw_arena_done(&b->arena);
    free(b);
}

void sw_advdb_builder_freep(struct sw_advdb_builder **b) { sw_advdb_builder_free(*b); }

/* Each text is stored once. */
static struct text_ref intern(struct sw_advdb_builder *b, struct sw_str text) {
    if (text.len == 0) return (struct text_ref){0, 0};
    uintptr_t at = (uintptr_t)sw_map_get(&b->string_refs, text);
    if (!at) {
        at = b->strings.len + 1;
        sw_buf_add(&b->strings, text);
        sw_map_put(&b->string_refs, sw_arena_str(&b->arena, text), (void *)at);
    }
    return (struct text_ref){(uint32_t)(at - 1), (uint32_t)text.len};
}

static struct sw_advdb_run intern_all(struct sw_advdb_builder *b, const struct sw_strs *list) {
    struct sw_advdb_run run = {(uint32_t)b->refs.len, (uint32_t)list->len};
    for (size_t i = 0; i < list->len; i++) sw_vec_add(&b->refs, intern(b, list->ptr[i]));
    return run;
}

/* --- ecosystems ------------------------------------------------------------------------------ */

static const char *const matched[] = {
    "Go",       "Bitnami",    "Debian",    "Ubuntu",    "Alpine",
    "Wolfi",    "Chainguard", "Red Hat",   "AlmaLinux", "Rocky Linux",
    "openSUSE", "SUSE",       "Photon OS", "Mageia",    "openEuler",
};

bool sw_ecosystem_normal(struct sw_str name, char *buffer, size_t size, struct sw_str *ret) {
    struct sw_str family, release;
    bool known = false;
    sw_str_cut(name, ':', &family, &release);
    for (size_t i = 0; i < sizeof matched / sizeof *matched; i++)
        known = known || sw_str_is(family, matched[i]);
    if (!known) return false;
    if (sw_str_is(family, "Red Hat")) {
        struct sw_str product, version, rest;
        sw_str_cut(release, ':', &product, &rest);
        sw_str_cut(rest, ':', &version, &rest);
        if (!sw_str_is(product, "enterprise_linux") || !version.len) return false;
        sw_str_cut(version, '.', &version, &rest);
        release = version;
    } else if (sw_str_is(family, "Ubuntu")) {
        if (sw_str_starts(release, SW_STR("Pro:"))) return false;
        sw_str_cut(release, ':', &release, &(struct sw_str){0});
    }
    int len = snprintf(buffer, size, "%.*s%s%.*s", SW_ARG(family), release.len ? ":" : "",
                       SW_ARG(release));
    if (len < 0 || (size_t)len >= size) return false;
    *ret = sw_str_n(buffer, (size_t)len);
    return true;
}

static uint32_t ecosystem_number(struct sw_advdb_builder *b, struct sw_str name) {
    uintptr_t at = (uintptr_t)sw_map_get(&b->ecosystems, name);
    if (!at) {
        sw_vec_add(&b->ecosystem_refs, intern(b, name));
        at = b->ecosystem_refs.len;
        sw_map_put(&b->ecosystems, sw_arena_str(&b->arena, name), (void *)at);
    }
    return (uint32_t)(at - 1);
}

static uint32_t package_number(struct sw_advdb_builder *b, uint32_t ecosystem, struct sw_str name) {
    struct sw_str key = sw_arena_printf(&b->arena, "%u:%.*s", ecosystem, SW_ARG(name));
    uintptr_t at = (uintptr_t)sw_map_get(&b->package_map, key);
    if (!at) {
        size_t colon = sw_str_find_char(key, ':') + 1;
        *sw_vec_push(&b->packages) =
            (struct package){ecosystem, sw_str_from(key, colon), intern(b, name)};
        at = b->packages.len;
        sw_map_put(&b->package_map, key, (void *)at);
    }
    return (uint32_t)(at - 1);
}

/* --- adding ---------------------------------------------------------------------------------- */

static struct known *known_of(struct sw_advdb_builder *b, struct sw_str id) {
    struct known *k = sw_map_get(&b->known, id);
    if (k) return k;
    k = SW_NEW(&b->arena, struct known);
    sw_map_put(&b->known, sw_arena_str(&b->arena, id), k);
    return k;
}

void sw_advdb_add_kev(struct sw_advdb_builder *b, struct sw_str cve, uint32_t added_day,
                      uint32_t due_day, bool ransomware) {
    struct known *k = known_of(b, cve);
    k->kev_added = added_day;
    k->kev_due = due_day;
    k->flags |= SW_ADVDB_KEV | (ransomware ? SW_ADVDB_RANSOMWARE : 0u);
}

void sw_advdb_add_epss(struct sw_advdb_builder *b, struct sw_str cve, uint32_t epss,
                       uint32_t percentile) {
    struct known *k = known_of(b, cve);
    k->epss = epss;
    k->percentile = percentile;
    k->flags |= SW_ADVDB_EPSS;
}

/* A vector that cannot be computed is kept as a word of unknown severity, so that it is seen. */
static void add_severity(struct sw_advdb_builder *b, struct sw_str source, struct sw_str score) {
    struct sw_error ignored;
    struct sw_cvss cvss;
    enum sw_severity word;
    struct severity *s = sw_vec_push(&b->severities);
    s->source = intern(b, source);
    s->vector = intern(b, score);
    if (sw_severity_parse(score, &word)) {
        s->level = (uint8_t)word;
    } else if (!sw_cvss_score(score, &cvss, &ignored)) {
        s->version = (uint8_t)cvss.version;
        s->score = (uint8_t)cvss.score;
        s->level = (uint8_t)cvss.severity;
    }
}

static struct sw_advdb_run add_severities(struct sw_advdb_builder *b, struct sw_str source,
                                          const struct sw_osv_severity *list, size_t n,
                                          struct sw_str rating) {
    struct sw_advdb_run run = {(uint32_t)b->severities.len, 0};
    for (size_t i = 0; i < n; i++) add_severity(b, source, list[i].score);
    if (rating.len) add_severity(b, source, rating);
    run.count = (uint32_t)b->severities.len - run.first;
    return run;
}

/* Every id of the advisory learns what it says of the severity. */
static void share_severities(struct sw_advdb_builder *b, const struct vuln *v,
                             struct sw_advdb_run run) {
    for (size_t i = 0; i < v->n_names; i++) {
        struct known *k = known_of(b, v->names[i]);
        for (uint32_t j = 0; j < run.count; j++) sw_vec_add(&k->severities, run.first + j);
    }
}

static void add_row(struct sw_advdb_builder *b, const struct sw_osv_affected *affected,
                    struct sw_str source, struct sw_str ecosystem, uint32_t vuln) {
    struct row row = {.vuln = vuln, .flags = affected->only_git ? SW_ADVDB_UNVERSIONED : 0};
    row.package = package_number(b, ecosystem_number(b, ecosystem), affected->name);
    row.events = (struct sw_advdb_run){(uint32_t)b->events.len, 0};
    for (size_t i = 0; i < affected->n_events; i++)
        *sw_vec_push(&b->events) =
            (struct event){affected->events[i].kind, intern(b, affected->events[i].version)};
    for (size_t i = 0; i < affected->versions.len; i++)
        *sw_vec_push(&b->events) =
            (struct event){SW_OSV_EXACT, intern(b, affected->versions.ptr[i])};
    row.events.count = (uint32_t)b->events.len - row.events.first;
    row.imports = (struct sw_advdb_run){(uint32_t)b->imports.len, (uint32_t)affected->n_imports};
    for (size_t i = 0; i < affected->n_imports; i++) {
        const struct sw_osv_import *import = &affected->imports[i];
        struct import to = {intern(b, import->path), intern_all(b, &import->symbols),
                            intern_all(b, &import->goos), intern_all(b, &import->goarch)};
        sw_vec_add(&b->imports, to);
    }
    row.severities =
        add_severities(b, source, affected->severities, affected->n_severities, affected->rating);
    share_severities(b, &b->vulns.ptr[vuln], row.severities);
    sw_vec_add(&b->rows, row);
}

/* The summary, or the first sentence of the details. */
static struct sw_str summary_of(const struct sw_osv *osv) {
    struct sw_str text = sw_str_trim(osv->summary);
    if (!text.len) {
        text = sw_str_trim(osv->details);
        size_t line = sw_str_find_char(text, '\n');
        if (line != SIZE_MAX) text = sw_str_sub(text, 0, line);
    }
    if (text.len > SUMMARY_MAX) {
        text = sw_str_sub(text, 0, SUMMARY_MAX);
        while (text.len && (text.ptr[text.len - 1] & 0xc0) == 0x80) text.len--;
        if (text.len && (text.ptr[text.len - 1] & 0x80)) text.len--; /* a cut character */
    }
    return text;
}

static uint32_t add_vuln(struct sw_advdb_builder *b, struct sw_str source,
                         const struct sw_osv *osv) {
    struct vuln v = {.id = intern(b, osv->id),
                     .summary = intern(b, summary_of(osv)),
                     .url = intern(b, osv->url),
                     .source = intern(b, source),
                     .published = osv->published,
                     .modified = osv->modified,
                     .flags = osv->unreviewed ? SW_ADVDB_UNREVIEWED : 0};
    v.n_names = osv->aliases.len + 1;
    v.names = sw_arena_array(&b->arena, v.n_names, sizeof *v.names);
    v.names[0] = sw_arena_str(&b->arena, osv->id);
    for (size_t i = 0; i < osv->aliases.len; i++)
        v.names[i + 1] = sw_arena_str(&b->arena, osv->aliases.ptr[i]);
    v.aliases = intern_all(b, &osv->aliases);
    v.own = add_severities(b, source, osv->severities, osv->n_severities, osv->rating);
    sw_vec_add(&b->vulns, v);
    share_severities(b, &v, v.own);
    return (uint32_t)b->vulns.len - 1;
}

enum sw_code sw_advdb_add(struct sw_advdb_builder *b, struct sw_str source,
                          const struct sw_osv *osv, struct sw_advdb_counts *counts,
                          struct sw_error *err) {
    if (osv->withdrawn) {
        counts->withdrawn++;
        return SW_OK;
    }
    uint32_t vuln = add_vuln(b, source, osv);
    counts->advisories++;
    for (size_t i = 0; i < osv->n_affected; i++) {
        char buffer[128];
        struct sw_str ecosystem;
        if (!osv->affected[i].name.len ||
            !sw_ecosystem_normal(osv->affected[i].ecosystem, buffer, sizeof buffer, &ecosystem)) {
            counts->skipped++;
            continue;
        }
        add_row(b, &osv->affected[i], source, ecosystem, vuln);
        counts->rows++;
    }
    if (b->rows.len > UINT32_MAX / 2 || b->events.len > UINT32_MAX / 2 ||
        b->refs.len > UINT32_MAX / 2)
        return sw_fail(err, SW_LIMIT, "more advisories than the database can hold");
    enum sw_code code = sw_buf_check(&b->strings, "the advisories' text", err);
    return code ? code : sw_arena_check(&b->arena, "compiling the advisories", err);
}

/* --- writing --------------------------------------------------------------------------------- */

/* Severities from every source that knows one of the advisory's names, each once. */
static void join_names(struct sw_advdb_builder *b, struct vuln *v) {
    SW_VEC(uint32_t) all = {0};
    for (size_t i = 0; i < v->n_names; i++) {
        const struct known *k = sw_map_get(&b->known, v->names[i]);
        if (!k) continue;
        if (k->flags & SW_ADVDB_KEV) {
            v->kev_added = k->kev_added;
            v->kev_due = k->kev_due;
        }
        if ((k->flags & SW_ADVDB_EPSS) && k->epss >= v->epss) {
            v->epss = k->epss;
            v->percentile = k->percentile;
        }
        v->flags |= k->flags;
        for (size_t j = 0; j < k->severities.len; j++) {
            const struct severity *s = &b->severities.ptr[k->severities.ptr[j]];
            bool there = false;
            for (size_t n = 0; n < all.len && !there; n++) {
                const struct severity *t = &b->severities.ptr[all.ptr[n]];
                there = t->source.offset == s->source.offset &&
                        t->vector.offset == s->vector.offset && t->vector.len == s->vector.len;
            }
            if (!there && all.len < 64) sw_vec_add(&all, k->severities.ptr[j]);
        }
    }
    v->all = (struct sw_advdb_run){(uint32_t)b->severities.len, (uint32_t)all.len};
    for (size_t i = 0; i < all.len; i++) {
        struct severity copy = b->severities.ptr[all.ptr[i]];
        sw_vec_add(&b->severities, copy);
    }
    sw_vec_done(&all);
}

static void put32(struct sw_buf *out, uint32_t v) {
    uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    sw_buf_add_bytes(out, b, sizeof b);
}
static void put64(struct sw_buf *out, uint64_t v) {
    put32(out, (uint32_t)v);
    put32(out, (uint32_t)(v >> 32));
}
static void put_ref(struct sw_buf *out, struct text_ref r) {
    put32(out, r.offset);
    put32(out, r.len);
}
static void put_run(struct sw_buf *out, struct sw_advdb_run r) {
    put32(out, r.first);
    put32(out, r.count);
}

static int by_name(const void *x, const void *y, void *context) {
    const struct package *packages = context;
    const struct package *a = &packages[*(const uint32_t *)x], *b = &packages[*(const uint32_t *)y];
    if (a->ecosystem != b->ecosystem) return a->ecosystem < b->ecosystem ? -1 : 1;
    return sw_str_cmp(a->name, b->name);
}

static int by_package(const void *x, const void *y, void *context) {
    const uint32_t *rank = context;
    const struct row *a = x, *b = y;
    if (rank[a->package] != rank[b->package]) return rank[a->package] < rank[b->package] ? -1 : 1;
    return a->vuln < b->vuln ? -1 : a->vuln > b->vuln;
}

struct layout {
    struct sw_buf *out;
    struct {
        uint64_t offset, count;
    } sections[SW_ADVDB_N_SECTIONS];
};

static void begin(struct layout *l, enum sw_advdb_section section, uint64_t count) {
    while (l->out->len % 8) sw_buf_add_char(l->out, 0);
    l->sections[section].offset = l->out->len;
    l->sections[section].count = count;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t len) {
    return sw_hash_bytes(bytes, len, hash);
}

static uint64_t mix_ref(const struct sw_advdb_builder *b, uint64_t hash, struct text_ref r) {
    return mix(hash, b->strings.ptr + r.offset, r.len);
}

/* A number that changes with anything that a verdict on the package could depend on. */
static uint64_t content_of(const struct sw_advdb_builder *b, const struct row *rows, size_t n) {
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++) {
        const struct vuln *v = &b->vulns.ptr[rows[i].vuln];
        hash = mix_ref(b, hash, v->id);
        hash = mix(hash, &v->flags, sizeof v->flags);
        for (uint32_t j = 0; j < rows[i].events.count; j++) {
            const struct event *e = &b->events.ptr[rows[i].events.first + j];
            hash = mix_ref(b, mix(hash, &e->kind, sizeof e->kind), e->version);
        }
        for (uint32_t j = 0; j < rows[i].imports.count; j++) {
            const struct import *m = &b->imports.ptr[rows[i].imports.first + j];
            hash = mix_ref(b, hash, m->path);
            for (uint32_t k = 0; k < m->symbols.count; k++)
                hash = mix_ref(b, hash, b->refs.ptr[m->symbols.first + k]);
        }
        const struct sw_advdb_run runs[] = {v->all, rows[i].severities};
        for (int r = 0; r < 2; r++)
            for (uint32_t j = 0; j < runs[r].count; j++) {
                const struct severity *s = &b->severities.ptr[runs[r].first + j];
                hash = mix_ref(b, mix_ref(b, hash, s->source), s->vector);
            }
    }
    return hash;
}

/* Slots and packages; rows are sorted by package already, order gives the packages' order. */
static void write_packages(struct sw_advdb_builder *b, struct layout *l, const uint32_t *order) {
    size_t n = b->packages.len, n_slots = 8;
    while (n_slots < n * 2) n_slots *= 2;
    uint32_t *slots = sw_calloc(n_slots, sizeof *slots);
    for (size_t i = 0; i < n; i++) {
        const struct package *p = &b->packages.ptr[order[i]];
        uint64_t at = sw_advdb_package_hash(p->ecosystem, p->name);
        while (slots[at & (n_slots - 1)]) at++;
        slots[at & (n_slots - 1)] = (uint32_t)i + 1;
    }
    begin(l, SW_ADVDB_SLOTS, n_slots);
    for (size_t i = 0; i < n_slots; i++) put32(l->out, slots[i]);
    free(slots);
    begin(l, SW_ADVDB_PACKAGES, n);
    size_t row = 0;
    for (size_t i = 0; i < n; i++) {
        const struct package *p = &b->packages.ptr[order[i]];
        size_t first = row;
        while (row < b->rows.len && b->rows.ptr[row].package == order[i]) row++;
        put_ref(l->out, p->ref);
        put_run(l->out, (struct sw_advdb_run){(uint32_t)first, (uint32_t)(row - first)});
        put32(l->out, p->ecosystem);
        put32(l->out, 0);
        put64(l->out, content_of(b, b->rows.ptr + first, row - first));
    }
}

static void write_records(struct sw_advdb_builder *b, struct layout *l) {
    begin(l, SW_ADVDB_ROWS, b->rows.len);
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct row *r = &b->rows.ptr[i];
        put32(l->out, r->vuln);
        put32(l->out, r->flags);
        put_run(l->out, r->events);
        put_run(l->out, r->imports);
        put_run(l->out, r->severities);
    }
    begin(l, SW_ADVDB_EVENTS, b->events.len);
    for (size_t i = 0; i < b->events.len; i++) {
        put32(l->out, b->events.ptr[i].kind);
        put_ref(l->out, b->events.ptr[i].version);
    }
    begin(l, SW_ADVDB_IMPORTS, b->imports.len);
    for (size_t i = 0; i < b->imports.len; i++) {
        put_ref(l->out, b->imports.ptr[i].path);
        put_run(l->out, b->imports.ptr[i].symbols);
        put_run(l->out, b->imports.ptr[i].goos);
        put_run(l->out, b->imports.ptr[i].goarch);
    }
    begin(l, SW_ADVDB_VULNS, b->vulns.len);
    for (size_t i = 0; i < b->vulns.len; i++) {
        const struct vuln *v = &b->vulns.ptr[i];
        put_ref(l->out, v->id);
        put_ref(l->out, v->summary);
        put_ref(l->out, v->url);
        put_run(l->out, v->aliases);
        put_run(l->out, v->all);
        put64(l->out, (uint64_t)v->published);
        put64(l->out, (uint64_t)v->modified);
        put32(l->out, v->kev_added);
        put32(l->out, v->kev_due);
        put32(l->out, v->epss);
        put32(l->out, v->percentile);
        put32(l->out, v->flags);
        put_ref(l->out, v->source);
        put32(l->out, 0);
    }
    begin(l, SW_ADVDB_SEVERITIES, b->severities.len);
    for (size_t i = 0; i < b->severities.len; i++) {
        const struct severity *s = &b->severities.ptr[i];
        put_ref(l->out, s->source);
        put_ref(l->out, s->vector);
        put32(l->out, (uint32_t)s->version | (uint32_t)s->score << 8 | (uint32_t)s->level << 16);
        put32(l->out, 0);
    }
    begin(l, SW_ADVDB_REFS, b->refs.len);
    for (size_t i = 0; i < b->refs.len; i++) put_ref(l->out, b->refs.ptr[i]);
}

/* The sums of all pages, then the header over them. */
static void seal(struct layout *l, int64_t built) {
    struct sw_buf *out = l->out;
    begin(l, SW_ADVDB_SUMS, 0);
    size_t end = out->len;
    for (size_t at = SW_ADVDB_PAGE; at < end; at += SW_ADVDB_PAGE) {
        size_t len = end - at < SW_ADVDB_PAGE ? end - at : SW_ADVDB_PAGE;
        put64(out, sw_advdb_checksum(out->ptr + at, len));
        l->sections[SW_ADVDB_SUMS].count++;
    }
    if (out->overflow) return;
    struct sw_buf head;
    sw_buf_init(&head, SW_ADVDB_PAGE);
    sw_buf_add_text(&head, SW_ADVDB_MAGIC);
    put32(&head, SW_ADVDB_VERSION);
    put32(&head, SW_ADVDB_PAGE);
    put64(&head, out->len);
    put64(&head, (uint64_t)built);
    for (int i = 0; i < SW_ADVDB_N_SECTIONS; i++) {
        put64(&head, l->sections[i].offset);
        put64(&head, l->sections[i].count);
    }
    struct sw_digest d =
        sw_digest_of(SW_SHA256, sw_str_n(out->ptr + SW_ADVDB_PAGE, out->len - SW_ADVDB_PAGE));
    sw_buf_add_bytes(&head, d.bytes, 32);
    put64(&head, sw_advdb_checksum(out->ptr + end, out->len - end));
    put64(&head, sw_advdb_checksum(head.ptr, head.len));
    memcpy(out->ptr, head.ptr, head.len);
    sw_buf_done(&head);
}

enum sw_code sw_advdb_build(struct sw_advdb_builder *b, int64_t built, struct sw_str manifest,
                            struct sw_buf *out, struct sw_error *err) {
    struct layout l = {.out = out};
    for (size_t i = 0; i < b->vulns.len; i++) join_names(b, &b->vulns.ptr[i]);
    uint32_t *order = sw_calloc(b->packages.len + 1, sizeof *order);
    uint32_t *rank = sw_calloc(b->packages.len + 1, sizeof *rank);
    for (size_t i = 0; i < b->packages.len; i++) order[i] = (uint32_t)i;
    qsort_r(order, b->packages.len, sizeof *order, by_name, b->packages.ptr);
    for (size_t i = 0; i < b->packages.len; i++) rank[order[i]] = (uint32_t)i;
    if (b->rows.len) qsort_r(b->rows.ptr, b->rows.len, sizeof *b->rows.ptr, by_package, rank);
    sw_buf_reset(out);
    char *page = sw_buf_reserve(out, SW_ADVDB_PAGE);
    if (page) {
        memset(page, 0, SW_ADVDB_PAGE);
        out->len += SW_ADVDB_PAGE;
    }
    begin(&l, SW_ADVDB_STRINGS, b->strings.len);
    sw_buf_add(out, sw_buf_str(&b->strings));
    begin(&l, SW_ADVDB_ECOSYSTEMS, b->ecosystem_refs.len);
    for (size_t i = 0; i < b->ecosystem_refs.len; i++) put_ref(out, b->ecosystem_refs.ptr[i]);
    write_packages(b, &l, order);
    write_records(b, &l);
    begin(&l, SW_ADVDB_MANIFEST, manifest.len);
    sw_buf_add(out, manifest);
    seal(&l, built);
    free(order);
    free(rank);
    return sw_buf_check(out, "the advisory database", err);
}
