# The checks, each as its own target; .ci/run runs them in order and prints the times.

STATICCHECK := $(BIN)/staticcheck-v0.8.2
GOVULNCHECK := $(BIN)/govulncheck-v1.8.0

# Tools with dependencies that the program must not get are modules of their own, which
# ./... does not reach.
TOOL_MODULES := $(patsubst %/go.mod,%,$(wildcard tools/*/go.mod))
in_tools = @set -e; for module in $(TOOL_MODULES); do (echo "$$module: $(1)"; cd $$module; $(1)); done

# The same holds for the examples.
EXAMPLE_MODULES := $(patsubst %/go.mod,%,$(wildcard examples/*/go.mod))
in_examples = @set -e; for module in $(EXAMPLE_MODULES); do (echo "$$module: $(1)"; cd $$module; $(1)); done

# Where `make services` listens.
KAFKA_PORT ?= 19092
REDIS_PORT ?= 16379

.PHONY: lint fmt-check vet staticcheck vulncheck release-check e2e smoke e2e-real test-tools examples compose-check config-check ci

lint: fmt-check vet staticcheck vulncheck ## Formatting, vet, staticcheck, known vulnerabilities

fmt-check: ## Fail when gofmt would change a file
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then \
	  printf 'not formatted, run gofmt -w on:\n%s\n' "$$files"; exit 1; fi

vet: ## go vet, the tools' modules and every build tag included
	go vet ./...
	go vet -tags failpoints,setnx,profile ./command ./internal/serve ./e2e
	$(call in_tools,go vet ./...)

staticcheck: $(STATICCHECK) ## staticcheck, the tools' modules included
	$(STATICCHECK) ./...
	$(call in_tools,$(STATICCHECK) ./...)

vulncheck: $(GOVULNCHECK) ## Known vulnerabilities in what we call; needs vuln.go.dev or GOVULNDB
	@./make/vulncheck.sh $(GOVULNCHECK)

release-check: ## What a release needs beside CI: vulnerabilities that were looked for, images by digest
	@KYCBRIDGE_RELEASE=1 $(MAKE) -s vulncheck compose-check

e2e: ## The end-to-end tests on the embedded Kafka and Redis
	go test -count=1 -run '^Test(Embedded|OneLine)' ./e2e/...

smoke: build ## The same on the binary in .bin, killed and restarted more often
	KYCBRIDGE_TEST_BINARY=$(BIN)/kycbridge KYCBRIDGE_TEST_KILLS=$${KYCBRIDGE_TEST_KILLS:-20} \
	  go test -count=1 -run '^Test(Embedded|OneLine)' ./e2e/...

e2e-real: ## The end-to-end tests on a real Kafka and Redis; start them with make services
	KYCBRIDGE_TEST_REQUIRE=1 KYCBRIDGE_TEST_KAFKA=127.0.0.1:$(KAFKA_PORT) KYCBRIDGE_TEST_REDIS=127.0.0.1:$(REDIS_PORT) \
	  go test -count=1 -run '^TestReal' ./e2e/...

test-tools: ## The tests of tools/, where a tool is a module of its own
	$(call in_tools,go test ./...)

examples: $(STATICCHECK) ## The examples: their go.mod and go.sum say what they need, vet, staticcheck, their tests
	$(call in_examples,go mod tidy -diff)
	$(call in_examples,go vet ./...)
	$(call in_examples,$(STATICCHECK) ./...)
	$(call in_examples,go test ./...)

compose-check: ## Parse docker-compose.yml and Dockerfile and check what must hold
	cd tools/composecheck && go run . ../..

config-check: build ## Check the shipped configurations
	@for file in deploy/local.yaml deploy/compose.yaml; do \
	  env $(foreach v,COMPLYCUBE IDENFY IDNOW IDWISE PROOFME,KYCBRIDGE_SECRET_$(v)=no-secret-only-a-check-$(v)) \
	  KYCBRIDGE_SECRET_IDWISE=nobody:no-secret-only-a-check-IDWISE KYCBRIDGE_PROOFME_API_KEY=none $(BIN)/kycbridge config check $$file || exit 1; done

ci: ## All that CI runs, in its order
	@bash .ci/run

# Tools are built once per version; a new version is a new file name.
$(STATICCHECK): PACKAGE := honnef.co/go/tools/cmd/staticcheck
$(GOVULNCHECK): PACKAGE := golang.org/x/vuln/cmd/govulncheck
$(STATICCHECK) $(GOVULNCHECK):
	@mkdir -p $(BIN)
	GOBIN=$(BIN)/install go install $(PACKAGE)@$(lastword $(subst -, ,$@))
	@mv $(BIN)/install/$(notdir $(PACKAGE)) $@
