package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate"
)

// letterFlags choose dead letters.
type letterFlags struct {
	kafkaFlags
	reasons   []string
	vendors   []string
	endpoints []string
	since     string
	until     string
	json      bool
	limit     int
	body      string
	headers   bool
}

func newDeadletter(env *environment) *cobra.Command {
	parent := &cobra.Command{
		Use:   "deadletter",
		Short: "List, show and replay dead letters",
		Example: `  kycbridge deadletter list --reason unmapped
  kycbridge deadletter show 3@17
  kycbridge deadletter replay --reason unmapped --dry-run -c kycbridge.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("expected list, show or replay; see `%s --help`", c.CommandPath())
		},
	}
	parent.AddCommand(newLetterList(env), newLetterShow(env), newLetterReplay(env))
	return parent
}

// idsHelp explains the ids of letters.
const idsHelp = `ID is the position of the raw record (3@17 or kyc.raw.v1/3/17), the delivery id (the
vendor got it in the header Kycbridge-Delivery-Id), or the vendor's id of the event.`

func newLetterList(env *environment) *cobra.Command {
	var f letterFlags
	c := &cobra.Command{
		Use:   "list [ID…]",
		Short: "List dead letters: time, reason, vendor, endpoint, position",
		Long: `List dead letters, oldest first, without their bodies.

` + idsHelp,
		Example: `  kycbridge deadletter list                        all of them
  kycbridge deadletter list --since 24h --vendor complycube
  kycbridge deadletter list --reason unmapped --json`,
		RunE: func(c *cobra.Command, args []string) error { return listLetters(c.Context(), env, f, args) },
	}
	f.bind(c)
	c.Flags().IntVar(&f.limit, "limit", 1000, "show at most this many, the newest ones; 0 shows all")
	return c
}

func newLetterShow(env *environment) *cobra.Command {
	var f letterFlags
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter without its body",
		Long: `Show a dead letter without its body, which is personal data. --body FILE writes the
body, byte for byte as it arrived; --body - writes it to standard output, where a terminal
shows what does not print as an escape. Of headers only words and versions are shown: a
header may be the event itself, as a token is. --headers shows them as they came.

` + idsHelp,
		Example: `  kycbridge deadletter show 3@17
  kycbridge deadletter show 3@17 --body /tmp/body.json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one dead letter: a position such as 3@17, or an id; see `%s --help`", c.CommandPath())
			}
			return showLetter(c.Context(), env, f, args)
		},
	}
	f.bind(c)
	c.Flags().BoolVar(&f.headers, "headers", false, "show the headers that were kept as they came, which may be personal data")
	c.Flags().StringVar(&f.body, "body", "", "write the body to this file (- for standard output) instead of showing the letter")
	return c
}

func (f *letterFlags) bind(c *cobra.Command) {
	f.kafkaFlags.bind(c)
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object per line")
	f.bindFilters(c)
}

func (f *letterFlags) bindFilters(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.reasons, "reason", nil, "only letters with this reason: "+strings.Join(audit.ReasonNames(), ", "))
	c.Flags().StringSliceVar(&f.vendors, "vendor", nil, "only letters from this vendor")
	c.Flags().StringSliceVar(&f.endpoints, "endpoint", nil, "only letters from this endpoint")
	c.Flags().StringVar(&f.since, "since", "", "only letters written at or after this `TIME`, such as 2026-05-04T10:00:00Z, or a duration before now, such as 24h or 7d")
	c.Flags().StringVar(&f.until, "until", "", "only letters written before this `TIME`")
}

// query reads the flags.
func (f *letterFlags) query(env *environment, ids []string) (q audit.LetterQuery, err error) {
	now := time.Now()
	q = audit.LetterQuery{IDs: ids, Vendors: f.vendors, Endpoints: f.endpoints}
	for _, reason := range f.reasons {
		name := strings.ToLower(strings.ReplaceAll(reason, "-", "_"))
		if !slices.Contains(audit.ReasonNames(), name) {
			return q, usagef("--reason is %q; expected one of %s", reason, strings.Join(audit.ReasonNames(), ", "))
		}
		q.Reasons = append(q.Reasons, name)
	}
	if err := env.vendors.check(f.vendors); err != nil {
		return q, err
	}
	if q.Since, err = parseWhen("--since", f.since, now); err != nil {
		return q, err
	}
	q.Until, err = parseWhen("--until", f.until, now)
	return q, err
}

// newestLetters reads the chosen letters and keeps the newest ones, at most limit.
func newestLetters(ctx context.Context, env *environment, f letterFlags, ids []string, limit int) (*newest, error) {
	q, err := f.query(env, ids)
	if err != nil {
		return nil, err
	}
	s, err := f.servers(env, "deadletter")
	if err != nil {
		return nil, err
	}
	kept := &newest{limit: limit}
	for l, err := range operate.DeadLetters(ctx, s, q) {
		if err != nil {
			return nil, explainKafka(s, err)
		}
		kept.add(l)
	}
	return kept, nil
}

func listLetters(ctx context.Context, env *environment, f letterFlags, ids []string) error {
	if f.limit < 0 {
		return usagef("--limit is %d; expected 0 or more", f.limit)
	}
	kept, err := newestLetters(ctx, env, f, ids, f.limit)
	if err != nil {
		return err
	}
	letters, summary := kept.sorted(), env.stdout
	if f.json {
		summary = env.stderr
		for _, l := range letters {
			if err := writeLine(env.stdout, l); err != nil {
				return err
			}
		}
	} else if err := writeLetters(env.stdout, letters); err != nil {
		return err
	}
	fmt.Fprintf(summary, "%d dead letters", kept.seen)
	if kept.seen > len(letters) {
		fmt.Fprintf(summary, ", showing the newest %d; --limit 0 shows all", len(letters))
	}
	fmt.Fprintln(summary)
	return nil
}

// newest keeps the last letters by time, and twice as many at most.
type newest struct {
	limit int
	seen  int
	all   []audit.Letter
}

func (n *newest) add(l audit.Letter) {
	n.seen++
	l.Record.Value = nil // the message has it all
	n.all = append(n.all, l)
	if n.limit > 0 && len(n.all) >= 2*n.limit {
		n.all = slices.Clone(n.sorted())
	}
}

func (n *newest) sorted() []audit.Letter {
	slices.SortStableFunc(n.all, func(a, b audit.Letter) int { return a.Record.Time.Compare(b.Record.Time) })
	if n.limit > 0 && len(n.all) > n.limit {
		return n.all[len(n.all)-n.limit:]
	}
	return n.all
}

func showLetter(ctx context.Context, env *environment, f letterFlags, ids []string) error {
	kept, err := newestLetters(ctx, env, f, ids, 1)
	if err != nil {
		return err
	}
	letters := kept.sorted()
	if len(letters) == 0 {
		return fmt.Errorf("no dead letter with id %s passes the other filters", ids[0])
	}
	l := letters[0]
	l.Headers = f.headers
	switch {
	case f.body != "":
		return writeBody(env, f.body, l.Message.GetEnvelope().GetBody())
	case f.json:
		return writeLine(env.stdout, l)
	}
	return writeLetter(env.stdout, l)
}
