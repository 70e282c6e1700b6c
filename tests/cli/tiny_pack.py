"""Model packs in the shape of OpenFace 3.0 whose networks are small enough to be computed by hand.

The networks have the inputs and outputs of RetinaFace, STAR and MTL, and just enough inside that what they answer
is known exactly: the detector always sees one face in one place; the landmarks are WFLW's mean face in it, of which
one upper lid moves down as the picture gets darker; the multi-task network gives what its input's quarters are on
average.
"""
import hashlib
import json
import math
import os
import re

import harness as h
from small_onnx import graph_of, node, save, tensor

SIDE = 320  # of the pictures
# The face: its box in pixels, of which the corners are what RetinaFace's prior gives when moved and stretched.
BOX = (95.4, 80.4, 224.6, 240.4)
SCORE = 0.95
UNITS = (1, 2, 4, 6, 9, 12, 25, 26)
EMOTIONS = ('neutral', 'happy', 'sad', 'surprise', 'fear', 'disgust', 'anger', 'contempt')
UPPER_LID = (69, 70, 71)  # of the patient's left eye
FACE_SHIFT = 0.06         # of the landmarks, in halves of STAR's crop: so that the box lies to one side of the face


# --- the networks ----------------------------------------------------------------------------------------------

def mean_of_input(name):
    """Nodes and constants for 'mean', a scalar, and 'nothing', the same times 0."""
    nodes = [node('ReduceMean', [name], 'mean', axes=[0, 1, 2, 3], keepdims=0),
             node('Mul', ['mean', 'zero'], 'nothing')]
    return nodes, [tensor('zero', [], [0.0])]


def detector():
    """RetinaFace for pictures of SIDE x SIDE: one prior, of 256 pixels in cell (4, 4) of stride 32, is the face."""
    counts = [2 * math.ceil(SIDE / s) ** 2 for s in (8, 16, 32)]
    total, index = sum(counts), counts[0] + counts[1] + (4 * math.ceil(SIDE / 32) + 4) * 2
    prior, size = 4.5 * 32, 256
    x0, y0, x1, y1 = BOX
    loc, conf, landms = [0.0] * (4 * total), [1.0, 0.0] * total, [0.0] * (10 * total)
    loc[4 * index:4 * index + 4] = [((x0 + x1) / 2 - prior) / (0.1 * size), ((y0 + y1) / 2 - prior) / (0.1 * size),
                                    math.log((x1 - x0) / size) / 0.2, math.log((y1 - y0) / size) / 0.2]
    conf[2 * index:2 * index + 2] = [1 - SCORE, SCORE]
    places = ((-30, -30), (30, -30), (0, 0), (-20, 35), (20, 35))  # eyes, nose, mouth around the middle
    for k, (dx, dy) in enumerate(places):
        landms[10 * index + 2 * k] = ((x0 + x1) / 2 + dx - prior) / (0.1 * size)
        landms[10 * index + 2 * k + 1] = ((y0 + y1) / 2 + dy - prior) / (0.1 * size)
    nodes, constants = mean_of_input('input')
    outputs = []
    for name, columns, values in (('loc', 4, loc), ('conf', 2, conf), ('landms', 10, landms)):
        constants.append(tensor(name + '_0', [1, total, columns], values))
        nodes.append(node('Add', [name + '_0', 'nothing'], name))
        outputs.append((name, [1, total, columns]))
    return graph_of(nodes, constants, [('input', [1, 3, SIDE, SIDE])], outputs)


def mean_face():
    """WFLW's 98 points as the program has them: x to the patient's left, y down, in eye distances."""
    path = os.path.join(h.SOURCE, 'src', 'face', 'topology_wflw98.c')
    table = re.search(r'wflw98_mean\[[^\]]*\] = \{(.*?)\n\};', open(path, encoding='utf-8').read(), re.S).group(1)
    points = [tuple(float(v.strip().rstrip('f')) for v in p.split(',')) for p in re.findall(r'\{([^{}]*)\}', table)]
    assert len(points) == 98
    return points


def landmarker():
    """The mean face in the middle of STAR's crop; input -0.9 .. 0.9 moves the lids by 0.045 times that."""
    points, moves = [], []
    for i, (x, y, _) in enumerate(mean_face()):
        points += [x + FACE_SHIFT, y - 0.5]
        moves += [0.0, -0.045 if i in UPPER_LID else 0.0]
    nodes, constants = mean_of_input('input_image')
    nodes = nodes[:1] + [node('Mul', ['moves', 'mean'], 'moved'), node('Add', ['points', 'moved'], 'landmarks')]
    constants = [tensor('points', [1, 98, 2], points), tensor('moves', [1, 98, 2], moves)]
    return graph_of(nodes, constants, [('input_image', [1, 3, 256, 256])], [('landmarks', [1, 98, 2])])


def quarters_to(columns, scale, offset):
    """Weights of [12, columns]: output c is scale * quarter c, wrapped around, plus offset."""
    weights = [scale if row == c % 12 else 0.0 for row in range(12) for c in range(columns)]
    return weights, [offset] * columns


HEADS = (('emotion_output', 8, 1.0, 0.0), ('gaze_output', 2, 0.5, 0.1), ('au_output', 8, 0.15, 0.5))


def multi_task(batch):
    """The means of the quarters of each plane (R: top left, top right, bottom left, bottom right; G; B) are put in."""
    nodes = [node('AveragePool', ['input_face'], 'pooled', kernel_shape=[112, 112], strides=[112, 112]),
             node('Flatten', ['pooled'], 'quarters', axis=1)]
    constants, outputs = [], []
    for name, columns, scale, offset in HEADS:
        weights, bias = quarters_to(columns, scale, offset)
        constants += [tensor(name + '_w', [12, columns], weights), tensor(name + '_b', [columns], bias)]
        nodes.append(node('Gemm', ['quarters', name + '_w', name + '_b'], name))
        outputs.append((name, [batch, columns]))
    return graph_of(nodes, constants, [('input_face', [batch, 3, 224, 224])], outputs)


def heads(quarters):
    """What multi_task answers, from the 12 means: emotion logits, gaze, units."""
    return [[scale * quarters[c % 12] + offset for c in range(columns)] for _, columns, scale, offset in HEADS]


# --- the pack --------------------------------------------------------------------------------------------------

def entry(name, role, decoding, path, **more):
    digest = hashlib.sha256(open(path, 'rb').read()).hexdigest()
    return dict(name=name, role=role, decoding=decoding, file=os.path.basename(path), sha256=digest, **more)


def size(n):
    return dict(layout='NCHW', width=n, height=n)


def write_pack(folder, batch=None, units=UNITS, write_mtl=None):
    """A pack in a new folder, which is returned.

    batch: of the multi-task network, None: open; units: None leaves that network out; write_mtl: writes another one
    to the path that it is given.
    """
    os.makedirs(folder)
    mtl_path = os.path.join(folder, 'MTL.onnx')
    detector_path = save(os.path.join(folder, 'RetinaFace.onnx'), detector())
    landmarker_path = save(os.path.join(folder, 'STAR.onnx'), landmarker())
    models = [
        entry('RetinaFace', 'detector', 'retinaface', detector_path,
              input=dict(size(SIDE), name='input', colour='BGR', scale=1, mean=[123, 117, 104]),
              outputs=dict(boxes='loc', scores='conf', points='landms')),
        entry('STAR', 'landmarker', 'star', landmarker_path, topology='wflw98',
              input=dict(size(256), name='input_image', colour='BGR', scale=1 / 127.5, bias=-1),
              outputs=dict(points='@last')),
    ]
    if units:
        write_mtl(mtl_path) if write_mtl else save(mtl_path, multi_task(batch))
        models.append(entry('MTL', 'au_estimator', 'openface_mtl', mtl_path, units=units,
                            input=dict(size(224), name='input_face', colour='RGB', scale=1 / 255,
                                       mean=[0.485, 0.456, 0.406], deviation=[0.229, 0.224, 0.225]),
                            outputs=dict(emotion='emotion_output', gaze='gaze_output', units='au_output')))
    with open(os.path.join(folder, 'pack.json'), 'w', encoding='utf-8') as out:
        json.dump(dict(format=1, name=os.path.basename(folder), licence='none: for tests', models=models), out)
    return folder
