#include "pipeline/model_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "models/pack_contract.h"

/* "1x3x?x?", for messages. */
typedef struct shape_text {
    char text[96];
} shape_text;

static shape_text shape_of(const fm_tensor_info *info)
{
    shape_text s = {"scalar"};
    size_t size = 0;
    for (int i = 0; i < info->rank && size < sizeof s.text; i++) {
        const size_t left = sizeof s.text - size;
        const int n = info->dims[i] < 0 ? snprintf(s.text + size, left, "%s?", i ? "x" : "")
                                        : snprintf(s.text + size, left, "%s%" PRId64, i ? "x" : "", info->dims[i]);
        size += n > 0 ? (size_t)n : 0;
    }
    return s;
}

static bool fits(int64_t dim, int64_t wanted)
{
    return dim < 0 || dim == wanted;
}

/* A side that the manifest leaves open must be open in the graph, too. */
static bool side_fits(int64_t dim, int wanted)
{
    return wanted == 0 ? dim < 0 : fits(dim, wanted);
}

static fm_status check_input(const fm_pack_model *model, const fm_session *session, fm_error *err)
{
    const fm_tensor_info *info = fm_session_input_count(session) == 1 ? fm_session_input(session, 0) : NULL;
    if (!info)
        return fm_fail(err, FM_E_MODEL, "'%s' has %d inputs where %s has one", model->path,
                       fm_session_input_count(session), fm_decoding_name(model->decoding));
    if (strcmp(info->name, model->input.name) != 0)
        return fm_fail(err, FM_E_MODEL, "'%s' has no input '%s'; its input is '%s'", model->path, model->input.name,
                       info->name);
    const fm_contract *contract = fm_decoding_contract(model->decoding);
    const fm_pack_input *in = &model->input;
    char wanted[48];
    bool right;
    if (contract->points > 0) {
        right = info->rank >= 2 && info->dims[0] <= 1 && info->count == 2 * (size_t)contract->points;
        snprintf(wanted, sizeof wanted, "1x%dx2", contract->points);
    } else {
        right = info->rank == 4 && info->dims[0] <= 1 && info->dims[1] == 3 && side_fits(info->dims[2], in->height) &&
                side_fits(info->dims[3], in->width);
        if (in->width > 0)
            snprintf(wanted, sizeof wanted, "1x3x%dx%d", in->height, in->width);
        else
            snprintf(wanted, sizeof wanted, "1x3x?x? (any size)");
    }
    if (!right)
        return fm_fail(err, FM_E_MODEL, "input '%s' of '%s' is %s where %s is expected", info->name, model->path,
                       shape_of(info).text, wanted);
    return FM_OK;
}

/* How many values one picture has; 0: rows of expected->columns. */
static size_t expected_values(const fm_pack_model *model, const fm_contract_output *expected)
{
    return expected->values == 0 && expected->columns == 0 ? (size_t)model->unit_count : (size_t)expected->values;
}

/* The values of one picture. Where a dimension behind the batch is open, so is the total: the rest must divide it. */
static bool output_fits(const fm_tensor_info *info, size_t values, int columns)
{
    if (values == 0)
        return info->rank >= 2 && info->dims[0] <= 1 && fits(info->dims[info->rank - 1], columns);
    bool open = false;
    for (int i = 1; i < info->rank; i++)
        open = open || info->dims[i] < 0;
    if (open)
        return info->count > 0 && values % info->count == 0;
    return info->count == values;
}

int fm_model_output(const fm_pack_model *model, const fm_session *session, const char *key)
{
    const char *tensor = fm_pack_output_of(model, key);
    if (!tensor)
        return -1;
    if (strcmp(tensor, FM_PACK_LAST_OUTPUT) == 0)
        return fm_session_output_count(session) - 1;
    return fm_session_find_output(session, tensor);
}

static fm_status check_output(const fm_pack_model *model, const fm_session *session,
                              const fm_contract_output *expected, fm_error *err)
{
    const char *tensor = fm_pack_output_of(model, expected->key);
    const int index = fm_model_output(model, session, expected->key);
    if (index < 0)
        return fm_fail(err, FM_E_MODEL, "'%s' has no output '%s' (%s); it is another model than its manifest means",
                       model->path, tensor ? tensor : "", expected->key);
    const fm_tensor_info *info = fm_session_output(session, index);
    const size_t values = expected_values(model, expected);
    if (output_fits(info, values, expected->columns))
        return FM_OK;
    if (values == 0)
        return fm_fail(err, FM_E_MODEL, "output '%s' of '%s' is %s where rows of %d values are expected (%s)",
                       info->name, model->path, shape_of(info).text, expected->columns, expected->key);
    return fm_fail(err, FM_E_MODEL, "output '%s' of '%s' is %s where %zu values are expected (%s)", info->name,
                   model->path, shape_of(info).text, values, expected->key);
}

fm_status fm_model_check(const fm_pack_model *model, const fm_session *session, fm_error *err)
{
    const fm_contract *contract = fm_decoding_contract(model->decoding);
    fm_status status = check_input(model, session, err);
    for (const fm_contract_output *o = contract->outputs; status == FM_OK && o->key; o++)
        status = check_output(model, session, o, err);
    return status;
}
