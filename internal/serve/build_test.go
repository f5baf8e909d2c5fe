package serve

import (
	"runtime/debug"
	"testing"
)

// TestBuild: the version is that of this module, whichever module the binary is of.
func TestBuild(t *testing.T) {
	revision := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	other := &debug.Module{Path: "github.com/kycbridge/kycbridges", Version: "v9.9.9"}
	for name, c := range map[string]struct {
		info debug.BuildInfo
		want Build // without Go
	}{
		"released":           {debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.3"}, Deps: []*debug.Module{other}}, Build{Version: "v1.2.3", Revision: "unknown"}},
		"a working tree":     {debug.BuildInfo{Main: debug.Module{Path: module, Version: "(devel)"}, Settings: revision}, Build{Version: "devel", Revision: "0123456789ab+changes"}},
		"nothing noted":      {debug.BuildInfo{}, Build{Version: "devel", Revision: "unknown"}},
		"own vendors":        {debug.BuildInfo{Main: debug.Module{Path: "example.com/own", Version: "v0.4.0"}, Deps: []*debug.Module{other, {Path: module, Version: "v1.2.3"}}}, Build{Version: "v1.2.3", Own: "v0.4.0", Revision: "unknown"}},
		"own, from a folder": {debug.BuildInfo{Main: debug.Module{Path: "example.com/own"}, Deps: []*debug.Module{{Path: module, Version: "v1.2.3", Replace: &debug.Module{Path: "../.."}}}}, Build{Version: "devel", Own: "devel", Revision: "unknown"}},
		"own, from a mirror": {debug.BuildInfo{Main: debug.Module{Path: "example.com/own"}, Deps: []*debug.Module{{Path: module, Version: "v1.2.3", Replace: &debug.Module{Path: "example.com/mirror", Version: "v1.2.4"}}}}, Build{Version: "v1.2.4", Own: "devel", Revision: "unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := readBuild(&c.info)
			if got.Go == "" {
				t.Error("no Go version")
			}
			if got.Go = ""; got != c.want {
				t.Errorf("read as %+v, expected %+v", got, c.want)
			}
		})
	}
}
