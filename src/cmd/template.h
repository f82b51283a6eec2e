/* --format: Go templates over a JSON document, as docker's and podman's users write them.
 *
 * Floor 7.
 *
 *     {{.Config.Cmd}}  {{json .}}  {{range .Layers}}{{.}} {{end}}  {{if .X}}a{{else}}b{{end}}
 *     {{with .X}}...{{end}}  {{range $i, $e := .X}}...{{end}}  {{- trimmed -}}  {{/ * comment * /}}
 * Functions: json join lower upper title split len index print println printf eq ne lt le gt ge and
 * or not; pipelines with |. Values print as Go prints them: [a b], map[k:v], <no value>.
 */
#ifndef SW_CMD_TEMPLATE_H
#define SW_CMD_TEMPLATE_H

#include "codec/json.h"

/* Renders text over data into out. "\t" and "\n" written as two characters are tab and newline.
 * SW_USAGE with what is wrong; a field that does not exist suggests the nearest. */
SW_NODISCARD enum sw_code sw_template_render(struct sw_arena *arena, struct sw_str text,
                                             const struct sw_json *data, struct sw_buf *out,
                                             struct sw_error *err);

#endif
