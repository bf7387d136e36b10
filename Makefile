# Shortcuts; each is a documented go command. `make ci` is what must hold.

FUZZTIME ?= 10m
SEEDS    ?= 10000
KILLS    ?= 300

.PHONY: ci test bench fuzz soak

ci:
	bash .ci/run

test:
	go test ./...

# The library beside its peers, as ratios of one run.
bench:
	cd internal/bench && go run .

# Every fuzz target for FUZZTIME each, one after the other.
fuzz:
	@for pkg in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$f"; \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

# Simulations over many seeds, with the race detector, and a store's process
# killed again and again.
soak:
	MALLOC_SEEDS=$(SEEDS) go test -race -timeout 24h ./...
	cd lease/boltstore && MALLOC_KILLS=$(KILLS) go test -run TestKill -timeout 24h .
