# Pages that are written from the tree. docs/configuration.md comes from `make proto`.

.PHONY: docs docs-check

docs: ## Write docs/vendors.md and docs/vendors/ from the catalogue, the goldens and the vendors' READMEs
	go run ./tools/vendordoc

docs-check: ## Fail when docs/vendors.md or docs/vendors/ is not what they give
	go run ./tools/vendordoc -check
