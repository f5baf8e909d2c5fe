# Faults over real processes: the built program, a real redis-server, and the in-process
# broker on real ports. e2e/faults_test.go says how one of them is run by name.

.PHONY: faults faults-short faults-real soak

FAULTS = go test -count=1 -timeout 90m -run '^Test(Faults|FaultRows)$$' ./e2e

faults: ## Every fault, with a table: deliveries, lost, doubled, time to recover
	KYCBRIDGE_TEST_FAULTS=$${FAULT:-all} $(FAULTS) -v

faults-short: ## A selection of them, in under 6 minutes
	KYCBRIDGE_TEST_FAULTS=short $(FAULTS)

faults-real: ## Those that are worth it on Apache Kafka, and the runbook's incidents; start it with make services
	KYCBRIDGE_TEST_FAULTS=$${FAULT:-all} KYCBRIDGE_TEST_REQUIRE=1 KYCBRIDGE_SERVICES_DIR=$${KYCBRIDGE_SERVICES_DIR:-$(CURDIR)/.services} \
	  KYCBRIDGE_TEST_KAFKA=127.0.0.1:$(KAFKA_PORT) KYCBRIDGE_TEST_REDIS=127.0.0.1:$(REDIS_PORT) \
	  go test -count=1 -timeout 120m -run '^TestRealFaults$$' ./e2e -v

soak: ## Half an hour of random faults; SOAK=5m for less, KYCBRIDGE_TEST_SEED=N for the same again
	KYCBRIDGE_TEST_SOAK=$${SOAK:-30m} go test -count=1 -timeout 24h -run '^TestSoak$$' ./e2e -v
