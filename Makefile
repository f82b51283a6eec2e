# The front door; Meson does the work. `make help` lists what there is.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MESON ?= meson
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: all help deps demo test check-long bench fuzz lint format coverage install docs clean

all: $(BUILD)/build.ninja ## build the program: build/slipway
	@ninja -C $(BUILD) -j $(JOBS)
	@ln -sf src/cmd/slipway $(BUILD)/slipway

$(BUILD)/build.ninja:
	@tools/deps --build
	$(MESON) setup $(BUILD) $(MESON_FLAGS)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*##/ { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

deps: ## install what is missing to build, test and try slipway
	@tools/deps --all

demo: ## build and run a Go service, and show figures
	@tools/deps --all
	@$(MAKE) --no-print-directory all
	@tools/demo

test: ## unit tests (with sanitizers too) and command-line tests
	@tools/deps --all
	@$(MAKE) --no-print-directory all
	@tools/run-tests

check-long: ## fuzzing, soak, failure injection and comparisons with peers
	@tools/deps --all --peers
	@$(MAKE) --no-print-directory all
	@tools/check-long

bench: ## measure against peers; results as a table and as JSON lines
	@tools/deps --all --peers
	@$(MAKE) --no-print-directory all BUILD=build-release MESON_FLAGS="--buildtype=release -Db_lto=true -Dfaults=false"
	@ninja -C build-release bench/measure bench/layer_limit
	@bench/run

fuzz: ## run every fuzzer for FUZZ_SECONDS (60) each
	@tools/deps --all
	@tools/fuzz

lint: ## clang-format, clang-tidy, cppcheck
	@tools/deps --all
	@tools/lint

format:
	@git ls-files 'src/*.[ch]' 'test/*.[ch]' 'bench/*.[ch]' | xargs clang-format -i

coverage: ## line coverage of the tests in build-coverage/coverage.txt
	@tools/deps --all
	@tools/coverage

docs: all ## docs/cmd, generated from the table of commands
	@$(BUILD)/slipway manual --markdown docs/cmd

install: all ## into DESTDIR and PREFIX: program, man pages, completions
	install -D -m 0755 $(BUILD)/src/cmd/slipway $(DESTDIR)$(PREFIX)/bin/slipway
	mkdir -p $(DESTDIR)$(PREFIX)/share/man/man1
	$(BUILD)/slipway manual $(DESTDIR)$(PREFIX)/share/man/man1
	mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(BUILD)/slipway completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/slipway
	$(BUILD)/slipway completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_slipway
	$(BUILD)/slipway completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/slipway.fish

clean:
	rm -rf build build-*/
