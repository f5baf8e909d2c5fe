package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/internal/simulate"
)

// defaultData is where `dev` keeps its data.
const defaultData = "./.kycbridge"

// sendConnections is how many deliveries `send` has under way at once.
const sendConnections = 32

type sendFlags struct {
	kafkaFlags // for what --wait asks, and to find a dev
	fixture    string
	endpoint   string
	to         string
	ca         string
	count      int
	duplicate  int
	rate       float64
	list       bool
	corrupt    bool
	admin      string
	ownAdmin   bool          // admin was given
	wait       time.Duration // for what a delivery becomes; 0: not at all
}

func newSend(env *environment) *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use:   "send VENDOR",
		Short: "Sign and post sample deliveries, as the vendor would",
		Long: `Post sample deliveries of a vendor (` + env.vendors.list() + `),
signed as the vendor signs them. Every run and every delivery has fresh ids;
--duplicate posts the very same bytes again. The fixtures are synthetic: no real
person is in them.

The signature is made with $KYCBRIDGE_SECRET_<VENDOR>, else with the built-in secret
that ` + "`dev`" + ` prints, dev-secret-<vendor>. The exit code is 0 only when every answer was
the vendor's success code (with --corrupt: 401).

It posts to --to, else where the ` + "`dev`" + ` of the directory --data listens. The id that an
endpoint gave a delivery is printed; ` + "`trace`" + ` takes it. With --wait what became of the
delivery is printed, too: it is read from Kafka.

` + kafkaHelp,
		Example: `  kycbridge send complycube                  one delivery, one event
  kycbridge send complycube --wait           and the event it becomes
  kycbridge send complycube --duplicate 10   ten posts of one delivery: still one event
  kycbridge send complycube --corrupt        a body changed after signing: 401
  kycbridge send complycube --list           the cases there are
  kycbridge send complycube --count 10000 --rate 500`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return env.vendors.names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s takes one vendor: %s; see `%s --help`", c.CommandPath(), env.vendors.list(), c.CommandPath())
			}
			f.ownAdmin = c.Flags().Changed("admin")
			return send(c.Context(), env, args[0], f)
		},
	}
	c.Flags().StringVar(&f.fixture, "case", "", "fixture to send (default: with --count above 1 all good ones in turn, else one that makes one event)")
	c.Flags().StringVar(&f.endpoint, "as", "", "prove the sender as this endpoint of `dev` wants it, such as idwise-bearer (default: the vendor's name)")
	f.kafkaFlags.bind(c)
	c.Flags().DurationVar(&f.wait, "wait", 0, "print what became of each delivery, once that is decided; wait so long for it")
	c.Flags().Lookup("wait").NoOptDefVal = "30s"
	c.Flags().StringVar(&f.to, "to", "", "address to post to (default that of dev, \"http://127.0.0.1:8080/hooks/VENDOR\")")
	c.Flags().StringVar(&f.ca, "ca", "", "file with certificates to trust instead of the system's, such as that of dev --tls")
	c.Flags().IntVar(&f.count, "count", 1, "number of different deliveries")
	c.Flags().IntVar(&f.duplicate, "duplicate", 1, "number of times each delivery is posted")
	c.Flags().Float64Var(&f.rate, "rate", 0, "posts per second; 0 means as fast as they are answered")
	c.Flags().BoolVar(&f.list, "list", false, "print the names of the fixtures and stop")
	c.Flags().StringVar(&f.admin, "admin", "http://127.0.0.1:9090", "admin address of a running dev; its fake API is told the objects of the deliveries (\"\": nobody is)")
	c.Flags().BoolVar(&f.corrupt, "corrupt", false, "change the body after signing, or the secret where the body is not signed; every answer should be 401")
	return c
}

func (f *sendFlags) check() error {
	switch {
	case f.count < 1:
		return usagef("--count is %d; it is 1 or more", f.count)
	case f.duplicate < 1:
		return usagef("--duplicate is %d; it is 1 or more", f.duplicate)
	case f.rate < 0 || math.IsNaN(f.rate) || math.IsInf(f.rate, 0):
		return usagef("--rate is %g; it is a number of posts per second, or 0 for no limit", f.rate)
	case f.wait < 0:
		return usagef("--wait is %s; it is a time such as --wait=30s", f.wait)
	case f.wait > 0 && f.count*f.duplicate > simulate.MaxAnswers:
		return usagef("--wait is for up to %d posts, and these are %d; `kycbridge tail` shows what more become", simulate.MaxAnswers, f.count*f.duplicate)
	}
	if f.to == "" {
		return nil
	}
	u, err := url.Parse(f.to)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return usagef("--to is no address such as http://127.0.0.1:8080/hooks/complycube")
	case u.Path == "" || u.Path == "/":
		return usagef("--to has no path, and an endpoint is found by its path: write it like %s://%s/hooks/complycube", u.Scheme, u.Host)
	}
	return nil
}

// reach fills in what the running `dev` of the directory says, where nothing else was said.
func (f *sendFlags) reach(endpoint string) error {
	at, found, err := findDev(f.data)
	if err != nil || !found {
		return err
	}
	if f.to == "" {
		f.to, f.ca = at.Hooks+"/"+endpoint, cmp.Or(f.ca, at.Authorities)
	}
	if !f.ownAdmin {
		f.admin = at.Admin
	}
	return nil
}

// way is how the sender is proved: as the endpoint that was asked for wants it, else the
// vendor's first one. Deliveries go to that endpoint of `dev` unless told otherwise.
func (f *sendFlags) way(ways []simulate.Way, vendor string) (simulate.Way, error) {
	endpoint := cmp.Or(f.endpoint, vendor)
	if err := f.reach(endpoint); err != nil {
		return simulate.Way{}, err
	}
	var names []string
	for _, way := range ways {
		if way.Endpoint == endpoint {
			f.to = cmp.Or(f.to, simulate.DefaultURL(endpoint))
			return way, nil
		}
		names = append(names, way.Endpoint)
	}
	return simulate.Way{}, usagef("--as is %q; dev has these endpoints of %s: %s", endpoint, vendor, strings.Join(names, ", "))
}

func send(ctx context.Context, env *environment, name string, f sendFlags) error {
	vendor, err := env.vendors.find(name)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if f.list {
		all, err := vendor.Fixtures()
		for _, one := range all {
			fmt.Fprintln(env.stdout, one.Name)
		}
		return err
	}
	fixtures, err := simulate.Fixtures(vendor, f.fixture, f.count)
	if errors.Is(err, simulate.ErrNoCase) {
		return usagef("%s has no case %q; `kycbridge send %s --list` prints them", name, f.fixture, name)
	}
	if err != nil {
		return err
	}
	ways, err := simulate.Keyring{Lookup: env.lookup, Dir: cmp.Or(f.data, defaultData)}.Ways(vendor)
	if err != nil {
		return err
	}
	way, err := f.way(ways, name)
	if err != nil {
		return err
	}
	b := simulate.Burst{Fixtures: fixtures, Count: f.count, Copies: f.duplicate, Rate: f.rate, Admin: f.admin}
	// Where the proof does not cover the body, it is the proof that is spoilt.
	if b.Corrupt = f.corrupt && way.BindsBody(); f.corrupt && !b.Corrupt {
		if way, err = way.Forged(); err != nil {
			return err
		}
	}
	if b.Sender, err = simulate.NewSender(vendor, way, f.to, sendConnections, f.ca); err != nil {
		return usagef("--ca: %v", err)
	}
	defer b.Sender.Close()
	sent := time.Now()
	r := runBurst(ctx, env, b, f)
	err = f.verdict(r, vendor.Ack.Code())
	if err == nil && r.Unknown && vendor.Hydration.Required {
		fmt.Fprintf(env.stderr, "note: no `%s dev` at --admin %s took the object of this delivery; where dev plays the vendor's API, it will not know it\n", env.program, f.admin)
	}
	return errors.Join(err, f.tell(ctx, env, r.Answers, vendor.Ack.Code(), sent))
}

// runBurst posts everything and prints what was answered.
func runBurst(ctx context.Context, env *environment, b simulate.Burst, f sendFlags) *simulate.Result {
	bar := sendBar(env, f)
	b.Posted = func() { _ = bar.Add(1) }
	start := time.Now()
	r := b.Run(ctx)
	_ = bar.Exit()
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(env.stdout, "%7d × %d %s\n", r.Statuses[status], status, http.StatusText(status))
	}
	if len(r.Statuses) > 0 {
		fmt.Fprintf(env.stdout, "from %s in %s\n", secret.Address(f.to), time.Since(start).Round(time.Millisecond))
	}
	return r
}

// sendBar is a bar on a terminal for runs that take a while, and nothing
// elsewhere.
func sendBar(env *environment, f sendFlags) *progressbar.ProgressBar {
	total := f.count * f.duplicate
	slow := f.rate > 0 && float64(total)/f.rate > 2
	if !env.terminal || total < 500 && !slow {
		return progressbar.DefaultSilent(int64(total))
	}
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(env.screen), progressbar.OptionSetDescription("sending"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100*time.Millisecond))
}

// verdict is nil when every answer was as it should be.
func (f *sendFlags) verdict(r *simulate.Result, success int) error {
	want := success
	if f.corrupt {
		want = 401
	}
	total := f.count * f.duplicate
	good := r.Statuses[want]
	switch {
	case good == total:
		return nil
	case good == 0 && r.Err != nil && len(r.Statuses) == 0:
		return fmt.Errorf("nothing answers at %s (%w): start `kycbridge dev`, or pass --to URL", secret.Address(f.to), r.Err)
	case r.Err != nil:
		return fmt.Errorf("%d of %d posts were answered %d; the last one without an answer: %w", good, total, want, r.Err)
	case r.Statuses[401] > 0 && !f.corrupt:
		return fmt.Errorf("%d of %d posts were answered %d; 401 means another secret, another key, or no endpoint of that name: set KYCBRIDGE_SECRET_<VENDOR> to the endpoint's, check --to, and --data for the keys of dev", good, total, want)
	}
	return fmt.Errorf("%d of %d posts were answered %d", good, total, want)
}
