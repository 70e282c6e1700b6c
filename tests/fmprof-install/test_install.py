"""Installs libfmprof alone into an empty folder, and builds programs against it by pkg-config alone.

The program in C is the one that docs/profiler.md shows, taken out of that page. Skipped as a whole (exit 77) where
there is no meson, no pkg-config or, for the class Cxx, no C++ compiler.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ["FMPROF_SOURCE"])
HERE = Path(__file__).resolve().parent
CC = os.environ["FMPROF_CC"]
CXX = os.environ.get("CXX") or next((c for c in ("g++", "clang++", "c++") if shutil.which(c)), None)
STRICT = ["-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
SYSTEM_HEADERS = ("bridge.h", "system.h")  # of libfmprof-system
WATCHED = """
#include <fmprof/system.h>
#include <math.h>
#include <stdio.h>
static double busy(void)
{
    FMP_SCOPE("TEST", "busy");
    double sum = 0;
    for (int i = 0; i < 3000000; i++)
        sum += sin(i * 1e-3);
    return sum;
}
int main(void)
{
    fmp_system *system = fmp_system_start(&(fmp_system_options){.facilities = FMP_SYSTEM_CPU});
    if (isnan(busy()))
        return 1;
    fmp_system_report *report = fmp_system_stop(&system, 0);
    const int status = report ? fmp_print_system_text(stdout, report) : -1;
    fmp_system_report_free(&report);
    return status != 0;
}
"""
SYSTEM_LIBRARIES = re.compile(r"(lib(c|m|pthread|dl|gcc_s|stdc\+\+)|ld-linux[\w-]*|linux-vdso)\.so\.\d+")


def run(*words, **options):
    """The output of a command; the test fails with what it says when it does."""
    done = subprocess.run([str(w) for w in words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, words))} failed ({done.returncode}):\n{done.stdout}")
    return done.stdout


def clean_environment():
    """Without settings of the build that runs this test: a sanitizer's options, another pkg-config path."""
    drop = ("CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "DESTDIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "FMP_OFF")
    return {k: v for k, v in os.environ.items() if k not in drop and not k.startswith(("MESON", "PKG_CONFIG"))}


def program_of_the_manual():
    """The first C program of docs/profiler.md."""
    text = (SOURCE / "docs" / "profiler.md").read_text(encoding="utf-8")
    return re.search(r"^```c\n(#include.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fmprof-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.environment = {**clean_environment(), "CC": CC}
        build, cls.prefix = cls.folder / "build", cls.folder / "prefix"
        # Not the default folder of this system: what pkg-config says must be what counts.
        run("meson", "setup", build, SOURCE, "--prefix", cls.prefix, "--libdir", "lib", "--buildtype=release",
            "-Dprogram=false", "-Dtests=false", "-Dwerror=true", env=cls.environment)
        run("meson", "compile", "-C", build, env=cls.environment)
        run("meson", "install", "-C", build, "--no-rebuild", env=cls.environment)
        cls.environment["PKG_CONFIG_PATH"] = str(cls.prefix / "lib" / "pkgconfig")
        empty = cls.folder / "empty.c"
        empty.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        cls.static_libc = not subprocess.run([CC, "-static", empty, "-o", cls.folder / "empty"], capture_output=True,
                                             check=False).returncode
        cls.shared_environment = {**cls.environment, "LD_LIBRARY_PATH": str(cls.prefix / "lib")}

    def pkg_config(self, *flags):
        return run("pkg-config", *flags, "fmprof", env=self.environment).split()

    def build(self, compiler, standard, source, name, static, *flags):
        out = self.folder / name
        link = ["-static", *self.pkg_config("--libs", "--static")] if static else self.pkg_config("--libs")
        if static and not self.static_libc:
            # Where the system has no static libc the library alone is taken from its archive.
            link = ["-l:libfmprof.a" if word == "-lfmprof" else word for word in link[1:]]
        run(compiler, standard, *STRICT, *flags, *self.pkg_config("--cflags"), source, "-o", out, *link, "-lm",
            env=self.environment)
        return out

    def needed(self, binary):
        """The shared libraries that a binary names."""
        return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", binary, env={**self.environment, "LC_ALL": "C"}))

    def run_both(self, compiler, standard, source, *flags):
        """The outputs of the program linked to the shared and to the static library."""
        shared = self.build(compiler, standard, source, "shared", False, *flags)
        self.assertIn("libfmprof.so.0", self.needed(shared))
        static = self.build(compiler, standard, source, "static", True, *flags)
        self.assertEqual([], [name for name in self.needed(static) if self.static_libc or "fmprof" in name])
        yield run(shared, env=self.shared_environment)
        yield run(static, env=self.environment)


class C(Installed):
    def test_program_of_the_manual(self):
        program = program_of_the_manual()
        self.assertLessEqual(len(program.splitlines()), 20)
        source = self.folder / "manual.c"
        source.write_text(program, encoding="utf-8")
        for output in self.run_both(CC, "-std=c17", source):
            calls = dict(re.findall(r"^(\w+) +(\d+) +[\d.]+ ?[num]?s ", output, re.MULTILINE))
            self.assertEqual(("200", "100"), (calls.get("wave"), calls.get("frame")), output)
            self.assertRegex(output, r"(?m)^Category: SIGNAL$")
            self.assertRegex(output, r"(?m)^main +300 ")

    def test_switched_off_by_the_environment(self):
        source = self.folder / "off.c"
        source.write_text(program_of_the_manual(), encoding="utf-8")
        program = self.build(CC, "-std=c17", source, "off", True)
        self.assertNotIn("wave", run(program, env={**self.environment, "FMP_OFF": "1"}))
        self.assertIn("wave", run(program, env={**self.environment, "FMP_OFF": "0"}))

    def test_meson_subproject(self):
        project = self.folder / "project"
        (project / "subprojects").mkdir(parents=True)
        (project / "subprojects" / "fmprof").symlink_to(SOURCE)
        (project / "program.c").write_text(program_of_the_manual(), encoding="utf-8")
        (project / "meson.build").write_text(
            "project('user', 'c', default_options: 'c_std=c17')\n"
            "fmprof = dependency('fmprof', fallback: ['fmprof', 'fmprof_dep'])\n"
            "maths = meson.get_compiler('c').find_library('m')\n"
            "executable('program', 'program.c', dependencies: [fmprof, maths])\n", encoding="utf-8")
        environment = {k: v for k, v in self.environment.items() if k != "PKG_CONFIG_PATH"}
        run("meson", "setup", project / "build", project, "--wrap-mode=forcefallback", env=environment)
        run("meson", "compile", "-C", project / "build", "program", env=environment)
        self.assertIn("wave", run(project / "build" / "program", env=environment))

    def test_library_needs_the_c_library_alone(self):
        library = self.prefix / "lib" / "libfmprof.so"
        for name in self.needed(library):
            self.assertRegex(name, SYSTEM_LIBRARIES)
        self.assertRegex(run("readelf", "-d", library, env={**self.environment, "LC_ALL": "C"}),
                         r"\(SONAME\).*\[libfmprof\.so\.0\]")
        for word in self.pkg_config("--libs", "--static"):
            self.assertRegex(word, r"^(-L.*|-lfmprof|-lm|-pthread|-lpthread)$")

    def exported(self, library):
        lines = run("nm", "-D", "--defined-only", self.prefix / "lib" / library, env=self.environment)
        return {line.split()[-1] for line in lines.splitlines()}

    def declared(self, headers):
        names = set()
        for header in headers:
            text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
            text = re.sub(r"\{[^{}]*\}", ";", text)  # bodies of inline functions, and structs
            names |= set(re.findall(r"^(?!static|#|typedef)\w[\w ]*[ *](fmp_\w+)\(", text, re.MULTILINE))
        return names

    def test_libraries_export_what_their_headers_declare(self):
        headers = set((self.prefix / "include" / "fmprof").glob("*.h"))
        of_system = {header for header in headers if header.name in SYSTEM_HEADERS}
        self.assertEqual(len(of_system), len(SYSTEM_HEADERS))
        self.assertEqual(sorted(self.declared(headers - of_system) | {"fmp_switched_off"}),
                         sorted(self.exported("libfmprof.so")))
        self.assertEqual(sorted(self.declared(of_system)), sorted(self.exported("libfmprof-system.so")))

    def test_a_program_watches_itself(self):
        """By either kind of both libraries there is one profiler: the watch knows the program's scopes."""
        source = self.folder / "watched.c"
        source.write_text(WATCHED, encoding="utf-8")
        for static in (False, True):
            flags = run("pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "fmprof-system",
                        env=self.environment).split()
            if static:  # the two archives; whatever they need is shared
                flags = ["-l:lib%s.a" % word[2:] if word.startswith("-lfmprof") else word for word in flags]
            program = self.folder / ("watched-static" if static else "watched")
            run(CC, "-std=c17", *STRICT, source, "-o", program, *flags, "-lm", env=self.environment)
            output = run(program, env=self.shared_environment)
            self.assertRegex(output, r"(?m)^busy +1 ", output)
            self.assertRegex(output, r"(?m)^cpu +CPU time of threads +on ", output)

    def test_each_header_compiles_alone(self):
        for header in (self.prefix / "include" / "fmprof").glob("*.h"):
            source = self.folder / "header.c"
            source.write_text(f"#include <fmprof/{header.name}>\nextern int here;\nint here;\n", encoding="utf-8")
            run(CC, "-std=c17", *STRICT, *self.pkg_config("--cflags"), "-c", source, "-o", self.folder / "header.o",
                env=self.environment)


class Cxx(Installed):
    @staticmethod
    def figures(output):
        """{name: (count, total, self)} of the program's lines."""
        return {name: tuple(map(int, rest.split())) for name, rest in re.findall(r"^(\S+) ([\d ]+)$", output, re.MULTILINE)}

    def test_scopes_exceptions_and_contexts(self):
        for output in self.run_both(CXX, "-std=c++17", HERE / "scopes.cpp"):
            figures = self.figures(output)
            self.assertEqual({"TEST/outer": 10, "TEST/thrower": 5, "TEST/descend": 40, "TEST/after": 10,
                              "TEST/shared": 1, "TEST/AU_shared": 2, "TEST/measured": 1, "TEST/member": 3,
                              "TEST/worker": 2}, {k: v[0] for k, v in figures.items()}, output)
            count, total, self_time = figures["TEST/outer"]
            inner = sum(figures[f"TEST/{name}"][1] for name in ("thrower", "descend", "after"))
            self.assertLessEqual(abs(total - self_time - inner), 40 * count, output)  # clock ticks are rounded
            # Had an exception left a scope open, no later call would count as an outermost one.
            self.assertGreaterEqual(figures["TEST/descend"][1], figures["TEST/descend"][2] - 40 * 40)
            self.assertGreater(figures["TEST/after"][1], 0)

    def test_disabled_records_nothing(self):
        for output in self.run_both(CXX, "-std=c++17", HERE / "scopes.cpp", "-DFMP_DISABLE"):
            self.assertEqual({}, self.figures(output), output)
            self.assertIn("caught 5", output)

    def test_switched_off_by_the_environment(self):
        program = self.build(CXX, "-std=c++17", HERE / "scopes.cpp", "off", True)
        output = run(program, env={**self.environment, "FMP_OFF": "1"})
        self.assertEqual({}, self.figures(output))
        self.assertIn("caught 5, lost 0", output)

    def test_disabled_compiles_to_nothing(self):
        for language, compiler, standard, header in (("c", CC, "-std=c17", "fmprof.h"), ("cpp", CXX, "-std=c++17", "fmprof.hpp")):
            source, out = self.folder / f"empty.{language}", self.folder / "empty.o"
            source.write_text(f"#include <fmprof/{header}>\nint empty(void);\nint empty(void)\n{{\n"
                              '    FMP_CONTEXT("AU_");\n    FMP_SCOPE("TEST", "empty");\n'
                              '    FMP_SCOPE_MEASURING("TEST", "measured", FMP_MEASURE_CPU);\n    return 1;\n}\n',
                              encoding="utf-8")
            run(compiler, standard, *STRICT, "-DFMP_DISABLE", *self.pkg_config("--cflags"), "-c", source, "-o", out,
                env=self.environment)
            self.assertNotIn("fmp_", run("nm", out, env=self.environment))

    def test_each_header_compiles_alone(self):
        for header in (self.prefix / "include" / "fmprof").iterdir():
            source = self.folder / "header.cpp"
            source.write_text(f"#include <fmprof/{header.name}>\n", encoding="utf-8")
            run(CXX, "-std=c++11", *STRICT, *self.pkg_config("--cflags"), "-c", source, "-o", self.folder / "header.o",
                env=self.environment)


def missing():
    tools = [tool for tool in ("meson", "pkg-config", "readelf", "nm") if not shutil.which(tool)]
    if "Cxx" in sys.argv and not CXX:
        tools.append("a C++ compiler (Debian: g++)")
    return tools


if __name__ == "__main__":
    if missing():
        print(f"skipped: there is no {' and no '.join(missing())}")
        sys.exit(77)
    unittest.main(verbosity=2)
