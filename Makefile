# Every target that carries a ## comment is listed by `make help`. Recipes are one or two
# lines; what is longer is a script. Further targets are in make/, one file per subject.

BIN := $(CURDIR)/.bin

.DEFAULT_GOAL := help
.PHONY: help build test race clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(sort $(MAKEFILE_LIST))

build: ## Build the program to .bin/kycbridge
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o $(BIN)/kycbridge ./cmd/kycbridge

test: ## Run all tests; those that need a real Kafka and Redis say so and are skipped
	go test ./...

race: ## Run all tests under the race detector (needs a C compiler)
	go test -race ./...

clean: ## Remove built binaries and pinned tools
	rm -rf $(BIN)

include $(wildcard make/*.mk)
