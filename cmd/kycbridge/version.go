package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/serve"
)

func newVersion(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, revision and Go version",
		Example: "  kycbridge version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			b := serve.ReadBuild()
			_, err := fmt.Fprintf(env.stdout, "kycbridge %s (revision %s, %s)\n", b.Version, b.Revision, b.Go)
			return err
		},
	}
}
