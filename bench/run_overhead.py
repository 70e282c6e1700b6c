#!/usr/bin/env python3
"""What the profiler costs in a whole run of facemirror: recording on against
recording off (FMP_OFF=1 in the environment), run in pairs whose order turns.

Two answers. Measured: the ratio on/off of each pair, in CPU-seconds and in wall
time; the median with its 95 % confidence interval (of order statistics, so
nothing is assumed about the noise of a shared machine), and the ratio of the
fastest runs, since noise only ever adds. Counted: scopes of the run times the
cost of one, both from its profile, over the run's CPU and wall time. That is
exact to a few percent of itself, where the ratio drowns in noise.
See README.md beside this file.
"""
import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from run_cost import ROOT, Failure, child, find_program, make_clip  # noqa: E402

LIMIT = 0.005  # of wall time


def run(program, clip, folder, options, on):
    os.environ["FMP_OFF"] = "0" if on else "1"
    folder.mkdir(parents=True, exist_ok=True)
    result = child([program, "run", clip, "-o", folder, "--overwrite", "-q", *options])
    result["profile"] = json.loads((folder / f"{clip.stem}_profile.json").read_text())
    operations = [o for c in result["profile"]["categories"] for o in c["operations"]]
    if bool(operations) != on:
        raise Failure(f"recording should be {'on' if on else 'off'} in {folder}, and its profile has "
                      f"{len(operations)} operations")
    return result


def pairs_of(args, program, clip):
    """[(on, off)], the order turning from pair to pair. The first pair warms the caches and is not counted."""
    pairs = []
    for number in range(args.pairs + 1):
        print(f"pair {number} of {args.pairs} ..." if number else "warm-up ...", file=sys.stderr)
        order = (True, False) if number % 2 else (False, True)
        pair = {on: run(program, clip, args.work / ("on" if on else "off"), args.run_options, on) for on in order}
        if number:
            pairs.append((pair[True], pair[False]))
    return pairs


def median_interval(values):
    """Median and its confidence interval of at least 95 %: (median, low, high)."""
    ordered, n = sorted(values), len(values)
    tail, k = 0.0, 0  # P(fewer than k of n below the median) stays under 2.5 %
    while k < n // 2:
        tail += math.comb(n, k) / 2 ** n
        if tail > 0.025:
            break
        k += 1
    k = max(k - 1, 0)
    return statistics.median(ordered), ordered[k], ordered[n - 1 - k]


def summarise(pairs, clip):
    profile = pairs[0][0]["profile"]
    scopes = sum(o["count"] for c in profile["categories"] for o in c["operations"])
    cost = statistics.median(on["profile"]["profiler"]["scope_cost_ns"] for on, _ in pairs) * 1e-9
    wall = statistics.median(on["wall"] for on, _ in pairs)
    cpu = statistics.median(on["cpu"] for on, _ in pairs)
    run_info = profile["run"]
    result = {
        "clip": clip.name, "width": run_info["width"], "height": run_info["height"], "frames": run_info["frames"],
        "pairs": len(pairs), "cores": os.cpu_count(), "wall_seconds": wall, "cpu_seconds": cpu,
        "scopes": scopes, "scope_cost_ns": cost * 1e9, "counted_seconds": scopes * cost,
        "counted_share_of_cpu": scopes * cost / cpu,
        # As if every scope stood on the critical path.
        "counted_share_of_wall": scopes * cost / wall,
    }
    for what in ("cpu", "user", "wall"):
        median, low, high = median_interval([on[what] / off[what] for on, off in pairs])
        result[f"{what}_ratio"] = {"median": median, "low": low, "high": high,
                                   "fastest": min(on[what] for on, _ in pairs) / min(off[what] for _, off in pairs),
                                   "off_spread": spread([off[what] for _, off in pairs])}
    return result


def spread(values):
    """Interquartile range over the median: how much equal runs differ on this machine."""
    quartiles = statistics.quantiles(values, n=4)
    return (quartiles[2] - quartiles[0]) / statistics.median(values)


def print_report(r):
    print(f"{r['width']}x{r['height']}, {r['frames']} frames, {r['pairs']} pairs, {r['cores']} cores; a run takes "
          f"{r['wall_seconds']:.2f} s and {r['cpu_seconds']:.2f} CPU-seconds\n")
    print(f"{'on over off':24}{'median':>9}{'95 % interval':>20}{'fastest':>9}{'equal runs differ by':>24}")
    for what, name in (("cpu", "CPU-seconds"), ("user", "of these in user mode"), ("wall", "wall time")):
        ratio = r[f"{what}_ratio"]
        interval = f"{ratio['low']:.4f} .. {ratio['high']:.4f}"
        print(f"{name:24}{ratio['median']:9.4f}{interval:>20}{ratio['fastest']:9.4f}"
              f"{100 * ratio['off_spread']:>22.1f} %")
    print(f"\ncounted: {r['scopes']} scopes x {r['scope_cost_ns']:.1f} ns = {1e3 * r['counted_seconds']:.3f} ms, "
          f"{100 * r['counted_share_of_cpu']:.4f} % of the CPU-seconds, {100 * r['counted_share_of_wall']:.4f} % of the "
          f"wall time (bar: {100 * LIMIT:g} %)")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="Meson's build folder")
    parser.add_argument("--facemirror", help="the program (default: the build's)")
    parser.add_argument("--models", help="folder of the models")
    parser.add_argument("--clip", help="a clip instead of the made one")
    parser.add_argument("--size", default="480x640", help="of the made clip")
    parser.add_argument("--seconds", type=float, default=2, help="of the made clip")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / f"facemirror-overhead-{os.getuid()}",
                        help="folder for clip and outputs, kept")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    args.run_options = ["--models", args.models] if args.models else []
    if args.pairs < 2 or args.seconds <= 0:
        parser.error("pairs must be above 1 and seconds above 0")
    args.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    return args


def main():
    args = arguments()
    try:
        program = find_program(args.facemirror, [args.build / "src/cli/facemirror"], "facemirror")
        clip = make_clip(args, program)
        result = summarise(pairs_of(args, program, clip), clip)
    except Failure as failure:
        print(f"run_overhead.py: {failure}", file=sys.stderr)
        return 1
    if args.json:
        json.dump(result, sys.stdout, indent=2)
        print()
    else:
        print_report(result)
    return 0 if result["counted_share_of_wall"] < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
