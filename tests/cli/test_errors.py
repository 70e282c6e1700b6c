"""What cannot be done is refused with its exit code and one clear sentence, and leaves nothing half done."""
import json
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

import harness as h


class BadInput(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('good.mp4'), frames=30)
        cls.data = open(cls.clip, 'rb').read()

    def write(self, name, data):
        with open(self.path(name), 'wb') as stream:
            stream.write(data)
        return self.path(name)

    def refuse(self, code, clip, *parts):
        out = self.path('out')
        shutil.rmtree(out, ignore_errors=True)
        result = h.run(clip, '-o', out)
        self.assert_one_sentence(result, code, os.path.basename(os.path.normpath(clip)), *parts)
        for pretence in ('.mp4  (', '.csv  (', 'Status:               ok'):  # its profile may be listed
            self.assertNotIn(pretence, result.out)
        self.assert_no_outputs(out)
        return result

    def test_missing_file(self):
        self.assertEqual(self.refuse(3, self.path('nothing.mp4')).out, '')

    def test_folder(self):
        self.assertEqual(self.refuse(3, self.dir, 'folder').out, '')

    def test_no_permission(self):
        if os.geteuid() == 0:
            self.skipTest('root may read everything')
        clip = self.write('secret.mp4', self.data)
        os.chmod(clip, 0)
        self.refuse(3, clip)

    def test_text_with_a_video_name(self):
        self.assertEqual(self.refuse(4, self.write('text.mp4', b'This is no video.\n' * 200)).out, '')

    def test_empty_file(self):
        self.refuse(4, self.write('empty.mp4', b''), 'empty')

    def test_noise(self):
        self.refuse(4, self.write('noise.mp4', bytes((i * i * 31 + i // 7) % 256 for i in range(60000))))

    def test_sound_only(self):
        self.refuse(4, h.ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', self.path('sound.mp4')), 'video')

    def test_no_face(self):
        clip = h.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=0.6', '-pix_fmt', 'yuv420p',
                        self.path('bars.mp4'))
        self.refuse(5, clip, 'face')

    def damaged(self, clip, whole):
        """Ends with 12 and says so; what could be read is in whole outputs."""
        out = clip + '-out'
        result = h.run(clip, '-o', out)
        self.assert_one_sentence(result, 12, os.path.basename(clip))
        stem = os.path.splitext(os.path.basename(clip))[0]
        frames = self.assert_whole(out, stem)
        self.assertGreater(frames, 0)
        self.assertLess(frames, whole)

    def test_truncated_with_its_index_at_the_front(self):
        clip = h.make_clip(self.path('short-gop.mp4'), frames=30, more=('-g', '6'))
        front = h.ffmpeg('-i', clip, '-c', 'copy', '-movflags', '+faststart', self.path('front.mp4'))
        data = open(front, 'rb').read()
        self.damaged(self.write('cut.mp4', data[:len(data) * 6 // 10]), 30)

    def test_truncated_without_its_index(self):
        self.refuse(4, self.write('headless.mp4', self.data[:len(self.data) * 6 // 10]))

    def test_truncated_matroska(self):
        # Long enough that what is missing is more than a rounding of the header's duration.
        whole = h.make_clip(self.path('whole.mkv'), frames=90)
        data = open(whole, 'rb').read()
        self.damaged(self.write('cut.mkv', data[:len(data) // 2]), 90)

    def test_damaged_bytes_in_the_middle(self):
        # Every frame is its own, so that damage stays where it is.
        clip = h.make_clip(self.path('intra.mp4'), frames=24, codec=('-c:v', 'libx264', '-g', '1', '-crf', '16'))
        data = bytearray(open(clip, 'rb').read())
        start = data.index(b'mdat')
        size = data.index(b'moov') - start
        assert size > 20000, 'expected the index behind the pictures'
        for i in range(start + size // 2, start + size // 2 + size // 8):
            data[i] = (i * 7919 >> 3) & 255
        self.damaged(self.write('scratched.mp4', bytes(data)), 24)


class BadOutput(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('good.mp4'), frames=20)

    def test_folder_below_a_file(self):
        blocked = os.path.join(self.clip, 'below')
        self.assert_one_sentence(h.run(self.clip, '-o', blocked), 6, blocked)
        self.assert_one_sentence(h.run(self.clip, '-o', self.clip), 6, self.clip)

    def test_read_only_folder(self):
        if os.geteuid() == 0:
            self.skipTest('root may write everywhere')
        folder = self.path('locked')
        os.mkdir(folder, 0o500)
        self.assert_one_sentence(h.run(self.clip, '-o', folder), 6, folder)
        self.assertEqual(os.listdir(folder), [])

    def test_output_name_taken_by_a_folder(self):
        out = self.path('taken')
        os.makedirs(os.path.join(out, 'good_right_mirrored.csv'))
        self.assert_one_sentence(h.run(self.clip, '-o', out, '--overwrite'), 6, 'good_right_mirrored.csv')
        self.assert_no_outputs(out, allowed=('good_right_mirrored.csv',))

    def test_two_runs_into_one_folder(self):
        out = self.path('shared')
        first = h.start(self.clip, '-o', out, '-q', '--overwrite')
        growing = os.path.join(out, '.good_debug.mp4.partial')
        while not os.path.exists(growing) and first.poll() is None:
            time.sleep(0.001)
        os.kill(first.pid, signal.SIGSTOP)  # in the middle, for as long as the second takes
        try:
            self.assertTrue(os.path.exists(growing))
            self.assert_one_sentence(h.run(self.clip, '-o', out, '-q', '--overwrite'), 6, 'another run')
        finally:
            os.kill(first.pid, signal.SIGCONT)
        h.wait(first)
        self.assertEqual(first.returncode, 0)
        self.assertEqual(self.assert_whole(out, 'good'), 20)

    def test_closed_standard_streams(self):
        """No output takes the place of a closed stream, where reports and warnings would go into it."""
        out = self.path('closed')
        result = h.run(self.clip, '-o', out, preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
        self.assertEqual((result.code, result.out, result.err), (6, '', ''))  # the report was lost
        self.assertEqual(self.assert_whole(out, 'good'), 20)

    def test_full_disk(self):
        disk = self.path('disk')
        os.mkdir(disk)
        mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) if shutil.which('mount') else None
        if mounted is None or mounted.returncode != 0:
            self.skipTest('a small disk cannot be mounted here')
        try:
            result = h.run(self.clip, '-o', disk)
            self.assert_one_sentence(result, 7, 'space')
            self.assertNotIn('Outputs', result.out)
            self.assert_no_outputs(disk)
            # The clip is not the disk's fault: with another folder it works.
            self.good_run(self.clip, '-o', self.path('roomy'), '-q')
        finally:
            subprocess.run(['umount', disk], check=True)

    def test_report_that_cannot_be_printed(self):
        if not os.path.exists('/dev/full'):
            self.skipTest('there is no /dev/full')
        for option in ((), ('--json',)):
            out = self.path('unprinted' + ''.join(option))
            with open('/dev/full', 'w', encoding='utf-8') as full:
                process = h.start(self.clip, '-o', out, *option, stdout=full, stderr=subprocess.PIPE)
                _, errors = process.communicate(timeout=h.RUN_LIMIT_SECONDS)
            lines = [line for line in errors.decode().splitlines() if ' fps ' not in line]  # progress lines apart
            self.assertEqual(process.returncode, 7, lines)
            self.assertEqual(len(lines), 1, lines)
            self.assertRegex(lines[0], '^facemirror: cannot write (the report|to standard output): ')
            self.assert_whole(out, 'good')
            json.load(open(os.path.join(out, 'good_profile.json'), encoding='utf-8'))

    def test_folder_in_the_place_of_a_file(self):
        out = self.path('merged')
        self.good_run(self.clip, '-o', out, '-q')
        profile = os.path.join(out, 'good_profile.json')
        self.assert_one_sentence(h.run('merge', profile, profile, '-o', out + '/'), 6, 'names no file')

    def test_file_size_limit(self):
        out = self.path('limited')
        result = h.run(self.clip, '-o', out,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)))
        self.assertIn(result.code, (6, 7), result)
        self.assert_one_sentence(result, result.code)
        self.assert_no_outputs(out)

    def test_outputs_that_are_there(self):
        out = self.path('again')
        self.good_run(self.clip, '-o', out, '-q')
        names = sorted(os.listdir(out))
        for name in names:
            before = {n: os.stat(os.path.join(out, n)).st_mtime_ns for n in names}
            result = h.run(self.clip, '-o', out)
            self.assert_one_sentence(result, 11, '--overwrite')
            self.assertEqual(result.out, '')
            self.assertEqual({n: os.stat(os.path.join(out, n)).st_mtime_ns for n in names}, before, 'untouched')
            break
        self.good_run(self.clip, '-o', out, '-q', '--overwrite')
        self.assertEqual(sorted(os.listdir(out)), names)
        self.assert_whole(out, 'good', 20)

    def test_one_output_that_is_there(self):
        for name in ('good_right_mirrored.csv', 'good_debug.mp4'):
            with self.subTest(name):
                out = self.path('one-' + name)
                os.mkdir(out)
                with open(os.path.join(out, name), 'w') as stream:
                    stream.write('mine')
                self.assert_one_sentence(h.run(self.clip, '-o', out), 11, name)
                self.assert_no_outputs(out, allowed=(name,))
                self.assertEqual(open(os.path.join(out, name)).read(), 'mine')

    def test_a_failed_overwrite_keeps_the_old_outputs(self):
        out = self.path('kept')
        self.good_run(self.clip, '-o', out, '-q')
        before = h.stream_md5(os.path.join(out, 'good_left_mirrored.mp4'), 'v:0')
        blank = self.path('blank')
        os.mkdir(blank)
        faceless = h.ffmpeg('-f', 'lavfi', '-i', 'color=gray:size=320x240:duration=0.4', '-pix_fmt', 'yuv420p',
                            os.path.join(blank, 'good.mp4'))
        self.assert_one_sentence(h.run(faceless, '-o', out, '--overwrite'), 5)
        self.assertEqual(h.stream_md5(os.path.join(out, 'good_left_mirrored.mp4'), 'v:0'), before)


class BadOptions(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('good.mp4'), frames=6)

    def refuse(self, code, *args, parts=()):
        out = self.path('out')
        result = h.run(*args, '-o', out)
        self.assertEqual(result.out, '')
        self.assert_one_sentence(result, code, *parts)
        self.assert_no_outputs(out)

    def test_wrong_usage(self):
        for args in (('--mode', 'both'), ('--midline', 'nose'), ('--start', 'soon'), ('--start', '-1'), ('--duration', '0'),
                     ('--duration', 'nan'), ('--max-frames', '0'), ('--max-frames', '1.5'), ('--max-frames', '9' * 30),
                     ('--threads', '0'), ('--threads', 'all'), ('--smooth-cutoff', '0'), ('--smooth-beta', 'inf'),
                     ('--neutral', 'x'), ('--start', '1:2:3:4')):
            with self.subTest(args):
                self.refuse(2, self.clip, *args, parts=args)

    def test_unknown_option(self):
        for args in (('--colour',), ('-x',), ('--max-frames',)):
            with self.subTest(args):
                result = h.run('run', self.clip, *args)
                self.assert_one_sentence(result, 2)
                self.assertEqual(result.out, '')

    def test_no_video(self):
        for args in ((), ('run',), ('run', '-q')):
            with self.subTest(args):
                self.assert_one_sentence(h.run(*args), 2, '--help')

    def test_start_behind_the_end(self):
        self.refuse(2, self.clip, '--start', '100', parts=('100',))

    def test_neutral_image(self):
        self.refuse(3, self.clip, '--neutral-image', self.path('none.png'), parts=('none.png',))
        grey = h.ffmpeg('-f', 'lavfi', '-i', 'color=gray:size=320x320', '-frames:v', '1', self.path('grey.png'))
        self.refuse(5, self.clip, '--neutral-image', grey, parts=('grey.png',))

    def test_unknown_encoder(self):
        self.refuse(9, self.clip, '--encoder', 'h264_imaginary', parts=('h264_imaginary',))
        self.refuse(9, self.clip, '--encoder', 'mpeg4', parts=('mpeg4',))

    def test_encoder_that_is_listed_and_does_not_work(self):
        for encoder in ('h264_nvenc', 'h264_qsv', 'h264_v4l2m2m'):
            trial = ['ffmpeg', '-v', 'quiet', '-y', '-i', self.clip, '-c:v', encoder, self.path('trial.mp4')]
            if h.has_encoder(encoder) and subprocess.run(trial, stdin=subprocess.DEVNULL).returncode != 0:
                break
        else:
            self.skipTest('every hardware encoder that FFmpeg lists works here')
        self.refuse(9, self.clip, '--encoder', encoder, parts=(encoder, '('))
        # Left alone, the program finds one that does.
        self.good_run(self.clip, '-o', self.path('own'), '-q')
        self.assertEqual(h.video_stream(self.path('own', 'good_left_mirrored.mp4'))['codec_name'], 'h264')


class BadModels(h.Case):
    """Packs that are not what they say are refused before any frame is read."""
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('good.mp4'), frames=6)

    def pack(self, name, change=None):
        """A copy of the default pack, its models changed by their variants or names."""
        folder = self.path(name)
        shutil.copytree(h.MODELS, folder)
        with open(os.path.join(folder, 'pack.json')) as stream:
            manifest = json.load(stream)
        if change:
            change({m.get('variant') or m['name']: m for m in manifest['models']})
        with open(os.path.join(folder, 'pack.json'), 'w') as stream:
            json.dump(manifest, stream)
        return folder

    def refuse(self, code, pack, *parts, options=()):
        out = self.path('out')
        result = h.run(self.clip, '-o', out, '--models', pack, *options)
        self.assertEqual(result.out, '')
        self.assert_one_sentence(result, code, *parts)
        self.assert_no_outputs(out)

    def test_nowhere(self):
        self.refuse(8, self.path('nowhere'), self.path('nowhere'))
        self.refuse(8, 'no-such-pack', 'no-such-pack', 'models add')

    def test_another_file(self):
        folder = self.pack('another')
        shutil.copy(os.path.join(folder, 'face_detection_short_range.onnx'),
                    os.path.join(folder, 'face_landmark_with_attention.onnx'))
        self.refuse(8, folder, os.path.join(folder, 'face_landmark_with_attention.onnx'), 'SHA-256')

    def test_cut_file(self):
        folder = self.pack('cut')
        os.truncate(os.path.join(folder, 'face_detection_short_range.onnx'), 1000)
        self.refuse(8, folder, 'face_detection_short_range.onnx')

    def test_missing_file(self):
        folder = self.pack('missing')
        os.remove(os.path.join(folder, 'face_landmark_with_attention.onnx'))
        self.refuse(8, folder, 'face_landmark_with_attention.onnx')

    def test_a_file_that_is_not_asked_for_may_be_missing(self):
        folder = self.pack('half')
        os.remove(os.path.join(folder, 'face_landmark_with_attention.onnx'))
        self.good_run(self.clip, '-o', self.path('half-out'), '-q', '--models', folder, '--landmarks', 'plain')

    def test_missing_output(self):
        def rename(models):
            models['attention']['outputs']['lips'] = 'output_nose'
        self.refuse(8, self.pack('output', rename), 'face_landmark_with_attention.onnx', 'output_nose', 'lips')

    def test_unexpected_shape(self):
        def shrink(models):
            models['plain']['outputs']['points'] = 'conv2d_31'
        self.refuse(8, self.pack('shape', shrink), 'face_landmark.onnx', 'conv2d_31', '1404',
                    options=('--landmarks', 'plain'))

    def test_unexpected_input(self):
        def rename(models):
            models['BlazeFace']['input']['name'] = 'picture'
        self.refuse(8, self.pack('input', rename), 'face_detection_short_range.onnx', "'picture'")

    def test_exchanged_graphs(self):
        def exchange(models):
            for key in ('file', 'sha256'):
                one, two = models['BlazeFace'], models['attention']
                one[key], two[key] = two[key], one[key]
        self.refuse(8, self.pack('exchanged', exchange), 'face_landmark_with_attention.onnx')

    def test_no_such_variant(self):
        self.refuse(2, h.MODELS, "'better'", 'attention, plain', options=('--landmarks', 'better'))

    def test_no_such_model_for_a_provider(self):
        self.refuse(2, h.MODELS, 'STAR', options=('--ep', 'STAR=cpu'))


if __name__ == '__main__':
    h.require_script()
    h.main()
