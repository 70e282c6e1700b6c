"""The same program under the interposer and under heaptrack: what they count differs by less than 1 %."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77


def under_interposer(program, library):
    done = subprocess.run([program], env=dict(os.environ, LD_PRELOAD=library), check=True, capture_output=True,
                          text=True, timeout=60)
    count, total, peak, leaked = (int(word) for word in done.stdout.split())
    return {"count": count, "bytes": total, "peak": peak, "leaked": leaked}


def amount(text):
    number, unit = re.match(r"([\d.]+)([KMG]?)", text).groups()
    return float(number) * {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[unit]


def under_heaptrack(program, folder):
    subprocess.run(["heaptrack", "-o", f"{folder}/data", program], check=True, capture_output=True, timeout=60)
    (data,) = glob.glob(f"{folder}/data*")
    sizes = f"{folder}/sizes"
    said = subprocess.run(["heaptrack_print", "-f", data, "-p", "0", "-a", "0", "-T", "0", "-l", "0", "-H", sizes],
                          check=True, capture_output=True, text=True, timeout=60).stdout
    # The text has three digits of its totals; the histogram has all: "size<tab>how often".
    with open(sizes, encoding="ascii") as file:
        rows = [tuple(int(word) for word in line.split()) for line in file]
    return {
        "count": int(re.search(r"calls to allocation functions: (\d+)", said).group(1)),
        "bytes": sum(size * often for size, often in rows),
        "peak": amount(re.search(r"peak heap memory consumption: (\S+)", said).group(1)),
        "leaked": amount(re.search(r"total memory leaked: (\S+)", said).group(1)),
    }


def main():
    program, library = sys.argv[1:]
    if not library:
        print("skipped: built with a sanitizer, which has an allocator of its own")
        return SKIPPED
    if not shutil.which("heaptrack") or not shutil.which("heaptrack_print"):
        print("skipped: heaptrack is not installed")
        return SKIPPED
    ours = under_interposer(program, library)
    with tempfile.TemporaryDirectory() as folder:
        theirs = under_heaptrack(program, folder)
    wrong = 0
    for what in ("count", "bytes", "leaked", "peak"):
        off = abs(ours[what] - theirs[what]) / theirs[what]
        print(f"{what:8} {ours[what]:14.0f} heaptrack {theirs[what]:14.0f}  off by {100 * off:.4f} %")
        wrong += off > 0.01
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
