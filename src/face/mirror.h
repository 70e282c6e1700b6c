/*
 * The mirror: reflects one half of a picture across the midline.
 *
 * For each pixel on the side that is not kept, the source is its reflection
 * p - 2 s n (s: signed distance, n: normal), sampled bilinearly; chroma is
 * reflected at the true position of its samples. The kept side is copied byte
 * for byte. Within `seam` pixels of the line both sides are drawn from the
 * same symmetric blend of picture and reflection, so the result stays
 * symmetric and no unmirrored pixel shows beyond the seam. Where the
 * reflection falls outside the picture nothing is known and the pixel is
 * black: none is invented.
 *
 * Thread-safety: Safe (pure functions; src may be shared, dst is written).
 */
#ifndef FM_FACE_MIRROR_H
#define FM_FACE_MIRROR_H

#include "midline.h"

/* Half width of the blended band in luma pixels. */
#define FM_MIRROR_SEAM_DEFAULT 1.5

/*
 * `keep` names the patient's half that stays: FM_SIDE_LEFT makes the
 * left-mirrored picture. Both images are YUV420P; dst has the size of src, or
 * is one column and/or row larger (even sizes for encoders), which repeats the
 * edge. src and dst do not overlap. Returns how many bytes were copied as they are: the kept half's.
 */
size_t fm_mirror_yuv420(const fm_image *src, fm_image *dst, const fm_line *line, fm_side keep,
                        double seam);

/* Copies src into dst under the same size rule: a frame without a face. Returns how many bytes. */
size_t fm_copy_yuv420(const fm_image *src, fm_image *dst);

#endif
