package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/normalize/replay"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// replayFlags are those that `replay` and `deadletter replay` share.
type replayFlags struct {
	kafkaFlags
	redis  string
	mode   string
	id     string
	dryRun bool
	json   bool

	since, until string
	ranges       []string
	ids          []string
	endpoints    []string
	vendors      []string
	all          bool
	poisonPills  bool

	selection replay.Selection
	resume    string // the command that continues it, without the replay id
}

func newReplay(env *environment) *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay --mode re-emit|fill-gaps SELECTION",
		Short: "Map raw deliveries again and publish the events",
		Long: `Map raw deliveries with this version and publish the result. Choose a mode; there is
no default:

  --mode re-emit    publish again what was published, with the same event ids, for
                    consumers that lost data. A consumer that ignores both the replay
                    label and the event id sees these events twice.
  --mode fill-gaps  publish only what never was: dead letters that a mapping now
                    understands, and deliveries without an outcome. It makes claims in
                    Redis, so nothing is doubled.

Choose the deliveries: --since, --until, --range, --id, --endpoint and --vendor combine;
--all takes everything in the raw topic. A replay skips what the normaliser has not
reached yet, and what waits for a vendor's API. It calls no API itself. It reads a stored
answer again; where there is none, fill-gaps hands the delivery to the hydrate stage.

Every event, dead letter and disposition carries the replay's id in the header
"replay", events also in metadata.flags, dispositions in replay_id. Nothing is written
to the raw topic, and the normaliser may keep running. An interrupted replay leaves only
whole transactions; repeat the command with the same --replay-id to continue.

` + windowHelp + `

Kafka, Redis, the limits and what endpoints say of a customer's reference come from
--config. Without it, a reference without the form of an id leaves as its digest, and
Kafka is found as by other commands, and Redis at --redis; a ` + "`dev`" + ` of --data is found
with both.`,
		Example: `  kycbridge replay --mode re-emit --since 24h --dry-run -c kycbridge.yaml
  kycbridge replay --mode re-emit --range 3@1000-2000 -c kycbridge.yaml   raw partition 3
  kycbridge replay --mode re-emit --id 0194f6a0-…        a delivery id or an event id
  kycbridge replay --mode fill-gaps --vendor complycube --since 2026-05-04T00:00:00Z -c kycbridge.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.readSelection(env, time.Now()); err != nil {
				return err
			}
			return runReplay(c.Context(), env, f, operate.Replay)
		},
	}
	f.bind(c)
	c.Flags().StringVar(&f.mode, "mode", "", "re-emit or fill-gaps")
	c.Flags().StringVar(&f.since, "since", "", "only deliveries at or after this `TIME`")
	c.Flags().StringVar(&f.until, "until", "", "only deliveries before this `TIME` (default now)")
	c.Flags().StringArrayVar(&f.ranges, "range", nil, "raw offsets: PARTITION@FROM-TO, PARTITION@FROM- or PARTITION; repeatable")
	c.Flags().StringSliceVar(&f.ids, "id", nil, "delivery id, the vendor's event id, or our event id; repeatable")
	c.Flags().StringSliceVar(&f.endpoints, "endpoint", nil, "only deliveries to this endpoint; repeatable")
	c.Flags().StringSliceVar(&f.vendors, "vendor", nil, "only deliveries from this vendor; repeatable")
	c.Flags().BoolVar(&f.all, "all", false, "everything in the raw topic")
	c.Flags().BoolVar(&f.poisonPills, "crashers", false, "with fill-gaps: include poison pills, deliveries that killed processes; they may kill this one")
	return c
}

func (f *replayFlags) bind(c *cobra.Command) {
	f.kafkaFlags.bind(c)
	c.Flags().StringVar(&f.redis, "redis", "", "Redis, host:port, where no configuration says it")
	c.Flags().StringVar(&f.id, "replay-id", "", "label of everything written; repeat it to continue an interrupted replay (default: a new one)")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing")
	c.Flags().BoolVar(&f.json, "json", false, "print the report as one JSON object")
}

// readSelection reads the selection, and keeps the command that continues the replay, with
// absolute times, so that it chooses the same deliveries.
func (f *replayFlags) readSelection(env *environment, now time.Time) error {
	if f.mode != string(replay.ReEmit) && f.mode != string(replay.FillGaps) {
		return usagef("--mode is %q; expected --mode re-emit, to publish again what was published (consumers see those events twice, labelled), or --mode fill-gaps, to publish only what never was", f.mode)
	}
	s := &f.selection
	narrowed := f.since != "" || f.until != "" || len(f.ranges)+len(f.ids)+len(f.endpoints)+len(f.vendors) > 0
	if narrowed == f.all {
		return usagef("choose deliveries: --since, --until, --range, --id, --endpoint, --vendor, or --all for everything in the raw topic")
	}
	var err error
	if s.Since, err = parseWhen("--since", f.since, now); err != nil {
		return err
	}
	if s.Until, err = parseWhen("--until", f.until, now); err != nil {
		return err
	}
	if s.Until.IsZero() && len(f.ranges) == 0 && len(f.ids) == 0 {
		s.Until = now // fixed, so that running this again does not choose later deliveries
	}
	for _, text := range f.ranges {
		r, err := replay.ParseRange(text)
		if err != nil {
			return usagef("--range: %w", err)
		}
		s.Ranges = append(s.Ranges, r)
	}
	if err := env.vendors.check(f.vendors); err != nil {
		return err
	}
	if err := s.Validate(); err != nil {
		return &usageError{err}
	}
	s.IDs, s.Endpoints, s.Vendors, s.PoisonPills = f.ids, f.endpoints, f.vendors, f.poisonPills
	f.resume = f.replayCommand()
	return nil
}

// replayWork is operate.Replay, or the same of dead letters.
type replayWork func(context.Context, operate.Servers, operate.ReplayQuery) (*replay.Report, error)

// runReplay replays, and prints the report whatever happens.
func runReplay(ctx context.Context, env *environment, f replayFlags, work replayWork) error {
	if f.id == "" {
		f.id = newReplayID(time.Now())
	}
	s, err := f.servers(env)
	if err != nil {
		return err
	}
	q := operate.ReplayQuery{ID: f.id, Mode: replay.Mode(f.mode), Select: f.selection, DryRun: f.dryRun}
	if err := q.Validate(); err != nil {
		return &usageError{err}
	}
	q.Begins = func() {
		fmt.Fprintf(env.stderr, "replay %s begins; if it is interrupted, continue with --replay-id %s\n", f.id, f.id)
	}
	if env.terminal {
		bar := &replayBar{out: env.screen, now: time.Now}
		q.Progress = bar.show
		defer bar.clear()
	}
	operate.LogTo(slog.New(slog.DiscardHandler))
	report, err := work(ctx, s, q)
	switch {
	case errors.Is(err, operate.ErrNoLetters):
		_, err := fmt.Fprintln(env.stdout, "no dead letters match; nothing to do")
		return err
	case report == nil:
		return explainKafka(s, err)
	case f.json:
		return errors.Join(writeLine(env.stdout, report), f.explain(report, err))
	}
	return errors.Join(writeReplay(env.stdout, report), f.explain(report, err))
}

// servers are those of the configuration, or what `dev` has.
func (f *replayFlags) servers(env *environment) (operate.Servers, error) {
	if err := f.fromDev(env); err != nil {
		return operate.Servers{}, err
	}
	if f.config != "" {
		c, err := loadConfig(env, f.config, config.Needs{Normalize: true})
		if err != nil {
			return operate.Servers{}, err
		}
		return f.override(operate.FromConfig(c), "replay")
	}
	if f.mode == string(replay.FillGaps) && f.redis == "" {
		return operate.Servers{}, usagef("--mode fill-gaps makes claims in Redis: pass --config FILE, or --redis HOST:PORT, or, for `dev`, its directory as --data DIR")
	}
	s, err := f.kafkaFlags.servers(env, "replay")
	if err != nil {
		return s, err
	}
	defaults := &configv1.Config{Kafka: &configv1.Kafka{Brokers: s.Kafka.Brokers}, Redis: &configv1.Redis{Address: f.redis}}
	c, err := config.Build("replay", defaults, config.Needs{Vendors: env.vendors})
	if err != nil {
		return s, err
	}
	built := operate.FromConfig(c)
	s.Redis, s.Limits = built.Redis, built.Limits
	s.Limits.Hydrates = func(string) bool { return true } // dev plays every vendor's API
	return s, nil
}

// explain reports what is committed and how to continue.
func (f *replayFlags) explain(r *replay.Report, err error) error {
	switch {
	case err == nil && len(r.Unknown) > 0:
		return fmt.Errorf("no chosen raw delivery has the id %s: it does not exist, other flags exclude it, or it is older than the raw topic", strings.Join(r.Unknown, ", "))
	case err == nil:
		return nil
	case f.dryRun:
		return fmt.Errorf("the dry run ended early: %w", err)
	}
	return fmt.Errorf("the replay ended early and keeps what it committed: %w; continue with: kycbridge %s --replay-id %s", err, f.resume, f.id)
}

// newReplayID is readable, sorts by time, and is new.
func newReplayID(now time.Time) string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime stops the program instead
	return now.UTC().Format("20060102T150405Z-") + hex.EncodeToString(b[:])
}
