# Front door of the project. The work is done by meson and by the scripts in tools/.
#
# On a fresh Debian only make, git and the network are needed: each target gets what is missing.

export BUILD ?= build
export OUT ?= out/demo

.DEFAULT_GOAL := help
.PHONY: help setup build demo check test strict clang sanitize install clean distclean

help:
	@echo 'make demo       set up, build, and run facemirror on a demo clip (results in $(OUT))'
	@echo 'make check      everything below that checks: tests, clang, sanitizers'
	@echo 'make setup      Debian packages, ONNX Runtime, models, build (same as make build)'
	@echo 'make test       the test suite on the gcc build (make strict: the same)'
	@echo 'make clang      build with clang, every warning an error'
	@echo 'make sanitize   the test suite under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make install    install into PREFIX (default /usr/local)'
	@echo 'make clean      remove builds and demo results'
	@echo 'make distclean  remove the downloads too'
	@echo 'Settings: BUILD=folder OUT=folder PREFIX=folder DESTDIR=folder CC=compiler FACEMIRROR_SHARED=folder'

setup build:
	@./tools/setup.sh

demo:
	@./tools/demo.sh

check:
	@./tools/check.sh

test strict:
	@./tools/check.sh tests

clang sanitize:
	@./tools/check.sh $@

install:
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' ./tools/install.sh

clean:
	rm -rf build build-strict build-clang build-sanitize build-install out

distclean: clean
	rm -rf deps
