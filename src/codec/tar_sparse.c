/* Sparse files: the map of their data regions, in the four forms that GNU tar has written.
 *
 *     old GNU   four regions in the header, then blocks of 21, as long as a flag says so
 *     pax 0.0   GNU.sparse.offset and GNU.sparse.numbytes, once for each region
 *     pax 0.1   GNU.sparse.map=offset,length,offset,length...
 *     pax 1.0   before the content: decimal numbers, one a line: count, then offset and length of
 *               each region; padded to a block
 */
#include "base/mem.h"
#include "codec/tar_internal.h"

enum sw_code tar_sparse_add(struct sw_tar_reader_state *r, uint64_t offset, uint64_t len,
                            struct sw_error *err) {
    if (r->n_regions >= r->limits.sparse_map)
        return sw_fail(err, SW_LIMIT, "a sparse file of more than %zu regions",
                       r->limits.sparse_map);
    if (r->n_regions == r->cap_regions) {
        r->cap_regions = r->cap_regions ? r->cap_regions * 2 : 16;
        r->regions = sw_reallocarray(r->regions, r->cap_regions, sizeof *r->regions);
    }
    r->regions[r->n_regions++] = (struct tar_region){offset, len};
    return SW_OK;
}

static enum sw_code malformed(struct sw_error *err) {
    return sw_fail(err, SW_SYNTAX, "the map of a sparse file is malformed");
}

/* n regions of 24 bytes each; an empty field ends the list. */
static enum sw_code add_gnu_regions(struct sw_tar_reader_state *r, const unsigned char *fields,
                                    size_t n, struct sw_error *err) {
    for (size_t i = 0; i < n; i++, fields += 24) {
        int64_t offset, len;
        if (fields[0] == 0) break;
        enum sw_code code = tar_number(fields, 12, &offset, "sparse offset", err);
        if (!code) code = tar_number(fields + 12, 12, &len, "sparse length", err);
        if (code) return code;
        if (offset < 0 || len < 0) return malformed(err);
        code = tar_sparse_add(r, (uint64_t)offset, (uint64_t)len, err);
        if (code) return code;
    }
    return SW_OK;
}

enum sw_code tar_sparse_gnu(struct sw_tar_reader_state *r, uint64_t *ret_size,
                            struct sw_error *err) {
    int64_t size;
    if (memcmp(((const struct tar_header *)r->header)->magic, "ustar ", 6) != 0)
        return sw_fail(err, SW_SYNTAX, "a sparse file in an archive that is not GNU's");
    enum sw_code code =
        tar_number(r->header + TAR_GNU_REALSIZE_AT, 12, &size, "size of a sparse file", err);
    if (code) return code;
    if (size < 0) return malformed(err);
    code = add_gnu_regions(r, r->header + TAR_GNU_SPARSE_AT, 4, err);
    bool more = r->header[TAR_GNU_EXTENDED_AT] != 0;
    while (!code && more) {
        const unsigned char *block;
        code = tar_take_block(r, &block, err);
        if (code) return code;
        if (!block) return sw_fail(err, SW_CORRUPT, "the archive ends in the map of a sparse file");
        more = block[TAR_GNU_MORE_EXTENDED_AT] != 0;
        code = add_gnu_regions(r, block, TAR_GNU_MORE_REGIONS, err);
    }
    if (!code) *ret_size = (uint64_t)size;
    return code;
}

static enum sw_code add_map_01(struct sw_tar_reader_state *r, struct sw_str map,
                               struct sw_error *err) {
    struct sw_str rest = map, first, second;
    while (map.len && sw_str_next(&rest, ',', &first)) {
        uint64_t offset, len;
        if (!sw_str_next(&rest, ',', &second) || !sw_str_u64(first, &offset) ||
            !sw_str_u64(second, &len))
            return malformed(err);
        enum sw_code code = tar_sparse_add(r, offset, len, err);
        if (code) return code;
    }
    return SW_OK;
}

/* The map in front of the content. The numbers may lie across blocks. */
static enum sw_code add_map_10(struct sw_tar_reader_state *r, struct sw_error *err) {
    uint64_t value = 0, count = 0, offset = 0;
    size_t numbers = 0;
    bool digits = false, done = false;
    while (!done) {
        const unsigned char *block;
        if (r->stored_left < SW_TAR_BLOCK) return malformed(err);
        enum sw_code code = tar_take_block(r, &block, err);
        if (code) return code;
        if (!block) return sw_fail(err, SW_CORRUPT, "the archive ends in the map of a sparse file");
        r->stored_left -= SW_TAR_BLOCK;
        for (size_t i = 0; i < SW_TAR_BLOCK && !done; i++) {
            unsigned digit = block[i] - (unsigned)'0';
            if (digit <= 9) {
                if (value > (uint64_t)INT64_MAX / 10 - 1) return malformed(err);
                value = value * 10 + digit;
                digits = true;
                continue;
            }
            if (block[i] != '\n' || !digits) return malformed(err);
            if (numbers == 0)
                count = value;
            else if (numbers % 2)
                offset = value;
            else
                code = tar_sparse_add(r, offset, value, err);
            if (code) return code;
            done = numbers++ / 2 == count && numbers % 2;
            value = 0;
            digits = false;
        }
    }
    return SW_OK;
}

enum sw_code tar_sparse_pax(struct sw_tar_reader_state *r, const struct tar_pax *pax,
                            struct sw_error *err) {
    if (!pax->has_sparse_size) return malformed(err);
    if (pax->sparse_1) {
        r->n_regions = 0;
        return add_map_10(r, err);
    }
    if (pax->sparse_map.ptr) {
        r->n_regions = 0;
        return add_map_01(r, pax->sparse_map, err);
    }
    return SW_OK; /* 0.0: the records have filled the list */
}

enum sw_code tar_sparse_check(const struct sw_tar_reader_state *r, uint64_t size,
                              struct sw_error *err) {
    uint64_t end = 0, stored = 0;
    for (size_t i = 0; i < r->n_regions; i++) {
        const struct tar_region *region = &r->regions[i];
        if (region->offset < end || region->offset > size || region->len > size - region->offset)
            return malformed(err);
        end = region->offset + region->len;
        stored += region->len;
    }
    if (stored != r->stored_left)
        return sw_fail(err, SW_SYNTAX,
                       "the map of a sparse file covers %llu bytes, the archive has %llu",
                       (unsigned long long)stored, (unsigned long long)r->stored_left);
    return SW_OK;
}
