package export

import (
	"embed"
	"fmt"
	"io/fs"
)

// described is made from the contract by tools/jsonschema, in `make proto`.
//
//go:embed jsonschema/*.schema.json
var described embed.FS

// JSONSchemas gives a JSON Schema (draft 2020-12) of the message of each topic, as protobuf's JSON mapping writes
// it, sorted by path, such as kyc.v1.SessionEvent.schema.json. Each is whole in itself; its $id is the message's
// full name after "urn:kycbridge:". They are open, as the contract is: a newer event with a property, or with the
// word of an enum, that a schema does not know is valid.
func JSONSchemas() []File {
	tree, err := fs.Sub(described, "jsonschema")
	if err != nil {
		panic(fmt.Sprintf("the folder of an embedded file: %v", err))
	}
	return mustRead(tree)
}
