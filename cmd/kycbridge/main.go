// Command kycbridge moves identity-verification webhooks into Kafka: it receives
// them over HTTP, writes them to a raw topic, and turns each into typed events,
// exactly once.
//
// It is package command with the vendors of this repository. A binary with others is
// this file with another list, in a module of its own: see examples/own-vendor.
package main

import (
	"github.com/kycbridge/kycbridge/command"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

func main() { command.Main(catalog.All()) }
