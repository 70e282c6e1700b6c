/*
 * The attention mesh: MediaPipe's face mesh with lips, eyes and irises
 * measured once more by networks that look closer (478 points,
 * fm_topology_mesh478).
 *
 * The model has seven outputs in pixels of its 192x192 input: the 468 points
 * of the mesh, and x,y of lips, eyes and irises. Refining puts the latter in
 * the mesh's places; depth stays the mesh's. "Left" in the output names means
 * left in the picture.
 *
 * Source: mediapipe/modules/face_landmark/tensors_to_face_landmarks_with_attention.pbtxt.
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_ATTENTION_H
#define FM_FACE_ATTENTION_H

enum {
    FM_ATTENTION_MESH = 468, /* points: x, y, z */
    FM_ATTENTION_LIPS = 80,  /* points: x, y */
    FM_ATTENTION_EYE = 71,
    FM_ATTENTION_IRIS = 5,
    FM_ATTENTION_POINTS = FM_ATTENTION_MESH + 2 * FM_ATTENTION_IRIS
};

/* The network's outputs. */
typedef struct fm_attention_parts {
    const float *mesh;
    const float *lips;
    const float *left_eye, *right_eye;
    const float *left_iris, *right_iris;
} fm_attention_parts;

/*
 * Writes FM_ATTENTION_POINTS x 3 values, in the network's units; `out` may be
 * parts->mesh itself where that has the room. Values that are not finite pass
 * through.
 */
void fm_attention_refine(const fm_attention_parts *parts, float *out);

#endif
