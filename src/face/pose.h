/*
 * Head pose from 3D landmarks, and landmarks in a head-fixed frame.
 *
 * The axes come from the face itself (no camera calibration, no stored
 * model): x from symmetric pairs of the upper face, which palsy moves least,
 * y from the midline, z their cross product; orthonormalised.
 * Angles in degrees: yaw > 0: the patient turns to the patient's left;
 * pitch > 0: the chin goes up; roll > 0: the head leans to the patient's left
 * shoulder (the image-left eye is the higher one).
 * pitch is relative to the mesh's own resting profile.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_FACE_POSE_H
#define FM_FACE_POSE_H

#include "image.h"
#include "topology.h"

typedef struct fm_pose {
    float yaw, pitch, roll;  /* degrees */
    float axis[3][3];        /* rows: head x (patient's right to left), y (down), z (into the head), in image space */
    fm_point3 origin;        /* between the eyes, image pixels */
    float inter_ocular;      /* 3D distance between the outer eye corners, pixels */
} fm_pose;

/* Returns false when the landmarks are degenerate. */
bool fm_pose_estimate(const fm_point3 *points, const fm_topology *topology, fm_pose *pose);

/*
 * Landmarks in the head frame: turned upright, origin between the eyes, in
 * units of the inter-ocular distance. out may be points.
 */
void fm_pose_normalise(const fm_point3 *points, int count, const fm_pose *pose, fm_point3 *out);

#endif
