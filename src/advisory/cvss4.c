/* CVSS 4.0, section 8: a vector belongs to one of 270 macro vectors, which experts have ranked;
 * its score is that of the macro vector, less its distance from the worst vector of the class in
 * proportion to the distance to the next class below.
 */
#include <math.h>

#include "advisory/cvss_internal.h"

enum metric {
    AV,
    AC,
    AT,
    PR,
    UI,
    VC,
    VI,
    VA,
    SC,
    SI,
    SA,
    E,
    CR,
    IR,
    AR,
    MAV,
    MAC,
    MAT,
    MPR,
    MUI,
    MVC,
    MVI,
    MVA,
    MSC,
    MSI,
    MSA,
    S,
    AU,
    R,
    V,
    RE,
    U,
    N_METRICS,
};

/* Values are in the order of their severity, worst first, so that their numbers are levels. For the
 * subsequent system "safety" is above "high", which the base metrics cannot reach. */
static const struct sw_cvss_metric metrics[N_METRICS] = {
    {"AV", "N|A|L|P", true}, {"AC", "L|H", true},
    {"AT", "N|P", true},     {"PR", "N|L|H", true},
    {"UI", "N|P|A", true},   {"VC", "H|L|N", true},
    {"VI", "H|L|N", true},   {"VA", "H|L|N", true},
    {"SC", "-|H|L|N", true}, {"SI", "-|H|L|N", true},
    {"SA", "-|H|L|N", true}, {"E", "A|P|U|X"},
    {"CR", "H|M|L|X"},       {"IR", "H|M|L|X"},
    {"AR", "H|M|L|X"},       {"MAV", "N|A|L|P|X"},
    {"MAC", "L|H|X"},        {"MAT", "N|P|X"},
    {"MPR", "N|L|H|X"},      {"MUI", "N|P|A|X"},
    {"MVC", "H|L|N|X"},      {"MVI", "H|L|N|X"},
    {"MVA", "H|L|N|X"},      {"MSC", "-|H|L|N|X"},
    {"MSI", "S|H|L|N|X"},    {"MSA", "S|H|L|N|X"},
    {"S", "X|N|P"},          {"AU", "X|N|Y"},
    {"R", "X|A|U|I"},        {"V", "X|D|C"},
    {"RE", "X|L|M|H"},       {"U", "X|Clear|Green|Amber|Red"},
};

/* Tenths, by the levels of the equivalence classes 1, 2, 3, (4, 5, 6); 0 where there is no such
 * macro vector. The specification's table, section 8.3. */
static const unsigned char ranked[3][2][3][18] = {
    {
        {
            {100, 99, 98, 95, 95, 92, 100, 96, 93, 87, 91, 81, 93, 90, 89, 80, 81, 68},
            {98, 95, 95, 92, 90, 84, 93, 92, 89, 81, 81, 65, 88, 80, 78, 70, 69, 48},
            {0, 92, 0, 82, 0, 72, 0, 79, 0, 69, 0, 50, 0, 69, 0, 55, 0, 27},
        },
        {
            {99, 97, 95, 92, 92, 85, 95, 91, 90, 83, 84, 71, 92, 81, 82, 71, 72, 53},
            {95, 93, 92, 85, 85, 73, 92, 82, 80, 72, 70, 59, 84, 70, 71, 52, 50, 30},
            {0, 86, 0, 75, 0, 52, 0, 71, 0, 52, 0, 29, 0, 63, 0, 29, 0, 17},
        },
    },
    {
        {
            {98, 95, 94, 87, 91, 81, 94, 89, 86, 74, 77, 64, 87, 75, 74, 63, 63, 49},
            {94, 89, 88, 77, 76, 67, 86, 76, 74, 58, 59, 50, 72, 57, 57, 52, 52, 25},
            {0, 83, 0, 70, 0, 54, 0, 65, 0, 58, 0, 26, 0, 53, 0, 21, 0, 13},
        },
        {
            {95, 90, 88, 76, 76, 70, 90, 77, 75, 62, 61, 53, 77, 66, 68, 59, 52, 30},
            {89, 78, 76, 67, 62, 58, 74, 59, 57, 57, 47, 23, 61, 52, 57, 29, 24, 16},
            {0, 71, 0, 59, 0, 30, 0, 58, 0, 26, 0, 15, 0, 23, 0, 13, 0, 6},
        },
    },
    {
        {
            {93, 87, 86, 72, 75, 58, 86, 74, 74, 61, 56, 34, 70, 54, 52, 40, 40, 22},
            {85, 75, 74, 55, 62, 51, 72, 57, 55, 41, 46, 19, 53, 36, 34, 19, 19, 8},
            {0, 64, 0, 51, 0, 20, 0, 47, 0, 21, 0, 11, 0, 24, 0, 9, 0, 4},
        },
        {
            {88, 75, 73, 53, 60, 50, 73, 55, 59, 40, 41, 20, 54, 43, 45, 22, 20, 11},
            {75, 55, 58, 45, 40, 21, 61, 51, 48, 18, 20, 9, 46, 18, 17, 7, 8, 2},
            {0, 53, 0, 24, 0, 14, 0, 24, 0, 12, 0, 5, 0, 10, 0, 3, 0, 1},
        },
    },
};

/* Steps from the worst vector of a class to the mildest, plus one (section 8.2, table 30). */
static const int depth1[] = {1, 4, 5}, depth2[] = {1, 2}, depth4[] = {6, 5, 4};
static const int depth36[3][2] = {{7, 6}, {8, 8}, {10, 10}};

/* The worst vectors of each level, one after the other, as levels of its metrics. -1 ends. */
static const signed char worst1[3][12] = {
    {0, 0, 0, -1}, {1, 0, 0, 0, 1, 0, 0, 0, 1, -1}, {3, 0, 0, 1, 1, 1, -1}};
static const signed char worst2[2][6] = {{0, 0, -1}, {1, 0, 0, 1, -1}};
/* clang-format off */
static const signed char worst36[3][2][36] = {
    {{0, 0, 0, 0, 0, 0, -1},
     {0, 0, 1, 1, 1, 0,  0, 0, 0, 1, 1, 1, -1}},
    {{1, 0, 0, 0, 0, 0,  0, 1, 0, 0, 0, 0, -1},
     {0, 1, 0, 1, 0, 1,  0, 1, 1, 1, 0, 0,  1, 0, 0, 0, 1, 1,
      1, 0, 1, 0, 1, 0,  1, 1, 0, 0, 0, 1, -1}},
    {{-1},
     {1, 1, 1, 0, 0, 0, -1}},
};
/* clang-format on */
static const signed char worst4[3][6] = {{1, 0, 0, -1}, {1, 1, 1, -1}, {2, 2, 2, -1}};

struct classes {
    int eq1, eq2, eq3, eq4, eq5, eq6;
};

static int ranked_at(struct classes c) {
    return ranked[c.eq1][c.eq2][c.eq3][c.eq4 * 6 + c.eq5 * 2 + c.eq6];
}

/* The levels that count: modified metrics before base ones, the worst where nothing is said. */
static void effective(const int *given, int *v) {
    for (int i = 0; i < N_METRICS; i++) v[i] = given[i];
    for (int i = AV; i <= SA; i++) {
        int modified = given[MAV + i - AV];
        int unset = i == AC || i == AT ? 2 : i == AV || i >= SC ? 4 : 3;
        if (modified != SW_CVSS_UNSET && modified != unset) v[i] = modified;
    }
    if (v[E] == SW_CVSS_UNSET || v[E] == 3) v[E] = 0;
    for (int i = CR; i <= AR; i++)
        if (v[i] == SW_CVSS_UNSET || v[i] == 3) v[i] = 0;
}

static struct classes classify(const int *v) {
    struct classes c = {0};
    bool av = v[AV] == 0, pr = v[PR] == 0, ui = v[UI] == 0;
    c.eq1 = av && pr && ui ? 0 : (av || pr || ui) && v[AV] != 3 ? 1 : 2;
    c.eq2 = v[AC] == 0 && v[AT] == 0 ? 0 : 1;
    bool vc = v[VC] == 0, vi = v[VI] == 0, va = v[VA] == 0;
    c.eq3 = vc && vi ? 0 : vc || vi || va ? 1 : 2;
    c.eq4 = v[SI] == 0 || v[SA] == 0 ? 0 : v[SC] == 1 || v[SI] == 1 || v[SA] == 1 ? 1 : 2;
    c.eq5 = v[E];
    c.eq6 = (v[CR] == 0 && vc) || (v[IR] == 0 && vi) || (v[AR] == 0 && va) ? 0 : 1;
    return c;
}

/* Steps from the first of the worst vectors that is nowhere milder. */
static int distance(const int *v, const int *which, int n, const signed char *vectors) {
    for (; vectors[0] >= 0; vectors += n) {
        int sum = 0;
        bool above = true;
        for (int i = 0; i < n; i++) {
            above = above && v[which[i]] >= vectors[i];
            sum += v[which[i]] - vectors[i];
        }
        if (above) return sum;
    }
    return 0;
}

/* What the next class below would cost, in proportion to how far the vector is on its way there. */
static double share(int score, int next, int steps, int depth, int *lower) {
    ++*lower;
    return (double)(score - next) * steps / depth;
}

enum sw_code sw_cvss4_score(struct sw_str text, unsigned *ret_tenths, struct sw_error *err) {
    static const int of1[] = {AV, PR, UI}, of2[] = {AC, AT}, of36[] = {VC, VI, VA, CR, IR, AR},
                     of4[] = {SC, SI, SA};
    int given[SW_CVSS_METRICS_MAX] = {0}, v[N_METRICS] = {0};
    enum sw_code code = sw_cvss_metrics(text, metrics, N_METRICS, given, err);
    if (code) return code;
    effective(given, v);
    if (v[VC] == 2 && v[VI] == 2 && v[VA] == 2 && v[SC] == 3 && v[SI] == 3 && v[SA] == 3) {
        *ret_tenths = 0;
        return SW_OK;
    }
    struct classes c = classify(v), next;
    int score = ranked_at(c), lower = 0;
    double sum = 0;
    if (c.eq1 < 2) {
        next = c;
        next.eq1++;
        sum += share(score, ranked_at(next), distance(v, of1, 3, worst1[c.eq1]), depth1[c.eq1],
                     &lower);
    }
    if (c.eq2 < 1) {
        next = c;
        next.eq2++;
        sum += share(score, ranked_at(next), distance(v, of2, 2, worst2[c.eq2]), depth2[c.eq2],
                     &lower);
    }
    if (c.eq3 < 2 && !(c.eq3 == 2 && c.eq6 == 1)) {
        /* Classes 3 and 6 depend on each other: from 00 the dearer of two ways counts. */
        next = c;
        if (c.eq3 == 1 && c.eq6 == 0)
            next.eq6++;
        else
            next.eq3++;
        int below = ranked_at(next);
        if (c.eq3 == 0 && c.eq6 == 0) {
            next = c;
            next.eq6++;
            if (ranked_at(next) > below) below = ranked_at(next);
        }
        sum += share(score, below, distance(v, of36, 6, worst36[c.eq3][c.eq6]),
                     depth36[c.eq3][c.eq6], &lower);
    }
    if (c.eq4 < 2) {
        next = c;
        next.eq4++;
        sum += share(score, ranked_at(next), distance(v, of4, 3, worst4[c.eq4]), depth4[c.eq4],
                     &lower);
    }
    if (c.eq5 < 2) lower++; /* one metric, so no way within the class */
    double value = lower ? score - sum / lower : score;
    *ret_tenths = value <= 0 ? 0 : (unsigned)floor(value + 0.5 + 1e-5);
    return SW_OK;
}
