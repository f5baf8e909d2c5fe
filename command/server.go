package command

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/serve"
)

// serverFlags are the flags of the serving commands.
type serverFlags struct {
	log      logFlags
	config   string
	instance int
}

var serverHelp = map[string]string{
	"all":       "Receive webhooks and turn them into events, in one process",
	"ingest":    "Receive webhooks and write them to the raw topic",
	"hydrate":   "Fetch from vendors' APIs what their webhooks leave out",
	"normalize": "Turn raw deliveries into events, each exactly once",
}

// instanceUnset is the value of --instance when the flag is not given.
const instanceUnset = -1

// newServer is the command of one role.
func newServer(env *environment, r serve.Role) *cobra.Command {
	var f serverFlags
	c := &cobra.Command{
		Use:     r.Name,
		Short:   serverHelp[r.Name],
		Example: fmt.Sprintf("  kycbridge %s --config deploy/local.yaml\n  kycbridge %s --config kycbridge.yaml --log-level debug", r.Name, r.Name),
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runServer(c.Context(), env, r, f) },
	}
	bindConfig(c, &f.config)
	f.log.bind(c.Flags())
	if r.Works() {
		c.Flags().IntVar(&f.instance, "instance", instanceUnset, "number of this process, unique among its kind and the same at every start\n(default: the digits after the last - of the host name)")
		c.Flags().Lookup("instance").DefValue = "0" // a zero is not printed, and -1 would be misleading
	}
	return c
}

func runServer(ctx context.Context, env *environment, r serve.Role, f serverFlags) error {
	log, err := f.log.logger(env)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(env, f.config, config.Needs{Ingest: r.Ingest, Normalize: r.Normalize, Hydrate: r.Hydrate})
	if err != nil {
		return err
	}
	for _, text := range cfg.Warnings {
		log.Warn(text)
	}
	o := serve.Options{Role: r, Config: cfg, Log: log, Started: env.started}
	if r.Works() {
		if o.Instance, err = f.number(env, r, log); err != nil {
			return err
		}
	}
	return serve.Run(ctx, o)
}

// number is the process's instance: the flag, else what PickInstance finds.
func (f serverFlags) number(env *environment, r serve.Role, log *slog.Logger) (int, error) {
	if f.instance >= 0 {
		return f.instance, nil
	}
	if f.instance != instanceUnset {
		return 0, usagef("--instance is %d; expected 0 or more", f.instance)
	}
	found, err := serve.PickInstance(r, env.hostname)
	if found.Note != "" {
		log.Info(found.Note)
	}
	return found.Number, err
}
