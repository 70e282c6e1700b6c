#include <jansson.h>
#include <string.h>

#include "models/pack_contract.h"

/* jansson's setters take NULL and fail, so that one look at the end is enough: `fine` remembers. */
typedef struct printer {
    bool fine;
} printer;

static void put(printer *p, json_t *object, const char *key, json_t *value)
{
    p->fine = json_object_set_new(object, key, value) == 0 && p->fine;
}

static void put_text(printer *p, json_t *object, const char *key, const char *text)
{
    if (*text)
        put(p, object, key, json_string(text));
}

static void put_three(printer *p, json_t *object, const char *key, const float values[3])
{
    json_t *list = json_array();
    for (int i = 0; i < 3; i++)
        p->fine = json_array_append_new(list, json_real((double)values[i])) == 0 && p->fine;
    put(p, object, key, list);
}

static json_t *input_object(printer *p, const fm_pack_input *input, bool points)
{
    json_t *object = json_object();
    put_text(p, object, "name", input->name);
    if (points)
        return object;
    put_text(p, object, "layout", "NCHW");
    put(p, object, "width", json_integer(input->width));
    put(p, object, "height", json_integer(input->height));
    put_text(p, object, "colour", input->bgr ? "BGR" : "RGB");
    put(p, object, "scale", json_real((double)input->scale));
    put(p, object, "bias", json_real((double)input->bias));
    put_three(p, object, "mean", input->mean);
    put_three(p, object, "deviation", input->deviation);
    return object;
}

static json_t *model_object(printer *p, const fm_pack_model *model)
{
    const fm_contract *contract = fm_decoding_contract(model->decoding);
    json_t *object = json_object(), *outputs = json_object(), *units = json_array();
    put_text(p, object, "name", model->name);
    put_text(p, object, "role", fm_model_role_name(model->role));
    put_text(p, object, "decoding", contract->name);
    put_text(p, object, "variant", model->variant);
    put_text(p, object, "file", model->file);
    put_text(p, object, "sha256", model->sha256);
    put_text(p, object, "topology", model->topology);
    put(p, object, "input", input_object(p, &model->input, contract->points > 0));
    for (int i = 0; i < model->output_count; i++)
        put_text(p, outputs, model->outputs[i].key, model->outputs[i].tensor);
    put(p, object, "outputs", outputs);
    for (int i = 0; i < model->unit_count; i++)
        p->fine = json_array_append_new(units, json_integer(model->units[i])) == 0 && p->fine;
    if (model->unit_count > 0)
        put(p, object, "units", units);
    else
        json_decref(units);
    return object;
}

fm_status fm_pack_print(const fm_pack *pack, char **text, fm_error *err)
{
    printer p = {.fine = true};
    json_t *root = json_object(), *models = json_array();
    put(&p, root, "format", json_integer(FM_PACK_FORMAT));
    put_text(&p, root, "name", pack->name);
    put_text(&p, root, "description", pack->description);
    put_text(&p, root, "licence", pack->licence);
    for (int i = 0; i < pack->model_count; i++)
        p.fine = json_array_append_new(models, model_object(&p, &pack->models[i])) == 0 && p.fine;
    put(&p, root, "models", models);
    /* Nine digits tell any two floats apart. */
    *text = p.fine ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    return *text ? FM_OK : fm_fail(err, FM_E_NO_MEMORY, "out of memory writing a model pack");
}
