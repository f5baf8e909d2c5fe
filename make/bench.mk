# What our own work costs. Figures depend on the machine and on what else it does: compare two
# versions on the same one, several runs each.

.PHONY: bench-micro

BENCH_PACKAGES = ./providers/catalog ./schemas ./ingest ./normalize/dedupe ./sink ./cmd/kycbridge

bench-micro: ## Micro-benchmarks of the hot paths; BENCH=Validate BENCHTIME=1s for some of them, longer
	go test -run '^$$' -bench '$(or $(BENCH),.)' -benchtime $(or $(BENCHTIME),100ms) $(BENCH_PACKAGES)
