# Pages that are written from the tree. docs/configuration.md comes from `make proto`.

.PHONY: docs docs-check

docs: ## Write the pages of vendors and events and docs/asyncapi.yaml from goldens, READMEs, the catalogue and the contract
	go run ./tools/vendordoc
	go run ./tools/eventdoc
	go run ./tools/asyncapidoc

docs-check: ## Fail when they are not what would be written
	go run ./tools/vendordoc -check
	go run ./tools/eventdoc -check
	go run ./tools/asyncapidoc -check
