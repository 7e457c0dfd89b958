# A thin front for Meson: what people type. `make help` lists it.
BUILD ?= build
MESON_FLAGS ?=
SUITE ?=
NAME ?=
EXAMPLE ?=
JOBS ?= $(shell nproc)

.PHONY: all setup run test mutants coverage check bench release install clean help
.DEFAULT_GOAL := all

all: $(BUILD)/build.ninja ## build the library, berth, the examples and the benchmarks
	@ninja -C $(BUILD) -j$(JOBS)

$(BUILD)/build.ninja: | setup
	@meson setup $(BUILD) $(MESON_FLAGS)

setup: ## install what is missing (apt as root or by sudo -n, else says what to type)
	@scripts/setup.sh build

run: all ## play the figures with real telnet, FTP and HTTP programs on virtual computers [EXAMPLE=figures|day|etcd|redis]
	@scripts/example.sh $(BUILD) $(EXAMPLE)

test: ## run the tests [SUITE=unit|conformance|install|run|exact|figures|interop|fuzz|network|programs|crowd|counts|kernel61]
	@scripts/setup.sh build run test $(filter network programs kernel61,$(SUITE))
	@scripts/test.sh $(BUILD) '$(SUITE)' $(NAME)

mutants: all ## make the cited statements wrong, one at a time: do their tests turn red? [NAME=sample|ID, SEED=...]
	@python3 -B test/conformance/mutants.py $(BUILD) $(NAME)

coverage: ## what of engine/ the unit tests execute, lines and branches, in all and of each file
	@scripts/setup.sh build coverage
	@scripts/coverage.sh $(BUILD)-coverage

check: all ## layers, file sizes, globals, links, format, shellcheck, cppcheck, clang-tidy
	@scripts/setup.sh build check
	@scripts/check.sh $(BUILD)

bench: ## measure beside the peers [NAME=ports|memory|ways|programs|goodput|network]
	@scripts/setup.sh build run bench
	@scripts/bench.sh $(BUILD)-release $(NAME)

release: ## the optimized build that the benchmarks measure, in $(BUILD)-release (`make install BUILD=build-release` installs it)
	@scripts/setup.sh build run
	@scripts/release.sh $(BUILD)-release

install: all ## install berth, libberth, its headers and its pkg-config file [DESTDIR=...] (`ninja -C build uninstall` undoes it)
	@meson install -C $(BUILD) $(if $(DESTDIR),--destdir $(DESTDIR))

clean: ## remove what was built
	@rm -rf $(BUILD) $(BUILD)-*

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
