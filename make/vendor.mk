# The folder of a new vendor; providers/README.md says what to do with it.

.PHONY: vendor

vendor: ## Lay out providers/NAME for a new vendor: make vendor NAME=zenith TITLE="Zenith ID"
	@go run ./tools/newvendor -name "$$NAME" -title "$$TITLE"
