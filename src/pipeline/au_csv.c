#include "pipeline/au_csv.h"

#include <math.h>

void fm_au_csv_header(FILE *csv, bool with_emotion)
{
    fputs("frame,face_id,timestamp,confidence,success", csv);
    for (int i = 0; i < FM_AU_COUNT; i++)
        fprintf(csv, ",AU%02d_r", fm_au_numbers[i]);
    for (int i = 0; i < FM_AU_COUNT; i++)
        fprintf(csv, ",AU%02d_c", fm_au_numbers[i]);
    if (with_emotion) {
        fputs(",emotion", csv);
        for (int i = 0; i < FM_MTL_EMOTIONS; i++)
            fprintf(csv, ",emotion_%s", fm_mtl_emotion_name(i));
        fputs(",gaze_yaw,gaze_pitch", csv);
    }
    fputc('\n', csv);
}

/* Cells with what is known in them. values NULL: nothing is. */
static void write_cells(FILE *csv, const float *values, int count, const char *format)
{
    for (int i = 0; i < count; i++) {
        fputc(',', csv);
        if (values && !isnan(values[i]))
            fprintf(csv, format, (double)values[i]);
    }
}

static void write_emotion(FILE *csv, const fm_mtl_result *network)
{
    fprintf(csv, ",%s", network ? fm_mtl_emotion_name(network->best_emotion) : "");
    write_cells(csv, network ? network->emotion : NULL, FM_MTL_EMOTIONS, "%.4f");
    write_cells(csv, network ? &network->gaze_yaw : NULL, 1, "%.4f");
    write_cells(csv, network ? &network->gaze_pitch : NULL, 1, "%.4f");
}

void fm_au_csv_row(FILE *csv, const fm_au_row *row, const fm_au_result *units, bool with_emotion)
{
    const fm_au_sample *sample = &row->sample;
    fprintf(csv, "%lld,0,%.6f,%.4f,%d", (long long)row->index, row->seconds, (double)sample->confidence,
            sample->success ? 1 : 0);
    write_cells(csv, sample->success ? units->intensity : NULL, FM_AU_COUNT, "%.3f");
    write_cells(csv, sample->success ? units->presence : NULL, FM_AU_COUNT, "%.0f");
    if (with_emotion)
        write_emotion(csv, sample->success ? &sample->network : NULL);
    fputc('\n', csv);
}
