/*
 * What `facemirror doctor` finds out: facts of the modules below, gathered
 * once, judged (doctor_verdict.c), and shown as text or JSON.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_CLI_DOCTOR_H
#define FM_CLI_DOCTOR_H

#include <stdio.h>

#include "fmprof/fmprof.h"
#include "inference/probe.h"
#include "models/registry.h"
#include "report/machine.h"
#include "system/host.h"
#include "system/permissions.h"
#include "video/encoder.h"
#include "video/survey.h"

/* The size that encoders are tried with: some refuse small ones. */
enum { FM_DOCTOR_WIDTH = 1280, FM_DOCTOR_HEIGHT = 720 };

enum { FM_DOCTOR_ADVICE_MAX = 12, FM_DOCTOR_LINE_MAX = FM_ERROR_MESSAGE_MAX };

typedef struct fm_doctor_options {
    const char *models; /* NULL: the default pack */
    const char *const *libraries, *const *ep_options;
    int library_count, ep_option_count;
} fm_doctor_options;

typedef struct fm_doctor_plugin {
    fm_error error; /* why it cannot be loaded; FM_OK: it is */
    int devices;    /* that it offers here */
} fm_doctor_plugin;

typedef struct fm_doctor {
    const fm_doctor_options *options;
    /* the machine */
    fm_machine machine;
    fm_host host;
    fm_check permissions[FM_PERMISSIONS];
    char folder[FM_PATH_MAX]; /* the current one; "": not known */
    bool folder_writable;
    uint64_t folder_free; /* bytes */
    /* the profiler */
    fmp_clock_info clock;
    fmp_cost scope;
    /* the inference runtime */
    char library[FM_PATH_MAX]; /* "": not known */
    fm_error runtime_error;    /* why it cannot be used; FM_OK: it can */
    fm_doctor_plugin *plugins; /* one for each library of the options */
    fm_probe *providers;
    int provider_count;
    /* model packs */
    fm_pack *pack;          /* NULL: pack_error */
    fm_error pack_error;
    fm_error model_errors[FM_PACK_MODELS_MAX]; /* of the pack's files */
    fm_registry_entry *packs;
    int pack_count;
    char cache[FM_PATH_MAX]; /* folder of optimised graphs; "": there is none */
    int cache_entries;
    uint64_t cache_bytes;
    /* video */
    fm_survey video;
    fm_encoder_trial encoders[FM_ENCODER_TRIALS_MAX];
    int encoder_count;
    /* the verdict */
    fm_status verdict; /* FM_OK: a run is possible; else FM_E_RUNTIME or FM_E_MODEL */
    char lacks[FM_DOCTOR_ADVICE_MAX][FM_DOCTOR_LINE_MAX];  /* what a run needs and is not here, with what to do */
    char advice[FM_DOCTOR_ADVICE_MAX][FM_DOCTOR_LINE_MAX]; /* what would make it faster or better */
    int lack_count, advice_count;
} fm_doctor;

/*
 * Asks everything; takes a second or some. `options` stay the caller's and outlive the doctor. Fails with
 * FM_E_NO_MEMORY alone.
 */
fm_status fm_doctor_examine(fm_doctor **out, const fm_doctor_options *options, fm_error *err);
void fm_doctor_free(fm_doctor **doctor);

/* Fills the verdict from the facts; a part of fm_doctor_examine. */
void fm_doctor_judge(fm_doctor *doctor);

/* The encoder that a run would take, or NULL. */
const fm_encoder_trial *fm_doctor_encoder(const fm_doctor *doctor);
/* Providers that work, but the CPU's. */
int fm_doctor_accelerators(const fm_doctor *doctor);

void fm_doctor_print(FILE *out, const fm_doctor *doctor);
fm_status fm_doctor_write_json(FILE *out, const fm_doctor *doctor, fm_error *err);

#endif
