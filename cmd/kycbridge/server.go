package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
)

// serverFlags are the flags of the serving commands.
type serverFlags struct {
	log      logFlags
	config   string
	instance int
}

var serverHelp = map[string]string{
	"all":       "Take webhooks in and turn them into events, in one process",
	"ingest":    "Take webhooks in and put them into the raw topic",
	"hydrate":   "Ask vendors' APIs for what their webhooks do not say",
	"normalize": "Turn raw deliveries into events, each exactly once",
}

// newServer is the command of one role.
func newServer(w *world, r role) *cobra.Command {
	var f serverFlags
	c := &cobra.Command{
		Use:     r.name,
		Short:   serverHelp[r.name],
		Example: fmt.Sprintf("  kycbridge %s --config deploy/local.yaml\n  kycbridge %s --config kycbridge.yaml --log-level debug", r.name, r.name),
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runServer(c.Context(), w, r, f) },
	}
	bindConfig(c, &f.config)
	f.log.bind(c.Flags())
	if r.works() {
		c.Flags().IntVar(&f.instance, "instance", instanceUnset, "number of this process among those of its kind, the same at every start\n(default: the digits after the last - of the host name)")
		c.Flags().Lookup("instance").DefValue = "0" // a zero is not printed, and -1 would be misleading
	}
	return c
}

func runServer(ctx context.Context, w *world, r role, f serverFlags) error {
	log, err := f.log.logger(w)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(w, f.config, config.Needs{Ingest: r.ingest, Normalize: r.normalize, Hydrate: r.hydrate})
	if err != nil {
		return err
	}
	for _, text := range cfg.Warnings {
		log.Warn(text)
	}
	s := &service{world: w, role: r, config: cfg, log: log, health: &health{}, registry: newRegistry()}
	if r.works() {
		i, err := resolveInstance(f.instance, r, w.hostname)
		if err != nil {
			return err
		}
		if i.note != "" {
			log.Info(i.note)
		}
		s.instance = i.number
	}
	if err := s.listen("ingest.listen", "admin.listen"); err != nil {
		return err
	}
	return errors.Join(s.run(ctx), s.close())
}
