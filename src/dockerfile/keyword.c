#include "dockerfile/parse.h"

static const char *const keywords[SW_DF_KINDS] = {
    [SW_DF_ADD] = "ADD",
    [SW_DF_ARG] = "ARG",
    [SW_DF_CMD] = "CMD",
    [SW_DF_COPY] = "COPY",
    [SW_DF_ENTRYPOINT] = "ENTRYPOINT",
    [SW_DF_ENV] = "ENV",
    [SW_DF_EXPOSE] = "EXPOSE",
    [SW_DF_FROM] = "FROM",
    [SW_DF_HEALTHCHECK] = "HEALTHCHECK",
    [SW_DF_LABEL] = "LABEL",
    [SW_DF_MAINTAINER] = "MAINTAINER",
    [SW_DF_ONBUILD] = "ONBUILD",
    [SW_DF_RUN] = "RUN",
    [SW_DF_SHELL] = "SHELL",
    [SW_DF_STOPSIGNAL] = "STOPSIGNAL",
    [SW_DF_USER] = "USER",
    [SW_DF_VOLUME] = "VOLUME",
    [SW_DF_WORKDIR] = "WORKDIR",
};

const char *sw_df_kind_name(enum sw_df_kind kind) { return keywords[kind]; }

bool sw_df_kind_parse(struct sw_str word, enum sw_df_kind *ret) {
    for (size_t i = 0; i < SW_DF_KINDS; i++) {
        if (!sw_str_ieq(word, sw_str(keywords[i]))) continue;
        *ret = (enum sw_df_kind)i;
        return true;
    }
    return false;
}
