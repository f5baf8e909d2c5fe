package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// shown is what one fixture shows of a vendor.
type shown struct {
	Fixture    string
	Type       string // the vendor's event type; "" where there is none
	ReadAs     string // the mapping it is read as, where that has another name
	Becomes    []string
	Dead       *deadLetter           // instead of Becomes
	Drift      []providers.Drift     // noted by the mapping
	Attributes map[string][]string   // keys of vendor_attributes by message
	Hydration  kycv1.Hydration       // of its events
	Needs      struct{ Kind string } // the object that is asked for first
}

type deadLetter struct{ Reason, Field, Detail string }

// goldenFile is as much of want.json as the page needs; the conformance suite
// writes and checks the rest.
type goldenFile struct {
	VendorType string `json:"vendor_event_type"`
	MapAs      string `json:"map_as"`
	Events     []struct {
		Topic string          `json:"topic"`
		Event json.RawMessage `json:"event"`
	} `json:"events"`
	Drift   []providers.Drift `json:"drift"`
	Problem *deadLetter       `json:"problem"`
	Needs   struct {
		Kind string `json:"kind"`
	} `json:"needs"`
}

func readCase(f providers.Fixture) (shown, error) {
	c := shown{Fixture: f.Name, Attributes: map[string][]string{}}
	if f.Want == nil {
		return c, errors.New("missing; go test -update writes it")
	}
	var g goldenFile
	if err := json.Unmarshal(f.Want, &g); err != nil {
		return c, err
	}
	c.Type, c.ReadAs, c.Dead, c.Drift, c.Needs.Kind = g.VendorType, g.MapAs, g.Problem, g.Drift, g.Needs.Kind
	for _, e := range g.Events {
		event, err := decode(e.Topic, e.Event)
		if err != nil {
			return c, err
		}
		c.Becomes = append(c.Becomes, "`"+strings.TrimSuffix(e.Topic, ".v1")+"` "+code(meaning(event.ProtoReflect())))
		c.Hydration = event.GetMetadata().GetHydration()
		message := string(event.ProtoReflect().Descriptor().Name())
		for key := range event.GetMetadata().GetVendorAttributes() {
			c.Attributes[message] = append(c.Attributes[message], key)
		}
	}
	return c, nil
}

// decode reads an event in protobuf's JSON mapping, by the topic it goes to.
func decode(base string, text []byte) (schemas.DomainEvent, error) {
	for _, t := range schemas.Topics() {
		if t.Base != base {
			continue
		}
		event, ok := t.New().(schemas.DomainEvent)
		if !ok {
			break
		}
		return event, protojson.Unmarshal(text, event)
	}
	return nil, fmt.Errorf("%q is not a topic of domain events", base)
}

// attributes gathers the keys of vendor_attributes by message, in order.
func attributes(cases []shown) map[string][]string {
	found := map[string]map[string]bool{}
	for _, c := range cases {
		for message, keys := range c.Attributes {
			if found[message] == nil {
				found[message] = map[string]bool{}
			}
			for _, key := range keys {
				found[message][key] = true
			}
		}
	}
	sorted := map[string][]string{}
	for message, keys := range found {
		sorted[message] = slices.Sorted(maps.Keys(keys))
	}
	return sorted
}

// driftKinds are all kinds of drift that the fixtures show.
func driftKinds(cases []shown) []string {
	kinds := map[string]bool{}
	for _, c := range cases {
		for _, d := range c.Drift {
			kinds[d.Kind] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}
