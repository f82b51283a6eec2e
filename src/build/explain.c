/* The memory of the last build, and what this one has recorded.
 *
 * slipway/explain/<digest of context path, Dockerfile name, platform>, docs/format/explain.md:
 *     slipway explain 1
 *     step STAGE \t NUMBER \t LINE \t KEY \t BYTES \t TEXT
 *     NAME \t VALUE             the parts: BYTES bytes of such lines, sorted by name
 * Tab, newline and backslash within a field are written \t, \n and \\.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/explain_internal.h"
#include "build/room_internal.h"

#define EXPLAIN_DIR "slipway/explain"
#define EXPLAIN_HEAD "slipway explain 1\n"
#define EXPLAIN_FILE_MAX ((size_t)16 << 20) /* a hundred COPYs of PARTS_MAX entries */
#define EXPLAIN_STEPS_MAX 4096
#define PARTS_MAX 4096 /* of one COPY; beyond, directories stand for their files */

struct sw_explained {
    struct sw_str stage, text, block; /* block: the part lines, escaped */
    unsigned number, line;
    char key[SW_DIGEST_TEXT_MAX];
    size_t stage_index;
    size_t from_stage; /* of COPY --from=STAGE; SIZE_MAX otherwise */
    const struct sw_explained *before;
    enum sw_step_why why;
    bool judged, is_run;
    struct sw_digest digest; /* key */
    struct sw_step_change *changes;
    size_t n_changes, n_more;
};

struct sw_explain {
    struct sw_build *build;
    pthread_mutex_t lock;
    struct sw_arena arena;
    char name[SW_DIGEST_TEXT_MAX]; /* of the file */
    struct sw_buf text;            /* the file as it was; old steps point into it */
    SW_VEC(struct sw_explained) old;
    SW_VEC(struct sw_explained *) steps; /* of this build, in the arena */
    bool changed;
};

/* ---- the file ---- */

static void put_escaped(struct sw_buf *to, struct sw_str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\t' || c == '\n' || c == '\\') {
            sw_buf_add_char(to, '\\');
            c = c == '\t' ? 't' : c == '\n' ? 'n' : '\\';
        }
        sw_buf_add_char(to, c);
    }
}

static struct sw_str unescaped(struct sw_arena *a, struct sw_str s) {
    char *out = sw_arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\\' && i + 1 < s.len) {
            c = s.ptr[++i];
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c;
        }
        out[n++] = c;
    }
    return sw_str_n(out, n);
}

static bool read_step(struct sw_explain *e, struct sw_str *rest) {
    struct sw_str line, field[6];
    uint64_t number, at, bytes;
    if (!sw_str_next(rest, '\n', &line) || !sw_str_starts(line, SW_STR("step "))) return false;
    line = sw_str_from(line, 5);
    for (size_t i = 0; i < 6; i++)
        if (!sw_str_next(&line, '\t', &field[i])) return false;
    if (!sw_str_u64(field[1], &number) || !sw_str_u64(field[2], &at) ||
        !sw_str_u64(field[4], &bytes) || bytes > rest->len || field[3].len >= SW_DIGEST_TEXT_MAX ||
        e->old.len == EXPLAIN_STEPS_MAX)
        return false;
    struct sw_explained *s = sw_vec_push(&e->old);
    s->stage = unescaped(&e->arena, field[0]);
    s->text = unescaped(&e->arena, field[5]);
    s->number = (unsigned)number;
    s->line = (unsigned)at;
    memcpy(s->key, field[3].ptr, field[3].len);
    s->block = sw_str_sub(*rest, 0, bytes);
    *rest = sw_str_from(*rest, bytes);
    return true;
}

/* A file that is damaged is one that is not there: it is only memory. */
static void read_memory(struct sw_explain *e) {
    char path[sizeof EXPLAIN_DIR + 1 + SW_DIGEST_TEXT_MAX];
    struct sw_error ignored = {0};
    snprintf(path, sizeof path, "%s/%s", EXPLAIN_DIR, e->name);
    int root = sw_store_root_fd(e->build->tools->store);
    if (sw_read_file_at(root, path, EXPLAIN_FILE_MAX, &e->text, &ignored)) return;
    struct sw_str rest = sw_buf_str(&e->text);
    if (!sw_str_starts(rest, SW_STR(EXPLAIN_HEAD))) return;
    rest = sw_str_from(rest, sizeof EXPLAIN_HEAD - 1);
    while (rest.len && read_step(e, &rest)) continue;
}

static void put_step(struct sw_buf *to, const struct sw_explained *s) {
    sw_buf_add_text(to, "step ");
    put_escaped(to, s->stage);
    sw_buf_addf(to, "\t%u\t%u\t%s\t%zu\t", s->number, s->line, s->key, s->block.len);
    put_escaped(to, s->text);
    sw_buf_add_char(to, '\n');
    sw_buf_add(to, s->block);
}

/* Whether the Dockerfile still has a stage of this label, though this build did not need it. */
static bool stays(const struct sw_explain *e, const struct sw_explained *old) {
    for (size_t i = 0; i < e->steps.len; i++)
        if (sw_str_eq(e->steps.ptr[i]->stage, old->stage)) return false;
    for (size_t i = 0; i < e->build->n_stages; i++)
        if (sw_str_eq(e->build->stages[i].label, old->stage)) return true;
    return false;
}

void sw_explain_save(struct sw_explain *e) {
    if (!e || !e->changed) return;
    SW_BUF struct sw_buf text;
    SW_FD int dir = -1;
    struct sw_error ignored = {0};
    sw_buf_init(&text, EXPLAIN_FILE_MAX);
    sw_buf_add_text(&text, EXPLAIN_HEAD);
    for (size_t i = 0; i < e->steps.len; i++) put_step(&text, e->steps.ptr[i]);
    for (size_t i = 0; i < e->old.len; i++)
        if (stays(e, &e->old.ptr[i])) put_step(&text, &e->old.ptr[i]);
    int root = sw_store_root_fd(e->build->tools->store);
    if (text.overflow || sw_mkdirs_at(root, EXPLAIN_DIR, 0755, &ignored) ||
        sw_open_at(root, EXPLAIN_DIR, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored))
        return;
    /* Not synced: it is memory of no weight, and a build should not wait for the disk. */
    char temp[SW_DIGEST_TEXT_MAX + 32];
    snprintf(temp, sizeof temp, "%s.%d", e->name, (int)getpid());
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(dir, temp, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, &ignored);
    if (!code) code = sw_write_full(fd, text.ptr, text.len, &ignored);
    if (!code && renameat(dir, temp, dir, e->name) == 0) return;
    if (fd >= 0) unlinkat(dir, temp, 0);
}

struct sw_explain *sw_explain_new(struct sw_build *b) {
    struct sw_explain *e = sw_calloc(1, sizeof *e);
    const struct sw_build_options *o = b->options;
    e->build = b;
    pthread_mutex_init(&e->lock, NULL);
    sw_arena_init(&e->arena, (size_t)256 << 20);
    sw_buf_init(&e->text, EXPLAIN_FILE_MAX);
    char *real = realpath(o->context, NULL);
    struct sw_str context = sw_str(real ? real : o->context);
    struct sw_str id =
        sw_arena_printf(&e->arena, "%.*s\n%s\n%.*s", SW_ARG(context), o->dockerfile_name,
                        SW_ARG(sw_platform_format(&e->arena, &o->platform)));
    free(real);
    struct sw_digest digest = sw_digest_of(SW_SHA256, id);
    sw_digest_hex(&digest, e->name);
    e->name[32] = '\0';
    read_memory(e);
    return e;
}

void sw_explain_free(struct sw_explain *e) {
    if (!e) return;
    sw_vec_done(&e->old);
    sw_vec_done(&e->steps);
    sw_buf_done(&e->text);
    sw_arena_done(&e->arena);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- recording ---- */

/* What this step was: by its key, else by its text, else by its place. */
static const struct sw_explained *find_before(struct sw_explain *e, const struct sw_explained *s) {
    const struct sw_explained *by_text = NULL, *by_place = NULL;
    for (size_t i = 0; i < e->old.len; i++) {
        const struct sw_explained *old = &e->old.ptr[i];
        if (!sw_str_eq(old->stage, s->stage)) continue;
        if (!strcmp(old->key, s->key)) return old;
        if (sw_str_eq(old->text, s->text) && (!by_text || old->number == s->number)) by_text = old;
        if (old->number == s->number) by_place = old;
    }
    return by_text ? by_text : by_place;
}

/* Under the lock. Returns true where the parts are wanted. */
static bool add_step(struct sw_stage *st, const struct sw_digest *key) {
    struct sw_explain *e = st->build->explain;
    struct sw_explained *s = SW_NEW(&e->arena, struct sw_explained);
    s->stage = sw_arena_str(&e->arena, st->label);
    s->text = sw_arena_str(&e->arena, st->current->text);
    s->line = st->current->span.line;
    s->number = st->number;
    s->stage_index = st->index;
    s->from_stage = SIZE_MAX;
    s->is_run = st->current->kind == SW_DF_RUN;
    s->digest = *key;
    sw_digest_hex(key, s->key);
    s->before = find_before(e, s);
    sw_vec_add(&e->steps, s);
    st->explained = s;
    bool same = s->before && !strcmp(s->before->key, s->key);
    if (same) s->block = s->before->block;
    if (!same || s->before->number != s->number) e->changed = true;
    return !same;
}

static int by_name(const void *a, const void *b) {
    const struct sw_key_part *x = a, *y = b;
    int order = sw_str_cmp(x->name, y->name);
    return order ? order : sw_str_cmp(x->value, y->value);
}

static void set_block(struct sw_explain *e, struct sw_explained *s, struct sw_key_part *parts,
                      size_t n) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, EXPLAIN_FILE_MAX);
    qsort(parts, n, sizeof *parts, by_name);
    for (size_t i = 0; i < n; i++) {
        put_escaped(&text, parts[i].name);
        sw_buf_add_char(&text, '\t');
        put_escaped(&text, parts[i].value);
        sw_buf_add_char(&text, '\n');
    }
    s->block = text.overflow ? SW_STR("") : sw_arena_str(&e->arena, sw_buf_str(&text));
}

void sw_explain_run(struct sw_stage *st, const struct sw_digest *key, const struct sw_key *k) {
    struct sw_explain *e = st->build->explain;
    pthread_mutex_lock(&e->lock);
    if (add_step(st, key)) {
        struct sw_key_part *parts = sw_calloc(k->parts.len + 1, sizeof *parts);
        memcpy(parts, k->parts.ptr, k->parts.len * sizeof *parts);
        set_block(e, st->explained, parts, k->parts.len);
        sw_freep(&parts);
    }
    pthread_mutex_unlock(&e->lock);
}

/* "0644 0:0 1c2d3e4f..." */
static struct sw_str item_value(struct sw_arena *a, const struct sw_item *item) {
    const struct sw_node *n = &item->node;
    struct sw_str what = n->link;
    if (n->type == SW_TAR_FILE) what = sw_key_digest_text(a, &item->digest);
    return sw_arena_printf(a, "%04o %u:%u %.*s%s/%.*s", n->mode & 07777, n->uid, n->gid,
                           SW_ARG(what), what.len ? " at " : "at ", SW_ARG(item->path));
}

static struct sw_key_part item_part(struct sw_arena *a, const struct sw_item *item) {
    const char *kind = item->node.type == SW_TAR_DIR    ? "directory"
                       : item->node.type == SW_TAR_FILE ? "file"
                                                        : "entry";
    bool named = item->source && item->source_path.len;
    struct sw_str path = named ? item->source_path : item->path;
    return (struct sw_key_part){
        sw_arena_printf(a, "%s %s%.*s", kind, named ? "" : "/", SW_ARG(path)), item_value(a, item)};
}

void sw_explain_known(struct sw_stage *st, const struct sw_digest *key) {
    struct sw_explain *e = st->build->explain;
    pthread_mutex_lock(&e->lock);
    /* Without parts, the next miss of this step has nothing to be compared with. */
    (void)add_step(st, key);
    pthread_mutex_unlock(&e->lock);
}

/* Too many entries to keep: one part for each directory with what is directly in it, or (too many
 * again) for each of the first directories with all below it. */
static size_t grouped_parts(struct sw_arena *a, const struct sw_copy *copy, bool top,
                            struct sw_key_part *parts) {
    size_t n = 0;
    struct sw_hasher h;
    struct sw_str current = {0};
    uint64_t count = 0;
    for (size_t i = 0; i <= copy->n; i++) {
        struct sw_str dir = {0};
        if (i < copy->n) {
            struct sw_str path = copy->items[i].path;
            size_t slash = top ? sw_str_find_char(path, '/') : sw_str_rfind_char(path, '/');
            if (top && slash != SIZE_MAX) {
                size_t next = sw_str_find_char(sw_str_from(path, slash + 1), '/');
                if (next != SIZE_MAX) slash += next + 1;
            }
            dir = slash == SIZE_MAX ? SW_STR("") : sw_str_sub(path, 0, slash);
        }
        if (current.ptr && (i == copy->n || !sw_str_eq(dir, current))) {
            if (n == PARTS_MAX) return SIZE_MAX;
            struct sw_digest d = sw_hasher_finish(&h);
            parts[n++] = (struct sw_key_part){
                sw_arena_printf(a, "entries of /%.*s", SW_ARG(current)),
                sw_arena_printf(a, "%llu entries, digest %.*s", (unsigned long long)count,
                                SW_ARG(sw_key_digest_text(a, &d)))};
            current.ptr = NULL;
        }
        if (i == copy->n) break;
        if (!current.ptr) {
            sw_hasher_init(&h, SW_SHA256);
            current = dir;
            count = 0;
        }
        sw_item_hash(&h, &copy->items[i], true);
        count++;
    }
    return n;
}

void sw_explain_copy(struct sw_stage *st, const struct sw_digest *key, const struct sw_copy *copy) {
    struct sw_explain *e = st->build->explain;
    pthread_mutex_lock(&e->lock);
    bool wanted = add_step(st, key);
    pthread_mutex_unlock(&e->lock);
    struct sw_explained *s = st->explained;
    const struct sw_df_instruction *in = st->current;
    if ((in->kind == SW_DF_COPY || in->kind == SW_DF_ADD) && in->copy.from.ptr) {
        const struct sw_df_stage *from =
            sw_df_stage_find(st->build->file, in->copy.from, st->index);
        for (size_t i = 0; from && i < st->build->n_stages; i++)
            if (st->build->stages[i].df == from) s->from_stage = i;
    }
    if (!wanted) return;
    SW_ARENA struct sw_arena scratch;
    sw_arena_init(&scratch, 0);
    struct sw_key_part *parts = sw_arena_array(&scratch, PARTS_MAX + 1, sizeof *parts);
    size_t n = copy->n;
    if (copy->n <= PARTS_MAX) {
        for (size_t i = 0; i < n; i++) parts[i] = item_part(&scratch, &copy->items[i]);
    } else {
        n = grouped_parts(&scratch, copy, false, parts);
        if (n == SIZE_MAX) n = grouped_parts(&scratch, copy, true, parts);
        if (n == SIZE_MAX) {
            parts[0] = (struct sw_key_part){
                SW_STR("entries"), sw_arena_printf(&scratch, "%zu, digest %.12s", copy->n, s->key)};
            n = 1;
        }
    }
    parts[n++] = (struct sw_key_part){
        SW_STR("latest time"),
        sw_arena_printf(&scratch, "%lld", (long long)st->build->options->epoch_s)};
    pthread_mutex_lock(&e->lock);
    set_block(e, s, parts, n);
    pthread_mutex_unlock(&e->lock);
}

/* ---- judging ---- */

static bool next_part(struct sw_arena *a, struct sw_str *rest, struct sw_key_part *ret) {
    struct sw_str line, name, value;
    if (!rest->len || !sw_str_next(rest, '\n', &line)) return false;
    sw_str_cut(line, '\t', &name, &value);
    *ret = (struct sw_key_part){unescaped(a, name), unescaped(a, value)};
    return true;
}

static void add_change(struct sw_explain *e, struct sw_explained *s, struct sw_str name,
                       struct sw_str from, struct sw_str to) {
    if (s->n_changes == SW_STEP_CHANGES_MAX) {
        s->n_more++;
        return;
    }
    if (!s->changes)
        s->changes = sw_arena_array(&e->arena, SW_STEP_CHANGES_MAX, sizeof *s->changes);
    s->changes[s->n_changes++] = (struct sw_step_change){name, from, to};
}

/* Two sorted lists of parts, merged. */
static void compare(struct sw_explain *e, struct sw_explained *s) {
    struct sw_str x_rest = s->before->block, y_rest = s->block;
    struct sw_key_part x, y;
    bool has_x = next_part(&e->arena, &x_rest, &x), has_y = next_part(&e->arena, &y_rest, &y);
    while (has_x || has_y) {
        int order = !has_x ? 1 : !has_y ? -1 : sw_str_cmp(x.name, y.name);
        if (order < 0) {
            add_change(e, s, x.name, x.value, (struct sw_str){0});
        } else if (order > 0) {
            add_change(e, s, y.name, (struct sw_str){0}, y.value);
        } else if (!sw_str_eq(x.value, y.value)) {
            add_change(e, s, x.name, x.value, y.value);
        }
        if (order <= 0) has_x = next_part(&e->arena, &x_rest, &x);
        if (order >= 0) has_y = next_part(&e->arena, &y_rest, &y);
    }
}

static bool is_consequence(struct sw_str name) {
    return sw_str_is(name, "layers before") || sw_str_is(name, "latest time");
}

static void judge(struct sw_stage *st) {
    struct sw_explain *e = st->build->explain;
    struct sw_explained *s = st->explained;
    s->judged = true;
    /* The file does not say what is not there to be found, and a miss is remembered in any case. */
    if (st->no_cache) {
        s->why = SW_WHY_NO_CACHE;
    } else if (!s->before) {
        s->why = SW_WHY_NEW;
    } else if (!strcmp(s->before->key, s->key)) {
        s->why = SW_WHY_GONE;
    } else if (!s->before->block.len) {
        s->why = SW_WHY_NEW;
    } else {
        compare(e, s);
        s->why = SW_WHY_EARLIER;
        for (size_t i = 0; i < s->n_changes; i++)
            if (!is_consequence(s->changes[i].name)) s->why = SW_WHY_CHANGED;
        if (s->n_changes && sw_str_is(s->changes[0].name, "latest time")) s->why = SW_WHY_CHANGED;
        if (!s->n_changes) s->why = SW_WHY_GONE;
    }
}

void sw_explain_hit(struct sw_stage *st) {
    if (!st->explained) return;
    st->explained->judged = true;
    st->explained->why = SW_WHY_HIT;
}

void sw_explain_miss(struct sw_stage *st) {
    if (!st->explained) return;
    pthread_mutex_lock(&st->build->explain->lock);
    judge(st);
    pthread_mutex_unlock(&st->build->explain->lock);
}

/* ---- reports ---- */

static int by_place(const void *a, const void *b) {
    const struct sw_explained *x = *(struct sw_explained *const *)a,
                              *y = *(struct sw_explained *const *)b;
    if (x->stage_index != y->stage_index) return x->stage_index < y->stage_index ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool missed(const struct sw_explained *s) { return s->judged && s->why != SW_WHY_HIT; }

/* The last miss of a stage before the nth step, or of the stages that it starts from. */
static size_t last_miss(const struct sw_explain *e, size_t stage, size_t before) {
    for (;;) {
        for (size_t i = before; i > 0; i--) {
            const struct sw_explained *s = e->steps.ptr[i - 1];
            if (s->stage_index == stage && missed(s)) return i - 1;
        }
        const struct sw_stage *st = &e->build->stages[stage];
        if (st->base != SW_BASE_STAGE || !st->base_stage) return SIZE_MAX;
        stage = st->base_stage->index;
    }
}

/* The miss that led to this one, or SIZE_MAX. It always has a lower index. */
static size_t cause_of(const struct sw_explain *e, size_t i) {
    const struct sw_explained *s = e->steps.ptr[i];
    if (s->why == SW_WHY_EARLIER) return last_miss(e, s->stage_index, i);
    if (s->why == SW_WHY_CHANGED && s->from_stage != SIZE_MAX)
        return last_miss(e, s->from_stage, i);
    return SIZE_MAX;
}

static struct sw_step_change *copy_changes(struct sw_arena *a, const struct sw_explained *s) {
    struct sw_step_change *c = sw_arena_array(a, s->n_changes + 1, sizeof *c);
    for (size_t i = 0; i < s->n_changes; i++) {
        c[i].name = sw_arena_str(a, s->changes[i].name);
        if (s->changes[i].from.ptr) c[i].from = sw_arena_str(a, s->changes[i].from);
        if (s->changes[i].to.ptr) c[i].to = sw_arena_str(a, s->changes[i].to);
    }
    return c;
}

static struct sw_step_report report_of(struct sw_arena *a, const struct sw_explained *s) {
    struct sw_step_report r = {.stage = sw_arena_str(a, s->stage),
                               .text = sw_arena_str(a, s->text),
                               .line = s->line,
                               .number = s->number,
                               .why = s->why,
                               .changes = copy_changes(a, s),
                               .n_changes = s->n_changes,
                               .n_more = s->n_more};
    snprintf(r.key, sizeof r.key, "%s", s->key);
    return r;
}

enum sw_code sw_explain_keys(struct sw_explain *e, sw_used_step_fn *each, void *ctx,
                             struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (e->steps.len) qsort(e->steps.ptr, e->steps.len, sizeof *e->steps.ptr, by_place);
    for (size_t i = 0; i < e->steps.len && !code; i++) {
        const struct sw_explained *s = e->steps.ptr[i];
        struct sw_used_step used = {.key = s->digest,
                                    .exported = e->build->stages[s->stage_index].exported,
                                    .is_run = s->is_run};
        code = each(ctx, &used, err);
    }
    return code;
}

void sw_explain_reports(struct sw_explain *e, struct sw_arena *a, struct sw_step_report **ret,
                        size_t *ret_n) {
    if (e->steps.len) qsort(e->steps.ptr, e->steps.len, sizeof *e->steps.ptr, by_place);
    struct sw_step_report *r = sw_arena_array(a, e->steps.len + 1, sizeof *r);
    for (size_t i = 0; i < e->steps.len; i++) r[i] = report_of(a, e->steps.ptr[i]);
    for (size_t i = 0; i < e->steps.len; i++) {
        if (!missed(e->steps.ptr[i])) continue;
        for (size_t c = cause_of(e, i); c != SIZE_MAX; c = cause_of(e, c)) r[c].n_costs++;
    }
    *ret = r;
    *ret_n = e->steps.len;
}

enum sw_code sw_explain_refuse(struct sw_stage *st, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 0);
    if (!st->explained)
        return sw_fail(err, SW_NOT_FOUND, "not in the cache, and --fail-on-miss was given");
    sw_explain_miss(st);
    struct sw_step_report r = report_of(&a, st->explained);
    return sw_fail(err, SW_NOT_FOUND, "not in the cache, and --fail-on-miss was given: %.*s",
                   SW_ARG(sw_step_report_line(&a, &r)));
}
