package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/serve"
)

func newVersion(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, revision, Go version and vendors",
		Example: "  kycbridge version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(env.stdout, versionText(env, serve.ReadBuild()))
			return err
		},
	}
}

// versionText names the program first, and what is in it: a binary with vendors of its own
// has a version of its own.
func versionText(env *environment, b serve.Build) string {
	name, version, with := ourName, b.Version, ""
	if b.Own != "" {
		name, version, with = env.program, b.Own, ", with kycbridge "+b.Version
	}
	var mappers []string
	for _, v := range env.vendors {
		mappers = append(mappers, v.MapperVersion)
	}
	return fmt.Sprintf("%s %s (revision %s, %s)%s\nvendors: %s\n", name, version, b.Revision, b.Go, with, strings.Join(mappers, ", "))
}
