#!/usr/bin/env python3
"""What a run of facemirror costs, beside the ideal: the same streams decoded and
encoded by ffmpeg alone, plus the models' time measured alone.

All parts run interleaved in several rounds, and medians over the rounds are
shown, so that a busy machine disturbs all of them alike. CPU-seconds (user and
system time of the child processes) are the yardstick; wall time depends on who
else is using the machine. See README.md beside this file.
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENCODER_SOURCES = ("src/video/video_encoder.c", "src/video/video_encoder.h",
                   "src/video/encoder.h", "src/pipeline/run.c")
VIDEOS = ("left_mirrored", "right_mirrored", "debug")


class Failure(Exception):
    """A part of the benchmark could not run; the message says which and why."""


def child(command, **more):
    """Runs a command; wall seconds, CPU seconds and peak memory of it alone."""
    with tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                   stdout=more.get("stdout", subprocess.DEVNULL), stderr=errors)
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        if process.stdout:
            process.stdout.close()
        if process.returncode != 0:
            errors.seek(0)
            text = errors.read().decode(errors="replace").strip()[-2000:]
            raise Failure(f"{' '.join(map(str, command))} ended with {process.returncode}: {text}")
    scale = 1 if sys.platform == "darwin" else 1024
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "user": usage.ru_utime,
            "sys": usage.ru_stime, "rss": usage.ru_maxrss * scale,
            "switches": usage.ru_nvcsw + usage.ru_nivcsw, "output": output}


def find_program(given, names, what):
    """The program that was given, or the first of `names` that is there."""
    for name in [given] if given else names:
        found = shutil.which(str(name))
        if found:
            return Path(found)
    raise Failure(f"{what} was not found ({', '.join(map(str, [given] if given else names))}); "
                  f"build first or name it")


def make_clip(args, facemirror):
    """The clip to measure: given, or made once and kept in the work folder."""
    if args.clip:
        return Path(args.clip)
    clip = args.work / f"clip-{args.size}-{args.seconds:g}s.mp4"
    if not clip.exists():
        print(f"making {clip} ...", file=sys.stderr)
        part = clip.with_suffix(".part.mp4")
        child([facemirror, "demo-clip", "-o", part, "--size", args.size, "--seconds",
               args.seconds, "--overwrite", "-q"])
        part.rename(clip)
    return clip


def constant(name, text, path):
    """A constant of the C sources, so that the ideal never drifts from the program."""
    found = re.search(name, text)
    if not found:
        raise Failure(f"{path} no longer matches /{name}/: bring run_cost.py up to date")
    return found.group(1)


def encoder_settings():
    """Preset and CRF of each video, as the program has them."""
    encoder, _, choice, run = ((ROOT / p).read_text() for p in ENCODER_SOURCES)
    preset = constant(r'"preset", "(\w+)"', encoder, ENCODER_SOURCES[0])
    usual = int(constant(r"FM_QUALITY_DEFAULT = (\d+)", choice + encoder + (ROOT / ENCODER_SOURCES[1]).read_text(),
                         "src/video"))
    subpel = int(constant(r"X264_SUBPEL_LEVEL = (\d+)", encoder, ENCODER_SOURCES[0]))
    debug = int(constant(r"DEBUG_QUALITY = (\d+)", run, ENCODER_SOURCES[3]))
    return {name: {"preset": preset, "subq": subpel, "crf": debug if name == "debug" else usual}
            for name in VIDEOS}


def profile_of(folder, clip):
    return json.loads((folder / f"{clip.stem}_profile.json").read_text())


def count_of(profile, pattern):
    """Calls of the operations whose name matches."""
    return sum(operation["count"] for category in profile["categories"]
               for operation in category["operations"] if re.fullmatch(pattern, operation["name"]))


def run_facemirror(binary, clip, folder, extra):
    folder.mkdir(parents=True, exist_ok=True)
    result = child([binary, "run", clip, "-o", folder, "--overwrite", "-q", *extra])
    result["profile"] = profile_of(folder, clip)
    return result


def ffmpeg(program, *arguments):
    return child([program, "-nostdin", "-v", "error", *arguments])


def encode_cost(program, video, settings, threads):
    """CPU-seconds of encoding alone: decoding the same file is taken off again."""
    decode = ["-threads", "1", "-i", video, "-map", "0:v:0", "-fps_mode", "passthrough"]
    null = ["-f", "null", "-"]
    encode = ["-c:v", "libx264", "-preset", settings["preset"], "-subq", settings["subq"],
              "-crf", settings["crf"], "-profile:v", "high", "-threads", threads]
    both = ffmpeg(program, *decode, *encode, *null)
    alone = ffmpeg(program, *decode, *null)
    return {"cpu": both["cpu"] - alone["cpu"], "rss": both["rss"]}


def one_round(args, tools, clip, number):
    """All parts once; the order turns from round to round."""
    results = {}
    variants = [("run", tools["facemirror"])] + [(f"also{i}", p) for i, p in enumerate(tools["also"])]
    if number % 2:
        variants.reverse()
    for name, binary in variants:
        results[name] = run_facemirror(binary, clip, args.work / name, args.run_options)
    threads = results["run"]["profile"]["run"]["threads"]
    results["decode"] = ffmpeg(tools["ffmpeg"], "-threads", min(threads, 8), "-i", clip, "-map", "0:v:0",
                               "-fps_mode", "passthrough", "-f", "null", "-")
    per_encoder = threads // 3 if threads > 3 else 1
    settings = encoder_settings()
    for name in VIDEOS:
        results[name] = encode_cost(tools["ffmpeg"], args.work / "run" / f"{clip.stem}_{name}.mp4",
                                    settings[name], per_encoder)
    models = child([tools["model_time"], "--json", "--runs", args.model_runs,
                    *(["--models", args.models] if args.models else [])], stdout=subprocess.PIPE)
    results["models"] = {m["name"]: m for m in json.loads(models["output"])["models"]}
    profile = results["run"]["profile"]
    landmarks = count_of(profile, r"(AU_)?FaceMesh_onnx_\w+")
    detections = count_of(profile, r"BlazeFace_onnx_\w+")
    results["model_cpu"] = 1e-3 * (landmarks * results["models"]["FaceMesh"]["median_cpu_ms"] +
                                   detections * results["models"]["BlazeFace"]["median_cpu_ms"])
    results["inferences"] = {"FaceMesh": landmarks, "BlazeFace": detections}
    results["ideal"] = results["decode"]["cpu"] + results["model_cpu"] + sum(results[v]["cpu"] for v in VIDEOS)
    return results


def median(rounds, get):
    return statistics.median(get(r) for r in rounds)


def self_times(rounds):
    """Median self seconds of each category and operation. Wall time, so only its shares say something."""
    table = {}
    for result in rounds:
        for category in result["run"]["profile"]["categories"]:
            for operation in category["operations"]:
                key = (category["name"], operation["name"])
                table.setdefault(key, []).append(operation["self_seconds"])
    return {key: statistics.median(values) for key, values in table.items()}


def summarise(rounds, args, tools, clip):
    frames = rounds[0]["run"]["profile"]["run"]["frames"]
    names = ["run"] + [f"also{i}" for i in range(len(tools["also"]))]
    programs = [tools["facemirror"], *tools["also"]]
    runs = [{
        "program": str(program),
        "fps": median(rounds, lambda r: frames / r[name]["wall"]),
        "wall_seconds": median(rounds, lambda r: r[name]["wall"]),
        "cpu_seconds": median(rounds, lambda r: r[name]["cpu"]),
        "user_seconds": median(rounds, lambda r: r[name]["user"]),
        "system_seconds": median(rounds, lambda r: r[name]["sys"]),
        "peak_rss_bytes": median(rounds, lambda r: r[name]["rss"]),
        "context_switches": median(rounds, lambda r: r[name]["switches"]),
        "ratio_to_ideal": median(rounds, lambda r: r[name]["cpu"] / r["ideal"]),
        "ratio_to_first": median(rounds, lambda r: r[name]["cpu"] / r["run"]["cpu"]),
    } for name, program in zip(names, programs)]
    ideal = {"decode": median(rounds, lambda r: r["decode"]["cpu"]),
             "models": median(rounds, lambda r: r["model_cpu"])}
    for video in VIDEOS:
        ideal[f"encode_{video}"] = median(rounds, lambda r: r[video]["cpu"])
    info = rounds[0]["run"]["profile"]["run"]
    times = self_times(rounds)
    total = sum(times.values()) or 1
    return {
        "clip": str(clip), "width": info["width"], "height": info["height"], "frames": frames,
        "rounds": len(rounds), "cores": os.cpu_count(), "threads": info["threads"],
        "encoder_settings": encoder_settings(), "inferences": rounds[0]["inferences"],
        "runs": runs, "ideal_cpu_seconds": median(rounds, lambda r: r["ideal"]), "ideal_parts": ideal,
        "self_times": [{"category": c, "operation": o, "self_seconds": s, "share": s / total}
                       for (c, o), s in sorted(times.items(), key=lambda item: -item[1])],
    }


def print_report(s):
    print(f"{s['width']}x{s['height']}, {s['frames']} frames, {s['rounds']} rounds (medians), "
          f"{s['cores']} cores, {s['threads']} threads\n")
    print(f"{'':36}{'fps':>7}{'peak MiB':>10}{'CPU s':>8}{'(sys)':>8}{'ideal s':>9}{'ratio':>7}{'CPU/1st':>9}")
    for run in s["runs"]:
        print(f"{run['program'][-35:]:36}{run['fps']:7.1f}{run['peak_rss_bytes'] / 2**20:10.0f}"
              f"{run['cpu_seconds']:8.2f}{run['system_seconds']:8.2f}{s['ideal_cpu_seconds']:9.2f}"
              f"{run['ratio_to_ideal']:7.3f}{run['ratio_to_first']:9.3f}")
    print("\nThe ideal, CPU-seconds")
    for part, seconds in s["ideal_parts"].items():
        print(f"  {part:34}{seconds:8.2f}  {1e3 * seconds / s['frames']:8.2f} ms a frame")
    print("\nWhere the run's time goes (self times of the profile, wall time of all threads together)")
    for t in s["self_times"]:
        if t["share"] >= 0.001:
            print(f"  {t['category']:20}{t['operation']:34}{1e3 * t['self_seconds'] / s['frames']:9.3f} ms"
                  f" a frame {100 * t['share']:6.1f} %")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="Meson's build folder")
    parser.add_argument("--facemirror", help="the program (default: the build's)")
    parser.add_argument("--model-time", help="bench/model_time (default: the build's)")
    parser.add_argument("--ffmpeg", help="the ffmpeg command")
    parser.add_argument("--also", action="append", default=[], metavar="PROGRAM",
                        help="another build of facemirror, measured in the same rounds; may be repeated")
    parser.add_argument("--models", help="folder of the models")
    parser.add_argument("--clip", help="a clip instead of the made one")
    parser.add_argument("--size", default="1080x1920", help="of the made clip")
    parser.add_argument("--seconds", type=float, default=10, help="of the made clip")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model-runs", type=int, default=200)
    parser.add_argument("--work", type=Path, help="folder for clip and outputs, kept "
                        "(default: facemirror-bench-HASH in the temporary folder)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    args.run_options = ["--models", args.models] if args.models else []
    if args.rounds < 1 or args.seconds <= 0:
        parser.error("rounds and seconds must be above 0")
    if not args.work:
        tag = hashlib.sha256(f"{ROOT} {os.getuid()}".encode()).hexdigest()[:12]
        args.work = Path(tempfile.gettempdir()) / f"facemirror-bench-{tag}"
    args.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    return args


def main():
    args = arguments()
    try:
        tools = {
            "facemirror": find_program(args.facemirror, [args.build / "src/cli/facemirror"], "facemirror"),
            "model_time": find_program(args.model_time, [args.build / "bench/model_time"], "model_time"),
            "ffmpeg": find_program(args.ffmpeg, ["ffmpeg"], "ffmpeg"),
            "also": [find_program(p, [], "--also") for p in args.also],
        }
        clip = make_clip(args, tools["facemirror"])
        rounds = []
        for number in range(args.rounds):
            print(f"round {number + 1} of {args.rounds} ...", file=sys.stderr)
            rounds.append(one_round(args, tools, clip, number))
        summary = summarise(rounds, args, tools, clip)
    except Failure as failure:
        print(f"run_cost.py: {failure}", file=sys.stderr)
        return 1
    if args.json:
        json.dump(summary, sys.stdout, indent=2)
        print()
    else:
        print_report(summary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
