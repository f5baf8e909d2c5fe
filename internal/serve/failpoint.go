//go:build !failpoints

package serve

import (
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/sink"
)

// The functions here mark where a process can be told to die. They do nothing: only
// a binary built with the tag failpoints, for the fault suite, has any.

func failLog(l *sink.RawLog) *sink.RawLog                         { return l }
func failKafka(o sink.Options) sink.Options                       { return o }
func failSession(s *sink.Session) *sink.Session                   { return s }
func failStore(s *dedupe.Store) *dedupe.Store                     { return s }
func failProviders(all []providers.Provider) []providers.Provider { return all }
