package command

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/schemas/export"
)

func newSchema(env *environment) *cobra.Command {
	parent := &cobra.Command{
		Use:     "schema",
		Short:   "Export the schemas of the events, or keep them in a schema registry",
		Example: "  kycbridge schema export --proto proto",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("expected export, register, check or diff; see `%s --help`", c.CommandPath())
		},
	}
	parent.AddCommand(newSchemaExport(env), newSchemaRegister(env), newSchemaCheck(env), newSchemaDiff(env))
	return parent
}

// exportFlags are the forms that are asked for.
type exportFlags struct {
	protos string // folder
	json   string // folder
	set    string // file, or - for standard output
}

func newSchemaExport(env *environment) *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the schemas as .proto files, JSON Schemas or one FileDescriptorSet",
		Long: `Write the schemas of the events in the forms that are asked for, several at once if you like.

With --proto: the .proto files, comments included, with all they import. protoc, buf and the protobuf
plugins of Maven and Gradle compile the folder as it is, without a network. Export again after an
update: files of an earlier export are replaced, and a file of yours is never overwritten.

With --json-schema: a JSON Schema (draft 2020-12) of the events of each topic, for those who read JSON.
Each file is whole in itself. Further properties and words of enums are valid, as newer events may
have them; rules between fields are in the .proto files alone.

With --output, or with no flag: one FileDescriptorSet, comments and imports included, for tools such as Kafka
consoles. Without a file's name it goes to standard output.`,
		Example: `  kycbridge schema export --proto proto
  kycbridge schema export --json-schema schemas
  kycbridge schema export -o kyc.binpb
  kycbridge schema export | protoc --decode=google.protobuf.FileDescriptorSet google/protobuf/descriptor.proto`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(env, c) },
	}
	c.Flags().StringVar(&f.protos, "proto", "", "folder to write the .proto files to")
	c.Flags().StringVar(&f.json, "json-schema", "", "folder to write the JSON Schemas to")
	c.Flags().StringVarP(&f.set, "output", "o", "", "file to write the FileDescriptorSet to (- and default: standard output)")
	return c
}

func (f exportFlags) run(env *environment, c *cobra.Command) error {
	asked := c.Flags().Changed
	if asked("proto") {
		if err := writeFolder(env.stderr, "--proto", f.protos, export.Protos()); err != nil {
			return err
		}
	}
	if asked("json-schema") {
		if err := writeFolder(env.stderr, "--json-schema", f.json, export.JSONSchemas()); err != nil {
			return err
		}
	}
	if asked("output") || !asked("proto") && !asked("json-schema") {
		return writeDescriptorSet(env, f.set)
	}
	return nil
}

func writeDescriptorSet(env *environment, path string) error {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(schemas.DescriptorSet())
	if err != nil {
		return err
	}
	if path == "" || path == "-" {
		_, err = env.bytes.Write(data)
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("cannot write the schemas: %w", err)
	}
	_, err = fmt.Fprintf(env.stderr, "wrote %d bytes to %s\n", len(data), path)
	return err
}
