# The simulation: production code, virtual time, seeded faults. e2e/simulate/doc.go says how.

SIMULATE := go test -tags synctests -count=1 -v -timeout 0 -run '^TestSeeds$$' ./e2e/simulate

.PHONY: simulate

simulate: ## Simulate: SEEDS=N new seeds, SECONDS=N as many as fit, or SEED=N that one again
	KYCBRIDGE_TEST_SIM_SEED=$(SEED) KYCBRIDGE_TEST_SIM_SEEDS=$(SEEDS) KYCBRIDGE_TEST_SIM_SECONDS=$(SECONDS) $(SIMULATE)
