package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
)

// proofs lists the ways in which the sender can be proved, by the key of the
// endpoint's configuration.
func proofs(p providers.Provider) string {
	var b strings.Builder
	for _, way := range p.Ways() {
		fmt.Fprintf(&b, "* %s\n", way.Traits().Description)
	}
	return b.String()
}

// settings are the keys of an endpoint's configuration that prove the sender.
func settings(p providers.Provider) string {
	var all []string
	for _, way := range p.Ways() {
		setting, _, _ := strings.Cut(way.Traits().Description, ":")
		if !slices.Contains(all, setting) {
			all = append(all, setting)
		}
	}
	return strings.Join(all, ", ")
}

// use says in a word whether the vendor's API is asked.
func use(h *providers.Hydration) string {
	switch {
	case h == nil:
		return "not used"
	case h.Required:
		return "always used"
	}
	return "used where an endpoint has `api`"
}

// answers is the answer that the vendor expects, and what it does without it.
func answers(a providers.Ack) string {
	return table([][2]string{
		{"Answer to an accepted delivery", fmt.Sprintf("%d %s", a.Code(), http.StatusText(a.Code()))},
		{"Time limit of the vendor", span(a.Limit, "not documented") + "; ours: " + span(a.Budget(), "")},
		{"It retries for at least", span(a.RetryFor, "not documented")},
		{"It does not retry after", finals(a.FinalStatuses)},
	})
}

// limits are how large a body may be, and what it may become.
func limits(l providers.Limits) string {
	body := "`ingest.max_body_bytes`"
	if l.Body > 0 {
		body = fmt.Sprintf("%d bytes, unless the endpoint has its own `max_body_bytes`", l.Body)
	}
	return table([][2]string{
		{"Body", body},
		{"Events of one body", fmt.Sprint(l.MaxEvents())},
		{"Bytes of its events", fmt.Sprint(l.MaxOutput())},
	})
}

func table(rows [][2]string) string {
	var b strings.Builder
	b.WriteString("| | |\n| --- | --- |\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	return b.String()
}

func span(d time.Duration, none string) string {
	if d == 0 {
		return none
	}
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

func finals(ranges []providers.StatusRange) string {
	var all []string
	for _, r := range ranges {
		if r.From == r.To {
			all = append(all, fmt.Sprint(r.From))
		} else {
			all = append(all, fmt.Sprintf("%d to %d", r.From, r.To))
		}
	}
	if len(all) == 0 {
		return "no documented status"
	}
	return strings.Join(all, ", ")
}

var credentials = map[providers.APIScheme]string{
	providers.APIKey:               "the key in `Authorization`, without a scheme",
	providers.APIBearer:            "a key as bearer token",
	providers.APIBasic:             "user and password, HTTP Basic",
	providers.APIClientCredentials: "OAuth 2 client credentials",
}

// hydration is how the vendor's API is used.
func hydration(h *providers.Hydration) string {
	if h == nil {
		return "Not used: only the webhooks are read.\n"
	}
	var b strings.Builder
	if h.Required {
		b.WriteString("Always used: without the object there is no event, and an endpoint without `api` does not start.\n")
	} else {
		b.WriteString("Used where the endpoint configures `api` and the webhook says less than the API.\n")
	}
	fmt.Fprintf(&b, "Credentials: %s.\n\n| Object | Address |\n| --- | --- |\n", credentials[h.Auth.Scheme])
	for _, kind := range slices.Sorted(maps.Keys(h.Objects)) {
		object := h.Objects[kind]
		fmt.Fprintf(&b, "| %s | %s", kind, code(h.BaseURL+object.Path))
		if h.SandboxURL != "" && h.SandboxURL != h.BaseURL {
			fmt.Fprintf(&b, "<br>sandbox: %s", code(h.SandboxURL+object.Path))
		}
		if object.OrElse != "" {
			fmt.Fprintf(&b, "<br>if unknown there: as %s", object.OrElse)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}
