#include "inference/macs.h"

#include <stdlib.h>
#include <string.h>

#include "inference/node_sampling.h"

static bool multiply(uint64_t *product, uint64_t factor)
{
    if (factor != 0 && *product > UINT64_MAX / factor)
        return false;
    *product *= factor;
    return true;
}

/* Elements from dimension `first` on. */
static bool elements(const fm_node_shape *shape, int first, uint64_t *out)
{
    *out = 1;
    for (int i = first; i < shape->rank; i++)
        if (!multiply(out, (uint64_t)shape->dims[i]))
            return false;
    return true;
}

/* Weights M x C/group x kernel: behind each output element stand those of one M. */
static bool conv(const fm_node_shape *x, const fm_node_shape *w, const fm_node_shape *y, uint64_t *macs)
{
    (void)x;
    uint64_t weights;
    return w->rank >= 3 && elements(y, 0, macs) && elements(w, 1, &weights) && multiply(macs, weights);
}

/* Weights C x M/group x kernel: each input element is multiplied with those of one C. */
static bool conv_transpose(const fm_node_shape *x, const fm_node_shape *w, const fm_node_shape *y, uint64_t *macs)
{
    (void)y;
    uint64_t weights;
    return w->rank >= 3 && elements(x, 0, macs) && elements(w, 1, &weights) && multiply(macs, weights);
}

/* The last dimension of the first matrix is summed over. */
static bool matmul(const fm_node_shape *a, const fm_node_shape *b, const fm_node_shape *y, uint64_t *macs)
{
    return a->rank >= 1 && b->rank >= 1 && elements(y, 0, macs) && multiply(macs, (uint64_t)a->dims[a->rank - 1]);
}

/* The first matrix may be transposed: one of its dimensions is that of the output's rows, the other is summed over. */
static bool gemm(const fm_node_shape *a, const fm_node_shape *b, const fm_node_shape *y, uint64_t *macs)
{
    uint64_t size;
    if (a->rank != 2 || b->rank != 2 || y->rank != 2 || !elements(a, 0, &size))
        return false;
    const uint64_t rows = (uint64_t)y->dims[0];
    return elements(y, 0, macs) && (rows == 0 || multiply(macs, size / rows));
}

static const struct counted {
    const char *op_type;
    bool (*count)(const fm_node_shape *a, const fm_node_shape *b, const fm_node_shape *y, uint64_t *macs);
} counted[] = {
    {"Conv", conv},
    {"ConvTranspose", conv_transpose},
    {"MatMul", matmul},
    {"Gemm", gemm},
};

static fm_macs_type *entry_of(fm_macs *macs, const char *op_type)
{
    int i = 0;
    while (i < macs->type_count && macs->types[i].op_type != op_type)
        i++;
    if (i == macs->type_count)
        macs->types[macs->type_count++].op_type = op_type; /* counted[] has no more than there is room for */
    return &macs->types[i];
}

void fm_macs_add(fm_macs *macs, const fm_node_event *event)
{
    for (size_t i = 0; event->kind == FM_NODE_EVENT_NODE && i < sizeof counted / sizeof counted[0]; i++) {
        const char *type = counted[i].op_type;
        if (!fm_view_equal(event->op_type, (fm_view){type, strlen(type)}))
            continue;
        fm_view inputs = event->input_shapes, outputs = event->output_shapes;
        fm_node_shape a, b, y;
        uint64_t count;
        const bool known = fm_node_shape_next(&inputs, &a) && fm_node_shape_next(&inputs, &b) &&
                           fm_node_shape_next(&outputs, &y) && counted[i].count(&a, &b, &y, &count) &&
                           count <= UINT64_MAX - macs->total;
        if (!known) {
            macs->unknown++;
            return;
        }
        fm_macs_type *entry = entry_of(macs, type);
        entry->operators++;
        entry->macs += count;
        macs->total += count;
        return;
    }
}

uint64_t fm_macs_of_type(const fm_macs *macs, const char *op_type)
{
    for (int i = 0; i < macs->type_count; i++)
        if (strcmp(macs->types[i].op_type, op_type) == 0)
            return macs->types[i].macs;
    return 0;
}

static fm_status count_stream(fm_macs *macs, const uint8_t *data, size_t size, const char *path, fm_error *err)
{
    fm_node_stream stream = fm_node_stream_of(data, size);
    fm_node_event event;
    while (fm_node_stream_next(&stream, &event))
        fm_macs_add(macs, &event);
    if (!stream.whole)
        return fm_fail(err, FM_E_RUNTIME,
                       "cannot count the operations of '%s': the profile of its run is cut short; is there room in the "
                       "folder for temporary files ($TMPDIR)?", path);
    macs->unknown += (int)(stream.lost < 1000 ? stream.lost : 1000);
    return FM_OK;
}

fm_status fm_macs_count(fm_macs *out, fm_runtime *runtime, const char *path, const int64_t *dims, int rank,
                        fm_error *err)
{
    const fm_session_options options = {.unoptimised = true, .input_dims = dims, .input_rank = rank};
    fm_session *session = NULL;
    fm_binding *binding = NULL;
    uint8_t *data = NULL;
    size_t size = 0;
    uint64_t start_ns;
    *out = (fm_macs){0};
    fm_status status = fm_session_open(&session, runtime, path, &options, err);
    if (status == FM_OK)
        status = dims ? fm_binding_create_sized(&binding, session, dims, rank, err)
                      : fm_binding_create(&binding, session, err);
    if (status == FM_OK)
        status = fm_binding_run_stream(binding, &data, &size, &start_ns, err);
    if (status == FM_OK)
        status = count_stream(out, data, size, path, err);
    free(data);
    fm_binding_destroy(&binding);
    fm_session_close(&session);
    return status;
}
