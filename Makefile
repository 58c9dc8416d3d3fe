# Everything that one types: `make demo`, `make test`, `make build`, `make install PREFIX=…`.
PREFIX ?= /usr/local
DEMO ?= demo.db
# A static Swift runtime: the binary runs on machines without Swift, and in the rig. Stripped: 60 MB instead of 90.
SWIFT_RELEASE = swift build -c release --static-swift-stdlib -Xlinker -s

.PHONY: demo test test-more build install setup lint format matrix bench kills fuzz clean

demo: build
	@scripts/demo $(DEMO)

test: build
	@scripts/test

# Kills, fuzzing, Linux guests, QEMU: half an hour.
test-more: build
	@scripts/test-more

build: setup
	@$(SWIFT_RELEASE) --product dirtyrec

install: build
	install -D -m 755 .build/release/dirtyrec $(DESTDIR)$(PREFIX)/bin/dirtyrec
	install -d $(DESTDIR)$(PREFIX)/share/dirtyrec
	cp -R schemas/views schemas/queries schemas/charts samples $(DESTDIR)$(PREFIX)/share/dirtyrec/
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

kills: build
	@scripts/test-kills

fuzz: build
	@scripts/fuzz

clean:
	rm -rf .build
