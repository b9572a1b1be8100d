# The short way in: installs what is missing, then lets CMake do the work
# (CMakeLists.txt, CMakePresets.json).
#
#   make            build the release                 (build/release)
#   make run        start hoist, the chat page and workers (Ctrl-C stops them)
#   make test       all tests, as continuous integration runs them
#   make test-compose  docker-compose.yml in all its forms, with a Docker Engine
#   make bench      the benchmarks, with bare servers beside hoist; PARTS: some
#                   of them (echo,trips)
#   make bench-check  do the benchmarks' operations take as many instructions
#                   as they did?
#   make soak       MINUTES of real processes under random faults; a report
#   make simulate   SEEDS (FIRST:LAST, or one with its trace) of the simulation
#   make fuzz       every fuzz target for FUZZ_SECONDS, one after the other
#   make install    into PREFIX (and DESTDIR)
#   make reference  the reference of libhoist, from its headers (build/reference)
#   make format     rewrite the sources in the house format
#   make clean      remove build/
#   make help       this

BUILD := build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= $(or $(SECONDS),60)
MINUTES ?= 20
SEEDS ?= 1:20000

.PHONY: all help run test test-compose bench bench-check soak simulate fuzz install reference format clean
.DELETE_ON_ERROR:

all: $(BUILD)/release/build.ninja
	@cmake --build $(BUILD)/release -j $(JOBS)

# Only when there is no build yet: a second `make` starts at once.  Tests are
# left out until `make test` asks for them and for what they need.
$(BUILD)/release/build.ninja:
	@scripts/install-deps.sh build
	@cmake --preset release -DBUILD_TESTING=OFF >/dev/null

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

run: all
	@scripts/run.sh $(BUILD)/release

test:
	@scripts/install-deps.sh build test
	@scripts/npm-ci.sh
	@scripts/pip-venv.sh
	@scripts/test.sh $(JOBS)

test-compose:
	@scripts/install-deps.sh compose
	@/usr/bin/python3 tests/compose/test_compose.py --all

# What is installed for it is looked for, and built with.
bench: $(BUILD)/release/build.ninja
	@scripts/install-deps.sh bench
	@cmake $(BUILD)/release >/dev/null
	@cmake --build $(BUILD)/release -j $(JOBS)
	@/usr/bin/python3 bench/run.py $(BUILD)/release $(if $(PARTS),--parts $(PARTS))

bench-check: all
	@scripts/install-deps.sh test
	@/usr/bin/python3 bench/check.py $(BUILD)/release

soak: all
	@scripts/install-deps.sh test
	@/usr/bin/python3 tests/soak/soak.py --build $(BUILD)/release \
	    --out $(BUILD)/soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

simulate:
	@scripts/install-deps.sh build test
	@cmake --preset release -DBUILD_TESTING=ON >/dev/null
	@cmake --build $(BUILD)/release -j $(JOBS) --target simulate
	@$(BUILD)/release/tests/simulation/simulate \
	    $(if $(findstring :,$(SEEDS)),--seeds $(SEEDS),--seed $(SEEDS) --trace)

fuzz:
	@scripts/install-deps.sh build test
	@scripts/fuzz.sh $(FUZZ_SECONDS) $(JOBS)

# Without CMake's list of what it installed: after `sudo make install` that
# would be root's, and fail the next one that is not.
install: all
	@cmake --install $(BUILD)/release --prefix $(PREFIX)
	@rm -f $(BUILD)/release/install_manifest*.txt
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || /sbin/ldconfig

reference:
	@scripts/install-deps.sh docs
	@mkdir -p $(BUILD)
	@doxygen docs/reference/Doxyfile
	@echo "$(BUILD)/reference/html/index.html"

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

clean:
	@rm -rf $(BUILD)
