package catalog

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
)

// unlisted compares the folders of vendors with the list.
func unlisted(folders []string, all []providers.Provider) []string {
	var problems []string
	names := map[string]bool{}
	for _, p := range all {
		if names[p.Name] {
			problems = append(problems, "two vendors are named "+p.Name+"; a name is a folder and must be unique")
		}
		names[p.Name] = true
	}
	for _, folder := range folders {
		if !names[folder] {
			problems = append(problems, "providers/"+folder+" is not in the catalogue; add to All in providers/catalog/catalog.go the line\n\t\t"+
				folder+".Provider,\n(goimports, or your editor, adds its import \"github.com/kycbridge/kycbridge/providers/"+folder+"\")")
		}
	}
	return problems
}

func TestEveryVendorIsListed(t *testing.T) {
	files, err := filepath.Glob("../*/provider.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no providers/*/provider.go: %v", err)
	}
	var folders []string
	for _, f := range files {
		folders = append(folders, filepath.Base(filepath.Dir(f)))
	}
	for _, problem := range unlisted(folders, All()) {
		t.Error(problem)
	}
	byName := func(a, b providers.Provider) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}
	if !slices.IsSortedFunc(All(), byName) {
		t.Error("All is not in the order of the names")
	}
}

func TestForgettingIsNoticed(t *testing.T) {
	a, b := providers.Provider{Name: "a"}, providers.Provider{Name: "b"}
	for _, tc := range []struct {
		name    string
		folders []string
		all     []providers.Provider
		want    int
	}{
		{"all listed", []string{"a", "b"}, []providers.Provider{a, b}, 0},
		{"one forgotten", []string{"a", "b"}, []providers.Provider{a}, 1},
		{"one twice", []string{"a"}, []providers.Provider{a, a}, 1},
	} {
		if got := unlisted(tc.folders, tc.all); len(got) != tc.want {
			t.Errorf("%s: %d problems %q, want %d", tc.name, len(got), got, tc.want)
		}
	}
}

func TestFind(t *testing.T) {
	for _, p := range All() {
		if got, ok := Find(p.Name); !ok || got.Name != p.Name {
			t.Errorf("Find(%q) gives %q, %v", p.Name, got.Name, ok)
		}
	}
	if _, ok := Find("nobody"); ok {
		t.Error("Find finds a vendor that is not there")
	}
}
