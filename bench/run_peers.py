#!/usr/bin/env python3
"""What an empty scope costs with libfmprof and with other instrumentation
libraries, side by side in one process.

Each library is a shared object that bench/peers/main.c loads; those whose
library is not installed are skipped, with a line that says so:

  LTTng-UST        Debian: liblttng-ust-dev lttng-tools (a session is made and taken down again)
  sysprof-capture  Debian: libsysprof-4-dev
  uftrace          Debian: uftrace (in a run of its own, under `uftrace record`)
  Tracy            crate tracy-client-sys, Perfetto SDK: crate perfetto-sdk-sys; both hold the
                   C++ sources, which `cargo vendor` fetches with --fetch (Debian: cargo g++)

Rounds are interleaved, and ratios are taken within a round, against a reading
of the clock that libfmprof uses. The whole is repeated in several processes,
since such figures differ between processes by nanoseconds; shown are the
median process and the slowest. Needs a C compiler, pkg-config and meson.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
CRATES = {"tracy": ("tracy-client-sys", "0.30.1"), "perfetto": ("perfetto-sdk-sys", "1.4.0")}
TRACY_FLAGS = ["-DTRACY_ENABLE", "-DTRACY_NO_SYSTEM_TRACING", "-DTRACY_NO_SAMPLING", "-DTRACY_NO_CONTEXT_SWITCH",
               "-DTRACY_NO_CODE_TRANSFER", "-DTRACY_NO_BROADCAST", "-DTRACY_NO_CRASH_HANDLER",
               "-DTRACY_ONLY_LOCALHOST"]


class Skip(Exception):
    """A peer that cannot be measured here, and why."""


def command(*arguments, **options):
    """The output of a command; what it says, as an error, when it fails."""
    words = [str(a) for a in arguments]
    try:
        done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              **options)
    except OSError as error:
        raise RuntimeError(f"{words[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed ({done.returncode}): {done.stdout.strip()[-2000:]}")
    return done.stdout


def need(tool, package):
    if not shutil.which(tool):
        raise Skip(f"there is no {tool} (Debian: {package})")


def pkg_config(name, package, *flags):
    if subprocess.run(["pkg-config", "--exists", name], check=False).returncode:
        raise Skip(f"{name} is not installed (Debian: {package})")
    return command("pkg-config", *flags, name).split()


class Builder:
    """Compiles main.c and the peers into a folder."""

    def __init__(self, args):
        self.cc, self.cxx, self.work, self.args = args.cc, args.cxx, args.work, args
        self.flags = ["-O2", "-fPIC", "-fvisibility=hidden", "-pthread", f"-I{PEERS}"]
        self.c_flags = ["-std=gnu17", *self.flags]

    def main(self):
        program = self.work / "peers"
        command(self.cc, *self.c_flags, PEERS / "main.c", "-o", program, "-ldl")
        return program

    def peer(self, name, *extra, source=None, flags=None):
        out = self.work / f"{name}.so"
        out.unlink(missing_ok=True)
        command(self.cc, *(flags or self.c_flags), "-shared", PEERS / f"{source or name}.c", "-o", out, *extra)
        return out

    def fmprof(self):
        build = self.work / "fmprof"
        if not (build / "build.ninja").exists():
            command("meson", "setup", build, ROOT, "-Dprogram=false", "-Dtests=false", "--buildtype=release",
                    "-Db_ndebug=if-release", env={**os.environ, "CC": self.cc})
        command("meson", "compile", "-C", build)
        return self.peer("peer_fmprof", f"-I{ROOT / 'include'}", f"-I{ROOT / 'src'}",
                         build / "src/libfmprof/libfmprof.a", "-lm")

    def lttng(self):
        flags = pkg_config("lttng-ust", "liblttng-ust-dev", "--cflags", "--libs")
        need("lttng", "lttng-tools")
        return self.peer("peer_lttng", *flags, "-ldl")

    def sysprof(self):
        return self.peer("peer_sysprof", *pkg_config("sysprof-capture-4", "libsysprof-4-dev", "--cflags", "--libs"))

    def uftrace(self):
        need("uftrace", "uftrace")
        return self.peer("peer_uftrace", "-pg")

    def crate(self, name):
        crate, version = CRATES[name]
        folder = self.work / "crates" / "vendor" / crate
        if folder.is_dir():
            return folder
        if not self.args.fetch:
            raise Skip(f"crate {crate} is not there (--fetch gets it)")
        need("cargo", "cargo")
        project = self.work / "crates"
        project.mkdir(exist_ok=True)
        if not (project / "Cargo.toml").exists():
            command("cargo", "init", "--quiet", "--name", "peers", cwd=project)
        command("cargo", "add", "--quiet", f"{crate}@={version}", cwd=project)
        command("cargo", "vendor", "--quiet", "vendor", cwd=project)
        return folder

    def cxx_object(self, name, source, *flags):
        """Kept between runs: these take minutes."""
        if not shutil.which(self.cxx):
            raise Skip(f"there is no {self.cxx} (Debian: g++)")
        out = self.work / f"{name}.o"
        if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
            print(f"compiling {source.name} for {name} ...", file=sys.stderr)
            partial = out.with_suffix(".partial.o")
            command(self.cxx, "-std=c++17", "-DNDEBUG", "-w", *self.flags, *flags, "-c", source, "-o", partial)
            partial.rename(out)
        return out

    def tracy(self, on_demand):
        source = self.crate("tracy") / "tracy"
        name, what, flags = "peer_tracy", "Tracy, zone, recorded (no server: kept in memory)", TRACY_FLAGS
        if on_demand:
            name, what, flags = "peer_tracy_off", "Tracy, zone, on demand, no server", [*TRACY_FLAGS, "-DTRACY_ON_DEMAND"]
        client = self.cxx_object(f"{name}_client", source / "TracyClient.cpp", *flags)
        return self.peer(name, f'-DPEER_NAME="{what}"', *flags, f"-I{source}", client, "-lstdc++", "-ldl", "-lm",
                         source="peer_tracy")

    def perfetto(self):
        source = self.crate("perfetto") / "libperfetto_c"
        sdk = self.cxx_object("peer_perfetto_sdk", source / "perfetto_c.cc", f"-I{source}")
        return self.peer("peer_perfetto", f"-I{source}", sdk, "-lstdc++", "-lm")


@contextlib.contextmanager
def lttng_session(work):
    """A recording session for peers:on_*, in overwrite mode as a flight recorder has it; its daemon too, if none runs."""
    daemon = None
    name = f"fmprof-peers-{os.getpid()}"
    if subprocess.run(["lttng", "list"], capture_output=True, check=False).returncode:
        with open(work / "lttng-sessiond.log", "wb") as log:
            # pylint: disable-next=consider-using-with # it outlives this block, and is ended below
            daemon = subprocess.Popen(["lttng-sessiond"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        for _ in range(100):
            if not subprocess.run(["lttng", "list"], capture_output=True, check=False).returncode:
                break
            time.sleep(0.1)
        command("lttng", "create", name, "--snapshot", f"--output={work / 'lttng'}")
        try:
            command("lttng", "enable-channel", "-s", name, "--userspace", "--overwrite", "--subbuf-size=1M",
                    "--num-subbuf=4", "peers")
            command("lttng", "enable-event", "-s", name, "--userspace", "-c", "peers", "peers:on_*")
            command("lttng", "start", name)
            yield
        finally:
            command("lttng", "destroy", name)
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait()


def parse(output):
    """The lines of bench/peers/main.c."""
    cases, skipped = [], []
    for line in output.splitlines():
        fields = line.split("\t")
        if fields[0] == "case":
            cases.append({"name": fields[1], "median_ns": float(fields[2]), "quartile_ns": float(fields[3]),
                          "ratio_to_clock": float(fields[4])})
        elif fields[0] == "skip":
            skipped.append({"peer": Path(fields[1]).stem, "reason": fields[2]})
    return cases, skipped


def run(args, program, peers, prefix=()):
    """Each case's figures in the median process, and its time in the slowest."""
    environment = {**os.environ, "LTTNG_UST_REGISTER_TIMEOUT": "5000", "FMP_OFF": "0"}
    processes, skipped = [], []
    for _ in range(args.processes):
        cases, skipped = parse(command(*prefix, program, args.work, args.rounds, args.batch, *peers, env=environment))
        processes.append({case["name"]: case for case in cases})
    table = []
    for name in processes[0]:
        seen = [p[name] for p in processes if name in p]
        table.append({"name": name, **{key: statistics.median(c[key] for c in seen) for key in seen[0] if key != "name"},
                      "slowest_ns": max(c["median_ns"] for c in seen)})
    return table, skipped


def measure(args):
    builder = Builder(args)
    program, fmprof = builder.main(), builder.fmprof()
    peers, skipped, uftrace = [fmprof], [], None
    builds = {"LTTng-UST": builder.lttng, "sysprof-capture": builder.sysprof,
              "Tracy": lambda: builder.tracy(False), "Tracy on demand": lambda: builder.tracy(True),
              "Perfetto SDK": builder.perfetto}
    for name, build in builds.items():
        try:
            peers.append(build())
        except (Skip, RuntimeError) as problem:
            skipped.append({"peer": name, "reason": str(problem)})
    try:
        uftrace = builder.uftrace()
    except (Skip, RuntimeError) as problem:
        skipped.append({"peer": "uftrace", "reason": str(problem)})

    with contextlib.ExitStack() as stack:
        if any(p.stem == "peer_lttng" for p in peers):
            try:
                stack.enter_context(lttng_session(args.work))
            except RuntimeError as problem:
                skipped.append({"peer": "LTTng-UST", "reason": str(problem)})
                peers = [p for p in peers if p.stem != "peer_lttng"]
        cases, more = run(args, program, peers)
    result = {"processes": args.processes, "rounds": args.rounds, "batch": args.batch, "cores": os.cpu_count(), "machine": platform.machine(),
              "cases": cases, "skipped": skipped + more, "under_uftrace": []}
    if uftrace:
        record = ["uftrace", "record", "--force", "--no-libcall", "--no-event", "--no-pager", "-d", args.work / "uftrace.data"]
        try:
            result["under_uftrace"], more = run(args, program, [fmprof, uftrace], record)
            result["skipped"] += more
        except RuntimeError as problem:
            result["skipped"].append({"peer": "uftrace", "reason": str(problem)})
    return result


def print_table(title, cases):
    print(f"\n{title}\n{'':58}{'median':>9}{'x clock':>9}{'slowest process':>17}")
    for case in cases:
        print(f"{case['name']:58}{case['median_ns']:9.2f}{case['ratio_to_clock']:9.2f}{case['slowest_ns']:17.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=101, help="in each process")
    parser.add_argument("--batch", type=int, default=1000, help="scopes a batch")
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"))
    parser.add_argument("--cxx", default=os.environ.get("CXX", "c++"))
    parser.add_argument("--fetch", action="store_true", help="fetch the crates and compile them (minutes, once)")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / f"fmprof-peers-{os.getuid()}",
                        help="folder for builds, kept (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        result = measure(args)
    except RuntimeError as problem:
        print(f"run_peers.py: {problem}", file=sys.stderr)
        return 1
    if args.json:
        json.dump(result, sys.stdout, indent=2)
        print()
        return 0
    print(f"{args.processes} processes, {args.rounds} interleaved rounds of {args.batch} empty scopes, {result['cores']} cores, "
          f"{result['machine']}; nanoseconds for one scope")
    print_table("In one process", result["cases"])
    if result["under_uftrace"]:
        print_table("In one process under uftrace record", result["under_uftrace"])
    for skip in result["skipped"]:
        print(f"\nskipped: {skip['peer']}: {skip['reason']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
