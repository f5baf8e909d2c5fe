// Command own-vendor is kycbridge with one vendor more, which is nobody else's business.
package main

import (
	"github.com/kycbridge/kycbridge/command"
	"github.com/kycbridge/kycbridge/providers/catalog"

	"example.com/own-vendor/acme"
)

func main() { command.Main(append(catalog.All(), acme.Provider)) }
