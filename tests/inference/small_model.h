/* A small network in an ONNX file, with what the runtime's optimisations change: fusions, layout of convolutions. */
#ifndef FM_TEST_SMALL_MODEL_H
#define FM_TEST_SMALL_MODEL_H

#include "inference/session.h"

enum { SMALL_CHANNELS = 16, SMALL_SIDE = 12, SMALL_ELEMENTS = SMALL_CHANNELS * SMALL_SIDE * SMALL_SIDE };

/* Conv, Relu, Conv, Identity, Add, Relu, LpPool from "x" to "y", both of 1x16x12x12; `factor` scales its weights. */
void small_model_write(const char *path, float factor);

/* The same, but declares another size of its output: opening it makes the runtime warn, and its runs fail. */
void small_model_write_that_warns(const char *path);

/* One run over fixed values. */
void small_model_run(fm_session *session, float out[SMALL_ELEMENTS]);

#endif
