// Package proto holds the .proto files of the contract, byte for byte as they are written here, comments
// included. It is not the generated code, which is in schemas, and knows nothing of what the files say.
package proto

import "embed"

// Contract is the files of the contract by the path under which they import each other, such as
// kyc/v1/session.proto. The configuration's are not among them: nobody compiles those but this program.
//
//go:embed kyc/*/*.proto
var Contract embed.FS
