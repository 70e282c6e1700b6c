"""Any clip that a phone or a lab gives: outputs have the input's frames, times, sound, and stand upright."""
import os
import unittest
from fractions import Fraction

import harness as h

UPRIGHT = 'transpose=2'  # stores the picture turned back, so that a clockwise display matrix shows it upright
FRAMES = 16


class Inputs(h.Case):
    def check(self, clip, frames=FRAMES, size=None, full_range=False):
        """Runs the clip and holds its outputs to the input. Returns the output folder."""
        out = self.path('out-' + os.path.basename(clip))
        stem = os.path.splitext(os.path.basename(clip))[0]
        self.good_run(clip, '-o', out, '-q')
        times = h.relative_times(clip)
        self.assertEqual(len(times), frames, 'the test clip is not what it should be')
        width, height = size or h.shown_size(clip)
        for name in h.VIDEOS:
            self.check_video(os.path.join(out, stem + '_' + name), times, width, height, full_range)
        for name in h.TABLES:
            self.check_table(os.path.join(out, stem + '_' + name), times)
        self.assert_no_partials(out)
        return os.path.join(out, stem)

    def check_video(self, path, times, width, height, full_range):
        stream = h.video_stream(path)
        self.assertEqual(stream['codec_name'], 'h264', path)
        self.assertIn(stream['pix_fmt'], ('yuv420p', 'yuvj420p') if full_range else ('yuv420p',), path)
        self.assertEqual((stream['width'], stream['height']), (width, height), path)
        self.assertEqual(h.rotation_of(stream), 0, path)
        self.assertFalse([s for s in stream.get('side_data_list', []) if 'rotation' in s], path)
        self.assertEqual(h.frame_times(path), times, path + ': exact times')

    def check_table(self, path, times):
        header, rows = h.read_csv(path)
        self.assertEqual(header, h.CSV_HEADER)
        self.assertEqual([row['frame'] for row in rows], [str(i) for i in range(len(times))])
        for row, time in zip(rows, times):
            self.assertRegex(row['timestamp'], r'^\d+\.\d{6}$')
            self.assertLessEqual(abs(Fraction(row['timestamp']) - time), Fraction(6, 10 ** 7), row['frame'])
            self.assertEqual(row['success'], '1', 'the face is there in frame ' + row['frame'])

    def make(self, name, **options):
        return h.make_clip(self.path(name), frames=options.pop('frames', FRAMES), **options)


class Geometry(Inputs):
    def test_portrait(self):
        self.check(self.make('portrait.mp4'), size=(320, 400))

    def test_landscape(self):
        self.check(self.make('landscape.mp4', filters='crop=480:300:x=n/2:y=0'), size=(480, 300))

    def rotated(self, degrees, turn):
        upright = self.make('upright%d.mp4' % degrees)
        clip = self.make('turned%d.mp4' % degrees, filters=h.DRIFT + ',' + turn)
        h.set_rotation(clip, degrees)
        self.assertNotEqual(h.rotation_of(h.video_stream(clip)), 0)
        stem = self.check(clip, size=(320, 400))
        # Upright: the half that left_mirrored keeps is the picture as the player shows it.
        for shown, kept in list(zip(h.pictures(upright), h.pictures(stem + '_left_mirrored.mp4')))[::8]:
            self.assertLess(h.difference(shown, kept, 190, 0, 320, 400), 4.0)
            self.assertGreater(h.difference(shown, kept, 0, 0, 60, 400), 8.0, 'the other half is replaced')

    def test_rotated_90(self):
        self.rotated(90, 'transpose=cclock')

    def test_rotated_180(self):
        self.rotated(180, 'hflip,vflip')

    def test_rotated_270(self):
        self.rotated(270, 'transpose=clock')

    def test_odd_size(self):
        clip = self.make('odd.mkv', filters='crop=321:401:x=60:y=n/4:exact=1', codec=('-c:v', 'ffv1'), pixels='yuv444p')
        self.assertEqual(h.shown_size(clip), (321, 401))
        self.check(clip, size=(322, 402))

    def test_pixels_that_are_not_square(self):
        clip = self.make('anamorphic.mp4', filters=h.DRIFT + ',scale=160:400,setsar=2/1')
        self.check(clip, size=(320, 400))


class Times(Inputs):
    def test_ntsc_rate(self):
        self.check(self.make('ntsc.mp4', fps='30000/1001'))

    def test_variable_rate_in_matroska(self):
        clip = self.make('vfr.mkv', frames=12, filters=h.DRIFT + ",select='mod(n\\,3)+not(mod(n\\,4))',"
                         "setpts='PTS+if(mod(N,2),0.011/TB,0)'", more=('-fps_mode', 'passthrough'))
        steps = {b - a for a, b in zip(h.frame_times(clip), h.frame_times(clip)[1:])}
        self.assertGreater(len(steps), 2, 'the clip has a variable rate')
        self.check(clip, frames=12)

    def test_variable_rate_in_mp4(self):
        clip = self.make('phone.mp4', filters=h.DRIFT + ",settb=1/90000,setpts='PTS+107*mod(N,5)*mod(N,3)'",
                         more=('-fps_mode', 'passthrough', '-video_track_timescale', '90000', '-bf', '2'))
        self.check(clip)

    def test_start_other_than_zero(self):
        for name, more in (('late.mkv', ('-output_ts_offset', '3.217')), ('stream.ts', ('-f', 'mpegts'))):
            with self.subTest(name):
                clip = self.make(name, more=more)
                self.assertGreater(h.container_start(clip), 1)
                self.check(clip)

    def test_picture_that_begins_after_the_sound(self):
        silent = self.make('silent.mp4')
        clip = h.ffmpeg('-f', 'lavfi', '-i', 'sine=440:duration=1.2', '-itsoffset', '0.4', '-i', silent,
                        '-map', '1:v', '-map', '0:a', '-c:v', 'copy', '-c:a', 'aac', self.path('late_picture.mkv'))
        times = h.relative_times(clip)
        self.assertGreater(times[0], Fraction(3, 10))
        self.check(clip)


class Formats(Inputs):
    def test_ten_bits(self):
        choices = [('libx265', ('-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error')),
                   ('libx264', ('-c:v', 'libx264', '-preset', 'ultrafast'))]
        made = None
        for encoder, codec in choices:
            if made is None and h.has_encoder(encoder):
                try:
                    made = self.make('ten.mp4', codec=codec, pixels='yuv420p10le')
                except RuntimeError as reason:  # a libx264 of 8 bits only
                    print('note: %s' % reason)
        if made is None:
            self.skipTest('no encoder for 10 bits')
        self.assertEqual(h.video_stream(made)['pix_fmt'], 'yuv420p10le')
        self.check(made)

    def test_vp9(self):
        if not h.has_encoder('libvpx-vp9'):
            self.skipTest('no VP9 encoder')
        codec = ('-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8')
        self.check(self.make('nine.webm', codec=codec))

    def test_motion_jpeg_of_full_range(self):
        self.check(self.make('camera.avi', codec=('-c:v', 'mjpeg', '-q:v', '3'), pixels='yuvj420p'), full_range=True)


class Sound(Inputs):
    def with_sound(self, name, *codec):
        silent = self.make('picture-%s.mp4' % name)
        return h.ffmpeg('-i', silent, '-f', 'lavfi', '-i', 'sine=330:sample_rate=44100:duration=0.6',
                        '-map', '0:v', '-map', '1:a', '-c:v', 'copy', *codec, self.path(name))

    def test_silent_clip_stays_silent(self):
        stem = self.check(self.make('mute.mp4'))
        for name in h.VIDEOS:
            self.assertEqual(h.streams(stem + '_' + name, 'audio'), [])

    def test_aac_is_copied_bit_exactly(self):
        clip = self.with_sound('aac.mp4', '-c:a', 'aac')
        stem = self.check(clip)
        for name in h.VIDEOS:
            self.assertEqual(h.stream_md5(stem + '_' + name), h.stream_md5(clip), name)
            # In step: the sound begins where it did against the picture.
            offset = h.streams(stem + '_' + name, 'audio')[0]['start_pts'] / 44100
            self.assertAlmostEqual(offset, float(h.streams(clip, 'audio')[0]['start_time']), delta=0.002)

    def test_sound_of_a_part(self):
        clip = self.with_sound('part.mp4', '-c:a', 'aac')
        out = self.path('out-part')
        self.good_run(clip, '-o', out, '-q', '--start', '0.2', '--mode', 'mirror', '--no-debug')
        path = os.path.join(out, 'part_left_mirrored.mp4')
        self.assertEqual(h.frame_times(path)[0], 0)
        audio = h.streams(path, 'audio')[0]
        # A packet is 23 ms long; 0.4 s of the sound follow 0.2 s.
        self.assertLess(float(audio['start_time']), 0.024)
        self.assertAlmostEqual(float(audio['duration']), 0.4, delta=0.05)

    def test_pcm_becomes_aac(self):
        clip = self.with_sound('pcm.mkv', '-c:a', 'pcm_s16le')
        stem = self.check(clip)
        for name in h.VIDEOS:
            audio = h.streams(stem + '_' + name, 'audio')
            self.assertEqual([a['codec_name'] for a in audio], ['aac'], name)
            self.assertEqual(audio[0]['sample_rate'], '44100')
            self.assertAlmostEqual(float(audio[0]['duration']), 0.6, delta=0.06)

    def test_more_channels_than_players_take(self):
        for channels, kept in ((6, 6), (16, 2), (9, 0)):  # 9: no layout has a name for them
            tones = '|'.join('0.1*sin(%d*t)' % (2000 + 100 * i) for i in range(channels))
            silent = self.make('picture-%d.mp4' % channels)
            clip = h.ffmpeg('-i', silent, '-f', 'lavfi', '-i', "aevalsrc=exprs='%s':s=48000:d=0.6" % tones, '-map', '0:v',
                            '-map', '1:a', '-c:v', 'copy', '-c:a', 'pcm_s16le', self.path('many-%d.mkv' % channels))
            out = self.path('out-%d' % channels)
            result = h.run(clip, '-o', out, '-q', '--mode', 'mirror', '--no-debug')
            self.assertEqual(result.code, 0, result)
            self.assertEqual('sound is left out' in result.err, kept == 0, result)
            audio = h.streams(os.path.join(out, 'many-%d_left_mirrored.mp4' % channels), 'audio')
            self.assertEqual([a['channels'] for a in audio], [kept] if kept else [], result)


if __name__ == '__main__':
    h.require_script()
    h.main()
