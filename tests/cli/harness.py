"""What the end-to-end tests share: the program, clips made by ffmpeg, and what ffprobe says of files.

The tests see the program only from outside: arguments, exit code, output, files. FFmpeg's own commands
are the independent witness. Settings come from the environment (see meson.build):

  FACEMIRROR             the program
  FACEMIRROR_MODELS      folder of the ONNX models
  FACEMIRROR_PORTRAIT    a still with one face
  FACEMIRROR_SHARED      folder of the test media (default: ../shared of the source root)
  FACEMIRROR_SOURCE      the source root
  FACEMIRROR_SANITIZED   not empty: a sanitizer build, whose memory figures mean nothing

A script ends with 77 (meson: skipped) when what all of its tests need is not there, or when all were skipped.
"""
import csv
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from fractions import Fraction

PROGRAM = os.environ.get('FACEMIRROR', 'facemirror')
MODELS = os.environ.get('FACEMIRROR_MODELS', '')
PORTRAIT = os.environ.get('FACEMIRROR_PORTRAIT', '')
SOURCE = os.environ.get('FACEMIRROR_SOURCE') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
SHARED = os.environ.get('FACEMIRROR_SHARED') or os.path.join(SOURCE, '..', 'shared')
SANITIZED = bool(os.environ.get('FACEMIRROR_SANITIZED'))

RUN_LIMIT_SECONDS = 240  # a run that hangs fails its test instead of the whole script
VIDEOS = ('left_mirrored.mp4', 'right_mirrored.mp4', 'debug.mp4')
TABLES = ('left_mirrored.csv', 'right_mirrored.csv')

# The columns as the reference of the original program lists them, written out here a second time on purpose.
AUS = ('01', '02', '04', '05', '06', '07', '09', '10', '12', '14', '15', '16', '17', '20', '23', '25', '26', '45')
MEASURED_AUS = ('01', '02', '04', '05', '12', '15', '20', '25', '26', '45')
CSV_HEADER = (['frame', 'face_id', 'timestamp', 'confidence', 'success']
              + ['AU%s_r' % au for au in AUS] + ['AU%s_c' % au for au in AUS])

# The portrait's face and shoulders at their own size, with a slow drift, so that frames differ.
DRIFT = "crop=320:400:x='60+8*sin(n/6)':y='4+4*sin(n/9)'"


# --- skipping and running --------------------------------------------------------------------------------------

def skip_script(reason):
    print('SKIPPED: ' + reason)
    sys.exit(77)


def require_script(portrait=True, shared=False, models=True):
    """Ends the script as skipped when what all of its tests need is missing."""
    for tool in ('ffmpeg', 'ffprobe'):
        if not shutil.which(tool):
            skip_script('%s is not installed' % tool)
    for name in ('face_detection_short_range.onnx', 'face_landmark_with_attention.onnx', 'face_landmark.onnx'):
        if models and not os.path.isfile(os.path.join(MODELS, name)):
            skip_script('no model %s in %r; run `make setup`' % (name, MODELS))
    if portrait and not os.path.isfile(PORTRAIT):
        skip_script('no portrait at %r; run `make setup`' % PORTRAIT)
    if shared and not os.path.isdir(os.path.join(SHARED, 'media')):
        skip_script('no test media at %r; set FACEMIRROR_SHARED' % SHARED)


def main():
    """Runs the tests of the calling script. Skipped as a whole when each of its tests was."""
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2)
    result = unittest.main(module='__main__', testRunner=runner, exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun == len(result.skipped) else 0)


def without_progress(text):
    """What a run said on stderr; on a busy machine a short one says how far it is, too."""
    return re.sub(r'(?m)^ *(\d+%  \d+/)?\d+ frames .* elapsed .*\n', '', text)


class Result:
    def __init__(self, code, out, err, peak_kib):
        self.code, self.out, self.err, self.peak_kib = code, out, err, peak_kib

    def __repr__(self):
        return 'exit %d\n--- stdout\n%s\n--- stderr\n%s' % (self.code, self.out, self.err)


def program_env():
    env = dict(os.environ, FACEMIRROR_MODELS=MODELS, LC_ALL='C.UTF-8')
    return env


def start(*args, **options):
    """Starts the program; the caller waits for it."""
    return subprocess.Popen([PROGRAM] + [str(a) for a in args], stdin=subprocess.DEVNULL,
                            env=options.pop('env', None) or program_env(), **options)


def run(*args, cwd=None, env=None, preexec_fn=None):
    """Runs the program to its end. stdout and stderr as text; peak_kib is its largest resident memory."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(*args, stdout=out, stderr=err, cwd=cwd, env=env, preexec_fn=preexec_fn)
        peak = wait(process)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode('utf-8', 'surrogateescape'))
    return Result(process.returncode, texts[0], texts[1], peak)


def wait(process):
    """Waits at most RUN_LIMIT_SECONDS; returns the peak resident memory of that process alone, in KiB."""
    import signal

    def too_long(*_):
        process.kill()
        raise AssertionError('the program was still running after %d s' % RUN_LIMIT_SECONDS)
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(RUN_LIMIT_SECONDS)
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss


def command(*args, **options):
    """Runs a command that must work; its stdout as bytes."""
    # meson's random MALLOC_PERTURB_ changes what x264 encodes: clips must be the same in every run.
    options.setdefault('env', {k: v for k, v in os.environ.items() if k != 'MALLOC_PERTURB_'})
    done = subprocess.run([os.fspath(a) for a in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **options)
    if done.returncode != 0:
        raise RuntimeError('%s: exit %d: %s' % (' '.join(map(str, args)), done.returncode,
                                                done.stderr.decode('utf-8', 'replace')[-2000:]))
    return done.stdout


def ffmpeg(*args):
    """ffmpeg, quiet; the last argument is the file to make, and is returned."""
    command('ffmpeg', '-v', 'error', '-y', *args)
    return args[-1]


def has_encoder(name):
    listing = command('ffmpeg', '-hide_banner', '-v', 'error', '-encoders').decode()
    return re.search(r'^ V\S+ %s ' % re.escape(name), listing, re.M) is not None


# --- making clips ----------------------------------------------------------------------------------------------

def make_clip(path, frames=16, fps='30', filters=DRIFT, codec=('-c:v', 'libx264', '-preset', 'veryfast', '-crf', '12'),
              pixels='yuv420p', still=None, more=()):
    """A clip of the still portrait. `more`: further ffmpeg arguments before the file's name."""
    return ffmpeg('-loop', '1', '-framerate', fps, '-i', still or PORTRAIT, '-vf', filters + ',format=' + pixels,
                  '-frames:v', str(frames), *codec, *more, path)


def set_rotation(path, degrees):
    """Writes a display matrix that turns the (only) video track clockwise into an MP4 file, in place.

    Done by hand since FFmpeg's option for it has changed between versions. ISO/IEC 14496-12, 8.3.2: version 0
    of tkhd holds 40 bytes from its type on, then the matrix {a, b, u, c, d, v, x, y, w}.
    """
    data = bytearray(open(path, 'rb').read())
    at = data.index(b'tkhd')
    assert data[at + 4] == 0 and data.find(b'tkhd', at + 4) < 0, 'expected one track of version 0'
    width, height = (v >> 16 for v in struct.unpack('>II', data[at + 80:at + 88]))
    one = 1 << 16
    a, b, c, d, x, y = {90: (0, one, -one, 0, height, 0),
                        180: (-one, 0, 0, -one, width, height),
                        270: (0, -one, one, 0, 0, width)}[degrees]
    data[at + 44:at + 80] = struct.pack('>9i', a, b, 0, c, d, 0, x << 16, y << 16, 1 << 30)
    open(path, 'wb').write(data)


# --- looking at files ------------------------------------------------------------------------------------------

def probe(path, *args):
    return json.loads(command('ffprobe', '-v', 'error', '-of', 'json', *args, path))


def streams(path, kind=None):
    found = probe(path, '-show_streams')['streams']
    return [s for s in found if kind is None or s['codec_type'] == kind]


def video_stream(path):
    return streams(path, 'video')[0]


def container_start(path):
    """The earliest start of its video and audio streams, exactly; 0 when none is given."""
    starts = [s['start_pts'] * Fraction(s['time_base']) for s in streams(path)
              if s['codec_type'] in ('video', 'audio') and 'start_pts' in s]
    return min(starts) if starts else Fraction(0)


def frame_times(path):
    """Presentation times of all decoded frames as exact fractions of a second, as the file says them."""
    base = Fraction(video_stream(path)['time_base'])
    frames = probe(path, '-select_streams', 'v:0', '-show_entries', 'frame=pts,best_effort_timestamp')['frames']
    times = [f.get('pts', f.get('best_effort_timestamp')) for f in frames]
    return [t * base for t in times]


def relative_times(path):
    start = container_start(path)
    return [t - start for t in frame_times(path)]


def stream_md5(path, selector='a:0'):
    """MD5 of the compressed packets of one stream."""
    return command('ffmpeg', '-v', 'error', '-i', path, '-map', '0:' + selector, '-c', 'copy', '-f', 'md5', '-').strip()


class Picture:
    """The luma plane of one frame, upright, limited or full range as stored."""
    def __init__(self, width, height, luma):
        self.width, self.height, self.luma = width, height, luma

    def row(self, y):
        return self.luma[y * self.width:(y + 1) * self.width]

    def mean(self, x0, y0, x1, y1):
        return sum(sum(self.row(y)[x0:x1]) for y in range(y0, y1)) / ((x1 - x0) * (y1 - y0))


def pictures(path, filters='null'):
    """All frames of a (small) clip as ffmpeg shows them: turned upright."""
    graph = filters + ',format=yuv420p'
    raw = command('ffmpeg', '-v', 'error', '-i', path, '-map', '0:v:0', '-vf', graph, '-f', 'rawvideo', '-')
    width, height = shown_size(path)
    size = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
    assert raw and len(raw) % size == 0, 'unexpected picture size of ' + path
    return [Picture(width, height, raw[i:i + width * height]) for i in range(0, len(raw), size)]


def shown_size(path):
    stream = video_stream(path)
    width, height = stream['width'], stream['height']
    return (height, width) if rotation_of(stream) in (90, 270) else (width, height)


def rotation_of(stream):
    """Degrees that a player turns the stream, 0 to 359; 0 when the file asks for nothing."""
    turned = [s['rotation'] for s in stream.get('side_data_list', []) if 'rotation' in s]
    return (turned[0] if turned else int(stream.get('tags', {}).get('rotate', 0))) % 360


def difference(a, b, x0=0, y0=0, x1=None, y1=None):
    """Mean absolute difference of luma over a part of two pictures, in grey levels."""
    x1, y1 = x1 or min(a.width, b.width), y1 or min(a.height, b.height)
    total = sum(abs(p - q) for y in range(y0, y1) for p, q in zip(a.row(y)[x0:x1], b.row(y)[x0:x1]))
    return total / ((x1 - x0) * (y1 - y0))


def read_csv(path):
    with open(path, newline='', encoding='ascii') as stream:
        rows = list(csv.reader(stream))
    return rows[0], [dict(zip(rows[0], row)) for row in rows[1:]]


def column(rows, name):
    return [float(row[name]) for row in rows]


class Landmarks:
    """STEM_landmarks.csv: per frame None (no face) or a list of (x, y, z)."""
    def __init__(self, path):
        self.header, self.rows = read_csv(path)
        self.count = sum(name.startswith('x_') for name in self.header)
        self.times = column(self.rows, 'timestamp')
        self.frames = []
        for row in self.rows:
            values = list(row.values())[3:]
            self.frames.append([tuple(map(float, values[3 * i:3 * i + 3])) for i in range(self.count)]
                               if row['success'] == '1' else None)


def eye_distance(points):
    """Between the outer canthi (points 33 and 263 of the face mesh), in pixels."""
    return ((points[33][0] - points[263][0]) ** 2 + (points[33][1] - points[263][1]) ** 2) ** 0.5


def mirror_pairs():
    """The partner of each mesh point across the face, as the program's own table has it."""
    text = open(os.path.join(SOURCE, 'src', 'face', 'topology.c'), encoding='utf-8').read()
    table = re.search(r'mesh_mirror\[[^\]]*\] = \{(.*?)\};', text, re.S).group(1)
    pairs = [int(n) for n in re.findall(r'\b\d+\b', re.sub(r'/\*.*?\*/', '', table, flags=re.S))]
    assert len(pairs) == 478 and all(pairs[pairs[i]] == i for i in range(478))
    pairs = pairs[:468]  # the irises behind are not part of the mesh
    assert pairs[33] == 263 and pairs[61] == 291 and pairs[4] == 4  # anatomy, known from elsewhere
    return pairs


# --- the base of the test classes ------------------------------------------------------------------------------

class Case(unittest.TestCase):
    """A temporary folder for each class (`cls.dir`) and questions that many tests ask."""
    longMessage = True

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix='facemirror-test-')
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.make_inputs()

    @classmethod
    def make_inputs(cls):
        """For subclasses: makes the clips that all tests of the class use."""

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.dir, *names)

    def good_run(self, *args, **options):
        result = run(*args, **options)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(without_progress(result.err), '', 'a good run has nothing to say on stderr')
        return result

    def assert_one_sentence(self, result, code, *parts):
        """The exit code and one clear sentence on stderr that names `parts`."""
        self.assertEqual(result.code, code, result)
        lines = without_progress(result.err).splitlines()
        self.assertEqual(len(lines), 1, 'one sentence on stderr is expected: %r' % result)
        self.assertRegex(lines[0], r'^facemirror: \S.{10,}', result)
        for part in parts:
            self.assertIn(part, lines[0])

    def assert_no_outputs(self, folder, allowed=()):
        """Neither a finished table or video nor a half one is in the folder."""
        if not os.path.isdir(folder):
            return
        for name in sorted(os.listdir(folder)):
            if name in allowed:
                continue
            self.assertFalse(name.endswith(('_mirrored.mp4', '_debug.mp4', '.csv')), name + ' is left')
            self.assertNotIn('.partial', name, name + ' is left')
            self.assertNotIn('spool', name, name + ' is left')

    def assert_no_partials(self, folder):
        left = [n for n in os.listdir(folder) if '.partial' in n or 'spool' in n]
        self.assertEqual(left, [])

    def assert_whole(self, folder, stem, frames=None):
        """Videos and tables are whole and agree about the number of frames, which is returned."""
        counts = {}
        for name in VIDEOS:
            counts[name] = len(frame_times(os.path.join(folder, stem + '_' + name)))
        for name in TABLES:
            header, rows = read_csv(os.path.join(folder, stem + '_' + name))
            self.assertEqual(header, CSV_HEADER)
            counts[name] = len(rows)
        self.assertEqual(len(set(counts.values())), 1, counts)
        count = counts[VIDEOS[0]]
        if frames is not None:
            self.assertEqual(count, frames)
        self.assert_no_partials(folder)
        return count
