# Pages that are written from the tree. docs/configuration.md comes from `make proto`.

.PHONY: docs docs-check

docs: ## Write docs/vendors.md, docs/vendors/ and docs/events.md from the catalogue, the goldens, the vendors' READMEs and the contract
	go run ./tools/vendordoc
	go run ./tools/eventdoc

docs-check: ## Fail when they are not what would be written
	go run ./tools/vendordoc -check
	go run ./tools/eventdoc -check
