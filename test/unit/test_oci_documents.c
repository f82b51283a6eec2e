#include "unit.h"

#include "codec/rfc3339.h"
#include "oci/config.h"
#include "oci/index.h"
#include "oci/manifest.h"

#define D1 "sha256:716fc828efb2e2767048b20bfb350894c14244edab808b4735dfba9bdfb5dbff"
#define D2 "sha256:523e9f12969754272a4a4c392b6358184f088d68257384ccc08ce131f03ecac9"
#define D3 "sha256:d4f9592f7121fe65fd10bf3f3ea26fbc3aed1fd8b13739f60a06e833da6c33f7"

/* As buildah 1.28 commits an image in OCI's format. */
static const char buildah_config[] =
    "{\"created\":\"1970-01-01T00:00:00Z\",\"author\":\"me\",\"architecture\":\"amd64\",\"os\":"
    "\"linux\",\"config\":{\"User\":\"1000:1000\",\"ExposedPorts\":{\"53/udp\":{},\"8080/tcp\":{}},"
    "\"Env\":[\"A=1\",\"B=\\u003cx\\u003e \\u0026 \\\"y\\\"\"],\"Entrypoint\":[\"/bin/sh\",\"-c\"],"
    "\"Cmd\":[\"./main\"],\"Volumes\":{\"/data\":{}},\"WorkingDir\":\"/app\",\"Labels\":{\"a\":"
    "\"2\",\"io.buildah.version\":\"1.28.2\",\"z\":\"1\"},\"StopSignal\":\"SIGTERM\"},\"rootfs\":{"
    "\"type\":\"layers\",\"diff_ids\":[\"" D2 "\"]},\"history\":[{\"created\":"
    "\"1970-01-01T00:00:00Z\",\"created_by\":\"/bin/sh\",\"author\":\"me\"}]}";
static const char buildah_manifest[] =
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{"
    "\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" D1
    "\",\"size\":570},"
    "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" D2
    "\",\"size\":2048}],\"annotations\":{\"org.opencontainers.image.base.digest\":\"\","
    "\"org.opencontainers.image.base.name\":\"\"}}";
/* The same image in Docker's format, with what OCI has no room for. */
static const char docker_config[] =
    "{\"created\":\"2024-01-02T03:04:05.678901234+01:00\",\"container\":\"428beeee\","
    "\"container_config\":{\"Hostname\":\"\",\"Cmd\":[\"x\"]},\"author\":\"me\",\"config\":{"
    "\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"1000:1000\",\"AttachStdin\":false,\"Tty\":"
    "false,\"ExposedPorts\":{\"8080/tcp\":{},\"53/udp\":{}},\"Env\":[\"A=1\"],\"Cmd\":[\"./main\"],"
    "\"Healthcheck\":{\"Test\":[\"CMD\",\"curl\",\"localhost\"],\"Interval\":30000000000,"
    "\"Timeout\":5000000000,\"StartPeriod\":1000000000,\"StartInterval\":2000000000,\"Retries\":3},"
    "\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"/app\",\"Entrypoint\":null,\"OnBuild\":["
    "\"RUN true\"],\"Labels\":null,\"StopSignal\":\"SIGTERM\",\"StopTimeout\":10,\"Shell\":["
    "\"/bin/"
    "bash\",\"-c\"],\"ArgsEscaped\":true},\"architecture\":\"arm\",\"variant\":\"v7\",\"os\":"
    "\"linux\",\"os.version\":\"1\",\"os.features\":[\"f\"],\"rootfs\":{\"type\":\"layers\","
    "\"diff_ids\":[\"" D2 "\",\"" D1 "\"]},\"history\":[{\"created\":\"2024-01-02T03:04:05Z\","
    "\"created_by\":\"/bin/sh -c #(nop) ADD file\"},{\"comment\":\"buildkit.dockerfile.v0\","
    "\"empty_layer\":true},{\"created_by\":\"RUN\"}]}";
static const char docker_canonical[] =
    "{\"created\":\"2024-01-02T02:04:05.678901234Z\",\"author\":\"me\",\"architecture\":\"arm\","
    "\"os\":\"linux\",\"os.version\":\"1\",\"os.features\":[\"f\"],\"variant\":\"v7\",\"config\":{"
    "\"User\":\"1000:1000\",\"ExposedPorts\":{\"53/udp\":{},\"8080/tcp\":{}},\"Env\":[\"A=1\"],"
    "\"Cmd\":[\"./main\"],\"WorkingDir\":\"/app\",\"StopSignal\":\"SIGTERM\",\"ArgsEscaped\":true,"
    "\"StopTimeout\":10,\"Healthcheck\":{\"Test\":[\"CMD\",\"curl\",\"localhost\"],\"Interval\":"
    "30000000000,\"Timeout\":5000000000,\"StartPeriod\":1000000000,\"StartInterval\":2000000000,"
    "\"Retries\":3},\"OnBuild\":[\"RUN true\"],\"Shell\":[\"/bin/bash\",\"-c\"]},\"rootfs\":{"
    "\"type\":\"layers\",\"diff_ids\":[\"" D2 "\",\"" D1 "\"]},\"history\":[{\"created\":"
    "\"2024-01-02T03:04:05Z\",\"created_by\":\"/bin/sh -c #(nop) ADD file\"},{\"comment\":"
    "\"buildkit.dockerfile.v0\",\"empty_layer\":true},{\"created_by\":\"RUN\"}]}";

static void configs_of_others_are_written_back_the_same(void **state) {
    static const char *const cases[][2] = {
        {buildah_config, buildah_config},
        {docker_config, docker_canonical},
        {docker_canonical, docker_canonical},
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null},\"config\":null,\"history\":null}",
         "{\"architecture\":\"\",\"os\":\"\",\"config\":{},\"rootfs\":{\"type\":\"layers\","
         "\"diff_ids\":[]}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        SW_BUF struct sw_buf out;
        struct sw_error err;
        struct sw_image_config c;
        sw_arena_init(&a, 0);
        sw_buf_init(&out, 0);
        assert_ok(sw_image_config_parse(&a, sw_str(cases[i][0]), &c, &err), err);
        sw_image_config_write(&out, &c);
        assert_str(sw_buf_str(&out), cases[i][1]);
        assert_true(sw_image_config_history_fits(&c));
    }
}

static void a_config_has_its_parts(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_image_config c;
    struct sw_str value;
    sw_arena_init(&a, 0);
    assert_ok(sw_image_config_parse(&a, sw_str(docker_config), &c, &err), err);
    assert_true(c.created.set && c.created.sec == 1704161045 && c.created.nsec == 678901234);
    assert_str(c.platform.variant, "v7");
    assert_int_equal(c.config.exposed_ports.len, 2);
    assert_true(sw_config_get_env(&c.config.env, SW_STR("A"), &value));
    assert_str(value, "1");
    assert_null(c.config.entrypoint.ptr);
    assert_int_equal(c.config.healthcheck->interval_ns, 30000000000);
    assert_int_equal(c.config.healthcheck->retries, 3);
    assert_int_equal(c.n_diff_ids, 2);
    assert_true(c.history[1].empty_layer && !c.history[2].empty_layer);
}

static void malformed_configs_are_refused_with_the_path(void **state) {
    static const char *const cases[][2] = {
        {"[]", ".: must be an object"},
        {"{}", "\"rootfs\" is missing"},
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:00\"]}}", "rootfs.diff_ids[0]: "},
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[7]}}",
         "rootfs.diff_ids[0]: must be a string"},
        {"{\"rootfs\":{\"type\":\"tree\"}}", "rootfs: type \"tree\" is not known"},
        {"{\"rootfs\":{},\"config\":{\"Env\":\"A=1\"}}", "config.Env: must be an array"},
        {"{\"rootfs\":{},\"config\":{\"Cmd\":[1]}}", "config.Cmd[0]: must be a string"},
        {"{\"rootfs\":{},\"config\":{\"Labels\":{\"a\":1}}}", "config.Labels.a: must be a string"},
        {"{\"rootfs\":{},\"config\":{\"ExposedPorts\":[\"80\"]}}",
         "config.ExposedPorts: must be an object"},
        {"{\"rootfs\":{},\"config\":{\"Healthcheck\":{\"Interval\":\"30s\"}}}",
         "config.Healthcheck.Interval: must be an integer"},
        {"{\"rootfs\":{},\"created\":\"yesterday\"}", "created: \"yesterday\" is not a time"},
        {"{\"rootfs\":{},\"history\":[{\"empty_layer\":\"yes\"}]}",
         "history[0].empty_layer: must be true or false"},
        {"{\"rootfs\":{},\"history\":[1]}", "history[0]: must be an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        struct sw_image_config c;
        sw_arena_init(&a, 0);
        assert_refused(sw_image_config_parse(&a, sw_str(cases[i][0]), &c, &err), SW_SYNTAX, err);
        if (!strstr(err.text, cases[i][1]))
            fail_msg("expected \"%s\" in \"%s\"", cases[i][1], err.text);
    }
}

static void steps_change_a_copy_only(void **state) {
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf out;
    struct sw_error err;
    struct sw_image_config base, c;
    struct sw_digest diff_id = sw_digest_of(SW_SHA256, SW_STR("layer"));
    struct sw_history step = {.created_by = SW_STR("RUN make"), .empty_layer = true};
    sw_arena_init(&a, 0);
    sw_buf_init(&out, 0);
    assert_ok(sw_image_config_parse(&a, sw_str(buildah_config), &base, &err), err);
    c = sw_image_config_copy(&a, &base);
    sw_config_set_env(&a, &c.config.env, SW_STR("A"), SW_STR("2=3"));
    sw_config_set_env(&a, &c.config.env, SW_STR("C"), SW_STR(""));
    sw_config_add_unique(&a, &c.config.exposed_ports, SW_STR("8080/tcp"));
    sw_config_add_unique(&a, &c.config.exposed_ports, SW_STR("443/tcp"));
    sw_pairs_set(&a, &c.config.labels, SW_STR("a"), SW_STR("new"));
    sw_image_config_add_step(&a, &c, &step, &diff_id);
    sw_image_config_add_step(&a, &c, &step, NULL);
    assert_int_equal(c.config.env.len, 3);
    assert_str(c.config.env.ptr[0], "A=2=3");
    assert_str(c.config.env.ptr[2], "C=");
    assert_int_equal(c.config.exposed_ports.len, 3);
    assert_int_equal(c.n_diff_ids, 2);
    assert_false(c.history[1].empty_layer);
    assert_true(c.history[2].empty_layer);
    assert_true(sw_image_config_history_fits(&c));
    sw_image_config_write(&out, &base);
    assert_str(sw_buf_str(&out), buildah_config);
}

static void manifests_of_others_are_written_back_the_same(void **state) {
    static const char *const cases[] = {
        buildah_manifest,
        /* Docker schema 2 with a foreign layer. */
        "{\"schemaVersion\":2,\"mediaType\":\"application/"
        "vnd.docker.distribution.manifest.v2+json\","
        "\"config\":{\"mediaType\":\"application/"
        "vnd.docker.container.image.v1+json\",\"digest\":\"" D1
        "\",\"size\":7023},\"layers\":[{\"mediaType\":"
        "\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" D2
        "\",\"size\":32654,\"urls\":[\"https://example.com/layer\"]}]}",
        /* An artifact about another image, its empty config embedded. */
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"artifactType\":\"application/vnd.example\",\"config\":{\"mediaType\":"
        "\"application/vnd.oci.empty.v1+json\",\"digest\":\"sha256:"
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2,\"data\":"
        "\"e30=\"},\"layers\":[],\"subject\":{\"mediaType\":"
        "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D3 "\",\"size\":495}}",
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"" D1
        "\",\"size\":1},\"layers\":[]}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        SW_BUF struct sw_buf out;
        struct sw_error err;
        struct sw_manifest m;
        sw_arena_init(&a, 0);
        sw_buf_init(&out, 0);
        assert_ok(sw_manifest_parse(&a, sw_str(cases[i]), SW_STR(""), &m, &err), err);
        sw_manifest_write(&out, &m);
        assert_str(sw_buf_str(&out), cases[i]);
        assert_int_equal(sw_manifest_sniff(&a, sw_str(cases[i])), SW_MEDIA_MANIFEST);
    }
    struct sw_digest d = sw_digest_of(SW_SHA256, sw_str(buildah_manifest));
    char text[SW_DIGEST_TEXT_MAX];
    assert_str(sw_digest_format(&d, text), D3);
}

#define CONFIG "\"config\":{\"mediaType\":\"x/y\",\"digest\":\"" D1 "\",\"size\":1}"
#define OCI_M "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
#define OCI_I "\"mediaType\":\"application/vnd.oci.image.index.v1+json\","

static void contradictory_manifests_are_refused(void **state) {
    static const struct {
        const char *text, *transport;
        enum sw_code code;
    } cases[] = {
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "", SW_OK},
        {"{\"schemaVersion\":2," CONFIG "}", "", SW_OK},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "application/json", SW_OK},
        {"{\"schemaVersion\":2," OCI_M CONFIG "}", SW_MT_OCI_MANIFEST "; charset=utf-8", SW_OK},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", SW_MT_OCI_INDEX, SW_SYNTAX},
        {"{\"schemaVersion\":2," OCI_M CONFIG "}", SW_MT_DOCKER_MANIFEST, SW_SYNTAX},
        {"{\"schemaVersion\":2," OCI_I CONFIG "}", "", SW_SYNTAX},
        {"{\"schemaVersion\":2,\"mediaType\":\"application/json\"," CONFIG "}", "", SW_SYNTAX},
        {"{\"schemaVersion\":2," CONFIG ",\"manifests\":[]}", "", SW_SYNTAX},
        {"{\"schemaVersion\":2,\"manifests\":[]}", "", SW_SYNTAX},
        {"{" CONFIG "}", "", SW_SYNTAX},
        {"{\"schemaVersion\":3," CONFIG "}", "", SW_SYNTAX},
        {"{\"schemaVersion\":\"2\"," CONFIG "}", "", SW_SYNTAX},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", "", SW_UNSUPPORTED},
        {"{\"schemaVersion\":2," CONFIG "}", SW_MT_DOCKER_SCHEMA1_SIGNED, SW_UNSUPPORTED},
        {"{\"schemaVersion\":2}", "", SW_SYNTAX},
        {"{\"schemaVersion\":2,\"config\":null}", "", SW_SYNTAX},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"" D1 "\"}}", "",
         SW_SYNTAX},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"" D1
         "\",\"size\":-1}}",
         "", SW_SYNTAX},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"" D1
         "\",\"size\":1.5}}",
         "", SW_SYNTAX},
        {"{\"schemaVersion\":2,\"config\":{\"digest\":\"" D1 "\",\"size\":1}}", "", SW_SYNTAX},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"" D1
         "\",\"size\":2,\"data\":\"e30=\"}}",
         "", SW_CORRUPT},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"" D1
         "\",\"size\":2,\"data\":\"e30\"}}",
         "", SW_SYNTAX},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":{}}", "", SW_SYNTAX},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[\"x\"]}", "", SW_SYNTAX},
        {"{\"schemaVersion\":2," CONFIG ",\"annotations\":{\"a\":1}}", "", SW_SYNTAX},
        {"[]", "", SW_SYNTAX},
        {"", "", SW_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        struct sw_manifest m;
        sw_arena_init(&a, 0);
        enum sw_code code =
            sw_manifest_parse(&a, sw_str(cases[i].text), sw_str(cases[i].transport), &m, &err);
        if (code != cases[i].code)
            fail_msg("%s as %s: expected %s, got %s (%s)", cases[i].text, cases[i].transport,
                     sw_code_name(cases[i].code), sw_code_name(code), code ? err.text : "");
    }
}

static void indexes_are_read_and_written(void **state) {
    static const char text[] =
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
        "\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":"
        "\"" D1 "\",\"size\":7143,\"platform\":{\"architecture\":\"ppc64le\",\"os\":\"linux\"}},{"
        "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D2
        "\",\"size\":7682,\"annotations\":{\"com.example.key\":\"v\"},\"platform\":{"
        "\"architecture\":\"amd64\",\"os\":\"windows\",\"os.version\":\"10.0.14393\","
        "\"os.features\":[\"win32k\"],\"variant\":\"v1\"},\"artifactType\":\"a/b\"}],"
        "\"annotations\":{\"com.example.key1\":\"value1\"}}";
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf out;
    struct sw_error err;
    struct sw_index index;
    struct sw_manifest m;
    sw_arena_init(&a, 0);
    sw_buf_init(&out, 0);
    assert_ok(sw_index_parse(&a, sw_str(text), SW_STR(SW_MT_OCI_INDEX), &index, &err), err);
    assert_int_equal(index.n_manifests, 2);
    assert_str(sw_index_platforms(&a, &index),
               "linux/ppc64le, windows(10.0.14393+win32k)/amd64/v1");
    sw_index_write(&out, &index);
    assert_str(sw_buf_str(&out), text);
    assert_refused(sw_manifest_parse(&a, sw_str(text), SW_STR(""), &m, &err), SW_SYNTAX, err);
    assert_refused(sw_index_parse(&a, sw_str(buildah_manifest), SW_STR(""), &index, &err),
                   SW_SYNTAX, err);
    assert_int_equal(sw_manifest_sniff(&a, sw_str(text)), SW_MEDIA_INDEX);
    assert_int_equal(sw_manifest_sniff(&a, SW_STR("{\"manifests\":[]}")), SW_MEDIA_INDEX);
    assert_int_equal(sw_manifest_sniff(&a, SW_STR("{\"schemaVersion\":1}")), SW_MEDIA_SCHEMA1);
    assert_int_equal(sw_manifest_sniff(&a, SW_STR("{}")), SW_MEDIA_OTHER);
    assert_int_equal(sw_manifest_sniff(&a, SW_STR("nonsense")), SW_MEDIA_OTHER);
}

static void too_many_layers_are_refused(void **state) {
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf out;
    struct sw_error err;
    struct sw_manifest m = {.config = sw_descriptor_of("x/y", SW_STR("{}"))}, read;
    sw_arena_init(&a, 0);
    sw_buf_init(&out, 0);
    struct sw_descriptor layer = sw_descriptor_of(SW_MT_OCI_LAYER, SW_STR("layer"));
    for (int i = 0; i < SW_OCI_ITEMS_MAX; i++) sw_manifest_add_layer(&a, &m, &layer);
    sw_manifest_write(&out, &m);
    assert_ok(sw_manifest_parse(&a, sw_buf_str(&out), SW_STR(""), &read, &err), err);
    assert_int_equal(read.n_layers, SW_OCI_ITEMS_MAX);
    sw_manifest_add_layer(&a, &m, &layer);
    sw_buf_reset(&out);
    sw_manifest_write(&out, &m);
    assert_refused(sw_manifest_parse(&a, sw_buf_str(&out), SW_STR(""), &read, &err), SW_LIMIT, err);
}

static void media_types_are_known(void **state) {
    struct sw_media_type t = sw_media_type_of(SW_STR(SW_MT_OCI_LAYER_ZSTD));
    assert_true(t.kind == SW_MEDIA_LAYER && t.compression == SW_LAYER_ZSTD && !t.docker);
    t = sw_media_type_of(SW_STR(SW_MT_DOCKER_LAYER_GZIP));
    assert_true(t.kind == SW_MEDIA_LAYER && t.compression == SW_LAYER_GZIP && t.docker);
    t = sw_media_type_of(SW_STR("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"));
    assert_true(t.kind == SW_MEDIA_LAYER && t.foreign);
    assert_int_equal(sw_media_type_of(SW_STR("text/plain")).kind, SW_MEDIA_OTHER);
    for (int docker = 0; docker < 2; docker++)
        for (int c = SW_LAYER_PLAIN; c <= SW_LAYER_ZSTD; c++) {
            t = sw_media_type_of(sw_str(sw_media_type_layer((enum sw_layer_compression)c, docker)));
            assert_true(t.kind == SW_MEDIA_LAYER && (int)t.compression == c && t.docker == docker);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configs_of_others_are_written_back_the_same),
        cmocka_unit_test(a_config_has_its_parts),
        cmocka_unit_test(malformed_configs_are_refused_with_the_path),
        cmocka_unit_test(steps_change_a_copy_only),
        cmocka_unit_test(manifests_of_others_are_written_back_the_same),
        cmocka_unit_test(contradictory_manifests_are_refused),
        cmocka_unit_test(indexes_are_read_and_written),
        cmocka_unit_test(too_many_layers_are_refused),
        cmocka_unit_test(media_types_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
