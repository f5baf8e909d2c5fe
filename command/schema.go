package command

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
)

func newSchema(env *environment) *cobra.Command {
	parent := &cobra.Command{
		Use:     "schema",
		Short:   "Export the protobuf schemas, for tools such as Kafka consoles",
		Example: "  kycbridge schema export -o kyc.binpb",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("expected export; see `%s --help`", c.CommandPath())
		},
	}
	parent.AddCommand(newSchemaExport(env))
	return parent
}

func newSchemaExport(env *environment) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the schemas as one FileDescriptorSet, imports included",
		Example: `  kycbridge schema export -o kyc.binpb
  kycbridge schema export | protoc --decode=google.protobuf.FileDescriptorSet google/protobuf/descriptor.proto`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			data, err := proto.MarshalOptions{Deterministic: true}.Marshal(schemas.DescriptorSet())
			if err != nil {
				return err
			}
			if out == "" || out == "-" {
				_, err = env.bytes.Write(data)
				return err
			}
			if err := os.WriteFile(out, data, 0o644); err != nil {
				return fmt.Errorf("cannot write the schemas: %w", err)
			}
			_, err = fmt.Fprintf(env.stderr, "wrote %d bytes to %s\n", len(data), out)
			return err
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write (default: standard output)")
	return c
}
