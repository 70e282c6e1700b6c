"""What other profilers are told of scopes: names, nesting, threads, by stand-ins for their libraries or by true ones.

    test_bridge.py CASE PROGRAM [FOLDER or LIBRARY ...]
"""
import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

THREADS, ROUNDS = 3, 20
ROUND = ["push decode", "push infer", "pop", "push infer", 'push layer "1"', "pop", "pop", "pop"]


def run(program, *arguments, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FMP_", "FAKE_", "INTEL_LIBITT", "NVTX_"))}
    env.update({k: v for k, v in environment.items() if v is not None})
    done = subprocess.run([program, *arguments], env=env, stdout=subprocess.PIPE, check=True, text=True, timeout=60)
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def threads_of(log):
    """{thread: [event, ...]} and {thread: name}."""
    events, names = collections.defaultdict(list), {}
    for line in open(log):
        thread, what, name = line.rstrip("\n").split(" ", 2)
        if what == "name":
            names[thread] = name
        elif what in ("push", "pop"):
            events[thread].append("push " + name if what == "push" else "pop")
    return events, names


def check(log, names_too=True):
    events, names = threads_of(log)
    assert len(events) == THREADS + 1, f"{len(events)} threads"
    for thread, seen in events.items():
        assert seen == ROUND * ROUNDS, f"thread {thread}: {seen[:20]}"
    if names_too:
        wanted = sorted([f"worker {i}" for i in range(THREADS)] + ["main"])
        assert sorted(names[t] for t in events) == wanted, names


def nvtx(program, fake_folder, log, injection=None, library_folder=None):
    said = run(program, FMP_BRIDGE="nvtx", FAKE_NVTX_LOG=log, NVTX_INJECTION64_PATH=injection,
               LD_LIBRARY_PATH=library_folder or fake_folder)
    assert said["on"] == "1" and said["message"].startswith("nvtx: on by lib"), said
    check(log)
    return said


def case_nvtx(program, fake_folder, *_):
    with tempfile.TemporaryDirectory() as scratch:
        nvtx(program, fake_folder, scratch + "/log")
    said = run(program, FMP_BRIDGE="nvtx", LD_LIBRARY_PATH="/nowhere")
    if said["on"] == "0":  # no true library in the system's folders
        assert "neither libnvToolsExt.so.1 nor libnvtx3interop.so.1 is here" in said["message"], said


def case_true_nvtx(program, fake_folder, injection):
    """FMP_TEST_NVTX: folders with NVIDIA's libraries, by colons."""
    folders = [f for f in os.environ.get("FMP_TEST_NVTX", "").split(":") if f]
    if not folders:
        print("SKIPPED: FMP_TEST_NVTX names no folder with NVIDIA's libnvToolsExt.so.1 or libnvtx3interop.so.1")
        sys.exit(77)
    for folder in folders:
        with tempfile.TemporaryDirectory() as scratch:
            said = nvtx(program, fake_folder, scratch + "/log", injection, folder)
            print(folder, said["message"])
        run(program, FMP_BRIDGE="nvtx", LD_LIBRARY_PATH=folder)  # and no tool that listens


def case_itt(program, *_):
    with tempfile.TemporaryDirectory() as scratch:
        log = scratch + "/log"
        said = run(program, FMP_BRIDGE="itt", FAKE_ITT_LOG=log)
        assert said["on"] == "2", said
        check(log)
        handles = [line for line in open(log) if " handle " in line]
        # One for each operation, and more only where threads came to it at once.
        assert 3 <= len(handles) <= 3 * (THREADS + 1), handles
    said = run(program, FMP_BRIDGE="itt")
    assert said["on"] == "0" and "INTEL_LIBITTNOTIFY64 names none" in said["message"], said


def case_true_itt(program, *_):
    """FMP_TEST_ITT: ITT's reference collector (libittnotify_refcol.so), for a build with the option itt."""
    collector = os.environ.get("FMP_TEST_ITT")
    said = run(program, FMP_BRIDGE="itt")
    if not collector or "built without" in said["message"]:
        print("SKIPPED: FMP_TEST_ITT names no collector of ITT, or the library was built without ittnotify")
        sys.exit(77)
    assert said["on"] == "0" and "no collector" in said["message"], said
    with tempfile.TemporaryDirectory() as scratch:
        said = run(program, FMP_BRIDGE="itt", INTEL_LIBITTNOTIFY64=collector, INTEL_LIBITTNOTIFY_LOG_DIR=scratch)
        assert said["on"] == "2", said
        text = "".join(open(f).read() for f in glob.glob(scratch + "/*"))
        counts = collections.Counter(re.findall(r"__itt_task_begin.*?domain=fmprof handle=(.*)", text))
        ends = len(re.findall(r"__itt_task_end.*?domain=fmprof", text))
        rounds = (THREADS + 1) * ROUNDS
        assert counts == {"decode": rounds, "infer": 2 * rounds, 'layer "1"': rounds}, counts
        assert ends == 4 * rounds, ends
        print(f"{sum(counts.values())} tasks, {ends} ends by {os.path.basename(collector)}")


def case_both(program, fake_folder, *_):
    with tempfile.TemporaryDirectory() as scratch:
        said = run(program, FMP_BRIDGE="itt,nvtx,,signpost,frobnicate", FAKE_NVTX_LOG=scratch + "/nvtx",
                   FAKE_ITT_LOG=scratch + "/itt", LD_LIBRARY_PATH=fake_folder)
        assert said["on"] == "3" or sys.platform == "darwin", said
        assert '"frobnicate", which is none of' in said["message"], said
        check(scratch + "/nvtx")
        check(scratch + "/itt")


def case_off(program, fake_folder, *_):
    """Nothing asked for: nothing is set, so a scope costs what it costs; and a program's own bridge is respected."""
    with tempfile.TemporaryDirectory() as scratch:
        log = scratch + "/log"
        said = run(program, "own", FAKE_NVTX_LOG=log, LD_LIBRARY_PATH=fake_folder)
        assert said == {"on": "0", "message": "", "own bridge": "1", "counted": str(4 * ROUNDS)}, said
        assert not os.path.exists(log)
        said = run(program, "taken", FMP_BRIDGE="nvtx", FAKE_NVTX_LOG=log, LD_LIBRARY_PATH=fake_folder)
        assert said["on"] == "0" and "a bridge of its own" in said["message"], said
        assert said["counted"] == str(4 * ROUNDS * THREADS), said
        assert not os.path.exists(log)


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
