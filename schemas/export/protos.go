// Package export holds the contract as files that other languages and tools start from: .proto files and JSON
// Schemas. It compiles nothing and writes nothing: `kycbridge schema export` does the latter.
package export

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/kycbridge/kycbridge/proto"
)

// imported is what the contract's files import that no compiler brings along: protoc, buf and the plugins of
// build tools have google/protobuf/*.proto themselves. Made from the descriptors in its Go module by `make proto`.
//
//go:embed buf/validate/*.proto
var imported embed.FS

// File is one exported file.
type File struct {
	Path string // where it lies below the folder that is exported to, with slashes
	Text []byte
}

// Protos gives the .proto files of the contract and what they import, sorted by path: the folder they are written
// to is all that a compiler needs as its path of imports.
func Protos() []File {
	return append(mustRead(imported), mustRead(proto.Contract)...)
}

// mustRead panics only where the program was built without what it embeds, which cannot be.
func mustRead(tree fs.FS) []File {
	var files []File
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(tree, path)
		files = append(files, File{Path: path, Text: text})
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("read an embedded file: %v", err))
	}
	return files
}
