/* The package databases of distributions, and the file that names the distribution.
 *
 * Floor 2. Pure: whole files in memory in, packages in an arena out. Everything is bounded by the
 * size of the input and the arena's cap. A file that does not hold together is refused as a whole:
 * a package that was overlooked would be a finding that is never made.
 */
#ifndef SW_DISTRO_PACKAGE_H
#define SW_DISTRO_PACKAGE_H

#include "base/arena.h"

enum sw_distro_limits {
    SW_PACKAGES_MAX = 200000,     /* of one database; all of Debian has 64,000 */
    SW_RPM_HEADER_MAX = 64 << 20, /* bytes of one package's header; the kernel's has 2 MB */
    SW_RPM_ENTRIES_MAX = 65536,   /* index entries of a header; rpm itself stops there */
};

struct sw_package {
    struct sw_str name, version; /* version in the ecosystem's full form: epoch, release */
    struct sw_str arch;
    struct sw_str source, source_version; /* what it was built from; the package itself if equal */
    struct sw_str module_label;           /* rpm: "nodejs:18:..." */
    struct sw_str vendor;                 /* rpm */
};

struct sw_packages {
    struct sw_package *ptr; /* arena */
    size_t len, cap;
};

/* dpkg's status file, or one of status.d (which has no Status lines). Packages that are removed or
 * only half known (config-files, not-installed) are left out. SW_SYNTAX names the line. */
SW_NODISCARD enum sw_code sw_dpkg_parse(struct sw_arena *a, struct sw_str text,
                                        struct sw_packages *ret, struct sw_error *err);
/* apk's installed file. */
SW_NODISCARD enum sw_code sw_apk_parse(struct sw_arena *a, struct sw_str text,
                                       struct sw_packages *ret, struct sw_error *err);
/* rpm's database in any of its three forms: BerkeleyDB (Packages), ndb (Packages.db), SQLite
 * (rpmdb.sqlite with, in wal, what stands in rpmdb.sqlite-wal; empty for none). SW_CORRUPT,
 * SW_UNSUPPORTED for other files. Keys (gpg-pubkey) are left out. */
SW_NODISCARD enum sw_code sw_rpm_parse(struct sw_arena *a, struct sw_str db, struct sw_str wal,
                                       struct sw_packages *ret, struct sw_error *err);

struct sw_os_release {
    struct sw_str id, version_id, pretty_name, codename, id_like, support_end;
};
/* os-release(5). Unknown and malformed lines are passed over, as the page demands. */
void sw_os_release_parse(struct sw_arena *a, struct sw_str text, struct sw_os_release *ret);

/* Appends a zeroed package. */
struct sw_package *sw_packages_add(struct sw_arena *a, struct sw_packages *list);

#endif
