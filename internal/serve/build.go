package serve

import (
	"runtime"
	"runtime/debug"
)

// Build is what was built, as far as the Go toolchain noted it.
type Build struct{ Version, Revision, Go string }

// ReadBuild asks the Go runtime.
func ReadBuild() Build {
	b := Build{Version: "devel", Revision: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
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
