# The contract: sources in proto/, generated Go in schemas/, internal/contract and internal/config. Works
# without a network once the tools are built: `buf.build/bufbuild/protovalidate` comes from its Go module.

BIN ?= $(CURDIR)/.bin
BUF := $(BIN)/buf-v1.73.0
PROTOC_GEN_GO := $(BIN)/protoc-gen-go-v1.36.12/protoc-gen-go

# Written anew by each run and never committed; tools/protodeps says why it is there.
PROTO_DEPS := .buf-deps
PROTO_RULES := buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go
BUF_FLAGS := --config $(PROTO_DEPS)/workspace.yaml --path proto/kyc --path proto/kycbridge

# The generator of checks and encoders is tried on files of its own.
PROTO_PLUGIN := tools/protoc-gen-go-contract
PROBE_FLAGS := --config $(PROTO_DEPS)/workspace.yaml --template $(PROTO_PLUGIN)/testdata/buf.gen.yaml \
  $(patsubst %,--path %,$(wildcard $(PROTO_PLUGIN)/testdata/*.proto))

# The worked example of docs/evolution.md has a second version, which nothing writes.
NEXT := normalize/testdata/evolution
NEXT_FLAGS := --config $(PROTO_DEPS)/workspace.yaml --path $(NEXT)/kyc

# What has been released, as a file: a comparison with a tag or with main needs history that
# a shallow or first clone lacks, and on main itself would compare the contract with itself.
PROTO_RELEASED := proto/released.binpb
RULECHECK ?= go run ./tools/rulecheck

# Generated first into a folder of its own, then put in place or compared.
PROTO_TREE := $(PROTO_DEPS)/tree
PROTO_IMAGE := $(PROTO_DEPS)/contract.binpb
PROTO_GENERATED := schemas/kyc schemas/kycbridge schemas/kyc.binpb schemas/export/buf schemas/export/jsonschema internal/contract/generated internal/config/generated $(PROTO_PLUGIN)/probe normalize/normalizetest/kyc docs/configuration.md

.PHONY: proto proto-check proto-release proto-deps proto-lint proto-breaking proto-tree

proto: proto-tree ## Check the contract and generate Go and the configuration reference from it
	@rm -rf $(PROTO_GENERATED)
	@cp -R $(PROTO_TREE)/. .

# protodeps is a module of its own, so `go test ./...` does not reach it.
proto-check: proto-tree ## Check the contract, and that what is generated from it is what is in the tree
	@for path in $(PROTO_GENERATED); do diff -r $(PROTO_TREE)/$$path $$path || \
	  { echo "$$path is not what proto/ gives: run make proto"; exit 1; }; done
	cd tools/protodeps && go vet ./... && go test ./...
	KYCBRIDGE_TEST_BUF=$(BUF) go test ./tools/rulecheck

proto-release: proto-lint ## At a release: make the contract what later ones are compared with
	$(BUF) build $(PROTO_IMAGE) --exclude-source-info -o $(PROTO_RELEASED)

proto-lint: proto-breaking
	$(BUF) format $(BUF_FLAGS) --diff --exit-code
	$(BUF) lint $(BUF_FLAGS) --path $(NEXT)/kyc

# What buf does not see, rulecheck does: rules are never tightened. docs/evolution.md says what may change.
proto-breaking: proto-deps
	$(BUF) build $(BUF_FLAGS) -o $(PROTO_IMAGE)
	$(BUF) breaking $(PROTO_IMAGE) --config $(PROTO_DEPS)/workspace.yaml --against $(PROTO_RELEASED)
	$(RULECHECK) -image $(PROTO_IMAGE) -released $(PROTO_RELEASED) -reviewed proto/loosened.txt

proto-tree: proto-lint $(PROTOC_GEN_GO)
	PATH="$(dir $(PROTOC_GEN_GO)):$$PATH" $(BUF) generate $(BUF_FLAGS) -o $(PROTO_TREE)
	PATH="$(dir $(PROTOC_GEN_GO)):$$PATH" $(BUF) generate $(PROBE_FLAGS) -o $(PROTO_TREE)
	PATH="$(dir $(PROTOC_GEN_GO)):$$PATH" $(BUF) generate $(NEXT_FLAGS) --template $(NEXT)/buf.gen.yaml -o $(PROTO_TREE)
	@mkdir -p $(PROTO_TREE)/docs $(PROTO_TREE)/schemas/export
	@cp -R $(PROTO_DEPS)/buf $(PROTO_TREE)/schemas/export/
	$(BUF) build --config $(PROTO_DEPS)/workspace.yaml --path proto/kyc --exclude-imports --as-file-descriptor-set -o $(PROTO_TREE)/schemas/kyc.binpb
	go run ./tools/jsonschema -out $(PROTO_TREE)/schemas/export/jsonschema < $(PROTO_IMAGE)
	go run ./tools/configdoc < $(PROTO_IMAGE) > $(PROTO_TREE)/docs/configuration.md

# Also empties the folder, the tree of the last run included.
proto-deps: $(BUF)
	@cd tools/protodeps && go run . -root $(CURDIR) -out $(PROTO_DEPS) \
	  -want "$$(cd $(CURDIR) && go list -m -f '{{.Version}}' $(PROTO_RULES))"

$(BUF):
	@mkdir -p $(BIN)
	GOBIN=$(BIN)/install go install github.com/bufbuild/buf/cmd/buf@v1.73.0
	@mv $(BIN)/install/buf $@

$(PROTOC_GEN_GO):
	GOBIN=$(patsubst %/,%,$(dir $@)) go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
