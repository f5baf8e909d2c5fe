package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/bench/gauge"
	"github.com/kycbridge/kycbridge/internal/freeport"
)

// secret is that of every endpoint of the benchmarks.
const secret = "benchmark-secret-0123456789abcdef"

// deployment is one topic prefix, so that runs do not see each other, and how the product is
// configured for it.
type deployment struct {
	w         *world
	prefix    string
	redis     string   // host:port
	endpoints []string // ComplyCube's, by name
	others    []string // further endpoints, each as an item of the configuration's list
	slots     int      // 0: the product's default
	batch     int      // records of a transaction at most; 0: the product's default
	tls       string   // folder of the certificate that ingest shows; empty: plain HTTP
	// unauthenticated: endpoints take anybody's deliveries.
	unauthenticated bool

	files int // what the product's processes may have open; 0: as many as the caller
}

// deploy makes a fresh deployment with one ComplyCube endpoint.
func (w *world) deploy() *deployment {
	w.runs++
	prefix := fmt.Sprintf("bench-%d-%d.", time.Now().UnixMilli(), w.runs)
	w.prefixes[prefix] = true
	return &deployment{w: w, prefix: prefix, redis: w.redis, endpoints: []string{"complycube"}}
}

func (d *deployment) topic(base string) string { return d.prefix + base }

// group is the consumer group of the product's normaliser.
func (d *deployment) group() string { return d.prefix + "kycbridge-normalize" }

// config writes the product's configuration and returns its path.
func (d *deployment) config() (string, error) {
	var y strings.Builder
	fmt.Fprintf(&y, `kafka:
  brokers: [%q]
  topic_prefix: %q
redis:
  address: %q
topics:
  create_missing: true
ingest:
  listen: "${KYCBRIDGE_LISTEN}"
  drain_delay: 0.1s
%s%sadmin:
  listen: "${KYCBRIDGE_ADMIN}"
normalize:
  slots: %d
  batch_records: %d
endpoints:
`, d.w.kafka, d.prefix, d.redis, d.quota(), d.https(), d.slots, d.batch)
	proof := `secrets: [{id: primary, value: "${KYCBRIDGE_SECRET}"}]`
	if d.unauthenticated {
		proof = "allow_unauthenticated: true"
	}
	for _, name := range d.endpoints {
		fmt.Fprintf(&y, "  - {name: %s, provider: complycube, environment: ENVIRONMENT_SANDBOX, %s}\n", name, proof)
	}
	for _, other := range d.others {
		fmt.Fprintf(&y, "  - %s\n", other)
	}
	path := filepath.Join(d.w.scratch, strings.TrimSuffix(d.prefix, ".")+".yaml")
	return path, os.WriteFile(path, []byte(y.String()), 0o600)
}

// quota lets an endpoint bring all that it can, but for an attack on the others' events.
func (d *deployment) quota() string {
	if len(d.others) > 0 {
		return ""
	}
	return "  endpoint_events_per_second: 1000000\n"
}

// https is ingest's certificate, as lines of its section.
func (d *deployment) https() string {
	if d.tls == "" {
		return ""
	}
	return fmt.Sprintf("  tls: {certificate_file: %q, key_file: %q}\n", filepath.Join(d.tls, certificateFile), filepath.Join(d.tls, keyFile))
}

// running is a process of the product with where it is reached.
type running struct {
	*gauge.Process
	listen string        // host:port for webhooks
	admin  string        // host:port for health and metrics
	took   time.Duration // from its start to its being ready
}

// run starts `kycbridge args...` on the deployment.
func (d *deployment) run(ctx context.Context, args ...string) (*running, error) {
	config, err := d.config()
	if err != nil {
		return nil, err
	}
	listen, admin, err := twoAddresses()
	if err != nil {
		return nil, err
	}
	stage := args[0]
	path, args := d.limited(append(args, "--config", config))
	p, took, err := gauge.Start(ctx, gauge.Program{
		Name: "kycbridge " + stage, Path: path, Args: args,
		Env:   []string{"KYCBRIDGE_LISTEN=" + listen, "KYCBRIDGE_ADMIN=" + admin, "KYCBRIDGE_SECRET=" + secret, "KYCBRIDGE_PROFILE=" + d.w.profiles},
		Ready: "http://" + admin + "/readyz",
	})
	if err != nil {
		return nil, err
	}
	return &running{Process: p, listen: listen, admin: admin, took: took}, nil
}

// limited is the product with so many open files, or as many as the machine allows.
func (d *deployment) limited(args []string) (path string, all []string) {
	if d.files == 0 {
		return d.w.product, args
	}
	const script = `ulimit -n "$0" 2>/dev/null || ulimit -n "$(ulimit -H -n)"; exec "$@"`
	return "sh", append([]string{"-c", script, strconv.Itoa(d.files), d.w.product}, args...)
}

// createTopics makes the deployment's topics as an operator would.
func (d *deployment) createTopics(ctx context.Context) error {
	config, err := d.config()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, d.w.product, "topics", "create", "--config", config)
	cmd.Env = append(os.Environ(), "KYCBRIDGE_LISTEN=127.0.0.1:0", "KYCBRIDGE_ADMIN=127.0.0.1:0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kycbridge topics create: %w\n%s", err, said)
	}
	return nil
}

func twoAddresses() (one, other string, err error) {
	if one, err = freeport.Address(); err != nil {
		return "", "", err
	}
	other, err = freeport.Address()
	return one, other, err
}
