/* The order of versions, as each ecosystem's own tools define it.
 *
 * Floor 2. Pure. Numbers may be of any length; nothing is allocated.
 */
#ifndef SW_DISTRO_VERSION_H
#define SW_DISTRO_VERSION_H

#include "base/str.h"

enum sw_version_scheme {
    SW_VERSION_DPKG = 1, /* deb-version(7): [epoch:]upstream[-revision], ~ sorts first */
    SW_VERSION_APK,      /* apk-package(5): 1.2.3a_rc4-r5 */
    SW_VERSION_RPM,      /* rpm-version(7): [epoch:]version[-release], ~ first, ^ after */
    SW_VERSION_SEMVER, /* semver.org 2.0 as Go reads it: optional v, 1.2 is 1.2.0, +build ignored */
};

/* <0, 0, >0. Anything is comparable; whether it makes sense is sw_version_valid's answer. */
int sw_version_cmp(enum sw_version_scheme scheme, struct sw_str a, struct sw_str b);
/* The same, and whether the first one is a version at all, in one go. */
int sw_version_cmp_bound(enum sw_version_scheme scheme, struct sw_str bound, struct sw_str v,
                         bool *ret_valid);
/* Whether the text is a version of that scheme. A version that is not must not be compared: its
 * verdict is "cannot tell". */
bool sw_version_valid(enum sw_version_scheme scheme, struct sw_str v);
/* "dpkg", "apk", "rpm", "semver". Static. */
const char *sw_version_scheme_name(enum sw_version_scheme scheme);

/* A part of Go's pseudo-versions (v0.0.0-20191109021931-daa7c04131f5): true where v is one;
 * *ret_time is its 14 digits. */
bool sw_version_is_pseudo(struct sw_str v, struct sw_str *ret_time);
/* A Go release as a semantic version, as advisories write it: "go1.21rc2" gives "1.21.0-rc.2",
 * "go1.20" "1.20.0". False for anything else ("devel ...", "go1.x"). */
bool sw_version_from_go_tag(struct sw_str tag, char *buffer, size_t size, struct sw_str *ret);

#endif
