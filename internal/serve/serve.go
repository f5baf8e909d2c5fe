// Package serve makes processes of the stages: it opens what a role needs of
// Kafka, Redis and addresses, hands the values of package sink to ingest and
// normalize, which know neither it nor each other, serves health and metrics
// beside them, and stops everything in the order in which nothing is lost.
//
// It decides nothing about a delivery, an event or a record, reads no flag and
// no file but through a configuration that is ready, and prints nothing but logs.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/origin"
)

// Options say which process to run. Fields below the blank line are optional.
type Options struct {
	Role     Role
	Config   *config.Config
	Instance int // tells processes of one kind apart; see PickInstance
	Log      *slog.Logger

	// Hooks and Admin are listeners that are open already, in place of those of the
	// configuration. Run closes them.
	Hooks, Admin net.Listener
	// AdminRoutes adds routes to the admin address.
	AdminRoutes func(*http.ServeMux)
	// Guard says which requests of browsers both addresses refuse. By default the admin
	// address answers GET under every name, for probes and scrapes, and changes nothing
	// for a browser; the other takes what proves itself.
	Guard *origin.Guard
	// TopicsReady: the broker has the topics as required, so they are neither created
	// nor checked.
	TopicsReady bool
	// TransactionalIDSuffix ends every transactional id, for a broker whose open
	// transactions of an earlier life must not be taken over.
	TransactionalIDSuffix string
	// Started is called once all is open, before anything runs beside the stages.
	Started func(Addresses)
	// Beside runs beside the stages, from when they serve until the workers are told
	// to stop. An error ends the process; nil ends the part alone.
	Beside []Part
}

// Part runs beside the stages of a process that serves at these addresses.
type Part = func(context.Context, Addresses) error

// Addresses are where a running process listens and what it connects to; empty where
// its role has none.
type Addresses struct {
	Hooks, Admin string // the process's own
	Kafka, Redis string // the first of each
	Certificate  string // the file that HTTPS at Hooks uses; "" for plain HTTP
}

// Run serves until ctx ends or something fails for good.
func Run(ctx context.Context, o Options) (err error) {
	s := &service{Options: o, health: &health{}, registry: newRegistry()}
	s.registry.MustRegister(newReadyGauge(s.health))
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.listen(); err != nil {
		return err
	}
	return s.run(ctx)
}
