# Everything that one types: `make demo`, `make test`, `make build`, `make install PREFIX=…`.
PREFIX ?= /usr/local
DEMO ?= demo.db
# A static Swift runtime: the binary runs on machines without Swift, and in the rig. Stripped, and told which commit it is.
SWIFT_RELEASE = swift build -c release --static-swift-stdlib -Xlinker -s -Xlinker --no-export-dynamic
SWIFT_RELEASE += -Xlinker $(shell scripts/commit-object)

.PHONY: demo test test-more test-fleet validate-migration build extension install setup lint format matrix bench limits kills fuzz wheel deb tarball arm64 clean

demo: build
	@scripts/demo $(DEMO)

test: build
	@scripts/test

# Kills, power cuts, fuzzing, sanitizers, packages elsewhere, other kernels, Linux guests, QEMU: hours.
test-more: build
	@scripts/test-more

# Many recordings, on DuckDB and on a Spark cluster on loopback: ten minutes, and 500 MB of packages.
test-fleet: build
	@scripts/test-fleet

# QEMU guests, attached, predicted and really migrated in the rig: 25 minutes (docs/validation.md).
validate-migration: build
	@scripts/validate-migration

build: setup
	@$(SWIFT_RELEASE) --product dirtyrec

# The virtual table for other SQLite programs, without a need for Swift at run time: other flags, so a build of its own.
extension: setup
	@swift build -c release --scratch-path .build/extension -Xswiftc -static-stdlib -Xlinker -s --product dirtyrec_sqlite

install: build extension
	install -D -m 755 .build/release/dirtyrec $(DESTDIR)$(PREFIX)/bin/dirtyrec
	install -D -m 644 .build/extension/release/libdirtyrec_sqlite.so $(DESTDIR)$(PREFIX)/lib/libdirtyrec_sqlite.so
	install -d $(DESTDIR)$(PREFIX)/share/dirtyrec
	cp -R schemas/views schemas/queries schemas/fleet schemas/charts samples $(DESTDIR)$(PREFIX)/share/dirtyrec/
	@scripts/make-man .build/release/dirtyrec $(DESTDIR)$(PREFIX)/share/man/man1
	@scripts/make-completions .build/release/dirtyrec $(DESTDIR)$(PREFIX)/share site-functions
	-@scripts/vega $(DESTDIR)$(PREFIX)/share/dirtyrec

setup:
	@scripts/setup

lint:
	@swift format lint --strict --recursive Sources Tests Package.swift schemas

format:
	@swift format --in-place --recursive Sources Tests Package.swift schemas

matrix: build
	@scripts/matrix

# Ratios to C, SQLite and DuckDB, kept in docs/performance.md.
bench: build
	@$(SWIFT_RELEASE) --product dirtyrec-bench
	@scripts/bench

# What 256 vCPUs, 2^40 bytes, a million iterations and ten million entries at once take.
limits: build
	@$(SWIFT_RELEASE) --product dirtyrec-bench
	@scripts/bench limits

kills: build
	@scripts/test-kills

fuzz: build
	@scripts/fuzz

# The Python package (python/README.md), without a compiler.
wheel:
	@mkdir -p .build/wheel
	@scripts/make-wheel .build/wheel

# Packages for machines without Swift (docs/install.md), into .build/packages.
deb tarball: build extension
	@mkdir -p .build/packages
	@scripts/make-package $@ .build/packages

# The program for arm64, cross-compiled (docs/arm64.md): needs root.
arm64:
	@scripts/make-arm64

clean:
	rm -rf .build
