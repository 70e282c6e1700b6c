/* libFuzzer target of the outline of ONNX files; what it reads must be as outline.h promises. See README.md. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inference/outline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition)
        abort();
}

/* Inside the bytes, or empty. */
static void check_view(fm_view view, const char *data, size_t size)
{
    if (view.size == 0)
        return;
    demand(view.at >= data && view.size <= size && (size_t)(view.at - data) <= size - view.size);
    demand(fm_view_equal(view, view) && fm_view_compare(view, (fm_view){view.at, view.size - 1}) > 0);
}

/* The nodes' tensors follow each other without gaps, and no list is longer than bytes for it (two each at least). */
static void check(const fm_outline *o, const char *data, size_t size)
{
    size_t inputs = 0, outputs = 0;
    for (size_t i = 0; i < o->node_count; i++) {
        const fm_outline_node *node = &o->nodes[i];
        demand(node->first_input == inputs && node->first_output == outputs);
        inputs += node->input_count;
        outputs += node->output_count;
        check_view(node->name, data, size);
        check_view(node->op_type, data, size);
    }
    demand(inputs == o->input_count && outputs == o->output_count);
    demand(o->node_count + inputs + outputs <= size / 2);
    for (size_t i = 0; i < inputs; i++)
        check_view(o->inputs[i], data, size);
    for (size_t i = 0; i < outputs; i++)
        check_view(o->outputs[i], data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fm_error err = {0};
    fm_outline outline;
    const fm_status status = fm_outline_read(&outline, data, size, "fuzz", &err);
    demand(status == FM_OK || status == FM_E_MODEL);
    demand((status == FM_OK) == (err.message[0] == 0));
    if (status == FM_OK)
        check(&outline, (const char *)data, size);
    fm_outline_free(&outline);
    demand(!outline.nodes && !outline.inputs && !outline.outputs);
    return 0;
}
