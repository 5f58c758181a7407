# What checks lineage. `make check` is all of it; the other targets are its
# parts. The tests alone, as any user and with no set-up: go test ./...

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := check

# lineage is built without cgo. Only the race detector needs it (and gcc).
export CGO_ENABLED := 0

# What a test may not skip, by feature (see CONTRIBUTING.md): all of it as root;
# as an ordinary user what the kernel gives to anyone.
LINEAGE_MUST_RUN      ?= all
LINEAGE_MUST_RUN_USER ?= pidfd-info,pidfs

# The ordinary user that root runs the tests as.
TEST_USER ?= nobody

# How long `make fuzz` spends on each target.
FUZZTIME ?= 30s

# The product, and modules of their own: the side-by-side measurements, what makes
# packages, and what stands in for others in tests.
MODULES := . bench packaging tools/chdb tools/otelcol
TOOL     = go tool -modfile=$(CURDIR)/tools/go.mod

# amd64 is what everything else runs on. arm64 is the other one supported;
# 386 finds what only holds for 64-bit words.
CROSS := arm64 386

.PHONY: check generate page test-page fmt mod vet lint cross test-bench test-root test-user test-kernels fuzz packages bench clean

# The tests come last, so that the last lines are theirs.
check: generate page fmt mod vet lint cross test-bench test-page test-root test-user
	@if (( $$(id -u) != 0 )); then \
		echo 'make check: not root: test-root was left out. Everything: sudo env "PATH=$$PATH" make check'; \
	fi

# The committed BPF objects are what clang 14 of Debian 12 makes of the source:
# another version makes others.
generate:
	@if clang --version 2>/dev/null | grep -q 'version 14\.'; then \
		echo 'go generate ./source/bpf'; \
		committed=$$(sha256sum source/bpf/objects_*); \
		go generate ./source/bpf; \
		if [[ $$committed != $$(sha256sum source/bpf/objects_*) ]]; then \
			echo 'source/bpf/objects_*: not what the source makes: commit them as they are now' >&2; exit 1; \
		fi; \
	elif [[ $${CI:-} == true ]]; then \
		echo 'make generate: CI must have clang 14' >&2; exit 1; \
	else \
		echo 'make generate: no clang 14, so left out: whether the BPF objects are as the source makes them'; \
	fi

# The committed page is what Vite makes of web/src, and its tests, in Chromium
# against a daemon of their own. Both need `npm ci --ignore-scripts --prefix web`.
page:
	@if [[ -d web/node_modules ]]; then \
		echo 'npm run build (web)'; \
		committed=$$(find web/dist -type f | LC_ALL=C sort | xargs sha256sum); \
		npm run --silent --prefix web build >/dev/null; \
		if [[ $$committed != $$(find web/dist -type f | LC_ALL=C sort | xargs sha256sum) ]]; then \
			echo 'web/dist: not what the source makes: commit it as it is now' >&2; exit 1; \
		fi; \
	elif [[ $${CI:-} == true ]]; then \
		echo 'make page: CI must have web/node_modules' >&2; exit 1; \
	else \
		echo 'make page: no web/node_modules, so left out: whether the page is as the source makes it'; \
	fi

test-page:
	@if [[ -d web/node_modules ]]; then \
		echo 'npm test (web)'; npm test --silent --prefix web; \
	elif [[ $${CI:-} == true ]]; then \
		echo 'make test-page: CI must have web/node_modules' >&2; exit 1; \
	else \
		echo 'make test-page: no web/node_modules, so left out: the tests of the page'; \
	fi

fmt:
	@unformatted=$$(gofmt -s -l .); \
	if [[ -n $$unformatted ]]; then \
		printf 'not formatted (gofmt -s -w):\n%s\n' "$$unformatted" >&2; exit 1; \
	fi

mod:
	for m in $(MODULES) tools; do go -C $$m mod tidy -diff; done
	for m in $(MODULES); do go -C $$m mod verify; done

vet:
	for m in $(MODULES); do go -C $$m vet ./...; done

# staticcheck has all of its own checks but the wish for a name without
# underscores (ST1003): kernel names keep their kernel spelling.
lint:
	@failed=0; \
	for m in $(MODULES); do \
		echo "$$m: staticcheck, golangci-lint"; \
		(cd $$m && $(TOOL) staticcheck -checks all,-ST1003 ./...) || failed=1; \
		(cd $$m && $(TOOL) golangci-lint run --allow-serial-runners ./...) || failed=1; \
	done; \
	exit $$failed

cross:
	for arch in $(CROSS); do \
		GOARCH=$$arch go build -o /dev/null ./...; \
		GOARCH=$$arch go vet ./...; \
	done

test-bench:
	for m in $(filter-out .,$(MODULES)); do \
		go -C $$m build -o /dev/null ./...; \
		(cd $$m && LINEAGE_MUST_RUN=$$( (( $$(id -u) == 0 )) && echo '$(LINEAGE_MUST_RUN)') go test -count=1 -timeout=30m ./...); \
	done

test-root:
	@if (( $$(id -u) == 0 )); then \
		echo 'tools/test -race (as root)'; \
		CGO_ENABLED=1 LINEAGE_MUST_RUN='$(LINEAGE_MUST_RUN)' tools/test -race; \
	elif [[ $${CI:-} == true ]]; then \
		echo 'make test-root: CI must run as root' >&2; exit 1; \
	else \
		echo 'make test-root: not root, so left out: the tests of what only root sees'; \
	fi

test-user:
	@if (( $$(id -u) == 0 )); then \
		echo 'tools/test (as $(TEST_USER))'; \
		LINEAGE_MUST_RUN='$(LINEAGE_MUST_RUN_USER)' tools/as-user '$(TEST_USER)' tools/test; \
	else \
		LINEAGE_MUST_RUN='$(LINEAGE_MUST_RUN_USER)' tools/test; \
	fi

# The sources' tests on Debian's 6.1 and 6.12 kernels, in qemu: see its head.
test-kernels:
	tools/kernels/run

# Every fuzz target for FUZZTIME. go test runs their seeds and what they once
# found in any case.
fuzz:
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime '$(FUZZTIME)' $$pkg; \
		done; \
	done

# The archives and packages of a release, in dist.
packages:
	go run github.com/goreleaser/goreleaser/v2@v2.12.7 release --snapshot --clean

# The table of lineage beside its peers. As root, for all its rows.
bench:
	cd bench && go run .

clean:
	rm -rf bin dist lineage bench/bench
