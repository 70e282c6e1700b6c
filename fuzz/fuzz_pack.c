/* libFuzzer target of the reader of pack manifests; see README.md. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/pack_contract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the rest of the program relies on without asking again. */
static void check_promises(const fm_pack *pack)
{
    if (!fm_pack_name_ok(pack->name) || pack->model_count < 1 || pack->model_count > FM_PACK_MODELS_MAX)
        abort();
    for (int i = 0; i < pack->model_count; i++) {
        const fm_pack_model *m = &pack->models[i];
        const fm_contract *contract = fm_decoding_contract(m->decoding);
        if (!contract || contract->role != m->role || strchr(m->file, '/') || m->file[0] == '.' || !m->file[0] ||
            strcmp(m->file, FM_PACK_MANIFEST) == 0 || strlen(m->sha256) != FM_SHA256_HEX - 1)
            abort();
        for (const fm_contract_output *o = contract->outputs; o->key; o++)
            if (!fm_pack_output_of(m, o->key))
                abort();
        for (int c = 0; c < 3; c++)
            if (!(m->input.deviation[c] > 0))
                abort();
    }
}

/* What was read is written, read, and written with the same bytes. */
static void check_round_trip(const fm_pack *pack)
{
    fm_error err = {0};
    fm_pack *again = NULL;
    char *first, *second;
    if (fm_pack_print(pack, &first, &err) != FM_OK ||
        fm_pack_parse(&again, first, strlen(first), pack->dir, &err) != FM_OK ||
        fm_pack_print(again, &second, &err) != FM_OK)
        abort();
    if (strcmp(first, second) != 0 || memcmp(pack->models, again->models, sizeof pack->models) != 0)
        abort();
    free(first);
    free(second);
    fm_pack_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fm_error err = {0};
    fm_pack *pack = NULL;
    const fm_status status = fm_pack_parse(&pack, data, size, "/packs/fuzz", &err);
    /* Success has a pack and no message, failure a message of one line and no pack. */
    if ((status == FM_OK) != (pack != NULL) || (status == FM_OK) != (err.message[0] == 0) || strchr(err.message, '\n'))
        abort();
    if (pack) {
        check_promises(pack);
        check_round_trip(pack);
    }
    fm_pack_free(&pack);
    return 0;
}
