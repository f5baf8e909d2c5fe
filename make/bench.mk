# Speed. Figures depend on the machine and on what else it does: compare two versions on the same
# one, several runs each. bench/main.go says what `make bench` measures.

.PHONY: bench bench-micro attacks

bench: services ## Speed beside a floor that does only what is necessary; BENCH='--rounds 9 ingest' for a part
	go run ./bench --kafka 127.0.0.1:$(KAFKA_PORT) --redis 127.0.0.1:$(REDIS_PORT) \
	  $(or $(BENCH),--rounds 3 --records 50000 --backlog 100000 --claims 200000)

BENCH_PACKAGES = ./providers/catalog ./internal/contract ./ingest ./normalize/dedupe ./sink ./internal/serve

bench-micro: ## Micro-benchmarks of the hot paths; BENCH=Validate BENCHTIME=1s for some of them, longer
	go test -run '^$$' -bench '$(or $(BENCH),.)' -benchtime $(or $(BENCHTIME),100ms) $(BENCH_PACKAGES)

attacks: ## Signed webhooks while ingest is attacked; ATTACK='slow-.*' for some, ATTACKS_TABLE=docs/faults.md to write down what came of it
	go run ./bench $(if $(ATTACK),--attack '$(ATTACK)') $(if $(ATTACKS_TABLE),--attacks-table $(ATTACKS_TABLE)) $(ATTACKS) attacks
