#include "cli/run_summary.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output_stream.h"
#include "export/utf8.h"
#include "facemirror/version.h"

static const struct {
    const char *kind, *meaning;
} meanings[] = {
    {"left_video", "the patient's left half, mirrored"},
    {"right_video", "the patient's right half, mirrored"},
    {"debug_video", "landmarks, midline, head pose"},
    {"left_csv", "action units of the left-mirrored face"},
    {"right_csv", "action units of the right-mirrored face"},
    {"landmarks_csv", "landmarks, one row a frame"},
    {"profile", "the profile above, as JSON"},
    {"trace", "every event, for 'facemirror report'"},
    {"trace_json", "the same for ui.perfetto.dev and chrome://tracing"},
    {"samples_folded", "call stacks of the samples, for flame graphs"},
    {"samples_speedscope", "the same for speedscope.app"},
    {"profile_compat", "every sample of every operation"},
};

void fm_run_print_outputs(FILE *out, const fm_run_summary *summary)
{
    if (summary->output_count > 0)
        fputs("\nOutputs:\n", out);
    for (int i = 0; i < summary->output_count; i++) {
        const char *meaning = "";
        for (size_t k = 0; k < sizeof meanings / sizeof meanings[0]; k++) {
            if (strcmp(meanings[k].kind, summary->output[i].kind) == 0)
                meaning = meanings[k].meaning;
        }
        fprintf(out, "  %s  (%s)\n", summary->output[i].path, meaning);
    }
}

struct fm_run_json {
    json_t *root, *runs;
    bool incomplete; /* memory was out for a run */
};

fm_run_json *fm_run_json_create(void)
{
    fm_run_json *json = calloc(1, sizeof *json);
    if (!json)
        return NULL;
    json->runs = json_array();
    json->root = json_pack("{s:s, s:O}", "facemirror", FM_VERSION, "runs", json->runs);
    if (!json->root) {
        json_decref(json->runs);
        free(json);
        return NULL;
    }
    return json;
}

/* A path need not be UTF-8; JSON must be. Bytes that are not become U+FFFD. */
static json_t *text(const char *bytes)
{
    char *valid = fmp_utf8_valid_copy(bytes);
    json_t *result = valid ? json_string(valid) : NULL;
    free(valid);
    return result;
}

void fm_run_json_add(fm_run_json *json, const char *input, fm_status status, int exit_code,
                     const fm_error *err, const fm_run_summary *s)
{
    json_t *outputs = json_object();
    for (int i = 0; i < s->output_count; i++)
        json_object_set_new(outputs, s->output[i].kind, text(s->output[i].path));
    json_t *run = json_pack(
        "{s:o, s:s, s:i, s:o, s:i, s:i, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:s, s:o}",
        "input", text(input), "status", fm_status_name(status), "exit_code", exit_code,
        "error", status == FM_OK ? json_null() : text(err->message),
        "width", s->width, "height", s->height, "frame_rate", s->frame_rate,
        "frames_read", (json_int_t)s->frames_read, "frames_written", (json_int_t)s->frames_written,
        "frames_with_face", (json_int_t)s->frames_with_face,
        "frames_detected", (json_int_t)s->frames_detected,
        "frames_damaged", (json_int_t)s->frames_damaged, "wall_seconds", s->wall_seconds,
        "fps", s->wall_seconds > 0 ? (double)s->frames_written / s->wall_seconds : 0.0,
        "encoder", s->encoder, "outputs", outputs);
    if (json_array_append_new(json->runs, run) != 0)
        json->incomplete = true;
}

fm_status fm_run_json_finish(fm_run_json **pointer, FILE *out, fm_error *err)
{
    fm_run_json *json = *pointer;
    fm_status status = FM_OK;
    if (json->incomplete)
        status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for the summary as JSON");
    errno = 0;
    if ((json_dumpf(json->root, out, JSON_INDENT(2)) != 0 || fputc('\n', out) == EOF) && status == FM_OK)
        status = fm_cli_stdout_failed(err);
    json_decref(json->root);
    json_decref(json->runs);
    free(json);
    *pointer = NULL;
    return status;
}
