// Package command is the program kycbridge as a library, so that a binary can be built
// with vendors of its own: Main with the list of them is the whole of its main function.
//
// The rest is flags in and printing out: one file for each subcommand, which reads its
// flags, calls a function of internal/serve, dev, operate or simulate, and prints what
// that returns. It wires nothing, keeps nothing while it runs, and holds no rule about
// webhooks, events or Kafka records.
package command

import (
	"context"
	"os"

	"github.com/kycbridge/kycbridge/providers"
)

// Main is the program: it does what the arguments of the process say, for these vendors,
// in any order, and ends the process. The code is 0 for success, 1 where something
// failed, and 2 where the command line is wrong, or the list of vendors is: two of one
// name, or one that lacks what no process can do without. A subcommand may have further
// codes, which its help lists.
func Main(vendors []providers.Provider) {
	profiled := startProfile()
	env := osEnvironment(vendors)
	ctx, stop := untilSignal(context.Background(), env.program, os.Stderr)
	code := run(ctx, os.Args[1:], env)
	stop()
	profiled()
	os.Exit(code)
}
