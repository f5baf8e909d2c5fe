package serve

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// module is that of this package, in whatever binary it is.
const module = "github.com/kycbridge/kycbridge"

// Build is what was built, as far as the Go toolchain noted it.
type Build struct {
	Version  string // of kycbridge
	Revision string // of the repository in which the binary was built
	Go       string
	// Own is the version of a binary with vendors of its own, which has this module among
	// its dependencies; "" for kycbridge itself.
	Own string
}

// ReadBuild asks the Go runtime.
func ReadBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{Main: debug.Module{Path: module}}
	}
	return readBuild(info)
}

func readBuild(info *debug.BuildInfo) Build {
	b := Build{Version: released(&info.Main), Revision: "unknown", Go: runtime.Version()}
	for _, dep := range info.Deps {
		if dep.Path == module {
			b.Own, b.Version = b.Version, released(cmp.Or(dep.Replace, dep))
		}
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if b.Revision != "unknown" {
		b.Revision += dirty
	}
	return b
}

// released is a module's version, and "devel" for one that was built from a folder.
func released(m *debug.Module) string {
	if m.Version == "(devel)" {
		return "devel"
	}
	return cmp.Or(m.Version, "devel")
}
