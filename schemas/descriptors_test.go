package schemas_test

import (
	"slices"
	"testing"

	"github.com/kycbridge/kycbridge/schemas"
)

func TestDescriptorSetIsWholeAndOrdered(t *testing.T) {
	var paths []string
	for _, file := range schemas.DescriptorSet().File {
		for _, dep := range file.Dependency {
			if !slices.Contains(paths, dep) {
				t.Errorf("%s comes before %s, which it imports", file.GetName(), dep)
			}
		}
		if slices.Contains(paths, file.GetName()) {
			t.Errorf("%s is there twice", file.GetName())
		}
		paths = append(paths, file.GetName())
	}
	for _, file := range contractFiles() {
		if !slices.Contains(paths, file.Path()) {
			t.Errorf("%s is missing", file.Path())
		}
	}
	for _, path := range []string{"buf/validate/validate.proto", "google/protobuf/timestamp.proto"} {
		if !slices.Contains(paths, path) {
			t.Errorf("the import %s is missing", path)
		}
	}
}
