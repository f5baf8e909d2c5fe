package command

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/serve"
)

// defaultAdmin is where a process on this machine answers for its health.
const defaultAdmin = "127.0.0.1:9090"

type healthFlags struct {
	admin   string
	live    bool
	timeout time.Duration
}

func newHealthcheck(env *environment) *cobra.Command {
	var f healthFlags
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running process whether it is ready, for containers without curl",
		Long: `Ask a running process on its admin address whether it is ready: exit code 0 when it
is, else 1 and one line that names what is down. It uses no proxy. The image runs it as
its health check.`,
		Example: `  kycbridge healthcheck                          ready?
  kycbridge healthcheck --live                   only whether the process answers
  kycbridge healthcheck --admin 10.0.3.7:9090 --timeout 5s`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return checkHealth(c.Context(), f) },
	}
	c.Flags().StringVar(&f.admin, "admin", defaultAdmin, "address of the process's admin.listen, host:port")
	c.Flags().BoolVar(&f.live, "live", false, "ask /livez instead of /readyz: whether the process answers, whatever it waits for")
	c.Flags().DurationVar(&f.timeout, "timeout", 2*time.Second, "how long to wait for the answer")
	return c
}

func checkHealth(ctx context.Context, f healthFlags) error {
	if _, _, err := net.SplitHostPort(f.admin); err != nil {
		return usagef("--admin is %q; expected host:port, such as %s", f.admin, defaultAdmin)
	}
	if f.timeout <= 0 {
		return usagef("--timeout is %s; expected more than 0, such as 2s", f.timeout)
	}
	path := "/readyz"
	if f.live {
		path = "/livez"
	}
	limited, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	err := serve.Probe(limited, f.admin, path)
	if ctx.Err() != nil {
		return errors.New("interrupted: no result")
	}
	return err
}
