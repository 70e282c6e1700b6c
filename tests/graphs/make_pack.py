"""Makes a model pack of the test graphs by the program's own `models add`.

    make_pack.py GRAPHS PACK [--detector FILE.onnx] [--landmarker FILE.onnx] [--estimator FILE.onnx]

GRAPHS is a folder with the three files of OpenFace 3.0, such as tests/graphs/openface3 or openface3_thin of the build
folder; PACK the folder to make. A file that is named takes the place of one of the three. FACEMIRROR: the program.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

FILES = {'detector': 'retinaface_mobilenet025_coreml.onnx', 'landmarker': 'star_landmark_98_coreml.onnx',
         'estimator': 'mtl_efficientnet_b0_coreml.onnx'}


def make_pack(program, graphs, pack, **others):
    """Returns `pack`. Raises RuntimeError with what the program said."""
    with tempfile.TemporaryDirectory(prefix='facemirror-pack-') as folder:
        for role, name in FILES.items():
            source = others.get(role) or os.path.join(graphs, name)
            shutil.copyfile(source, os.path.join(folder, name))  # links are refused
        done = subprocess.run([program, 'models', 'add', folder, '--to', pack, '--quiet'], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError('models add: exit %d: %s' % (done.returncode, done.stdout.decode()))
    return pack


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('graphs')
    parser.add_argument('pack')
    for role in FILES:
        parser.add_argument('--' + role)
    options = vars(parser.parse_args())
    try:
        make_pack(os.environ.get('FACEMIRROR', 'facemirror'), **options)
    except RuntimeError as error:
        sys.exit('make_pack: %s' % error)


if __name__ == '__main__':
    main()
