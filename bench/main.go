// Command bench measures kycbridge against a floor: for each stage a straight program in floor/ that
// leaves behind the same records and has nothing around it, run in turn with the product on the same
// machine, Kafka and Redis. Processor time and memory are those of one process, as the operating
// system counts them.
//
// It judges speed alone; that nothing is lost or doubled is for the tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/kycbridge/kycbridge/bench/attack"
)

// scenario is one thing to measure.
type scenario struct {
	name string
	does string
	run  func(ctx context.Context, w *world, s size, r *report) error
	// alone: only where it is named, not with all the others.
	alone bool
}

var scenarios = []scenario{
	{name: "ingest", does: "signed webhooks over 64 connections, taken by ingest", run: ingest},
	{name: "normalize", does: "a backlog of raw records, drained by the normaliser", run: normalize},
	{name: "scale", does: "what an event costs as load, claims, endpoints and processes grow", run: scale},
	{name: "memory", does: "what each stage holds at rest, and ingest with long bodies", run: memory},
	{name: "latency", does: "from a webhook to its event at a reader at read_committed", run: latency},
	{name: "model", does: "what more load needs: slots simulated as one is measured", run: model},
	{name: "start", does: "from the start of a stage to its being ready; the program's size", run: starts},
	{name: "attacks", does: "signed webhooks beside floods of connections, headers, bodies, forgeries and handshakes", run: attacks, alone: true},
}

// size says how much is measured.
type size struct {
	rounds   int // of product and floor in turn
	records  int // raw records in the backlog of one round
	backlog  int // raw records in the one large backlog of scale
	claims   int // live claims in Redis at most
	requests int // webhooks that each receiver gets in one round
	rate     int // webhooks per second of one round of latency
	seconds  int // and how long it takes

	attack        string // names of attacks, a regular expression; empty: all
	attackSeconds int    // how long each takes
	attacksTable  string // file whose table of attacks is replaced; empty: none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	var err error
	if os.Getenv(attack.Variable) != "" {
		err = attack.Main(ctx, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, tell io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	kafka := flags.String("kafka", "", "host:port of an Apache Kafka (default: the embedded one, in its own process)")
	redis := flags.String("redis", "", "host:port of a Redis; goes with --kafka")
	asJSON := flags.Bool("json", false, "print one JSON document instead of a table")
	other := flags.String("kafka-default-backoff", "", "host:port of another Kafka, with add.partitions.to.txn.retry.backoff.ms at its default: latency is measured there as well")
	profiles := flags.String("profile", "", "folder for profiles of the product's processes, for go tool pprof")
	s := size{}
	flags.IntVar(&s.rounds, "rounds", 5, "rounds of product and floor in turn; their medians are shown")
	flags.IntVar(&s.records, "records", 100_000, "raw records in a backlog")
	flags.IntVar(&s.backlog, "backlog", 300_000, "raw records in the large backlogs of scale; an hour at 500/s is 1800000")
	flags.IntVar(&s.claims, "claims", 1_000_000, "live claims in Redis at most")
	flags.IntVar(&s.requests, "requests", 10_000, "webhooks that floor and product each get in one round")
	flags.IntVar(&s.rate, "rate", 500, "webhooks per second for latency")
	flags.IntVar(&s.seconds, "seconds", 10, "how long one round of latency, or of a load of scale, posts webhooks")
	flags.StringVar(&s.attack, "attack", "", "names of attacks as a regular expression (default: all)")
	flags.IntVar(&s.attackSeconds, "attack-seconds", attackSeconds, "how long each attack takes")
	flags.StringVar(&s.attacksTable, "attacks-table", "", "file whose table of attacks is replaced, such as docs/faults.md")
	flags.Usage = func() { usage(flags) }
	wanted, err := parse(flags, args)
	if err != nil {
		return err
	}
	w, err := open(ctx, *kafka, *redis, *profiles, tell)
	if err != nil {
		return err
	}
	w.otherKafka = *other
	defer func() { err = errors.Join(err, w.close()) }()
	r := &report{}
	for _, sc := range wanted {
		w.say("%s: %s", sc.name, sc.does)
		if err := sc.run(ctx, w, s, r); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	if *asJSON {
		return errors.Join(r.json(out, w.real), r.besieged.missed())
	}
	return errors.Join(r.table(out), r.besieged.missed())
}

// parse takes flags before, between and after the names of scenarios; no name means all of them.
func parse(flags *flag.FlagSet, args []string) (wanted []scenario, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			break
		}
		name := flags.Arg(0)
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("%q is not a scenario: choose among %s", name, names())
		}
		wanted, args = append(wanted, scenarios[i]), flags.Args()[1:]
	}
	if len(wanted) == 0 {
		wanted = slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return s.alone })
	}
	return wanted, nil
}

func names() string {
	var all []string
	for _, s := range scenarios {
		all = append(all, s.name)
	}
	return strings.Join(all, ", ")
}

func usage(flags *flag.FlagSet) {
	fmt.Fprintln(flags.Output(), "Usage: go run ./bench [flags] [scenario…]")
	for _, s := range scenarios {
		fmt.Fprintf(flags.Output(), "  %-10s %s\n", s.name, s.does)
	}
	flags.PrintDefaults()
}
