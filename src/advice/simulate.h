/*
 * A discrete-event simulation of a pipeline: stages that are threads, bounded queues between them, pictures that are
 * lent and come back, and processors that all threads share. Deterministic: the same model gives the same result.
 *
 * A stage takes a frame from its queue and, where it has pictures of its own, one of these; works on it; and puts it
 * into the queue of each stage behind it, one after the other. Work is processor time, then time in which it waits for
 * something else (a disk, an accelerator, a sleep). Processors are shared by all that could use one, by weight
 * (processor sharing): a thread runs at full speed until more are ready to run than there are processors. Other
 * programs leave fewer processors, also below one: Linux shares between sessions and groups of processes, so that what
 * a program gets does not depend on how many threads it has.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_ADVICE_SIMULATE_H
#define FM_ADVICE_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    FM_SIM_STAGES_MAX = 24,
    FM_SIM_HELPERS_MAX = 16,  /* helper threads of a stage */
    FM_SIM_FRAMES_MAX = 400   /* that are simulated; longer runs go on at the speed of these */
};

typedef struct fm_sim_stage {
    int after;      /* index of the stage that feeds it, lower than its own; -1: it makes the frames */
    int queue;      /* places in the queue before it; at least 1 is taken */
    int pictures;   /* of its own (fm_report_stage); 0: none */
    double cpu;     /* processor time of a frame on its own thread, seconds */
    double wait;    /* time of a frame in which it needs no processor, seconds */
    double weight;  /* of its thread where processors are short: it gets so many parts where others get one; 0: 1 */
    double end;     /* work after the last frame, as so many frames' (an encoder's look-ahead); 0: none */
    double spread;  /* standard deviation of a frame's work, seconds; lognormal */
    double helper;  /* processor time of a frame on helper threads (decoder, encoder), after its own work, seconds */
    int helpers;    /* of these threads: so many frames may be with them at once */
} fm_sim_stage;

typedef struct fm_sim_model {
    fm_sim_stage stages[FM_SIM_STAGES_MAX]; /* the first one makes the frames; each is behind the one that feeds it */
    size_t stage_count;
    double processors; /* above 0; a fraction is what other programs leave */
    double wake;       /* seconds until a thread runs again that waited for a frame or for room, or slept */
    double frames;     /* 1 or more */
} fm_sim_model;

/* All in seconds; busy + starved + blocked is the time until the stage's end. */
typedef struct fm_sim_figures {
    double busy;    /* at work; what follows is in it */
    double delayed; /* of busy: ready to run, and others had the processors */
    double starved; /* waiting for a frame */
    double blocked; /* waiting for room behind it, or for a picture of its own */
} fm_sim_figures;

typedef struct fm_sim_result {
    double seconds; /* until the last stage has ended */
    double cpu;     /* processor time of all stages */
    double wakes;   /* how often a stage's thread was woken */
    fm_sim_figures stages[FM_SIM_STAGES_MAX];
} fm_sim_result;

/* False when memory is out, or when the model is none: wrong numbers, or stages that wait for each other for ever. */
bool fm_simulate(const fm_sim_model *model, fm_sim_result *out);

#endif
