#include "registry/blobs.h"
enum sw_code sw_blobs_open_s3(const struct sw_s3_options *options, struct sw_blobs **ret,
                              struct sw_error *err) {
    return sw_fail(err, SW_UNSUPPORTED, "this build stores blobs in directories only");
}
