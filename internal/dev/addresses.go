package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/providers"
)

// Found is what a running `dev` leaves in its data directory for the other commands, so that nobody has to repeat
// its flags. It holds no secret.
type Found struct {
	Hooks       string `json:"hooks"`                 // address of the webhooks, up to the name of an endpoint
	Admin       string `json:"admin"`                 // address of health, metrics and the played APIs
	Authorities string `json:"authorities,omitempty"` // file with the certificate behind Hooks; "" for plain HTTP
	Config      string `json:"config"`                // configuration file of the clients of its Kafka and Redis
}

// ErrNotFound says that a directory is of no running `dev`.
var ErrNotFound = errors.New("no `dev` runs on this directory")

// Find reads what the `dev` of a data directory left there. One that was killed left it too.
func Find(dir string) (Found, error) {
	var found Found
	data, err := os.ReadFile(addressesFile(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found, ErrNotFound
	case err == nil:
		err = json.Unmarshal(data, &found)
	}
	if err != nil {
		return found, fmt.Errorf("what `dev` left in %s cannot be read: %w", dir, err)
	}
	return found, nil
}

func addressesFile(dir string) string { return filepath.Join(dir, "dev", "addresses.json") }

// leave writes the file that Find reads, and forget removes it again.
func (o Options) leave(at serve.Addresses, config string) (forget func() error, err error) {
	hooks := strings.TrimSuffix(hookURL(at, ""), "/")
	authorities := at.Certificate
	if authorities != "" {
		if authorities, err = filepath.Abs(authorities); err != nil {
			return nil, fmt.Errorf("find the certificate: %w", err)
		}
	}
	data, err := json.MarshalIndent(Found{Hooks: hooks, Admin: "http://" + dialable(at.Admin), Authorities: authorities, Config: config}, "", "  ")
	if err != nil {
		return nil, err
	}
	file := addressesFile(o.Dir)
	forget = func() error {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) { // the directory may be gone
			return err
		}
		return nil
	}
	return forget, writePrivate(file, string(data)+"\n")
}

// clientsFile is the configuration of the clients of a `dev`: where its Kafka and Redis are, and what is known of its
// endpoints without their secrets.
func (o Options) clientsFile(services *embedded.Services, p passwords) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "# How commands reach the Kafka and Redis of this kycbridge dev: --config with this file.\n")
	fmt.Fprintf(&out, "kafka:\n  brokers: [%s]\n", value(services.Brokers()[0]))
	if p.secret != "" {
		fmt.Fprintf(&out, "  sasl:\n    mechanism: SASL_MECHANISM_SCRAM_SHA_256\n    username: %s\n    password_file: %s\n", embedded.KafkaUser, value(p.file))
	}
	fmt.Fprintf(&out, "redis:\n  address: %s\n", value(services.RedisAddr()))
	if p.secret != "" {
		fmt.Fprintf(&out, "  password_file: %s\n", value(p.file))
	}
	fmt.Fprintf(&out, "topics:\n  partitions: %d\n  replication: 1\n  json: %t\n", partitions, o.JSON)
	if o.Registry != "" {
		fmt.Fprintf(&out, "  encoding: %s\nregistry:\n  url: %s\n", o.encoding(), value(o.Registry))
	}
	fmt.Fprintln(&out, "endpoints:")
	for _, v := range o.Vendors {
		ways, err := o.keys().Ways(v)
		if err != nil {
			return "", err
		}
		for _, way := range ways {
			fmt.Fprintf(&out, "  - {name: %s, provider: %s, environment: %s", way.Endpoint, v.Name, providers.FixtureEnvironment)
			if v.Hydration != nil { // dev plays its API
				fmt.Fprint(&out, ", api: {}")
			}
			fmt.Fprintln(&out, "}")
		}
	}
	return out.String(), nil
}
