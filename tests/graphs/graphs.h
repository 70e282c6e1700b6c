/*
 * The three networks of OpenFace 3.0 as graphs for tests: the architecture,
 * inputs and outputs of the true ones with random weights, since the true
 * weights may not be shipped. What they say about a face means nothing; what
 * goes in, what comes out, and what it costs is as with the true ones.
 *
 * Architectures, from their authors' papers and descriptions:
 *   STAR: Zhou et al., CVPR 2023: four stacked hourglasses (Newell et al., ECCV 2016) with coordinate channels,
 *         edge and point attention (Huang et al., ADNet, ICCV 2021).
 *   MTL:  EfficientNet-B0 (Tan and Le, ICML 2019), a hidden layer for each task, and the head of ME-GraphAU
 *         (Luo et al., IJCAI 2022) for the action units.
 *
 * With all channels STAR has 13.5 million parameters (51 MiB) and 17.4 billion multiplications, MTL 25.3 million (97
 * MiB, of them 4.0 million in the backbone) and 0.43 billion (0.39). A net with `thin` channels has the same layers,
 * inputs and outputs, and runs in a fraction of the time; `side` shrinks the pictures, for what nothing else fits.
 *
 * Thread-safety: Safe on distinct nets.
 */
#ifndef TESTS_GRAPHS_GRAPHS_H
#define TESTS_GRAPHS_GRAPHS_H

#include "net.h"

enum {
    GR_STAR_SIDE = 256,
    GR_STAR_OUTPUTS = 17,
    GR_MTL_SIDE = 224,
    GR_SIDE_STEP = 32, /* of smaller pictures; 64 for STAR */
    GR_FRAGMENTS_MAX = 32
};

/*
 * `side`: GR_STAR_SIDE. Input `input_image` [batch, 3, side, side]. 17 outputs in the order of the original: for each
 * of the four stacks points [98, 2], point maps [98, 64, 64] and edge maps [9, 64, 64] (a quarter of side); four fused
 * maps; the final points. The first three have the names that the exporter gives: `output`, `heatmap`, `landmarks`,
 * so the tensor named `landmarks` holds edge maps. The final points are a mean face that fills the crop, plus 1/16 of
 * what the last stack's soft-argmax finds: the picture moves them by about a pixel.
 */
void gr_write_star(gr_net *net, int side);

/*
 * `side`: GR_MTL_SIDE. Input `input_face` [batch, 3, side, side]; outputs `emotion_output` [batch, 8], `gaze_output`
 * [batch, 2], `au_output` [batch, 8] in 0..1. The first `fragments` gates (0 to GR_FRAGMENTS_MAX) pass an LpPool over
 * one pixel, which changes nothing, since gates are not negative, and which accelerators refuse: on one that takes the
 * rest of a chain the graph falls into fragments + 1 pieces there.
 */
void gr_write_mtl(gr_net *net, int side, int fragments);

/*
 * Not RetinaFace, but its input `input` [batch, 3, H, W] and its outputs `loc` [batch, N, 4], `conf` [batch, N, 2]
 * and `landms` [batch, N, 10] with the right N for any size: a stand-in for tests of the wiring on machines that
 * have no weights of RetinaFace. It takes a patch of skin-coloured ground for a face, as in the demo portrait.
 * width and height: 0 leaves both open.
 */
void gr_write_retinaface_standin(gr_net *net, int width, int height);

#endif
