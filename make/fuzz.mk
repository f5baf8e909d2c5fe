# Fuzzing. A failing input is written to testdata/fuzz beside its test, and from then on is part of
# `go test`.

.PHONY: fuzz

fuzz: ## Every fuzz target for a while: EACH=1m for longer, READERS=10m for the readers of JSON
	@./make/fuzz.sh $(or $(EACH),2s) $(or $(READERS),30s)
